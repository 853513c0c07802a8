"""Linking and loading objects into this process.

Flows in: an `Artifact`. Flows out: `CpuLoaded`, whose call goes straight into its code with
the interpreter's lock released.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from bellrock.target.base import Artifact, Loaded
from bellrock.target.cpu.openmp import openmp_runtime
from bellrock.target.native.link import link
from bellrock.target.native.matrix_engine import request_engine

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
"""The interpreter's lock is released while such a function runs."""


class CpuLoaded(Loaded):
    """A linked program. Its code is freed with the object."""

    def __init__(self, artifact: Artifact) -> None:
        """Link an artifact's objects with the process's C library and OpenMP.

        Raises:
            CompileError: a symbol is missing.
        """
        request_engine()
        runtime = openmp_runtime()
        preparation = artifact.preparation
        symbols = [artifact.entry] + ([preparation.entry] if preparation else [])
        objects = (*artifact.objects, *runtime.objects)
        self._linked = link(objects, symbols=symbols, provided=runtime.symbols)
        self._function = _FUNCTION(self._linked.address(artifact.entry))
        self._prepare = _FUNCTION(self._linked.address(preparation.entry)) if preparation else None

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
