"""The built-in functions of Intel's GPU compilers, as OpenCL C for a device that lacks them.

Flows in: symbols that device code refers to. Flows out: source that defines just those. Plain
loads and sub-group shuffles do the work; functions stay out of line, in loops, for a kernel with
hundreds of inlined copies takes a minute to compile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bellrock.errors import DeviceError
from bellrock.target.xegpu.builtins import (
    SUB_GROUP,
    BlockAccess,
    MatrixMad,
    parse_builtin,
    split_symbol,
)

_HEADER = """\
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#pragma OPENCL EXTENSION cl_intel_subgroups : enable
#define BUILTIN __attribute__((overloadable, noinline))
#define WIDE(x) ((uint)(ushort)(x))
ushort bellrock_bf16(float x) {
  uint u = as_uint(x);
  return isnan(x) ? (ushort)0x7fc0 : (ushort)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
"""
_UNSIGNED = {8: "uchar", 16: "ushort", 32: "uint", 64: "ulong"}
_SYMBOL = re.compile(rb"_Z\d+intel_sub_group_\w+")
_OPERAND = {
    "f16": "convert_float(as_half((ushort)({0})))",
    "bf16": "as_float(WIDE({0}) << 16)",
    "tf32": "as_float((uint)({0}) & 0xffffe000u)",
    "s8": "(int)(char)({0})",
    "u8": "(int)(uchar)({0})",
}
_OPERAND_BITS = {"f16": 16, "bf16": 16, "tf32": 32, "s8": 8, "u8": 8}
_RESULT = {  # type, to the type summed in, back
    "f": ("float", "{0}", "{0}"),
    "i": ("int", "{0}", "{0}"),
    "Dh": ("half", "convert_float({0})", "convert_half({0})"),
    "s": ("short", "as_float(WIDE({0}) << 16)", "(short)bellrock_bf16({0})"),
}


def symbols_of(spirv: bytes) -> frozenset[str]:
    """Return the built-in functions that a module refers to, in Intel's own name space."""
    return frozenset(match.decode() for match in _SYMBOL.findall(spirv))


def library_source(symbols: Iterable[str]) -> str:
    """Return OpenCL C that defines those of the functions that OpenCL does not have itself.

    Raises:
        DeviceError: one has a form that is not known.
    """
    made: dict[str, str] = {}
    for symbol in sorted(symbols):
        builtin = parse_builtin(symbol)
        name = split_symbol(symbol)[0]
        if isinstance(builtin, BlockAccess):
            made[symbol] = _block(name, builtin)
        elif isinstance(builtin, MatrixMad):
            made[symbol] = _mad(name, builtin)
    return _HEADER + "".join(made.values()) if made else ""


def _block(name: str, access: BlockAccess) -> str:
    head = f"BUILTIN void {name}(__global void *base, int width, int height, int pitch, int2 at"
    if access.action == "prefetch":
        return f"{head}) {{}}\n"
    body = _write(access) if access.action == "write" else _read(access)
    return (
        f"{head}, __private {_UNSIGNED[access.held_bits]} *held) {{\n"
        f"  int lane = (int)get_sub_group_local_id();\n{body}}}\n"
    )


def _element(access: BlockAccess, row: str, column: str) -> str:
    """Declare `inside` and `place` of one element."""
    size = access.bits // 8
    return (
        f"int x = at.x + {column}, y = at.y + {row};\n"
        f"    bool inside = x >= 0 && (x + 1) * {size} <= width && y >= 0 && y < height;\n"
        f"    __global {_UNSIGNED[access.bits]} *place = (__global {_UNSIGNED[access.bits]} *)"
        f"((__global uchar *)base + (long)y * pitch + (long)x * {size});\n"
    )


def _loop(access: BlockAccess, rows: int, columns: int, statements: str) -> str:
    """Loop over blocks, rows or columns of one work-item; `n` counts what it holds."""
    return (
        f"  int n = 0;\n  for (int b = 0; b < {access.blocks}; b++)"
        f" for (int i = 0; i < {rows}; i++, n++) {{\n"
        f"    {_UNSIGNED[access.held_bits]} value = 0;\n"
        f"    for (int q = 0; q < {columns}; q++) {{\n    {statements}    }}\n"
        "    held[n] = value;\n  }\n"
    )


def _packed(access: BlockAccess, row: str, column: str, active: str = "true") -> str:
    place = _element(access, row, column)
    kind = _UNSIGNED[access.held_bits]
    return f"{place}    if (inside && {active}) value |= ({kind})*place << (q * {access.bits});\n"


def _read(access: BlockAccess) -> str:
    packed = access.packed
    if access.form == "transform":
        statements = _packed(access, f"i * {packed} + q", f"b * {SUB_GROUP} + lane")
        return _loop(access, access.rows // packed, packed, statements)
    if access.form == "transpose":
        return _loop(
            access, access.columns, 1, _packed(access, "lane", "i", f"lane < {access.rows}")
        )
    return _loop(access, access.rows // access.folded, packed, _packed(access, *_plain(access)))


def _plain(access: BlockAccess) -> tuple[str, str]:
    """Return row and column of element `q` of a work-item's row `i` in block `b`."""
    if access.folded == 2:
        return "(2 * i + lane / 8)", f"b * {access.columns} + lane % 8"
    return "i", f"b * {access.columns} + lane * {access.packed} + q"


def _write(access: BlockAccess) -> str:
    return (
        f"  int n = 0;\n  for (int b = 0; b < {access.blocks}; b++)"
        f" for (int i = 0; i < {access.rows // access.folded}; i++, n++)"
        f" for (int q = 0; q < {access.packed}; q++) {{\n    {_element(access, *_plain(access))}"
        f"    if (inside) *place = ({_UNSIGNED[access.bits]})(held[n] >> (q * {access.bits}));\n"
        "  }\n"
    )


def _vector(kind: str, count: int) -> str:
    return kind if count == 1 else f"{kind}{count}"


def _parts(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}.s{i:x}" for i in range(count)]


def _mad(name: str, mad: MatrixMad) -> str:
    try:
        result, widen, narrow = _RESULT[mad.result]
        bits = _OPERAND_BITS[mad.a]
    except KeyError as error:
        raise DeviceError("a matrix product of types that are not known", got=name) from error
    tf32 = mad.a == "tf32"
    a_kind, b_kind = ("float", "float8") if tf32 else ("short", "int8")
    total = "int" if mad.a in {"s8", "u8"} else "float"
    per_item = 1 if tf32 else 16 // bits
    a_parts = _parts("a", mad.a_elements)
    as_bits = "as_int({0})" if tf32 else "(int)({0})"
    lines = [
        f"BUILTIN __attribute__((convergent)) {_vector(result, mad.rows)} {name}"
        f"({_vector(a_kind, mad.a_elements)} a, {b_kind} b, {_vector(result, mad.rows)} c) {{",
        f"  {total} sum[{mad.rows}] = {{"
        + ", ".join(widen.format(part) for part in _parts("c", mad.rows))
        + "};",
        "  uint column[8]; vstore8(as_uint8(b), 0, column);",
        f"  int held[{mad.a_elements}] = {{"
        + ", ".join(as_bits.format(part) for part in a_parts)
        + "};",
        f"  for (int k = 0; k < {mad.k}; k++) {{",
        f"    {total} right = "
        + _OPERAND[mad.b].format(f"column[k / {32 // bits}] >> (k % {32 // bits} * {bits})")
        + ";",
        f"    for (int m = 0; m < {mad.rows}; m++) {{",
    ]
    if tf32 and mad.a_elements < mad.rows:  # work-item 8 h + k has column k of rows 2 i + h
        lines.append("      int left = sub_group_shuffle(held[m / 2], k + 8 * (m % 2));")
    else:
        lines.append(f"      int left = sub_group_shuffle(held[m], k / {per_item});")
    shifted = f"left >> (k % {per_item} * {bits})" if per_item > 1 else "left"
    lines += [
        f"      sum[m] += {_OPERAND[mad.a].format(shifted)} * right;",
        "    }",
        "  }",
        f"  return ({_vector(result, mad.rows)})("
        + ", ".join(narrow.format(f"sum[{i}]") for i in range(mad.rows))
        + ");",
        "}",
    ]
    return "\n".join(lines) + "\n"
