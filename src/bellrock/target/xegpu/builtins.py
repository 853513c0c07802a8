"""Built-in functions of Intel's GPU compilers, by their mangled names.

Flows in: a symbol such as `_Z40intel_sub_group_2d_block_read_16b_8r16x1cPU3AS1viiiDv2_iPt`.
Flows out: what it is asked to do, as data: whoever has to stand in for that compiler (OpenCL on a
CPU, the interpreter) reads the same description.

Sub-groups have 16 work-items. A block of R rows and C columns is held by a sub-group so: column
c is with work-item c (columns 2c and 2c + 1 where C is 32; where C is 8, work-items 8 to 15 have
the odd rows), a work-item has its rows one after another, then those of the next block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from bellrock.errors import DeviceError

SUB_GROUP = 16
"""Work-items that share a block."""

_BLOCK = re.compile(
    r"intel_sub_group_2d_block_(read|write|prefetch)_(?:(transform|transpose)_)?"
    r"(\d+)b_(\d+)r(\d+)x(\d+)c"
)
_MAD = re.compile(r"intel_sub_group_(\w+?)_(\w+?)_matrix_mad_k(\d+)")
_VECTOR = re.compile(r"(?:Dv(\d+)_)?(Dh|[a-z])|S(\d*)_")
_MANGLED = re.compile(r"_Z(\d+)(\w+)")
_ELEMENT_BITS = {"c": 8, "h": 8, "s": 16, "t": 16, "i": 32, "j": 32, "l": 64, "m": 64, "f": 32}
_DEPTH = 8
"""Dwords of B along k that one instruction takes."""


_Action = Literal["read", "write", "prefetch"]
_Form = Literal["plain", "transform", "transpose"]


@dataclass(frozen=True, slots=True)
class BlockAccess:
    """A sub-group reads, writes or prefetches blocks of a matrix, side by side.

    Arguments: base, width in bytes, height, pitch in bytes, (x in elements, y), the work-item's
    part in private memory. Reading beyond the matrix gives 0; writing there does nothing.
    """

    action: _Action
    form: _Form
    """`transform`: 32 bits of consecutive rows in each dword. `transpose`: rows and columns
    change places, so work-item r has row r."""
    bits: int
    """Of an element."""
    rows: int
    columns: int
    """Of one block."""
    blocks: int
    held_bits: int
    """Of one element of the work-item's part."""

    @property
    def packed(self) -> int:
        """Elements of the matrix in one of the work-item's part."""
        return self.held_bits // self.bits

    @property
    def folded(self) -> int:
        """Rows that the work-items hold side by side: 2 where there are 8 columns, else 1."""
        return 2 if self.form == "plain" and self.columns * 2 == SUB_GROUP else 1


@dataclass(frozen=True, slots=True)
class MatrixMad:
    """A sub-group adds a product of matrices to one: C + A B, A is M x K, B is K x 16.

    A: work-item w has column w (16-bit elements; 8-bit ones: columns 2w, 2w+1; 32-bit ones:
    see `a_elements`), row after row. B: work-item w has column w, a dword has consecutive rows.
    C: work-item w has column w.
    """

    a: str
    b: str
    """Element types: f16, bf16, tf32, s8, u8."""
    k: int
    rows: int
    """M: 1 to 8."""
    a_elements: int
    """Of a work-item's part of A: M, but half as many for tf32 (K is 8: two rows share one)."""
    result: str
    """Element type of C as mangled: f, i, Dh, or s for bf16 in 16 bits."""


Builtin = BlockAccess | MatrixMad


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return the name of a function and its mangled parameters; a plain symbol has none."""
    match = _MANGLED.fullmatch(symbol)
    if match is None:
        return symbol, ""
    length = int(match[1])
    return match[2][:length], match[2][length:]


def parse_builtin(symbol: str) -> Builtin | None:
    """Return what a symbol asks for, None if it is none of these functions.

    Raises:
        DeviceError: it is one of them, in a form that the hardware does not have.
    """
    name, parameters = split_symbol(symbol)
    if match := _BLOCK.fullmatch(name):
        return _block(match, symbol)
    if match := _MAD.fullmatch(name):
        return _mad(match, parameters, symbol)
    return None


def _block(match: re.Match[str], symbol: str) -> BlockAccess:
    action, form, *numbers = match.groups()
    bits, rows, columns, blocks = (int(n) for n in numbers)
    held = _ELEMENT_BITS[symbol[-1]] if action != "prefetch" else bits
    access = BlockAccess(
        cast("_Action", action), cast("_Form", form or "plain"), bits, rows, columns, blocks, held
    )
    dwords = 32 // bits if bits < 32 else 1
    legal = {
        "plain": columns == SUB_GROUP * (held // bits) or (columns, rows % 2) == (8, 0),
        "transform": columns == SUB_GROUP and rows % dwords == 0 and held == 32,
        "transpose": rows <= SUB_GROUP and bits in {32, 64} and blocks == 1,
    }
    if action != "prefetch" and not legal[access.form]:
        raise DeviceError(
            "a 2-d block access of a form that is not known",
            got=symbol,
            allowed="8, 16 or 32 columns; transposed: 32-bit, up to 16 rows",
        )
    return access


def _mad(match: re.Match[str], parameters: str, symbol: str) -> MatrixMad:
    counts: list[int] = []
    kinds: list[str] = []
    seen: list[tuple[int, str]] = []
    for found in _VECTOR.finditer(parameters):
        if found[2] is None:  # a vector type that came before, by its number
            count, kind = seen[int(found[3] or -1) + 1]
        else:
            count, kind = int(found[1] or 1), found[2]
            if found[1]:
                seen.append((count, kind))
        counts.append(count)
        kinds.append(kind)
    if len(counts) != 3 or counts[1] != _DEPTH:
        raise DeviceError("a matrix product of a form that is not known", got=symbol)
    return MatrixMad(match[1], match[2], int(match[3]), counts[2], counts[0], kinds[2])
