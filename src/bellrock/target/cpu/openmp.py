"""One OpenMP thread pool for this process: ours and torch's.

Flows in: nothing. Flows out: `Runtime`, whose pool our parallel loops use. If torch has not been
imported yet, that is LLVM's (libiomp5), loaded so that torch finds its OpenMP symbols there
when it comes. If torch was first, it is the library that torch has brought: GNU's, for which a
bridge is linked to our programs. Two pools that both spin cost milliseconds per switch.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from bellrock.errors import CompileError

_LIBRARY = "libiomp5.so"
_LLVM_NAMES = ("libiomp5", "libomp.", "libomp5", "libomp-")
_GNU_NAMES = ("libgomp",)
_MAPS = Path("/proc/self/maps")


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """What programs have to be linked with."""

    path: Path
    """The OpenMP library whose pool they use."""
    shared: bool
    """Whether torch uses the same pool."""
    objects: tuple[bytes, ...] = ()
    symbols: Mapping[str, int] = field(default_factory=dict)
    """Addresses that these objects need."""


def library_path() -> Path:
    """Return where the package `intel-openmp` has put its library.

    Raises:
        CompileError: the package is absent, or has no such file.
    """
    try:
        listed = files("intel-openmp") or []
    except PackageNotFoundError:
        listed = []
    for entry in listed:
        if entry.name == _LIBRARY:
            return Path(str(entry.locate())).resolve()
    beside = Path(sys.prefix) / "lib" / _LIBRARY
    if beside.exists():
        return beside
    raise CompileError(
        "the OpenMP runtime is not installed", got=f"no {_LIBRARY}", hint="pip install intel-openmp"
    )


@cache
def openmp_runtime() -> Runtime:
    """Return the runtime of this process; the first call decides, and loads it.

    Raises:
        CompileError: a library is needed that is not installed.
    """
    if "torch" not in sys.modules:
        return _load(library_path(), shared=True)
    present = _loaded_libraries()
    for path in present:
        if path.name.startswith(_LLVM_NAMES):
            return _load(path, shared=True)
    for path in present:
        if path.name.startswith(_GNU_NAMES) and (runtime := _bridged(path)) is not None:
            return runtime
    return _load(library_path(), shared=False)


def _load(path: Path, *, shared: bool) -> Runtime:
    ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    return Runtime(path=path, shared=shared)


def _bridged(path: Path) -> Runtime | None:
    """Return GNU's library with the bridge to it; None if it lacks a function."""
    from bellrock.target.cpu.openmp_bridge import NEEDED, bridge_object

    library = ctypes.CDLL(str(path))
    try:
        symbols = {
            name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in NEEDED
        }
    except AttributeError:
        return None
    return Runtime(path=path, shared=True, objects=(bridge_object(),), symbols=symbols)


def _loaded_libraries() -> list[Path]:
    """Return the files mapped into this process that may be OpenMP libraries; torch's first."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    fields = (line.split(maxsplit=5) for line in lines)
    paths = {Path(f[5]) for f in fields if len(f) == 6 and f[5].startswith("/")}
    known = [p for p in paths if p.name.startswith(_LLVM_NAMES + _GNU_NAMES)]
    return sorted(known, key=lambda p: ("torch" not in p.parts, str(p)))
