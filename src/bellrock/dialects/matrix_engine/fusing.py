"""Which ops the lowering of products takes beside a product, before kernels are made.

Flows in: an op next to a product, which is not outlined yet. Flows out: whether code of a lane can
be made of it (`points`, `frames`); what it reads will then be arguments of the kernel.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.dialects.matrix_engine.points import read_elementwise
from bellrock.dialects.matrix_engine.views import has_known_shape


def takes_beside_product(op: ir.Operation) -> bool:
    """Whether an op can be made element by element: elementwise, or an insertion of a slice."""
    if op.name == "tensor.insert_slice":
        return has_known_shape(op)
    return read_elementwise(op) is not None
