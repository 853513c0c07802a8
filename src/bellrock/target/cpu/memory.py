"""Linking and loading objects into this process.

Flows in: an `Artifact`. Flows out: `CpuLoaded`, whose call goes straight into its code with
the interpreter's lock released.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Sequence
from functools import cache
from typing import Any

from bellrock.errors import CompileError
from bellrock.target.base import Artifact, Loaded
from bellrock.target.cpu.openmp import load_openmp

_NUMBERS = itertools.count()
_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
"""The interpreter's lock is released while such a function runs."""


@cache
def _jit() -> Any:
    """Return the process's one linker; each program gets a library of its own in it."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_lljit_compiler()


class CpuLoaded(Loaded):
    """A linked program. Its code is freed with the object."""

    def __init__(self, artifact: Artifact) -> None:
        """Link an artifact's objects with the process's C library and OpenMP.

        Raises:
            CompileError: a symbol is missing.
        """
        import llvmlite.binding as llvm

        load_openmp()
        builder = llvm.JITLibraryBuilder().add_current_process().export_symbol(artifact.entry)
        preparation = artifact.preparation
        if preparation is not None:
            builder.export_symbol(preparation.entry)
        for code in artifact.objects:
            builder.add_object_img(code)
        try:
            self._library = builder.link(_jit(), f"bellrock-{next(_NUMBERS)}")
            self._function = _FUNCTION(self._library[artifact.entry])
            self._prepare = _FUNCTION(self._library[preparation.entry]) if preparation else None
        except RuntimeError as error:
            raise CompileError("the program cannot be linked", got=str(error)[:500]) from error

    def call(self, addresses: Sequence[int]) -> None:
        """Run once on these addresses."""
        _run(self._function, addresses)

    def prepare(self, addresses: Sequence[int]) -> None:
        """Prepare once on these addresses."""
        if self._prepare is None:
            super().prepare(addresses)
        _run(self._prepare, addresses)


def _run(function: Any, addresses: Sequence[int]) -> None:
    slots = (ctypes.c_void_p * len(addresses))(*addresses)
    function(ctypes.addressof(slots))
