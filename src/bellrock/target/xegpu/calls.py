"""Which built-in functions a SPIR-V module calls: matrix products, block loads.

Flows in: a SPIR-V module. Flows out: how often each imported function is called in its text (an
instruction in a loop counts once).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

_HEADER_WORDS = 5
_DECORATE, _CALL = 71, 57
_LINKAGE = 41


def builtin_calls(spirv: bytes) -> Counter[str]:
    """Return the number of calls of each imported function, by its mangled name."""
    names: dict[int, str] = {}
    called: list[int] = []
    for opcode, words in _instructions(spirv):
        if opcode == _DECORATE and words[1] == _LINKAGE:
            text = struct.pack(f"<{len(words) - 2}I", *words[2:])
            names[words[0]] = text.split(b"\0", 1)[0].decode()
        elif opcode == _CALL:
            called.append(words[2])
    return Counter(names[function] for function in called if function in names)


def instructions(spirv: bytes) -> Counter[int]:
    """Return how often each instruction is in a module, by its number."""
    return Counter(opcode for opcode, _ in _instructions(spirv))


def matrix_products(spirv: bytes) -> int:
    """Return the number of calls of matrix engines."""
    return sum(n for name, n in builtin_calls(spirv).items() if "matrix_mad" in name)


def _instructions(spirv: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield each instruction's opcode and operand words."""
    words = struct.unpack(f"<{len(spirv) // 4}I", spirv)
    at = _HEADER_WORDS
    while at < len(words):
        count, opcode = words[at] >> 16, words[at] & 0xFFFF
        yield opcode, words[at + 1 : at + count]
        at += count
