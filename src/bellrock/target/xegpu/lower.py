"""Lowered modules to code objects: the host's part by LLVM for this processor, kernels to SPIR-V.

Flows in: a module whose functions and `gpu.module`s are in the LLVM dialect. Flows out:
`Emitted`, whose code is a packed `DeviceObject`, with native code where `ocloc` is installed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bellrock.errors import CompileError
from bellrock.target.base import Emitted, Facts
from bellrock.target.native.code import emit_object
from bellrock.target.xegpu.calls import matrix_products
from bellrock.target.xegpu.container import ArgumentKind, DeviceModule, DeviceObject, KernelEntry
from bellrock.target.xegpu.figures import ModuleCode, figures_of
from bellrock.target.xegpu.ocloc import find_ocloc, native_code
from bellrock.target.xegpu.spirv import to_spirv

if TYPE_CHECKING:
    from torch_mlir import ir

SUB_GROUP = 16
"""Work-items of a sub-group: a vector register of Xe2, and what DPAS takes."""
_SLM = 3
"""Address space of local memory."""


def emit(module: ir.Module, *, entries: Mapping[str, str], chip: str, facts: Facts) -> Emitted:
    """Make a code object of a module (see `Target.emit`).

    Args:
        module: of a kernel, or of host functions.
        entries: as in `Target.emit`.
        chip: as `ocloc -device` has it.
        facts: of the device.

    Raises:
        CompileError: something in it cannot be said in SPIR-V, LLVM or `ocloc` refused it, or what
            was lowered to matrix engines has no instruction of theirs.
    """
    from torch_mlir import ir

    with module.context, ir.Location.unknown(module.context):
        host = ir.Module.parse(_text(module))
        made: list[ModuleCode] = []
        registers = _registers(host)
        for op in list(host.body.operations):
            if op.operation.name == "gpu.module":
                made.append(_with_native(_device_module(op.operation, registers), chip))
                op.operation.erase()
        if registers:
            check_matrix_engines(made)
        code = emit_object(host, entries=entries)
    modules = tuple(each.module for each in made)
    groups = [k.group or (0, 0, 0) for m in modules for k in m.kernels]
    return Emitted(
        code=DeviceObject(host=code.code, modules=modules).pack(),
        figures=figures_of(made, facts),
        vectorised=any(size != (1, 1, 1) for size in groups),
        parallel=any(size != (1, 1, 1) for size in groups),
    )


def _with_native(module: DeviceModule, chip: str) -> ModuleCode:
    ocloc = find_ocloc()
    if ocloc is None:
        return ModuleCode(module=module)
    native = native_code(ocloc, module.spirv, chip=chip, registers=module.registers)
    return ModuleCode(module=replace(module, native=native.binary), native=native)


def check_matrix_engines(modules: Sequence[ModuleCode]) -> None:
    """Make sure that what was lowered to matrix engines uses them.

    Args:
        modules: of one such kernel.

    Raises:
        CompileError: there is no such instruction, in SPIR-V or in native code.
    """
    names = ", ".join(kernel.name for each in modules for kernel in each.module.kernels)
    if not any(matrix_products(each.module.spirv) for each in modules):
        raise CompileError(
            "a kernel was lowered to matrix engines, but its SPIR-V has no call of them",
            got=names,
            hint="this is a fault of Bellrock; choose `simt` for it by --lock until it is mended",
        )
    natives = [each.native for each in modules if each.native is not None]
    if natives and not any(k.uses_matrix_engines for n in natives for k in n.kernels):
        raise CompileError(
            "a kernel was lowered to matrix engines, but its native code has no DPAS instruction",
            got=names,
            hint="the chip may have none of this shape: see --device",
        )


def _text(module: ir.Module) -> str:
    return module.operation.get_asm(enable_debug_info=False)


def _registers(host: ir.Module) -> int:
    """Return the registers that a lowering asked for; 0 where none did."""
    from torch_mlir import ir

    from bellrock.dialects.matrix_engine.lowering import REGISTERS

    for op in host.body.operations:
        if REGISTERS in op.operation.attributes:
            return ir.IntegerAttr(op.operation.attributes[REGISTERS]).value
    return 0


def _device_module(device: ir.Operation, registers: int) -> DeviceModule:
    from torch_mlir import ir

    from bellrock.target.xegpu.mends import kernels_of, mend

    mend(device, sub_group=SUB_GROUP)
    stream = io.BytesIO()
    device.write_bytecode(stream)
    return DeviceModule(
        name=ir.StringAttr(device.attributes["sym_name"]).value,
        spirv=to_spirv(_bitcode(device)),
        llvm=stream.getvalue(),
        kernels=tuple(_entry(kernel, device) for kernel in kernels_of(device)),
        registers=registers,
    )


def _bitcode(device: ir.Operation) -> bytes:
    """Return LLVM bitcode of a device module."""
    from torch_mlir import ir
    from torch_mlir.dialects import gpu
    from torch_mlir.passmanager import PassManager

    alone = ir.Module.create()
    alone.operation.attributes["gpu.container_module"] = ir.UnitAttr.get()
    with ir.InsertionPoint(alone.body):
        device.clone()
    PassManager.parse("builtin.module(gpu-module-to-binary{format=llvm})").run(alone.operation)
    binary = alone.body.operations[0].operation
    return gpu.ObjectAttr(ir.ArrayAttr(binary.attributes["objects"])[0]).object


def _entry(kernel: ir.Operation, device: ir.Operation) -> KernelEntry:
    from torch_mlir import ir

    kinds: list[ArgumentKind] = [
        "pointer" if str(argument.type).startswith("!llvm.ptr") else "scalar"
        for argument in kernel.regions[0].blocks[0].arguments
    ]
    group = tuple(ir.DenseI32ArrayAttr(kernel.attributes["reqd_work_group_size"]))
    return KernelEntry(
        name=ir.StringAttr(kernel.attributes["sym_name"]).value,
        arguments=tuple(kinds),
        sub_group=SUB_GROUP,
        slm_bytes=_slm_bytes(device),
        group=(group[0], group[1], group[2]),
    )


def _slm_bytes(device: ir.Operation) -> int:
    """Return the size of the module's variables in local memory."""
    from torch_mlir import ir

    total = 0
    for op in device.regions[0].blocks[0].operations:
        variable = op.operation
        if variable.name != "llvm.mlir.global" or "addr_space" not in variable.attributes:
            continue
        if ir.IntegerAttr(variable.attributes["addr_space"]).value == _SLM:
            total += _array_bytes(str(ir.TypeAttr(variable.attributes["global_type"]).value))
    return total


def _array_bytes(kind: str) -> int:
    """Return the size of an array type, as its text says: `!llvm.array<256 x f32>`."""
    inner = kind.removeprefix("!llvm.array<").removesuffix(">").split(" x ")
    *sizes, element = inner
    total = int("".join(c for c in element if c.isdigit())) // 8
    for size in sizes:
        total *= int(size.removeprefix("array<"))
    return total
