"""An MLIR context that knows every dialect a payload can contain.

Flows in: nothing. Flows out: a context in which torch-mlir's own dialects are loaded, too.
"""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.passmanager import PassManager

_LOADERS = ("convert-torch-to-linalg", "convert-torch-to-tmtensor")
"""Passes that load the dialects they produce or consume: `torch_c` and `tm_tensor` have no
registration of their own in the Python bindings."""


def payload_context() -> ir.Context:
    """Return a new context; everything in upstream MLIR is in it already."""
    context = ir.Context()
    torch_dialect.register_dialect(context)
    with context, ir.Location.unknown():
        empty = ir.Module.create()
        for name in _LOADERS:
            PassManager.parse(f"builtin.module(func.func({name}))").run(empty.operation)
    return context
