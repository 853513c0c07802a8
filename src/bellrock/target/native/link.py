"""Linking relocatable objects into this process.

Flows in: objects of this machine's kind, symbols that Bellrock itself provides. Flows out: the
addresses of the functions asked for, which live as long as the `Linked` does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from bellrock.errors import CompileError

_NUMBERS = itertools.count()


class Linked:
    """A linked program. Its code is freed with the object."""

    def __init__(self, library: Any) -> None:
        """Hold the linker's library."""
        self._library = library

    def address(self, symbol: str) -> int:
        """Return the address of a symbol that was asked for."""
        return int(self._library[symbol])


def link(
    objects: Iterable[bytes], *, symbols: Iterable[str], provided: Mapping[str, int] | None = None
) -> Linked:
    """Link objects with each other and with what this process has loaded.

    Args:
        objects: relocatable, for this machine.
        symbols: functions whose addresses are wanted.
        provided: addresses of symbols that are in no library.

    Raises:
        CompileError: a symbol is missing, or an object is damaged.
    """
    import llvmlite.binding as llvm

    builder = llvm.JITLibraryBuilder().add_current_process()
    for symbol in symbols:
        builder.export_symbol(symbol)
    for symbol, address in (provided or {}).items():
        builder.import_symbol(symbol, address)
    for code in objects:
        builder.add_object_img(code)
    try:
        return Linked(builder.link(_jit(), f"bellrock-{next(_NUMBERS)}"))
    except RuntimeError as error:
        raise CompileError("the program cannot be linked", got=str(error)[:500]) from error


@cache
def _jit() -> Any:
    """Return the process's one linker; each program gets a library of its own in it."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # JITLink places all sections of an object together. LLVM's older linker, the default, asks for
    # memory for each, and aborts the process where code and constants come to lie 2 GiB apart.
    return llvm.create_lljit_compiler(use_jit_link=True)
