"""One OpenMP thread pool for this process: ours and torch's.

Flows in: nothing. Flows out: libiomp5 in the process, with its symbols visible. torch finds
its OpenMP symbols there too if it is imported later; two pools that both spin cost
milliseconds per switch on a loaded machine.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from bellrock.errors import CompileError

_LIBRARY = "libiomp5.so"


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
def load_openmp() -> bool:
    """Load the runtime for the whole process.

    Returns:
        Whether torch shares it, which it does only if it had not been imported before.
    """
    shared = "torch" not in sys.modules
    ctypes.CDLL(str(library_path()), mode=ctypes.RTLD_GLOBAL)
    return shared
