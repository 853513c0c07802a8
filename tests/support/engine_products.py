"""Matrix products on the stand-in for a matrix engine, in a process of their own.

Facts of the processor are read once a process, so that the stand-in has to be asked for before.
Prints a JSON line for each case: name, relative error, parameters of the contractions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import bellrock
from bellrock.runtime.threads import share_openmp

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)


class Case(NamedTuple):
    """A function on tensors, and how many of the last ones are weights."""

    function: Callable[..., torch.Tensor]
    shapes: tuple[tuple[int, ...], ...]
    weights: int = 0


def _layouts() -> dict[str, Case]:
    functions = {
        "nn": (lambda a, b: a @ b, "mk", "kn"),
        "tn": (lambda a, b: a.mT @ b, "km", "kn"),
        "nt": (lambda a, b: a @ b.mT, "mk", "nk"),
        "tt": (lambda a, b: a.mT @ b.mT, "km", "nk"),
    }
    sizes = {
        "odd": (33, 50, 67),
        "even": (64, 160, 96),
        "deep": (40, 100, 1301),
        "few": (25, 70, 45),
    }
    cases = {}
    for layout, (function, left, right) in functions.items():
        for name, each in sizes.items():
            of = dict(zip("mnk", each, strict=True))
            shapes = tuple(of[c] for c in left), tuple(of[c] for c in right)
            cases[f"{layout}-{name}"] = Case(function, shapes)
    return cases


_linear = torch.nn.functional.linear
CASES: dict[str, Case] = {
    **_layouts(),
    "batched": Case(lambda a, b: a @ b, ((5, 33, 80), (5, 80, 170))),
    "result-transposed": Case(
        lambda a, b: torch.einsum("bhid,bjhd->bihj", a, b), ((2, 3, 140, 64), (2, 121, 3, 64))
    ),
    "strided": Case(lambda a, b: a[:, ::2] @ b[::3], ((65, 300), (450, 96))),
    "epilogue": Case(lambda a, b, c: (a @ b + c).relu() * 0.5, ((137, 1601), (1601, 133), (133,))),
    "two-depths": Case(lambda a, b: torch.einsum("mij,jni->mn", a, b), ((120, 6, 51), (51, 90, 6))),
    "weights": Case(lambda x, w, b: _linear(x, w, b), ((35, 1501), (210, 1501), (210,)), 2),
    "weights-of-many-parts": Case(lambda x, w: _linear(x, w), ((70, 4100), (96, 4100)), 1),
}


class _Model(torch.nn.Module):
    def __init__(self, case: Case, tensors: list[torch.Tensor]) -> None:
        super().__init__()
        self.function = case.function
        weights = tensors[len(tensors) - case.weights :] if case.weights else []
        self.weights = torch.nn.ParameterList(weights)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs, *self.weights)


def run(name: str) -> dict[str, object]:
    """Compile and run a case."""
    case = CASES[name]
    generator = torch.Generator().manual_seed(1)
    tensors = [torch.randn(s, generator=generator).bfloat16() for s in case.shapes]
    model = _Model(case, tensors).eval()
    inputs = tuple(tensors[: len(tensors) - case.weights])
    with torch.no_grad():
        compiled = bellrock.compile(model, inputs, use_cache=False)
        found = compiled(*inputs)
        wanted = case.function(*(t.double() for t in tensors))
    error = float((found.double() - wanted).abs().max() / wanted.abs().max())
    rows = [r for r in compiled.compiled.choices if r.motif.startswith("contraction")]
    return {"name": name, "error": error, "choices": [r.parameters for r in rows]}


if __name__ == "__main__":
    for name in CASES:
        print(json.dumps(run(name)), flush=True)
