"""Buffers: nothing is overwritten while it is needed, whatever is returned and however often.

Small models whose values are used twice, returned twice or returned as views, against PyTorch.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils import _pytree as pytree

import bellrock


class TwoProjections(torch.nn.Module):
    """One kernel called twice; both results are needed together."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.q(x) @ self.k(x).transpose(1, 2)


class ReturnedTwice(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = torch.relu(x) + 1
        return y, y, torch.cumsum(y, 0)


class InputReturned(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x, x.sum(1), x.transpose(1, 2), x


class ViewsReturned(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = torch.cumsum(x, 1)
        return y, y.reshape(-1), y[:, 1:], y.reshape(3, 4, 5).transpose(1, 2) + y


class OldValueNeededLate(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = torch.tanh(x)
        b = torch.softmax(a, -1)
        c = torch.softmax(b, -1)
        return torch.softmax(c + a, -1) * b


class ConstantReturned(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.zeros(2, 3), x + 1, torch.zeros(2, 3)


class BufferUpdated(torch.nn.Module):
    """A buffer that is read, written and returned."""

    count: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(3, 1, 1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        before = x + self.count
        self.count += 1
        return before, x * self.count


@pytest.mark.parametrize(
    "kind",
    [
        TwoProjections,
        ReturnedTwice,
        InputReturned,
        ViewsReturned,
        OldValueNeededLate,
        ConstantReturned,
        BufferUpdated,
    ],
)
def test_results(kind: type[torch.nn.Module], tmp_path: Path) -> None:
    torch.manual_seed(0)
    expecting, model = kind().eval(), kind().eval()
    model.load_state_dict(expecting.state_dict())
    example = torch.randn(3, 5, 4)
    compiled = bellrock.compile(model, (example,), cache_dir=tmp_path)
    for _ in range(2):  # the second call meets what the first one left
        x = torch.randn(3, 5, 4)
        with torch.no_grad():
            expected = pytree.tree_leaves(expecting(x))
        got = pytree.tree_leaves(compiled(x))
        assert len(got) == len(expected)
        for ours, theirs in zip(got, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
        assert len({tensor.data_ptr() for tensor in got}) == len(got), "results share memory"
    for ours, theirs in zip(model.buffers(), expecting.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)
