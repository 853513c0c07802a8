"""Our transform dialect: `transform.bellrock.*` ops, defined in Python, one op a file.

Flows in: an MLIR context. Flows out: the same context, in which schedules may use the ops.
Upstream transform ops come first; an op is here only where upstream has none, and its
file says what was missing.
"""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.passmanager import PassManager

_LOADS_TORCH_C_AND_TM_TENSOR = (
    "builtin.module(func.func(convert-torch-to-linalg),func.func(convert-torch-to-tmtensor))"
)


def register(context: ir.Context) -> None:
    """Make every dialect that a payload or a schedule may use known to a context.

    Safe to call more than once for one context, and for many contexts of one process.

    Args:
        context: any context; on return torch-mlir's dialects (for `tm_tensor` payloads)
            and `bellrock` are loaded in it.
    """
    from torch_mlir.dialects import torch as torch_dialect

    from bellrock.dialects.extension import is_loaded, load_extension

    if is_loaded(context):  # asking takes microseconds, loading a few milliseconds
        return
    torch_dialect.register_dialect(context)
    with context, ir.Location.unknown(context):
        # tm_tensor and torch_c have no registration function; a pass that depends on a
        # dialect loads it, even on an empty module.
        PassManager.parse(_LOADS_TORCH_C_AND_TM_TENSOR).run(ir.Module.create().operation)
    load_extension(context)
