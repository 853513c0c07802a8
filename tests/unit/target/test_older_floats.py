"""Constants of LLVM IR in the spelling that LLVM 22 reads."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellrock.target.native.code import older_floats


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("store float -inf, ptr %p", "store float 0xFFF0000000000000, ptr %p"),
        ("%c = fcmp oeq double %x, +inf", "%c = fcmp oeq double %x, 0x7FF0000000000000"),
        ("store half +inf, ptr %p", "store half 0xH7C00, ptr %p"),
        ("store bfloat -inf, ptr %p", "store bfloat 0xRFF80, ptr %p"),
        ("store float +qnan, ptr %p", "store float 0x7FF8000000000000, ptr %p"),
        ("fmul double %x, f0x3BEFFFFFF9D14637", "fmul double %x, 0x3BEFFFFFF9D14637"),
        ("fmul float %x, f0x3F800000", "fmul float %x, 0x3FF0000000000000"),
        ("fmul half %x, f0x3C00", "fmul half %x, 0xH3C00"),
        ("%a = phi float [ -inf, %1 ], [ %b, %2 ]",
         "%a = phi float [ 0xFFF0000000000000, %1 ], [ %b, %2 ]"),
        ("br label %inf.loop", "br label %inf.loop"),
        ("call void @finfo(ptr %nan)", "call void @finfo(ptr %nan)"),
    ],
)  # fmt: skip
def test_spelling(line: str, expected: str) -> None:
    assert older_floats(line) == expected


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_the_value_of_its_type(value: float) -> None:
    line = older_floats(f"fmul float %x, {value:e}")
    bits = int(line.rsplit("0x", 1)[1], 16)
    (read,) = struct.unpack("<d", bits.to_bytes(8, "little"))
    (rounded,) = struct.unpack("<f", struct.pack("<f", float(f"{value:e}")))
    assert read == rounded
    assert math.copysign(1, read) == math.copysign(1, rounded)
