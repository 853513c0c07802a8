"""Bellrock compiles PyTorch kernels and models through MLIR, checks them and measures them.

Importing this package is fast: neither torch nor MLIR is loaded before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bellrock.api import CompiledModel, compile

__all__ = ["CompiledModel", "__version__", "compile"]
__version__ = "0.1.0"

_LAZY = {"compile": "bellrock.api", "CompiledModel": "bellrock.api"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        import_module("bellrock.toolchain").check_toolchain()
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'bellrock' has no attribute {name!r}")
