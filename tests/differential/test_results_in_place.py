"""Results' memory: of kernels' results in other shapes, and of buffers before it is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import bellrock
from support.models import FunctionModule

CASES: dict[str, tuple[Callable[..., object], tuple[torch.Size, ...]]] = {
    "product of four dimensions": (
        lambda a, b: torch.einsum("bijl,lk->bijk", a, b),
        (torch.Size((2, 5, 7, 11)), torch.Size((11, 13))),
    ),
    "with a batch of one": (
        lambda a, b: torch.einsum("bijl,lk->bijk", a, b),
        (torch.Size((1, 5, 7, 11)), torch.Size((11, 13))),
    ),
    "flat": (lambda a: torch.softmax(a, 1).flatten(), (torch.Size((6, 9)),)),
}
RETURNED_TWICE = {
    "in two shapes": lambda a: (torch.softmax(a, 1), torch.softmax(a, 1).reshape(3, 18)),
    "and read after": lambda a: (lambda s: (s.reshape(18, 3), s.sum(0)))(torch.softmax(a, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_reshaped_result_needs_no_workspace(name: str) -> None:
    function, shapes = CASES[name]
    inputs = tuple(torch.randn(s) for s in shapes)
    model = bellrock.compile(FunctionModule(function), inputs)
    torch.testing.assert_close(model(*inputs), function(*inputs))
    assert model.compiled.artifact.workspace_bytes <= 64


@pytest.mark.parametrize("name", RETURNED_TWICE)
def test_a_result_that_is_used_again_is_right(name: str) -> None:
    function = RETURNED_TWICE[name]
    given = torch.randn(6, 9)
    model = bellrock.compile(FunctionModule(function), (given,))
    for got, expected in zip(model(given), function(given), strict=True):
        torch.testing.assert_close(got, expected)


def _reversed_sums(a: torch.Tensor) -> torch.Tensor:
    return a.flip(1).cumsum(1).flip(1)


def test_a_buffer_is_where_the_result_will_be() -> None:
    given = torch.randn(64, 257)
    model = bellrock.compile(FunctionModule(_reversed_sums), (given,))
    torch.testing.assert_close(model(given), _reversed_sums(given))
    # The mirrored input is there; the sums, which are mirrored into it, are not.
    assert model.compiled.artifact.workspace_bytes < 1.1 * given.nbytes


def test_what_the_given_buffer_held_is_not_seen() -> None:
    given, out = torch.randn(64, 257), torch.full((64, 257), float("nan"))
    model = bellrock.compile(FunctionModule(_reversed_sums), (given,))
    for _ in range(2):
        model(given, out=out)
        torch.testing.assert_close(out, _reversed_sums(given))


def test_two_results_hold_buffers_of_each_other() -> None:
    def function(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first = _reversed_sums(a)
        return first, _reversed_sums(first.exp2().frac())

    given = torch.randn(64, 257) / 64
    model = bellrock.compile(FunctionModule(function), (given,))
    for got, expected in zip(model(given), function(given), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)
