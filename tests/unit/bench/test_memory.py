"""Peaks of memory, counted."""

from __future__ import annotations

import pytest
import torch

import bellrock
from bellrock.bench.memory import EXCESS, allocated_peak, memory_info, memory_warnings
from bellrock.bench.record import MemoryInfo


def test_a_view_takes_no_memory_and_a_freed_tensor_gives_it_back() -> None:
    x = torch.zeros(1000)

    def run() -> torch.Tensor:
        y = x.view(10, 100) + 1
        y = y[1:].t()
        y = y + x[:9]  # 4000 and 3600 bytes are alive
        del y
        return x * 2

    assert allocated_peak(run) == pytest.approx(7600, abs=256)  # blocks are rounded up


def test_what_an_operator_allocates_inside_counts() -> None:
    convolution, x = torch.nn.Conv2d(32, 32, 3, padding=1, bias=False), torch.randn(4, 32, 28, 28)
    with torch.no_grad():
        convolution(x)
        peak = allocated_peak(lambda: convolution(x))
    assert peak > 1.5 * x.nbytes  # the result alone is as large as x


def test_parameters_that_are_shared_count_once() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(64, 64, bias=False), torch.nn.Linear(64, 64))
    model[1].weight = model[0].weight
    x = torch.randn(2, 64)
    compiled = bellrock.compile(model, (x,), use_cache=False)
    with torch.no_grad():
        found = memory_info(compiled, model, (x,))
    assert found.eager_bytes < 2 * 64 * 64 * 4


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


def test_copies_of_filters_take_what_a_library_needs_inside() -> None:
    """Winograd's filters (4 MiB) beside 8 MiB of tensors: oneDNN has copies of 5 MiB of these."""
    model = torch.nn.Conv2d(256, 256, 3, padding=1, bias=False)
    x = torch.randn(16, 256, 14, 14)
    compiled = bellrock.compile(model, (x,))
    preparation = compiled.compiled.artifact.preparation
    assert preparation is not None
    assert sum(preparation.value_bytes) > model.weight.nbytes
    with torch.no_grad():
        found = memory_info(compiled, model, (x,))
    assert found.ours_bytes < EXCESS * found.eager_bytes
