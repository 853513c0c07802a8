"""Data movement against PyTorch, bit by bit: transposes, concatenations, pads, rolls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp
from support.models import FunctionModule

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

F = torch.nn.functional


def check(function: Callable[..., Any], *inputs: torch.Tensor) -> None:
    with torch.no_grad():
        program = bellrock.compile(FunctionModule(function), inputs, use_cache=False, jobs=1)
        assert torch.equal(program(*inputs), function(*inputs))


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int32, torch.int64, torch.int8]
)
def test_transposes_of_all_types(dtype: torch.dtype) -> None:
    check(lambda x: x.t().contiguous(), (numbers(131, 160) * 50).to(dtype))


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((211, 199), (1, 0)),
        ((3, 64, 14, 15), (0, 2, 3, 1)),
        ((3, 14, 15, 64), (0, 3, 1, 2)),
        ((37, 41, 43), (2, 1, 0)),
        ((37, 41, 43), (1, 2, 0)),
        ((1, 32, 1, 997), (3, 2, 1, 0)),
        ((2, 3, 4, 5, 64), (4, 0, 2, 1, 3)),
    ],
)
def test_orders(shape: tuple[int, ...], order: tuple[int, ...]) -> None:
    check(lambda x: x.permute(order).contiguous(), numbers(*shape))
    check(lambda x: x.permute(order) * 2 + 1, numbers(*shape))


def test_concatenations() -> None:
    x, y, z = numbers(5, 7, 33), numbers(5, 4, 33), numbers(5, 1, 33)
    check(lambda x, y, z: torch.cat((x, y, z), 1), x, y, z)
    check(lambda x, y: torch.stack((x, y, x), -1), x, x + 1)
    check(lambda x, y: torch.cat((x.relu(), y.transpose(0, 1)), 0), numbers(9, 40), numbers(40, 3))
    check(lambda x, y: torch.cat((x[:, ::2], y[:, 1:3], x[:, 3:]), 1), x, y)
    # One tensor is in two places, and is read again.
    check(lambda x, y: torch.cat((x + y, x + y), 0) * 2, x, x)


def test_pads_and_rolls() -> None:
    x = numbers(3, 17, 40)
    check(lambda x: F.pad(x, (3, 2, 1, 0), value=0.5), x)
    check(lambda x: torch.roll(x, (5, -3), (1, 2)), x)
    check(lambda x: torch.roll(x.permute(0, 2, 1), (1, 2), (1, 2)).contiguous(), x)
    check(lambda x: torch.slice_scatter(x, x[:, :3] * 2, 1, 4, 7), x)


def test_no_copy_counts_as_scalar() -> None:
    x, y = numbers(2, 64, 7, 7), numbers(2, 32, 7, 7)
    model = FunctionModule(lambda x, y: torch.cat((x, y), 1))
    program = bellrock.compile(model, (x, y), use_cache=False, jobs=1)
    assert program.compiled.kernels
    assert all(kernel.vectorised for kernel in program.compiled.kernels)


_COMPOSED: list[Callable[[torch.Tensor], Any]] = [
    lambda x: F.pad(torch.cat((x[:, ::3], x[:, 4:], x[:, -1:]), 1), (3, 2, 1, 4), value=7),
    lambda x: torch.roll(torch.cat((x, x[..., 1:5]), -1), (2, -3, 1), (0, 1, 2)),
    lambda x: F.pad(F.pad(x, (1, 0, 2, 0)), (-2, 3, 4, -1), value=1),
    lambda x: torch.cat((x.permute(2, 0, 1), x.permute(2, 0, 1)[:5]), 0).permute(1, 2, 0),
]


@pytest.mark.parametrize("function", _COMPOSED)
@pytest.mark.parametrize("shape", [(3, 17, 41), (2, 131, 96)])
def test_chains_are_written_by_one_kernel(
    function: Callable[[torch.Tensor], Any], shape: tuple[int, ...]
) -> None:
    x = numbers(*shape)
    with torch.no_grad():
        program = bellrock.compile(FunctionModule(function), (x,), use_cache=False, jobs=1)
        assert torch.equal(program(x), function(x))
    assert len(program.compiled.kernels) == 1


@pytest.mark.parametrize("dtype", [torch.bool, torch.int8, torch.int64, torch.bfloat16])
def test_chains_of_other_types(dtype: torch.dtype) -> None:
    x = (numbers(5, 7, 33) * 2).to(dtype)
    check(lambda x: torch.roll(torch.cat((x, x[:, 2:4]), 1), 5, 2), x)
    check(lambda x: F.pad(torch.cat((x, x[:, 2:4]), 1), (1, 1)), x)


def test_chains_of_extreme_shapes() -> None:
    check(lambda x, y: torch.cat((x, y), 0), numbers(1), numbers(1))
    check(lambda x, y: torch.cat((x, y, x), 0), numbers(40001), numbers(12347))
    check(lambda x: torch.roll(x, 1, 0), numbers(1, 1, 3))
    check(lambda x: torch.roll(x, (1, 1), (0, 1)), numbers(1009, 7))
    check(
        lambda x: torch.stack((x[0], x[-1], x[0]), 1).transpose(0, 2).contiguous(), numbers(3, 5, 9)
    )
    # More parts than are worth one kernel.
    check(lambda x: torch.cat([x[i : i + 2] for i in range(60)], 1), numbers(64, 3))
    # What was put together is read as a whole, and in part.
    check(lambda x, y: (p := torch.cat((x, y), 1), torch.cat((p, p[:, 1:2]), 1))[1] * p.amax(),
          numbers(9, 4), numbers(9, 3))  # fmt: skip
    check(lambda x: (t := x.t().contiguous(), torch.roll(t, 1, 0) + t)[1], numbers(31, 65))


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize(
    ("shape", "padding"),
    [
        ((2, 3, 41), (5, 2)),
        ((2, 3, 7, 19), (3, 1, 0, 2)),
        ((1, 2, 5, 6, 9), (1, 2, 1, 0, 2, 1)),
        ((2, 3, 41), (0, 40)),
        # A table of indices: too many slices.
        ((1, 2, 12, 12), (7, 7, 7, 7)),
    ],
)
def test_mirrored_pads(mode: str, shape: tuple[int, ...], padding: tuple[int, ...]) -> None:
    check(lambda x: F.pad(x, padding, mode=mode), numbers(*shape))


def test_mirrored_pads_of_one_element_and_less() -> None:
    check(lambda x: F.pad(x, (2, 3), mode="replicate"), numbers(2, 1, 1))
    check(lambda x: F.pad(x, (1, -2), mode="replicate"), numbers(2, 3, 9))
    check(lambda x: F.pad(x, (1, 2), mode="reflect").bfloat16(), numbers(1, 3, 9))
    with torch.no_grad():
        x = numbers(2, 3, 17, 33)
        program = bellrock.compile(
            FunctionModule(lambda x: F.pad(x, (3, 3, 2, 2), mode="reflect")), (x,)
        )
    assert len(program.compiled.kernels) == 1


@pytest.mark.parametrize("shape", [(5, 7), (64, 33), (1, 3), (130, 4)])
def test_positions_that_are_linear_in_the_loops(shape: tuple[int, int]) -> None:
    rows, columns = shape

    def backwards(x: torch.Tensor) -> torch.Tensor:
        i = torch.arange(rows - 1, -1, -1)
        j = (columns - 1) - torch.arange(columns)
        return x[i[:, None], j[None, :]] + 1

    def shifted(x: torch.Tensor) -> torch.Tensor:
        # PyTorch adds the size to what is negative: the last row comes first.
        return x[torch.arange(rows) - 1]

    check(backwards, numbers(*shape))
    check(shifted, numbers(*shape))
    check(lambda x: x.flip(0, 1).t().contiguous(), numbers(*shape))
    check(lambda x: x[torch.arange(min(shape)), torch.arange(min(shape))], numbers(*shape))


@pytest.mark.parametrize("taps", [(3,), (5,), (3, 4), (3, 3, 3)])
def test_filters_of_transposed_convolutions_are_turned_by_vectors(taps: tuple[int, ...]) -> None:
    kinds = [torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d]
    filters = kinds[len(taps) - 1](8, 12, taps).eval().requires_grad_(False)
    image = numbers(1, 8, *(5, 6, 7)[: len(taps)])
    program = bellrock.compile(filters, (image,), use_cache=False, jobs=1)
    torch.testing.assert_close(program(image), filters(image), rtol=1e-5, atol=1e-5)
    assert len(program.compiled.kernels) == 2
    assert all(kernel.vectorised for kernel in program.compiled.kernels)


@pytest.mark.parametrize("length", [1, 3, 5, 8, 13, 15])
def test_short_rows(length: int) -> None:
    x, y = numbers(40, 6, length), numbers(40, 1, length)
    check(lambda x, y: x.transpose(0, 1).flip(2) * y.transpose(0, 1), x, y)
    check(lambda x, y: torch.cat([x[:, ::2] + y, x[:, 1:2]], 1), x, y)
