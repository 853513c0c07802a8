"""Sorts, and what is read off them, against PyTorch: exactly, with ties and NaNs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp
from support.models import FunctionModule

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)
from torch.utils import _pytree as pytree  # noqa: E402

INFINITY = float("inf")


def check(function: Callable[..., Any], *inputs: torch.Tensor) -> None:
    wanted = function(*inputs)
    got = bellrock.compile(FunctionModule(function), inputs)(*inputs)
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


def _first_of_sorted(x: torch.Tensor, k: int, dim: int, *, largest: bool) -> Any:
    values, positions = x.sort(dim=dim, descending=largest, stable=True)
    return values.narrow(dim, 0, k), positions.narrow(dim, 0, k)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("k", [1, 5, 13])
def test_a_few_of_many_are_those_of_a_stable_sort(k: int, dim: int, largest: bool) -> None:
    x = _uneven(300, 301)  # ties in all lines, also of what is kept with what is not
    x[3, :] = float("nan")
    x[:, 7] = -INFINITY
    x[5, ::3], x[6, 290:] = INFINITY, float("nan")
    wanted = _first_of_sorted(x, k, dim, largest=largest)
    got = bellrock.compile(FunctionModule(lambda y: y.topk(k, dim=dim, largest=largest)), (x,))(x)
    for right, ours in zip(wanted, got, strict=True):
        torch.testing.assert_close(ours, right, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("descending", [False, True])
def test_a_few_of_lines_in_order(descending: bool) -> None:
    """The worst line has each element before all others, the best has none."""
    x = torch.arange(2000.0).reshape(2, 1000)
    x = x.flip(1) if descending else x
    check(lambda y: (y.topk(7, dim=1), y.topk(7, dim=1, largest=False)), x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.int32, torch.uint8])
def test_a_few_of_other_types(dtype: torch.dtype) -> None:
    x = torch.stack([torch.randperm(250) for _ in range(4)]).to(dtype)
    check(lambda y: y.topk(3, dim=1).values, x)


def test_a_few_of_one_line_and_of_lines_in_a_batch() -> None:
    x, y = torch.randn(5000), torch.randn(2, 3, 400)
    check(lambda a, b: (a.topk(9), b.topk(4, dim=1 + 1), b.kthvalue(2, dim=-1)), x, y)


def test_positions_that_are_not_numbers_of_elements_are_read() -> None:
    """Sorted along with numbers that come from an argument: values of a permutation."""
    x, order = torch.randn(3, 200), torch.randperm(200)
    check(lambda a, o: a[:, o].topk(4, dim=1).values.sum(1) + o[:3], x, order)


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
