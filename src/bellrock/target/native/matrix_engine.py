"""The matrix engine of x86 processors (AMX): leave to use it, and a stand-in where there is none.

Flows in: what LLVM says of the processor; LLVM IR. Flows out: features that may be used; LLVM IR
that this processor can run.

Linux saves the engine's 8 KiB of registers only for processes that have asked for it
(Documentation/arch/x86/xstate.rst). With `BELLROCK_CPU_STAND_IN=amx-bf16` a processor without the
engine passes for one that has it: its instructions are calls of functions then, right and slow,
so that choices and code for it can be looked at and tested anywhere.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from functools import cache
from pathlib import Path

from bellrock.errors import UnknownNameError

VARIABLE = "BELLROCK_CPU_STAND_IN"
"""Of the environment: what is to be stood in for."""
ENGINE = frozenset({"amx-tile", "amx-bf16"})
"""LLVM's names of what is needed."""
_STAND_INS = ("amx-bf16",)
_ARCH_PRCTL = 158
_ASK_FOR_STATE = 0x1023
_TILE_DATA = 18
"""Linux's numbers: the system call on x86-64, its request, and the engine's registers."""
_TYPE, _STATE = "x86_amx", "[16 x <16 x i32>]"
_INTRINSICS = {
    "@llvm.x86.tilezero.internal": "@bellrock_tile_zero",
    "@llvm.x86.tileloadd64.internal": "@bellrock_tile_load",
    "@llvm.x86.tilestored64.internal": "@bellrock_tile_store",
    "@llvm.x86.tdpbf16ps.internal": "@bellrock_tile_multiply",
}


def engine_features(found: frozenset[str]) -> frozenset[str]:
    """Return a processor's features with those of the engine as far as they can be used.

    Args:
        found: what LLVM says of the processor.

    Raises:
        UnknownNameError: the environment asks for a stand-in that does not exist.
    """
    if _stand_in() and not found >= ENGINE:
        return found | ENGINE
    amx = {name for name in found if name.startswith("amx-")}
    return found if not amx or request_engine() else found - amx


@cache
def request_engine() -> bool:
    """Ask the system to save the engine's registers; return whether it does.

    All threads of the process may use the engine from then on, and what it forks.
    """
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    return bool(library.syscall(_ARCH_PRCTL, _ASK_FOR_STATE, _TILE_DATA) == 0)


def with_stand_in(text: str) -> str:
    """Return LLVM IR that calls functions for the engine's instructions, where they stand in."""
    if _TYPE not in text or not _stand_in() or _has_engine():
        return text
    lines = [
        line
        for line in text.split("\n")
        if not (line.startswith("declare") and any(name + "(" in line for name in _INTRINSICS))
    ]
    text = "\n".join(lines).replace(_TYPE, _STATE)
    for name, function in _INTRINSICS.items():
        text = text.replace(name + "(", function + "(")
    return text + Path(__file__).with_name("tile_stand_in.ll").read_text(encoding="utf-8")


def _stand_in() -> bool:
    asked = os.environ.get(VARIABLE, "")
    if asked and asked not in _STAND_INS:
        raise UnknownNameError("stand-in", asked, _STAND_INS, where=VARIABLE)
    return bool(asked)


@cache
def _has_engine() -> bool:
    import llvmlite.binding as llvm

    found = llvm.get_host_cpu_features()
    return all(found.get(name) for name in ENGINE) and request_engine()
