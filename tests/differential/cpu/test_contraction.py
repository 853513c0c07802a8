"""Contractions by register tiles against float64, over odd shapes, layouts and dtypes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp
from support.models import FunctionModule

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

F = torch.nn.functional
Function = Callable[..., torch.Tensor]

# Rounding of the inputs is not ours: inputs are rounded first, results once.
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 5e-3, torch.float16: 7e-4}


def check(
    function: Function,
    *shapes: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
    slack: float = 1.0,
) -> bellrock.CompiledModel:
    generator = torch.Generator().manual_seed(1)
    inputs = tuple(torch.randn(s, generator=generator).to(dtype) for s in shapes)
    with torch.no_grad():
        compiled = bellrock.compile(FunctionModule(function).eval(), inputs, use_cache=False)
        found = compiled(*inputs)
        wanted = function(*(x.double() for x in inputs))
    assert isinstance(found, torch.Tensor)
    assert found.shape == wanted.shape
    error = (found.double() - wanted).abs().max() / wanted.abs().max()
    assert error < slack * TOLERANCE[dtype], f"relative error {error:.1e}"
    rows = [r for r in compiled.compiled.choices if r.motif.startswith("contraction")]
    assert rows
    assert {r.knobs for r in rows} == {"panels"}
    return compiled


LAYOUTS = {
    "nn": (lambda a, b: a @ b, "mk", "kn"),
    "tn": (lambda a, b: a.mT @ b, "km", "kn"),
    "nt": (lambda a, b: a @ b.mT, "mk", "nk"),
    "tt": (lambda a, b: a.mT @ b.mT, "km", "nk"),
}
SIZES = [(1, 1, 1), (1, 1, 70), (33, 1, 129), (130, 67, 1), (41, 100, 1031)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_layouts(layout: str, size: tuple[int, int, int]) -> None:
    function, left, right = LAYOUTS[layout]
    of = dict(zip("mnk", size, strict=True))
    check(function, tuple(of[c] for c in left), tuple(of[c] for c in right))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_narrow_types(layout: str, dtype: torch.dtype) -> None:
    function, left, right = LAYOUTS[layout]
    of = {"m": 33, "n": 50, "k": 67}
    check(function, tuple(of[c] for c in left), tuple(of[c] for c in right), dtype=dtype)


def test_pairs_side_by_side() -> None:
    check(lambda a, b: a @ b.mT, (3, 129), (70, 129), dtype=torch.bfloat16)


def test_an_odd_depth_in_parts_of_pairs() -> None:
    check(lambda a, b: a @ b, (35, 1301), (1301, 40), dtype=torch.bfloat16)


OTHERS: dict[str, tuple[Function, tuple[tuple[int, ...], ...]]] = {
    "batched": (lambda a, b: a @ b, ((5, 33, 40), (5, 40, 70))),
    "batch-of-two-loops": (lambda a, b: a @ b.mT, ((3, 4, 33, 40), (3, 4, 21, 40))),
    "broadcast-batch": (lambda a, b: a @ b, ((2, 3, 40, 64), (3, 64, 48))),
    "result-transposed": (
        lambda a, b: torch.einsum("bhid,bjhd->bihj", a, b),
        ((2, 3, 40, 64), (2, 21, 3, 64)),
    ),
    "several-n": (lambda a, b: torch.einsum("abk,kca->bca", a, b), ((6, 35, 64), (64, 9, 6))),
    "two-depths": (
        lambda a, b: torch.einsum("mij,jni->mn", a, b),
        ((20, 6, 11), (11, 9, 6)),
    ),
    "matrix-vector": (lambda a, b: a @ b, ((400, 640), (640,))),
    "vector-matrix": (lambda a, b: a @ b, ((640,), (640, 333))),
    "deep": (lambda a, b: a @ b, ((9, 40961), (40961, 20))),
    "deep-transposed": (lambda a, b: a.mT @ b, ((33003, 3), (33003, 35))),
    "linear-relu": (lambda x, w, b: F.linear(x, w, b).relu(), ((5, 7, 64), (96, 64), (96,))),
    "residual": (
        lambda x, w, b, r: F.linear(x, w, b).sigmoid() + r,
        ((70, 300), (200, 300), (200,), (70, 200)),
    ),
    "large-blocks": (lambda x, w, b: F.linear(x, w, b) * 2, ((301, 700), (530, 700), (530,))),
}


@pytest.mark.parametrize("name", OTHERS)
def test_others(name: str) -> None:
    function, shapes = OTHERS[name]
    check(function, *shapes, slack=3.0 if "deep" in name else 1.0)  # rounding grows with the depth


FOLLOWED: dict[str, tuple[Function, tuple[tuple[int, ...], ...]]] = {
    "columns": (lambda a, b, c: (a @ b + c).relu(), ((37, 1601), (1601, 133), (133,))),
    "rows": (lambda a, b, c: (a @ b - c[:, None]) * 0.5, ((37, 601), (601, 133), (37,))),
    "elements": (lambda a, b, c: a @ b + c, ((301, 129), (129, 70), (301, 70))),
    "its-own-factor": (lambda a, b: a @ b + a, ((65, 65), (65, 65))),
    "a-scalar": (lambda a, b, c: torch.bmm(a, b) * c, ((3, 17, 65), (3, 65, 77), (1,))),
    "clamp": (
        lambda x, w, b: F.linear(x, w, b).clamp(-1, 2), ((5, 7, 129), (70, 129), (70,))
    ),
    "read-twice": (lambda a, b: (a @ b).relu() * (a @ b), ((37, 161), (161, 53))),
    "two-products": (lambda a, b, c: (a @ b) * (a @ c), ((37, 161), (161, 53), (161, 53))),
    "broadcast-batch": (
        lambda a, b, c: torch.einsum("bihd,bjhd->bhij", a, b) + c,
        ((2, 19, 3, 21), (2, 23, 3, 21), (2, 1, 19, 23)),
    ),
    "transposed": (lambda a, b, c: (a.T @ b.T) + c.T, ((129, 70), (33, 129), (33, 70))),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLLOWED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_follows_a_product(name: str, dtype: torch.dtype) -> None:
    function, shapes = FOLLOWED[name]
    # In bf16 each step of what follows rounds, the product first.
    check(function, *shapes, dtype=dtype, slack=2.0)


@pytest.mark.parametrize("few", [2, 6, 11, 24])
def test_inner_products_of_few_rows(few: int) -> None:
    check(F.linear, (few, 100), (37, 100))
    check(lambda x, w: F.linear(w, x), (few, 100), (64, 100))


def test_code_is_vectors() -> None:
    compiled = check(lambda a, b: a @ b, (300, 310), (310, 320))
    (kernel,) = compiled.compiled.kernels
    assert kernel.vectorised


def test_steps_of_a_recurrence_share_kernels() -> None:
    def steps(x: torch.Tensor, w: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        outputs = []
        for t in range(x.shape[0]):
            h = F.linear(torch.cat((x[t], h), dim=1), w).tanh()
            outputs.append(h)
        return torch.stack(outputs)

    compiled = check(steps, (9, 3, 21), (10, 31), (3, 10))
    assert len(compiled.compiled.kernels) < 8
