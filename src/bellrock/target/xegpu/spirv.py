"""LLVM bitcode to SPIR-V, by the backend that llvmlite brings.

Flows in: bitcode of a device module. Flows out: a SPIR-V module (OpenCL's kernels, 64-bit
addresses). The backend ends the process where it meets what it does not know.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from bellrock.errors import CompileError

TRIPLE = "spirv64-unknown-unknown"


@cache
def _target() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple(TRIPLE)


def to_spirv(bitcode: bytes) -> bytes:
    """Optimise a module and return its SPIR-V.

    Raises:
        CompileError: LLVM cannot read the module.
    """
    import llvmlite.binding as llvm

    # A machine remembers types of the module that it made code of, which are gone by the next one.
    # Optimising code generation gives operations operands of different widths (LLVM 22).
    machine = _target().create_target_machine(opt=0)
    try:
        module = llvm.parse_bitcode(bitcode)
    except RuntimeError as error:
        raise CompileError("LLVM cannot read a device module", got=str(error)[:500]) from error
    module.triple = TRIPLE
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    # Vectors are the device compiler's business: its work-items are the lanes.
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)
