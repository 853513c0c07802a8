"""Elementwise ops that read each other, as one kernel of several results, against eager."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import bellrock

Results = tuple[Tensor, ...]


class _Graph(nn.Module):
    def __init__(self, graph: Callable[..., Results]) -> None:
        super().__init__()
        self._graph = graph

    def forward(self, *inputs: Tensor) -> Results:
        return self._graph(*inputs)


def _scaled(x: Tensor, s: Tensor) -> Results:
    y = x * s
    return y, torch.tanh(y)


def _diamond(x: Tensor, s: Tensor) -> Results:
    y = torch.exp(-x.abs()) + s
    left, right = y * s, y - x
    return left / (1 + right * right), y, left


def _one_is_summed(x: Tensor, s: Tensor) -> Results:
    y = x * s
    return torch.sin(y), y.sum(-1), y


def _path_leaves(x: Tensor, s: Tensor) -> Results:
    y = x + s
    scaled = y * 2
    shifted = y - scaled.mean()  # reads y, and through a sum what is made of y
    return y, scaled, shifted


def _into_slices(x: Tensor, s: Tensor) -> Results:
    y = x * s
    return y, torch.cat([torch.tanh(y), y, x], 0)


@pytest.mark.parametrize("shape", [(1,), (7, 13), (3, 5, 17), (257, 129)], ids=str)
@pytest.mark.parametrize(
    ("graph", "kernels"),
    [(_scaled, 1), (_diamond, 1), (_one_is_summed, None), (_path_leaves, None),
     (_into_slices, None)],
    ids=["scaled", "diamond", "one is summed", "path leaves", "into slices"],
)  # fmt: skip
def test_results_that_make_each_other(
    graph: Callable[..., Results], kernels: int | None, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    inputs = (torch.randn(shape), torch.randn(shape[-1]))
    compiled = bellrock.compile(_Graph(graph), inputs)
    expected = graph(*(t.double() for t in inputs))
    for got, wanted in zip(compiled(*inputs), expected, strict=True):
        torch.testing.assert_close(got.double(), wanted, rtol=2e-5, atol=2e-5)
    if kernels is not None:
        assert len(compiled.compiled.kernels) == kernels


def test_a_step_of_an_lstm_is_two_kernels() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(11, 19, batch_first=True).eval()
    x = torch.randn(3, 9, 11)
    compiled = bellrock.compile(layer, (x,))
    output, (hidden, cell) = compiled(x)
    wanted, (last_hidden, last_cell) = nn.LSTM.double(layer)(x.double())
    for got, want in ((output, wanted), (hidden, last_hidden), (cell, last_cell)):
        torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)
    kinds = sorted(k.motif for k in compiled.compiled.kernels if k.motif != "fill")
    # The input's products; of each step the hidden product, and what is made of it.
    assert kinds.count("contraction") == 2
    assert kinds.count("elementwise") == 1


def test_a_convolution_of_one_image_takes_its_activation() -> None:
    torch.manual_seed(0)
    block = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(),
        nn.Conv2d(5, 7, 3, padding=1), nn.SiLU(),
    ).eval()  # fmt: skip
    x = torch.randn(1, 3, 13, 9)
    compiled = bellrock.compile(block, (x,))
    torch.testing.assert_close(compiled(x), block(x), rtol=1e-4, atol=1e-5)
    # The two convolutions, and what batch norm's statistics make once.
    sums = [k for k in compiled.compiled.kernels if k.motif == "convolution"]
    assert len(sums) == 2
    planned = compiled.compiled.artifact.workspace_bytes
    assert planned < 2 * 5 * 13 * 9 * 4  # one image between them, not one before the activation too


class _Unrolled(nn.Module):
    """A recurrence as a loop in Python: all states first, an output of each later."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(19, 13), nn.Linear(13, 5)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        states = []
        for t in range(x.shape[0]):
            state = torch.tanh(self.hidden(torch.cat([x[t], state], 1)))
            states.append(state)
        return torch.stack([self.out(s) for s in states]), state


def test_an_unrolled_recurrence_keeps_no_states_that_it_does_not_need() -> None:
    torch.manual_seed(0)
    model = _Unrolled().eval()
    x, state = torch.randn(24, 3, 6), torch.randn(3, 13)
    compiled = bellrock.compile(model, (x, state))
    for got, wanted in zip(compiled(x, state), model(x, state), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    of_all_states = 24 * 3 * 13 * 4
    assert compiled.compiled.artifact.workspace_bytes < of_all_states / 2
