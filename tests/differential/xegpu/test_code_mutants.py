"""Mistakes in device code, made on purpose, are found by whoever judges results."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import bellrock
from bellrock.payload import DType
from bellrock.target.xegpu.loaders.choosing import VARIABLE
from bellrock.verify import verify
from bellrock.verify.verdict import MutantResult, Subject

KINDS = ("wrong-operand-layout", "dropped-barrier", "missing-epilogue")


class _Dense(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(37, 29)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.linear(x))


def _results(model: torch.nn.Module, shape: tuple[int, ...], dtype: DType, folder: Path) -> dict:
    """Return what was said of the code's mutants, by their names."""
    kind = getattr(torch, dtype.torch_name)
    torch.manual_seed(0)
    model = model.eval().to(kind)

    def inputs(seed: int) -> tuple[object, ...]:
        return (torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(kind),)

    compiled = bellrock.compile(model, inputs(0), target="xegpu", dtype=dtype, cache_dir=folder)
    verdict = verify(
        compiled, Subject(name="it", model=model, make_inputs=inputs), dtype=dtype, trials=2,
        mutants=True, code_mutants=compiled.mutants,
    )  # fmt: skip
    assert verdict.correct, verdict.message
    found = {m.name: m for m in verdict.mutants}
    assert not [name for name, m in found.items() if m.accepted]
    return found


@pytest.mark.parametrize("dtype", [DType.F16, DType.BF16])
def test_a_products_mutants(dtype: DType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "simt")
    found = _results(_Dense(), (21, 37), dtype, tmp_path)
    for name in ("wrong-operand-layout", "missing-epilogue"):
        result: MutantResult = found[name]
        assert result.rejected
        assert result.value > 1.0
    assert not found["dropped-barrier"].able
    assert found["dropped-barrier"].reason == "no kernel has a barrier"


def test_what_code_cannot_have_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "simt")
    found = _results(torch.nn.Flatten(), (5, 3, 7), DType.F32, tmp_path)
    for name in KINDS:
        assert math.isnan(found[name].value)
        assert "no kernel " in found[name].reason


@pytest.mark.usefixtures("opencl_here")
def test_only_the_interpreter_runs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "opencl")
    found = _results(torch.nn.ReLU(), (5, 7), DType.F32, tmp_path)
    assert not set(KINDS) & set(found)
    assert "BELLROCK_XEGPU_LOADER=simt" in found["device-code"].reason
