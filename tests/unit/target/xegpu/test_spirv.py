"""SPIR-V of device modules: what LLVM's optimiser makes and SPIR-V has no word for."""

from __future__ import annotations

import ctypes
import random

import llvmlite.binding as llvm
import pytest

from bellrock.errors import CompileError
from bellrock.target.native.link import link
from bellrock.target.xegpu.bit_reversals import spell_out_bit_reversals
from bellrock.target.xegpu.spirv import to_spirv
from support.spirv import validate

TRANSPOSED_BITS = """
declare spir_func i64 @_Z12get_group_idj(i32)
define spir_kernel void @k(ptr addrspace(1) %out) !reqd_work_group_size !0 {
  %long = call spir_func i64 @_Z12get_group_idj(i32 0)
  %small = icmp ult i64 %long, 4
  br i1 %small, label %inside, label %done
inside:
  %id = trunc i64 %long to i32
  %row = udiv i32 %id, 2
  %column = urem i32 %id, 2
  %far = mul i32 %column, 256
  %near = mul i32 %row, 128
  %at = add i32 %far, %near
  %wide = zext i32 %at to i64
  %place = getelementptr i32, ptr addrspace(1) %out, i64 %wide
  store i32 %id, ptr addrspace(1) %place
  br label %done
done:
  ret void
}
!0 = !{i32 1, i32 1, i32 1}
"""


def test_bits_that_change_places_become_spirv() -> None:
    """LLVM makes one reversal of nine bits of this index, for which SPIR-V has no instruction."""
    validate(to_spirv(llvm.parse_assembly(TRANSPOSED_BITS).as_bitcode()))


def test_what_cannot_be_spirv_is_an_error() -> None:
    module = llvm.parse_assembly(
        TRANSPOSED_BITS.replace("store i32 %id", "store atomic i32 %id").replace(
            "%place\n", '%place unordered, align 4\n  call void asm sideeffect "nop", ""()\n'
        )
    )
    with pytest.raises(CompileError, match="SPIR-V"):
        to_spirv(module.as_bitcode())


@pytest.mark.parametrize("width", [1, 3, 8, 9, 16, 31, 32, 33, 63, 64])
def test_spelled_reversals_reverse(width: int) -> None:
    """Compiled for this processor, against Python."""
    text = f"""
declare i{width} @llvm.bitreverse.i{width}(i{width}) #0
define i64 @reverse(i64 %x) {{
  %cut = trunc i64 %x to i{width}
  %back = call i{width} @llvm.bitreverse.i{width}(i{width} %cut)
  %wide = zext i{width} %back to i64
  ret i64 %wide
}}
attributes #0 = {{ nounwind }}
""".replace("trunc i64 %x to i64", "or i64 %x, 0").replace(
        "zext i64 %back to i64", "or i64 %back, 0"
    )
    spelled = spell_out_bit_reversals(text)
    assert "llvm.bitreverse" not in spelled
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(reloc="pic")
    linked = link([machine.emit_object(llvm.parse_assembly(spelled))], symbols=["reverse"])
    reverse = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(linked.address("reverse"))
    numbers = random.Random(width)
    for _ in range(200):
        number = numbers.getrandbits(64)
        bits = format(number % 2**width, f"0{width}b")
        assert reverse(number) == int(bits[::-1], 2)


def test_other_modules_and_widths_stay() -> None:
    assert spell_out_bit_reversals(TRANSPOSED_BITS) == TRANSPOSED_BITS
    wide = "declare i128 @llvm.bitreverse.i128(i128)\ndeclare i8 @llvm.bitreverse.i8(i8)\n"
    spelled = spell_out_bit_reversals(wide)
    assert "declare i128 @llvm.bitreverse.i128(i128)\n" in spelled
    assert "llvm.bitreverse.i8" not in spelled
