"""MLIR contexts in which every payload and schedule parses.

Flows in: what makes dialects known. Flows out: a context.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch_mlir import ir


def register_passes() -> None:
    """Make torch-mlir's own passes known; upstream's always are. Costs nothing if repeated."""
    from torch_mlir._mlir_libs import _torchMlir  # noqa: F401 - importing it is the registration


def new_context(register: Callable[[ir.Context], None] | None = None) -> ir.Context:
    """Return a fresh context that knows all dialects, `tm_tensor` and `torch_c` among them.

    Args:
        register: makes dialects known; `bellrock.dialects.register` if None.
    """
    from torch_mlir import ir
    from torch_mlir.passmanager import PassManager

    if register is None:
        from bellrock.dialects import register

    register_passes()
    context = ir.Context()
    register(context)
    with context, ir.Location.unknown(context):
        # These two dialects have no register function: a pass that needs them loads them.
        passes = "func.func(convert-torch-to-linalg),func.func(convert-torch-to-tmtensor)"
        PassManager.parse(f"builtin.module({passes})").run(ir.Module.create().operation)
    return context
