"""LLVM dialect to relocatable objects, through LLVM's own optimiser and code generator.

Flows in: a module in the LLVM dialect. Flows out: `Emitted`. The optimiser runs at O3 for the
very processor that it runs on; whether loops were vectorised is read off its result.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from bellrock.errors import CompileError
from bellrock.target.base import Emitted

if TYPE_CHECKING:
    from torch_mlir import ir

PACKED = "bellrock_entry"
"""Symbol of the host function in its `void **` form."""
_VECTOR_CODE = re.compile(
    r"= (?:contract |reassoc |nsz |fast |nnan |ninf |tail |notail )*"
    r"(?:fadd|fsub|fmul|fdiv|add|sub|mul|load|fcmp|icmp|select|call)\b[^\n]*<\d+ x "
)
_PARALLEL_CODE = "@__kmpc_fork_call("


@cache
def _machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3, reloc="pic", codemodel="default", jit=False,
    )  # fmt: skip


def emit(module: ir.Module, *, entry: str | None) -> Emitted:
    """Compile a module (see `Target.emit`).

    Raises:
        CompileError: LLVM refused the module.
    """
    from torch_mlir.dialects import llvm as llvm_dialect

    text = llvm_dialect.translate_module_to_llvmir(module.operation)
    if entry is not None:
        text += packed_entry(text, entry)
    return compile_text(text)


def packed_entry(text: str, entry: str) -> str:
    """Return LLVM IR of a function that takes `void **` and calls `entry` with its pointers.

    Args:
        text: the module that defines `entry`; all of its parameters are pointers.
        entry: symbol of the function.
    """
    match = re.search(rf"^define [^@\n]*@{re.escape(entry)}\(([^)]*)\)", text, re.MULTILINE)
    if match is None:
        raise CompileError("the lowered module has no entry function", got=entry)
    count = len([p for p in match.group(1).split(",") if p.strip()])
    lines = [f"\ndefine void @{PACKED}(ptr %addresses) {{"]
    for i in range(count):
        lines.append(f"  %slot{i} = getelementptr ptr, ptr %addresses, i64 {i}")
        lines.append(f"  %arg{i} = load ptr, ptr %slot{i}")
    arguments = ", ".join(f"ptr %arg{i}" for i in range(count))
    lines += [f"  call void @{entry}({arguments})", "  ret void", "}", ""]
    return "\n".join(lines)


def compile_text(text: str) -> Emitted:
    """Optimise LLVM IR and generate an object for this processor."""
    import llvmlite.binding as llvm

    machine = _machine()
    try:
        module = llvm.parse_assembly(text)
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
