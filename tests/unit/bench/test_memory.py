"""Peaks of memory, counted."""

from __future__ import annotations

import pytest
import torch

import bellrock
from bellrock.bench.memory import LiveStorage, memory_info, memory_warnings
from bellrock.bench.record import MemoryInfo


def test_a_view_takes_no_memory_and_a_freed_tensor_gives_it_back() -> None:
    x = torch.zeros(1000)
    live = LiveStorage([x])
    assert live.peak_bytes == 4000
    with live:
        y = x.view(10, 100) + 1
        y = y[1:].t()
        assert live.peak_bytes == 8000
        y = y + x[:9]
        assert live.peak_bytes == 8000 + y.nbytes
        del y
        z = x * 2
    assert live.peak_bytes == 8000 + 3600
    del z


class Chain(torch.nn.Module):
    """Eager makes five tensors, two of them alive beside the input; one kernel makes one."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x * self.weight).exp() + x).tanh()


def test_what_is_fused_is_never_alive() -> None:
    model, x = Chain(), torch.randn(256, 64)
    compiled = bellrock.compile(model, (x,), use_cache=False)
    with torch.no_grad():
        found = memory_info(compiled, model, (x,))
    assert found.eager_bytes == 256 + 3 * x.nbytes
    workspace = compiled.compiled.artifact.workspace_bytes
    assert found.ours_bytes == 256 + 2 * x.nbytes + workspace
    assert workspace < x.nbytes


@pytest.mark.parametrize(("ours", "warned"), [(109, 0), (111, 1)])
def test_ten_per_cent_more_are_a_warning(ours: int, warned: int) -> None:
    assert len(memory_warnings(MemoryInfo(ours_bytes=ours, eager_bytes=100))) == warned
