"""LLVM dialect to relocatable objects, through LLVM's own optimiser and code generator.

Flows in: a module in the LLVM dialect. Flows out: `Emitted`. The optimiser runs at O3 for the
very processor that it runs on; whether loops were vectorised is read off its result.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from bellrock.errors import CompileError
from bellrock.target.base import Emitted
from bellrock.target.native.matrix_engine import with_stand_in

if TYPE_CHECKING:
    from torch_mlir import ir

FULLY_UNROLLED = 8
"""Trip count up to which a loop may be unrolled to nothing: windows are small. LLVM would unroll
nests of up to some hundred iterations, and then take seconds over the addresses of a copy."""
_VECTOR_CODE = re.compile(
    r"= (?:contract |reassoc |nsz |fast |nnan |ninf |tail |notail )*"
    r"(?:fadd|fsub|fmul|fdiv|add|sub|mul|load|fcmp|icmp|select|call)\b[^\n]*<\d+ x "
    r"|call void @llvm\.mem(?:cpy|move|set)\."
)
"""In optimised IR. Copies and fills of whole rows, left to the library, are by vectors, too."""
_SLOW_GATHERS = "znver"
"""Processors whose gathers are microcode: loads one by one take half the time, and LLVM's tables do
not say so."""
_TRANSLATED = frozenset({"builtin", "llvm", "omp"})
"""Dialects that become LLVM IR."""
_UNSETTLED = "builtin.unrealized_conversion_cast"
_PARALLEL_CODE = "@__kmpc_fork_call("


@cache
def _machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.set_option("bellrock", f"-unroll-full-max-count={FULLY_UNROLLED}")
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features()
    if cpu.startswith(_SLOW_GATHERS):
        features["prefer-no-gather"] = True
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu,
        features=features.flatten(),
        opt=3, reloc="pic", codemodel="default", jit=False,
    )  # fmt: skip


def emit_object(module: ir.Module, *, entries: Mapping[str, str]) -> Emitted:
    """Compile a module (see `Target.emit`).

    Raises:
        CompileError: the module is not lowered to its end, or LLVM refused it.
    """
    from torch_mlir.dialects import llvm as llvm_dialect

    _check_lowered(module)
    text = llvm_dialect.translate_module_to_llvmir(module.operation)
    packed = [packed_entry(text, name, symbol) for name, symbol in entries.items()]
    return compile_text("".join([text, *packed]))


def _check_lowered(module: ir.Module) -> None:
    """Refuse what has no translation: the translator would take the process with it."""
    from torch_mlir import ir

    def visit(op: ir.Operation) -> ir.WalkResult:
        if op.name.partition(".")[0] not in _TRANSLATED or op.name == _UNSETTLED:
            left.append(op.name)
        return ir.WalkResult.ADVANCE

    left: list[str] = []
    module.operation.walk(visit)
    if left:
        raise CompileError(
            "the pipeline leaves ops that are not in the LLVM dialect",
            got=", ".join(sorted(set(left))),
            hint="let it end as the target's own does: `bellrock pipeline show` prints that",
        )


def packed_entry(text: str, entry: str, symbol: str) -> str:
    """Return LLVM IR of a function that takes `void **` and calls `entry` with its pointers.

    Args:
        text: the module that defines `entry`; all of its parameters are pointers.
        entry: symbol of the function that is called.
        symbol: of the function that is made.
    """
    match = re.search(rf"^define [^@\n]*@{re.escape(entry)}\(([^)]*)\)", text, re.MULTILINE)
    if match is None:
        raise CompileError("the lowered module has no entry function", got=entry)
    kinds = [p.split()[0] for p in match.group(1).split(",") if p.strip()]
    if set(kinds) - {"ptr"}:  # calling it with pointers alone would read beyond them
        raise CompileError(
            "an argument or result of the program cannot be passed as a pointer",
            got="an empty tensor in which not the first dimension is the empty one",
            hint="leave empty tensors out of the model's inputs and outputs",
        )
    count = len(kinds)
    lines = [f"\ndefine void @{symbol}(ptr %addresses) {{"]
    for i in range(count):
        lines.append(f"  %slot{i} = getelementptr ptr, ptr %addresses, i64 {i}")
        lines.append(f"  %arg{i} = load ptr, ptr %slot{i}")
    arguments = ", ".join(f"ptr %arg{i}" for i in range(count))
    lines += [f"  call void @{entry}({arguments})", "  ret void", "}", ""]
    return "\n".join(lines)


_FLOAT = re.compile(
    r"\b(?P<kind>half|bfloat|float|double)\b"
    r"|(?<=[ (\[])(?P<sign>[+-])(?P<special>inf|qnan)\b"
    r"|\bf0x(?P<bits>[0-9A-Fa-f]+)\b"
    r"|(?<=[ (\[])(?P<decimal>-?\d+\.\d+(?:e[+-]\d+)?)\b"
)
_HAS_CONSTANT = re.compile(r"inf|nan|f0x|\d\.\d")
_SPECIAL = {
    "half": {"inf": 0x7C00, "qnan": 0x7E00},
    "bfloat": {"inf": 0x7F80, "qnan": 0x7FC0},
    "float": {"inf": 0x7F80_0000, "qnan": 0x7FC0_0000},
    "double": {"inf": 0x7FF0 << 48, "qnan": 0x7FF8 << 48},
}
"""Bits of the constants that have names, by type."""
_SIGN = {"half": 1 << 15, "bfloat": 1 << 15, "float": 1 << 31, "double": 1 << 63}


def older_floats(text: str) -> str:
    """Spell floating-point constants the way that older LLVM versions read them.

    MLIR prints LLVM IR as of its own LLVM (24): `-inf`, `+qnan`, `f0x3F9D7000`; llvmlite reads
    it as of LLVM 22: `0xFFF0000000000000`, and takes a decimal only if the type has exactly that
    value, where MLIR prints the shortest that rounds to it. The type of a constant is the
    last one that its line names before it.
    """
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if _HAS_CONSTANT.search(line):
            lines[i] = _older_line(line)
    return "\n".join(lines)


def _older_line(line: str) -> str:
    kind = ""

    def replace(match: re.Match[str]) -> str:
        nonlocal kind
        if match["kind"]:
            kind = match["kind"]
        elif kind and match["decimal"]:
            return _spelled(kind, _rounded(kind, float(match["decimal"])))
        elif kind and match["bits"]:
            return _spelled(kind, int(match["bits"], 16))
        elif kind:
            sign = _SIGN[kind] if match["sign"] == "-" else 0
            return _spelled(kind, _SPECIAL[kind][match["special"]] | sign)
        return match[0]

    return _FLOAT.sub(replace, line)


def _rounded(kind: str, value: float) -> int:
    """Return the bits of a value in a type, rounded to nearest even."""
    if kind == "bfloat":
        bits = int.from_bytes(struct.pack("<f", value), "little")
        return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    form = {"half": "<e", "float": "<f", "double": "<d"}[kind]
    return int.from_bytes(struct.pack(form, value), "little")


def _spelled(kind: str, bits: int) -> str:
    """Return a constant's bits as text: LLVM reads a float as the bits of the equal double."""
    if kind == "half":
        return f"0xH{bits:04X}"
    if kind == "bfloat":
        return f"0xR{bits:04X}"
    if kind == "float":
        (value,) = struct.unpack("<f", bits.to_bytes(4, "little"))
        bits = int.from_bytes(struct.pack("<d", value), "little")
    return f"0x{bits:016X}"


def compile_text(text: str) -> Emitted:
    """Optimise LLVM IR and generate an object for this processor."""
    import llvmlite.binding as llvm

    machine = _machine()
    try:
        module = llvm.parse_assembly(with_stand_in(older_floats(text)))
    except RuntimeError as error:
        raise CompileError("LLVM cannot read the lowered module", got=str(error)[:500]) from error
    module.triple = llvm.get_default_triple()
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    optimised = str(module)
    return Emitted(
        code=machine.emit_object(module),
        vectorised=_VECTOR_CODE.search(optimised) is not None,
        parallel=_PARALLEL_CODE in optimised,
    )
