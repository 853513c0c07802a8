"""Device code with one mistake: each mutant differs by that, and only where it can be made."""

from __future__ import annotations

from types import SimpleNamespace

from torch_mlir import ir

from bellrock.target.xegpu.container import DeviceModule
from bellrock.target.xegpu.mutants import MOST_BARRIERS, mutants_of

BARRIERS = """
  llvm.func spir_kernelcc @waits(%at: !llvm.ptr<1>, %by: f32) {{
    %fence = llvm.mlir.constant(1 : i32) : i32
    {calls}
    %x = llvm.load %at : !llvm.ptr<1> -> f32
    %y = llvm.fmul %x, %by : f32
    %z = llvm.fptrunc %y : f32 to f16
    llvm.store %z, %at : f16, !llvm.ptr<1>
    llvm.return
  }}
"""
CALL = "llvm.call spir_funccc @_Z7barrierj(%fence) {convergent} : (i32) -> ()"


def _module(samples: SimpleNamespace, barriers: int) -> DeviceModule:
    entry = samples.entry("waits", "pointer", "scalar")
    return samples.module(BARRIERS.format(calls="\n".join([CALL] * barriers)), entry)


def _text(module: DeviceModule) -> str:
    with ir.Context():
        return str(ir.Module.parse(module.llvm))


def test_each_barrier_is_dropped_once(samples: SimpleNamespace) -> None:
    plain, two = _module(samples, 0), _module(samples, 2)
    found = {m.name: m for m in mutants_of([two, plain])}
    assert list(found) == [
        "wrong-operand-layout", "dropped-barrier", "dropped-barrier[1]", "missing-epilogue"
    ]  # fmt: skip
    for name in ("dropped-barrier", "dropped-barrier[1]"):
        first, last = found[name].modules
        assert last is plain
        assert _text(first).count("@_Z7barrierj(") == _text(two).count("@_Z7barrierj(") - 1
        assert first.spirv == b""
    many = [m for m in mutants_of([_module(samples, 9)]) if m.name.startswith("dropped")]
    assert len(many) == MOST_BARRIERS


def test_the_last_step_before_a_store_is_left_out(samples: SimpleNamespace) -> None:
    plain = _module(samples, 0)
    found = {m.name: m for m in mutants_of([plain])}
    (changed,) = found["missing-epilogue"].modules
    text = _text(changed)
    loaded = next(line for line in text.splitlines() if "llvm.load" in line).split("=")[0].strip()
    assert f"llvm.fptrunc {loaded} : f32 to f16" in text
    assert found["dropped-barrier"].reason == "no kernel has a barrier"
    assert not found["wrong-operand-layout"].modules
