"""Devices of the target xegpu that every machine can have, and small programs for them.

One source in the LLVM dialect gives both forms of a module: the bytecode that is interpreted,
and SPIR-V by LLVM.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from bellrock.target.base import Artifact, Preparation
from bellrock.target.native.code import older_floats
from bellrock.target.xegpu.container import ArgumentKind, DeviceModule, DeviceObject, KernelEntry
from bellrock.target.xegpu.loaders.base import Device
from bellrock.target.xegpu.loaders.choosing import KEPT_BYTES, SharedDevice
from bellrock.target.xegpu.loaders.opencl.device import OpenClDevice
from bellrock.target.xegpu.loaders.simt.device import SimtDevice
from bellrock.target.xegpu.memory import DeviceMemory

FUNCTIONS = """
  llvm.func spir_funccc @_Z13get_global_idj(i32) -> i64
  llvm.func spir_funccc @_Z12get_local_idj(i32) -> i64
  llvm.func spir_funccc @_Z12get_group_idj(i32) -> i64
  llvm.func spir_funccc @_Z7barrierj(i32) attributes {convergent}
"""
SCALE = """
  llvm.func spir_kernelcc @scale(%from: !llvm.ptr<1>, %to: !llvm.ptr<1>, %n: i64, %by: f32) {
    %zero = llvm.mlir.constant(0 : i32) : i32
    %i = llvm.call spir_funccc @_Z13get_global_idj(%zero) : (i32) -> i64
    %inside = llvm.icmp "ult" %i, %n : i64
    llvm.cond_br %inside, ^then, ^end
  ^then:
    %p = llvm.getelementptr %from[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %q = llvm.getelementptr %to[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %x = llvm.load %p : !llvm.ptr<1> -> f32
    %y = llvm.fmul %x, %by : f32
    llvm.store %y, %q : f32, !llvm.ptr<1>
    llvm.br ^end
  ^end:
    llvm.return
  }
"""
"""to[i] = from[i] * by"""
SCALE_ENTRY = KernelEntry(
    name="scale", arguments=("pointer", "pointer", "scalar", "scalar"), sub_group=0, slm_bytes=0,
    group=None,
)  # fmt: skip


def entry(
    name: str, *arguments: ArgumentKind, slm_bytes: int = 0, sub_group: int = 0
) -> KernelEntry:
    return KernelEntry(
        name=name, arguments=arguments, sub_group=sub_group, slm_bytes=slm_bytes, group=None
    )


@functools.cache
def module(body: str, *entries: KernelEntry) -> DeviceModule:
    """Return a device module of functions in the LLVM dialect."""
    from torch_mlir import ir
    from torch_mlir.dialects import llvm

    with ir.Context(), ir.Location.unknown():
        parsed = ir.Module.parse(f"gpu.module @sample {{\n{FUNCTIONS}\n{body}\n}}")
        parsed.operation.verify()
        (device,) = parsed.body.operations
        bytecode = io.BytesIO()
        parsed.operation.write_bytecode(bytecode)
        text = older_floats(llvm.translate_module_to_llvmir(device.operation))
    return DeviceModule(
        name="sample", spirv=_spirv(text), llvm=bytecode.getvalue(), kernels=entries
    )


def _spirv(text: str) -> bytes:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = "spirv64-unknown-unknown"
    machine = llvm.Target.from_triple(triple).create_target_machine(opt=0)
    parsed = llvm.parse_assembly(text)
    parsed.triple, parsed.data_layout = triple, str(machine.target_data)
    return machine.emit_object(parsed)


def host(text: str) -> bytes:
    """Return the object of host code in LLVM IR."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        opt=1, reloc="pic", codemodel="default", jit=False
    )
    return machine.emit_object(llvm.parse_assembly(text))


LAUNCH_SCALE = """
@name = private constant [6 x i8] c"scale\\00"
@bytes = private constant [4 x i64] [i64 8, i64 8, i64 8, i64 4]
declare void @bellrock_launch(ptr, i64, i64, i64, i64, i64, i64, i64, ptr, ptr)
declare void @bellrock_copy(ptr, ptr, i64)
declare ptr @bellrock_allocate(i64)
declare void @bellrock_free(ptr)
define void @scale_by(ptr %from, ptr %to, i64 %n, float %by) {
  %slots = alloca [4 x ptr]
  %a = alloca ptr
  %b = alloca ptr
  %c = alloca i64
  %d = alloca float
  store ptr %from, ptr %a
  store ptr %to, ptr %b
  store i64 %n, ptr %c
  store float %by, ptr %d
  %s1 = getelementptr ptr, ptr %slots, i64 1
  %s2 = getelementptr ptr, ptr %slots, i64 2
  %s3 = getelementptr ptr, ptr %slots, i64 3
  store ptr %a, ptr %slots
  store ptr %b, ptr %s1
  store ptr %c, ptr %s2
  store ptr %d, ptr %s3
  %more = add i64 %n, 63
  %groups = udiv i64 %more, 64
  call void @bellrock_launch(ptr @name, i64 %groups, i64 1, i64 1, i64 64, i64 1, i64 1, i64 4,
                             ptr %slots, ptr @bytes)
  ret void
}
"""
"""A function that launches `scale`."""


def scaling_program(n: int) -> Artifact:
    """Return a program: result = 6 x, by two launches and a copy, weight prepared: 10 w."""
    text = f"""{LAUNCH_SCALE}
define void @entry(ptr %all) {{
  %x = load ptr, ptr %all
  %s3 = getelementptr ptr, ptr %all, i64 3
  %y = load ptr, ptr %s3
  %s4 = getelementptr ptr, ptr %all, i64 4
  %result2 = load ptr, ptr %s4
  %s2 = getelementptr ptr, ptr %all, i64 2
  %value = load ptr, ptr %s2
  %s5 = getelementptr ptr, ptr %all, i64 5
  %work = load ptr, ptr %s5
  %between = call ptr @bellrock_allocate(i64 {4 * n})
  call void @scale_by(ptr %x, ptr %between, i64 {n}, float 2.0)
  call void @scale_by(ptr %between, ptr %work, i64 {n}, float 3.0)
  call void @bellrock_free(ptr %between)
  call void @bellrock_copy(ptr %y, ptr %work, i64 {4 * n})
  call void @scale_by(ptr %value, ptr %result2, i64 {n}, float 1.0)
  ret void
}}
define void @entry_prepare(ptr %all) {{
  %w = load ptr, ptr %all
  %s1 = getelementptr ptr, ptr %all, i64 1
  %value = load ptr, ptr %s1
  call void @scale_by(ptr %w, ptr %value, i64 {n}, float 10.0)
  ret void
}}
"""
    size = 4 * n
    return Artifact(
        objects=(
            DeviceObject(host=host(text)).pack(),
            DeviceObject(
                host=host("define void @unused() { ret void }"),
                modules=(module(SCALE, SCALE_ENTRY),),
            ).pack(),
        ),
        entry="entry", workspace_bytes=size,
        preparation=Preparation(
            entry="entry_prepare", arguments=(1,), value_bytes=(size,), workspace_bytes=0
        ),
        argument_bytes=(size, size), result_bytes=(size, size),
    )  # fmt: skip


def shared(device: Device) -> SharedDevice:
    return SharedDevice(device, DeviceMemory(device, kept_bytes=KEPT_BYTES))


@pytest.fixture(scope="session")
def samples() -> SimpleNamespace:
    return SimpleNamespace(
        entry=entry, module=module, host=host, scale=SCALE, scale_entry=SCALE_ENTRY,
        scaling_program=scaling_program, shared=shared,
    )  # fmt: skip


@pytest.fixture(scope="module", params=["shared", "own-memory"])
def opencl(request: pytest.FixtureRequest, opencl_here: None) -> Iterator[SharedDevice]:
    """OpenCL on the processor: memory that both ends see, and memory as a GPU would have it."""
    device = shared(OpenClDevice(allow_gpu=False, own_memory=request.param == "own-memory"))
    yield device
    device.close()


@pytest.fixture(scope="module", params=["simt", "opencl"])
def device(request: pytest.FixtureRequest) -> Iterator[SharedDevice]:
    """Each stand-in for a GPU."""
    if request.param == "opencl":
        request.getfixturevalue("opencl_here")
    opened = shared(SimtDevice() if request.param == "simt" else OpenClDevice(allow_gpu=False))
    yield opened
    opened.close()
