"""Scatters against PyTorch: duplicates, negative and wrong indices, odd shapes, types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp
from support.models import FunctionModule

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)


def compiled(function: Callable[..., Any], *inputs: torch.Tensor) -> torch.Tensor:
    """Compile and run; each scatter is one kernel around a parallel loop."""
    with torch.no_grad():
        program = bellrock.compile(FunctionModule(function), inputs, use_cache=False, jobs=1)
        assert all(kernel.motif != "scatter" for kernel in program.compiled.kernels)
        before = [x.clone() for x in inputs]
        found = program(*inputs)
    assert all(torch.equal(a, b) for a, b in zip(before, inputs, strict=True))
    return found


def check(function: Callable[..., Any], *inputs: torch.Tensor) -> None:
    found = compiled(function, *inputs)
    expected = function(*(x.double() if x.is_floating_point() else x for x in inputs))
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-5, atol=1e-5)
    assert found.dtype == inputs[0].dtype


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def places(bound: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, bound, shape, generator=torch.Generator().manual_seed(bound))


def once(bound: int, count: int) -> torch.Tensor:
    """Different indices, half of them negative."""
    order = torch.randperm(bound, generator=torch.Generator().manual_seed(bound))[:count]
    return torch.where(order % 2 == 0, order, order - bound)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("shape", [(5, 7, 33), (1, 9, 64), (3, 1, 1)])
def test_sums_of_elements(dim: int, shape: tuple[int, ...]) -> None:
    sizes = list(shape)
    sizes[dim] = 11
    index = places(shape[dim], *sizes)
    check(lambda x, i, u: x.scatter_add(dim, i, u), numbers(*shape), index, numbers(*sizes))


@pytest.mark.parametrize("reduce", ["sum", "prod", "amax", "amin"])
def test_reductions_of_elements(reduce: str) -> None:
    index = places(4, 6, 13)
    check(lambda x, i, u: x.scatter_reduce(1, i, u, reduce), numbers(6, 4), index, numbers(6, 13))


def test_elements_replaced() -> None:
    index = torch.stack([torch.randperm(17)[:9] for _ in range(5)])
    check(lambda x, i, u: x.scatter(1, i, u), numbers(5, 17), index, numbers(6, 10))
    check(lambda x, i: x.scatter(1, i, 2.5), numbers(5, 17), index)
    # The index is smaller than the tensor beside the dimension.
    x, u = numbers(8, 17), numbers(5, 9)
    with torch.no_grad():
        program = bellrock.compile(
            FunctionModule(lambda x, i, u: x.scatter(1, i, u)), (x, index, u)
        )
        torch.testing.assert_close(program(x, index, u), x.scatter(1, index, u))


@pytest.mark.parametrize("width", [1, 16, 31, 160, 256])
def test_rows(width: int) -> None:
    rows = numbers(9, width)
    check(lambda x, i, u: x.index_add(0, i, u, alpha=2), numbers(5, width), places(5, 9), rows)
    check(lambda x, i, u: x.index_copy(0, i, u), numbers(20, width), once(20, 9) % 20, rows)
    check(lambda x, i, u: x.index_put((i,), u), numbers(20, width), once(20, 9), rows)
    check(
        lambda x, i, u: x.index_put((i,), u, accumulate=True),
        numbers(5, width), places(5, 9) - 5, rows,
    )  # fmt: skip


def test_several_indices() -> None:
    x, u = numbers(4, 6, 8), numbers(3, 8)
    i, j = torch.tensor([0, 3, -1]), torch.tensor([5, -2, 2])
    check(lambda x, i, j, u: x.index_put((i, j), u), x, i, j, u)

    def behind(x: torch.Tensor, i: torch.Tensor, j: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y[:, i, j] = u
        y[:, 0, i] += 1
        return y

    check(behind, numbers(2, 4, 6), i, j, numbers(3))
    check(lambda x, i, j: x.index_put((i[:, None], j), x[0, 0, 0]), x, i, j)


def test_in_place_and_of_integers() -> None:
    def update(x: torch.Tensor, i: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        y = x * 2
        y[i] = u
        y[i] += 1
        return y

    index = torch.tensor([1, 4, -1])
    check(update, numbers(9, 20), index, numbers(3, 20))
    ones = torch.ones(50, dtype=torch.int64)
    check(lambda x, i, u: x.scatter_add(0, i, u), torch.zeros(7).long(), places(7, 50), ones)


def test_a_wrong_index_means_the_nearest_element() -> None:
    x, u = numbers(6, 5), numbers(3, 5)
    index = torch.tensor([100, -100, 2])
    found = compiled(lambda x, i, u: x.index_put((i,), u), x, index, u)
    expected = x.clone()
    expected[5], expected[0], expected[2] = u
    assert torch.equal(found, expected)


@pytest.mark.parametrize("count", [63, 512, 1300])
def test_strips_of_positions(count: int) -> None:
    """Positions are computed ahead, 512 at a time, and what is left over."""
    x, index, updates = numbers(3, 70), places(70, 3, count), numbers(3, count)
    check(lambda x, i, u: x.scatter_add(1, i, u), x, index, updates)
    check(lambda x, i, u: x.scatter_reduce(1, i, u, "amax"), x, index, updates)
    check(lambda x, i, u: x.index_add(0, i, u), numbers(70), index[0], updates[0])
    check(lambda x, i, u: x.index_put((i,), u), numbers(2000), once(2000, count), updates[0])
    # The last of several values in one place stays.
    whole = torch.arange(count).remainder(7).expand(3, count).contiguous()
    found = compiled(lambda x, i, u: x.scatter(1, i, u), x, whole, updates)
    last = updates[:, [max(range(i, count, 7)) for i in range(7)]]
    assert torch.equal(found[:, :7], last)
    assert torch.equal(found[:, 7:], x[:, 7:])
    # Positions in rows of their own, along other dimensions; integers.
    wide = places(9, count // 9 + 1, 130)
    check(lambda x, i, u: x.scatter_add(0, i, u), numbers(9, 130), wide, numbers(*wide.shape))
    numbered = torch.arange(3 * count).reshape(3, count)
    check(lambda x, i, u: x.scatter_add(1, i, u), (x * 9).long(), index, numbered)


SUMS: dict[str, Callable[..., Any]] = {
    "scatter_add": lambda x, i, u: x.scatter_add(0, i[:, None].expand(u.shape), u),
    "scatter_reduce": lambda x, i, u: x.scatter_reduce(0, i[:, None].expand(u.shape), u, "sum"),
    "scatter_mean": lambda x, i, u: x.scatter_reduce(0, i[:, None].expand(u.shape), u, "mean"),
    "index_add": lambda x, i, u: x.index_add(0, i, u, alpha=0.5),
    "index_put": lambda x, i, u: x.index_put((i,), u, accumulate=True),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", SUMS)
def test_sums_in_16_bits_are_rounded_once(name: str, dtype: torch.dtype) -> None:
    """Hundreds of updates of one element: summed in 16 bits, most of them would be lost."""
    function, x, updates = SUMS[name], numbers(3, 7).to(dtype), numbers(901, 7).abs().to(dtype)
    index = places(3, 901)
    with torch.no_grad():
        found = bellrock.compile(FunctionModule(function), (x, index, updates), jobs=1)(
            x, index, updates
        )
    assert found.dtype == dtype
    wanted = function(x.double(), index, updates.double())
    torch.testing.assert_close(found.double(), wanted, rtol=torch.finfo(dtype).eps, atol=0.0)
