"""Groups of ops become kernel functions and calls; equal kernels are made once.

Flows in: groups from `grouping`. Flows out: `func.func private @k_<motif>_<hash>` at the end of the
module (see `outlining`), and a call where the group's last op was.
"""

from __future__ import annotations

import hashlib

from torch_mlir import ir
from torch_mlir.dialects import func, tensor

from bellrock.dialects.grouping import Group
from bellrock.dialects.outlining import KERNEL, Draft


class Outliner:
    """Makes kernel functions in one module; equal kernels are made once."""

    def __init__(self, module: ir.Operation) -> None:
        """Outline into `module`, which may hold kernels already."""
        self._module = module
        self._known: set[str] = set()

    def outline(self, group: Group) -> None:
        """Replace a group's ops by a call of its kernel."""
        root = group.ops[-1]
        draft = Draft(group)
        block = self._module.regions[0].blocks[0]
        with root.location, ir.InsertionPoint(block):
            function = draft.function()
        name = _name_of(function)
        if name in self._known:
            function.operation.erase()
        else:
            function.operation.attributes["sym_name"] = ir.StringAttr.get(name)
            self._known.add(name)
        with ir.InsertionPoint(root), root.location:
            destinations = [
                tensor.EmptyOp(list(t.shape), t.element_type).result for t in draft.destinations
            ]
            call = func.CallOp(
                [v.type for v in draft.outputs],
                ir.FlatSymbolRefAttr.get(name),
                [*draft.inputs, *destinations],
            )
        for old, new in zip(draft.outputs, call.results, strict=True):
            old.replace_all_uses_with(new)
        for op in reversed(group.ops):
            op.erase()


def _name_of(function: func.FuncOp) -> str:
    """Name a kernel by its motif and by the hash of its text."""
    text = function.operation.get_asm(use_local_scope=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    motif = ir.StringAttr(function.operation.attributes[KERNEL]).value
    return f"k_{motif.replace('-', '_')}_{digest}"
