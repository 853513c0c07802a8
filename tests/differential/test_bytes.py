"""`uint8` against PyTorch: values over 127 in whatever computes, compares, orders or moves them."""

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

CASES: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    "arithmetic modulo 256": lambda a, b: (a + b, a - b, a * b, -a, a * 3),
    "quotients": lambda a, b: (a / (b + 1), a % b.clamp(min=1)),
    "floors": lambda a, b: torch.div(a, b.clamp(min=1), rounding_mode="floor"),
    "bits": lambda a, b: (a >> 1, a << 1, a & b, a ^ 200, a | 9, ~a),
    "comparisons": lambda a, b: (a > b, a <= b, a > 128, a == 200),
    "choices": lambda a, b: (torch.where(a > 128, a, b), torch.maximum(a, b), a.clamp(10, 200)),
    "extrema": lambda a, b: (a.amax(1), b.amin(0), a.max(1), b.argmin(1)),
    "sums": lambda a, b: (a.sum(1), b.cumsum(1), a.prod(1), (b > 128).sum()),
    "order": lambda a, b: (a.sort(dim=1, stable=True), b.kthvalue(3, dim=1).values),
    "conversions": lambda a, b: (a.float() / 255, b.long(), a.to(torch.int8), b.float().mean(1)),
    "movement": lambda a, b: (a.flip(1), torch.cat([a, b], 1), a.gather(1, b.long() % 50)),
}


@pytest.mark.parametrize("name", CASES)
def test_bytes_have_no_sign(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = (
        torch.randint(0, 256, (6, 50), dtype=torch.uint8, generator=generator) for _ in range(2)
    )
    a[0], b[0, :25] = 200, 255
    function = CASES[name]
    wanted = pytree.tree_leaves(function(a, b))
    got = pytree.tree_leaves(bellrock.compile(FunctionModule(function), (a, b))(a, b))
    for ours, right in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, right)


def test_bytes_in_a_loop() -> None:
    def function(a: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            a = torch.where(a > 150, a // 2, a + 90)
        return a

    a = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(bellrock.compile(FunctionModule(function), (a,))(a), function(a))


def test_truth_values_are_sorted_as_numbers() -> None:
    a = torch.rand(4, 40, generator=torch.Generator().manual_seed(2)) > 0.5
    got = bellrock.compile(
        FunctionModule(lambda x: x.sort(dim=1, stable=True, descending=True)), (a,)
    )(a)
    for ours, right in zip(got, a.sort(dim=1, stable=True, descending=True), strict=True):
        assert torch.equal(ours, right)
