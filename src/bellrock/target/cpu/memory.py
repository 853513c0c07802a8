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
        for code in artifact.objects:
            builder.add_object_img(code)
        try:
            self._library = builder.link(_jit(), f"bellrock-{next(_NUMBERS)}")
            address = self._library[artifact.entry]
        except RuntimeError as error:
            raise CompileError("the program cannot be linked", got=str(error)[:500]) from error
        self._function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)

    def call(self, addresses: Sequence[int]) -> None:
        """Run once on these addresses."""
        slots = (ctypes.c_void_p * len(addresses))(*addresses)
        self._function(ctypes.addressof(slots))
