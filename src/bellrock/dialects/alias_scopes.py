"""`transform.bellrock.alias_scopes`: tell LLVM that a kernel's arguments do not overlap.

Missing upstream: `llvm.noalias` on arguments is lost when a parallel region is outlined, and
then LLVM guards every inner loop with overlap tests, or gives up on it. Alias scopes on each
load and store survive. Sound because the host function's bufferisation never passes one
buffer to a kernel both as an operand that it reads and as another that it writes.

Rewrite:
    %v = llvm.load %p                      // %p derived from argument 0
  ->
    %v = llvm.load %p {alias_scopes = [#arg0], noalias_scopes = [#arg1, ...]}
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named

_THROUGH = {"llvm.getelementptr", "llvm.bitcast", "llvm.addrspacecast"}


@edits_in_place(lambda op: _annotate(op))
class AliasScopesOp(Bellrock.Operation, name="alias_scopes"):
    """Annotate the loads and stores of each function of the handle (LLVM dialect)."""

    target: ext.Operand[transform.AnyOpType]


def _annotate(function: ir.Operation) -> None:
    if not len(function.regions) or not len(function.regions[0].blocks):
        return
    entry = function.regions[0].blocks[0]
    pointers = [i for i, a in enumerate(entry.arguments) if str(a.type) == "!llvm.ptr"]
    if len(pointers) < 2:
        return
    scope = {i: _scope(i) for i in pointers}
    for name, address in (("llvm.load", 0), ("llvm.store", 1)):
        for op in ops_named(function, name):
            base = _base(op.operands[address])
            own = next((i for i in pointers if entry.arguments[i] == base), None)
            if own is None:
                continue
            others = [scope[i] for i in pointers if i != own]
            op.attributes["alias_scopes"] = ir.ArrayAttr.get([scope[own]], op.context)
            op.attributes["noalias_scopes"] = ir.ArrayAttr.get(others, op.context)


def _scope(argument: int) -> ir.Attribute:
    domain = 'domain = <id = distinct[1000000]<>, description = "kernel">'
    return ir.Attribute.parse(
        f'#llvm.alias_scope<id = distinct[{argument}]<>, {domain}, description = "{argument}">'
    )


def _base(pointer: ir.Value) -> ir.Value:
    """Follow address arithmetic back to what it started from."""
    while not isinstance(pointer.owner, ir.Block) and pointer.owner.operation.name in _THROUGH:
        pointer = pointer.owner.operation.operands[0]
    return pointer


OPS = (AliasScopesOp,)
