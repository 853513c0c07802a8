"""MLIR contexts that know everything a payload may hold.

Flows in: nothing. Flows out: a context, or a module parsed in one.
"""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.passmanager import PassManager

from bellrock.errors import PayloadError

_LOADS_TM_TENSOR = "builtin.module(func.func(convert-torch-to-tmtensor))"


def payload_context() -> ir.Context:
    """Return a fresh context with all upstream dialects, `torch` and `tm_tensor`."""
    context = ir.Context()
    torch_dialect.register_dialect(context)
    with context, ir.Location.unknown(context):
        # tm_tensor has no registration function; a pass that depends on it loads it, even on
        # an empty module.
        PassManager.parse(_LOADS_TM_TENSOR).run(ir.Module.create().operation)
    return context


def parse_payload(text: str, *, name: str) -> ir.Module:
    """Parse a module in a context of its own.

    Args:
        text: MLIR.
        name: what to call it in messages.

    Raises:
        PayloadError: the text is not valid MLIR.
    """
    with payload_context(), ir.Location.unknown():
        try:
            return ir.Module.parse(text)
        except ir.MLIRError as error:
            first = str(error).strip().splitlines()
            raise PayloadError(
                "not valid MLIR",
                got=(first[1] if len(first) > 1 else first[0]).strip(),
                where=name,
            ) from error
