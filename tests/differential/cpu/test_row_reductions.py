"""Reductions along memory against PyTorch: every kind of tail, type, and special number."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

Tensors = Callable[[torch.Tensor], torch.Tensor]


class Op(torch.nn.Module):
    def __init__(self, functions: tuple[Tensors, ...]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(function(x) for function in self.functions)


ALL: tuple[Tensors, ...] = (
    lambda x: x.sum(-1),
    lambda x: x.prod(-1),
    lambda x: x.amax(-1),
    lambda x: x.amin(-1),
    lambda x: (x - x.mean(-1, keepdim=True)).square().mean(-1),
    lambda x: x.abs().sum(-1),
)
"""Each with another neutral number: an element too many or too few shows in one of them."""
ELEMENTS = 20_000
"""Enough that kernels are cut into blocks, with a remainder."""


def both(x: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
    model = Op(ALL)
    with torch.no_grad():
        found = bellrock.compile(model, (x,), use_cache=False)(x)
        return found, model(x.double())


@pytest.mark.parametrize("length", [1, 7, 15, 16, 17, 31, 33, 57, 64, 79, 96, 127, 230, 1501])
def test_lengths(length: int) -> None:
    by = torch.Generator().manual_seed(length)
    x = 1 + 0.1 * torch.randn(ELEMENTS // length + 3, length, generator=by)
    for found, wanted in zip(*both(x), strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-4 if length > 500 else 2e-5,
                                   atol=1e-6)  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_types(dtype: torch.dtype) -> None:
    by = torch.Generator().manual_seed(1)
    x = (1 + 0.05 * torch.randn(211, 101, generator=by, dtype=torch.float64)).to(dtype)
    for found, wanted in zip(*both(x), strict=True):
        tolerance = 1e-12 if dtype == torch.float64 else 3 * torch.finfo(dtype).eps
        torch.testing.assert_close(found.double(), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_special_numbers_in_every_lane(value: float) -> None:
    length = 101
    x = torch.ones(4 * length, length)
    x[:length].fill_diagonal_(value)
    for function in (ALL[0], ALL[1], ALL[2], ALL[3]):
        model = Op((function,))
        with torch.no_grad():
            (found,) = bellrock.compile(model, (x,), use_cache=False)(x)
        torch.testing.assert_close(found, function(x), equal_nan=True)


def test_every_channel_of_an_image() -> None:
    x = torch.randn(5, 7, 21, 37, generator=torch.Generator().manual_seed(2))
    model = Op((lambda x: x.mean((2, 3)), lambda x: x.amax((2, 3))))
    with torch.no_grad():
        found = bellrock.compile(model, (x,), use_cache=False)(x)
        for a, b in zip(found, model(x.double()), strict=True):
            torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-6)


def test_rows_that_are_asked_for_ahead_end_where_the_memory_ends() -> None:
    x = torch.randn(1031, 301, generator=torch.Generator().manual_seed(3))
    model = Op((lambda x: x.sum(-1),))
    with torch.no_grad():
        (found,) = bellrock.compile(model, (x,), use_cache=False)(x)
        torch.testing.assert_close(found.double(), x.double().sum(-1), rtol=1e-4, atol=1e-4)


def test_functions_of_what_is_summed() -> None:
    """Every magnitude, overflow, numbers below the smallest normal one, and what is none."""
    x = torch.linspace(-110, 95, 97 * 331).reshape(331, 97).clone()
    x[5, 96], x[6, 3], x[7, 50] = float("nan"), float("inf"), -float("inf")

    def both_of(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        exponentials = torch.exp(x)
        return exponentials, exponentials.sum(-1)

    class Kept(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return both_of(x)

    compiled = bellrock.compile(Kept(), (x,), use_cache=False)
    assert len(compiled.compiled.kernels) == 1
    found, sums = compiled(x)
    exact, wanted = (t.float() for t in both_of(x.double()))
    torch.testing.assert_close(found, exact, rtol=2.0**-23, atol=2.0**-149, equal_nan=True)
    torch.testing.assert_close(sums, wanted, rtol=1e-6, atol=2.0**-140, equal_nan=True)


@pytest.mark.parametrize("length", [1, 15, 17, 57, 97, 1501])
def test_rows_of_functions(length: int) -> None:
    by = torch.Generator().manual_seed(length)
    x = torch.randn(ELEMENTS // length + 3, length, generator=by)
    model = Op((
        lambda x: torch.softmax(x, -1),
        lambda x: torch.erf(x).square().sum(-1),
        lambda x: torch.tanh(x).amax(-1),
        lambda x: torch.sigmoid(x).amin(-1),
    ))  # fmt: skip
    found = bellrock.compile(model, (x,), use_cache=False)(x)
    for one, wanted in zip(found, model(x.double()), strict=True):
        torch.testing.assert_close(one.double(), wanted, rtol=4e-6, atol=1e-7)


@pytest.mark.parametrize("value", [7.0, float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("shape", [(1, 66000), (65537,), (11, 130)])
def test_positions_in_few_long_rows(shape: tuple[int, ...], value: float) -> None:
    """The first of equal extrema counts, and the first that is no number."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    at = [x.numel() // 16, x.numel() // 2, x.numel() - 5]
    x.view(-1)[at] = value
    model = Op((lambda x: x.flatten().argmax(), lambda x: x.flatten().argmin()))
    for found, wanted in zip(bellrock.compile(model, (x,))(x), model(x), strict=True):
        assert found.item() == wanted.item()
