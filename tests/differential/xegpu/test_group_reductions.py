"""Rows that work-items reduce together: right for all types, sizes and groups, on both stand-ins.

The interpreter also checks that barriers are where they have to be.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bellrock.api import CompiledModel
from bellrock.compiler import compile_payload
from bellrock.ingress.torch_export import import_module
from bellrock.params.lock import Lock, LockRow
from bellrock.payload import DType
from bellrock.target.xegpu.container import unpack
from bellrock.target.xegpu.loaders.choosing import VARIABLE
from bellrock.verify import verify
from bellrock.verify.verdict import Subject

Function = Callable[[torch.Tensor], torch.Tensor]


class _Model(torch.nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self._function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._function(x)


CASES: dict[str, tuple[Function, tuple[int, ...], tuple[int, ...]]] = {
    "sum": (lambda x: x.sum(-1), (7, 1000), (16, 64, 256)),
    "max-of-two-loops": (lambda x: x.amax((0, 2)), (5, 3, 70), (16, 64)),
    "softmax": (lambda x: torch.softmax(x, -1), (5, 333), (64,)),
    "norm": (lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]), (13, 97), (16,)),
    "matvec": (lambda x: x @ x[0], (9, 257), (64,)),
    "many": (lambda x: (x * x).sum(-1), (3, 5, 521), (1, 256)),
}
"""Function, shape, work-items of a row."""
PARAMETERS = [
    (name, n, dtype)
    for name, (_, _, items) in CASES.items()
    for n in items
    for dtype in (torch.float32, torch.bfloat16)
    if name != "matvec" or dtype == torch.float32  # matrix engines take the other
]


@pytest.fixture(params=["simt", "opencl"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "opencl":
        request.getfixturevalue("opencl_here")
    monkeypatch.setenv(VARIABLE, request.param)
    return request.param


def _compiled(name: str, dtype: torch.dtype, items: int, folder: Path) -> CompiledModel:
    function, shape, _ = CASES[name]
    program = import_module(_Model(function), (torch.ones(shape, dtype=dtype),), name=name)
    first = compile_payload(program.payload, target="xegpu", cache_dir=folder, jobs=1)
    rows = tuple(
        LockRow(
            motif=row.motif, knobs=row.knobs, by="lock",
            parameters={**row.parameters, "row_items": items, "items": 1, "group_size": 256},
        )
        for row in first.choices
        if row.knobs == "simt" and row.motif.startswith(("reduction", "contraction"))
    )  # fmt: skip
    lock = Lock(rows=rows, target="xegpu")
    return CompiledModel(
        program,
        compile_payload(program.payload, target="xegpu", lock=lock, cache_dir=folder, jobs=1),
    )


def _barriers(model: CompiledModel) -> int:
    modules = [m for code in model.compiled.artifact.objects for m in unpack(code).modules]
    return sum(b"_Z7barrierj" in m.llvm for m in modules)


@pytest.mark.parametrize(("name", "items", "dtype"), PARAMETERS)
def test_rows(name: str, items: int, dtype: torch.dtype, loader: str, tmp_path: Path) -> None:
    function, shape, _ = CASES[name]
    torch.manual_seed(items)
    x = torch.randn(shape).to(dtype)
    model = _compiled(name, dtype, items, tmp_path)
    wanted = function(x.double())
    got = model(x)
    assert got.dtype == dtype
    spread = wanted.abs().max()
    tolerance = 4e-6 if dtype == torch.float32 else 8e-3
    assert float((got.double() - wanted).abs().max() / spread) < tolerance
    assert (_barriers(model) > 0) == (items > 16)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64, torch.int32])
def test_other_types(dtype: torch.dtype, loader: str, tmp_path: Path) -> None:
    x = torch.arange(7 * 1000).reshape(7, 1000).remainder(13).sub(6).to(dtype)
    model = _compiled("sum", dtype, 64, tmp_path)
    assert torch.equal(model(x), x.sum(-1))


def test_a_dropped_barrier_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "simt")
    function, shape, _ = CASES["sum"]
    model = _compiled("sum", torch.float32, 256, tmp_path)

    def inputs(seed: int) -> tuple[object, ...]:
        return (torch.randn(shape, generator=torch.Generator().manual_seed(seed)),)

    verdict = verify(
        model, Subject(name="it", model=_Model(function), make_inputs=inputs), dtype=DType.F32,
        trials=2, mutants=True, code_mutants=model.mutants,
    )  # fmt: skip
    assert verdict.correct, verdict.message
    found = {m.name: m for m in verdict.mutants}
    assert found["dropped-barrier"].rejected
    assert "read that another work-item wrote" in found["dropped-barrier"].reason
