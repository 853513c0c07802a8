"""Sorts, and what is read off them, against PyTorch: exactly, with ties and NaNs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)
from torch.utils import _pytree as pytree  # noqa: E402

INFINITY = float("inf")


class _Op(torch.nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


def check(function: Callable[..., Any], *inputs: torch.Tensor) -> None:
    wanted = function(*inputs)
    got = bellrock.compile(_Op(function), inputs)(*inputs)
    pairs = zip(pytree.tree_leaves(wanted), pytree.tree_leaves(got), strict=True)
    for right, ours in pairs:
        assert right.dtype == ours.dtype
        assert torch.equal(right.isnan(), ours.isnan())
        assert torch.equal(right.nan_to_num(), ours.nan_to_num())


def _uneven(*shape: int) -> torch.Tensor:
    """Make numbers with many ties."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)).mul(3).round()


@pytest.mark.parametrize("length", [1, 2, 3, 7, 16, 33, 100])
def test_sorts_of_any_length_are_stable(length: int) -> None:
    check(lambda x: x.sort(dim=1, stable=True), _uneven(5, length))


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("descending", [False, True])
def test_nan_is_the_largest(dim: int, descending: bool) -> None:
    x = _uneven(9, 21)
    x[2, 3:11] = float("nan")
    x[4, 5], x[4, 6] = INFINITY, -INFINITY
    check(lambda y: y.sort(dim=dim, descending=descending, stable=True), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8, torch.int64])
def test_sorts_of_other_types(dtype: torch.dtype) -> None:
    check(lambda x: x.sort(dim=-1, stable=True), _uneven(3, 4, 13).to(dtype))


def test_sorts_of_one_line() -> None:
    check(lambda x, y: (x.sort(stable=True), y.sort(stable=True)), _uneven(77), _uneven(1, 50))


def test_what_is_read_off_sorted_lines() -> None:
    x = torch.randn(7, 30)
    check(lambda y: (y.topk(4, dim=-1), y.kthvalue(3, dim=0)), x)
    x[2, 4:9] = float("nan")
    check(lambda y: (y.median(dim=1), y.median(dim=0, keepdim=True), y.median()), x)


@pytest.mark.parametrize("right", [False, True])
def test_places_in_sorted_sequences(right: bool) -> None:
    sequence, values = _uneven(4, 23).sort(dim=1)[0], _uneven(4, 9)
    values[1, 2] = float("nan")
    check(lambda s, v: torch.searchsorted(s, v, right=right), sequence, values)
    check(lambda s, v: torch.bucketize(v, s, right=right), sequence[0], values)


@pytest.mark.parametrize("size", [(5,), (5, 7), (2, 3, 2)])
def test_maxima_over_uneven_windows(size: tuple[int, ...]) -> None:
    pool = getattr(torch.nn.functional, f"adaptive_max_pool{len(size)}d")
    x = torch.randn(2, 3, *(2 * s + 3 for s in size))
    check(lambda y: (pool(y, size), pool(y, size, return_indices=True)), x)
