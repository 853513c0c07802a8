"""Contractions on weights that are packed once per set of weights, against float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import bellrock
from bellrock.params.lock import Lock
from bellrock.runtime.threads import share_openmp

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

F = torch.nn.functional
Function = Callable[..., torch.Tensor]
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 5e-3, torch.float16: 7e-4}
MORE = {"prepared_percent": 400}


class Weighted(torch.nn.Module):
    """A function of inputs, then of weights."""

    def __init__(self, function: Function, weights: list[torch.Tensor]) -> None:
        super().__init__()
        self.function = function
        self.weights = torch.nn.ParameterList(weights)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs, *self.weights)


def tensors(shapes: list[tuple[int, ...]], dtype: torch.dtype, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(s, generator=generator).to(dtype) for s in shapes]


def check(
    function: Function,
    inputs: list[tuple[int, ...]],
    weights: list[tuple[int, ...]],
    *,
    dtype: torch.dtype = torch.float32,
    prepared: int = 1,
) -> bellrock.CompiledModel:
    """Compile, run, and compare; then again with other contents of the weights."""
    model = Weighted(function, tensors(weights, dtype, 1)).eval()
    given = tensors(inputs, dtype, 2)
    with torch.no_grad():
        compiled = bellrock.compile(model, given, use_cache=False, variables=MORE)
        rows = [r for r in compiled.compiled.choices if r.motif.startswith("contraction")]
        assert sum(bool(r.parameters["prepared"]) for r in rows) == prepared
        for seed in (1, 3):
            for weight, new in zip(model.weights, tensors(weights, dtype, seed), strict=True):
                weight.copy_(new)
            before = [w.clone() for w in model.weights]
            found = compiled(*given)
            wanted = function(*(x.double() for x in given), *(w.double() for w in model.weights))
            assert found.shape == wanted.shape
            error = (found.double() - wanted).abs().max() / wanted.abs().max()
            assert error < TOLERANCE[dtype], f"relative error {error:.1e}"
            assert all(torch.equal(a, b) for a, b in zip(before, model.weights, strict=True))
    return compiled


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("size", [(5, 3, 7), (17, 131, 33), (33, 70, 67), (6, 40, 1301)], ids=str)
def test_linear_layers(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    m, n, k = size
    check(F.linear, [(m, k)], [(n, k), (n,)], dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_weight_whose_columns_lie_side_by_side(dtype: torch.dtype) -> None:
    check(lambda x, w: x @ w, [(35, 77)], [(77, 530)], dtype=dtype)


def test_a_weight_on_the_left() -> None:
    check(lambda x, w: torch.einsum("nk,bkm->bmn", w, x), [(3, 61, 19)], [(150, 61)])


def test_rows_of_several_loops_and_an_epilogue() -> None:
    check(lambda x, w, b: F.gelu(F.linear(x, w, b)), [(3, 7, 96)], [(200, 96), (200,)])


def test_several_contractions_share_a_weight() -> None:
    compiled = check(
        lambda x, y, w: F.linear(x, w).sum() * F.linear(y, w) + w.sum(1),
        [(9, 64), (9, 64)], [(70, 64)],
    )  # fmt: skip
    preparation = compiled.compiled.artifact.preparation
    assert preparation is not None
    # The panels, once for both, and the sums of the lines.
    panels, sums = sorted(preparation.value_bytes, reverse=True)
    assert panels >= 70 * 64 * 4
    assert sums == 70 * 4


def test_a_weight_that_is_computed_and_used_in_two_ways() -> None:
    check(
        lambda x, w: F.linear(F.linear(x, (w * 2).tanh()), w.mT),
        [(30, 64)], [(96, 64)],
        prepared=2,
    )  # fmt: skip


def test_a_network_beyond_the_budget_is_not_packed() -> None:
    model = torch.nn.Linear(2048, 1024).eval()
    x = torch.randn(16, 2048)
    with torch.no_grad():
        compiled = bellrock.compile(model, (x,), use_cache=False)
        rows = [r for r in compiled.compiled.choices if r.motif.startswith("contraction")]
        assert [r.parameters["prepared"] for r in rows] == [False]
        assert torch.allclose(compiled(x), model(x), atol=1e-5)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_vectors_along_the_rows_of_a_weight_on_the_left(dtype: torch.dtype) -> None:
    model = Weighted(lambda x, w: w @ x, tensors([(150, 61)], dtype, 1)).eval()
    (x,) = tensors([(61, 19)], dtype, 2)
    with torch.no_grad():
        first = bellrock.compile(model, (x,), use_cache=False, variables=MORE)
        (row,) = (r for r in first.compiled.choices if r.motif.startswith("contraction"))
        assert "mk" in row.motif
        assert row.motif.count("packable") == 1
        new = {"tile": (64, 0, 0), "vector": "m", "rows": 5, "columns": 2, "prepared": True}
        parameters = {**row.parameters, **new, "depth": 64}
        lock = Lock(target="cpu", rows=(replace(row, by="lock", parameters=parameters),))
        compiled = bellrock.compile(model, (x,), use_cache=False, variables=MORE, lock=lock)
        assert compiled.compiled.artifact.preparation is not None
        wanted = model.weights[0].double() @ x.double()
        error = (compiled(x).double() - wanted).abs().max() / wanted.abs().max()
    assert error < TOLERANCE[dtype], f"relative error {error:.1e}"
