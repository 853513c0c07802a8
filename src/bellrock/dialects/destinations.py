"""Destination-passing style for the host function, as four transform ops.

Missing upstream: each makes explicit, on tensors, where a value has to end up, so that
one-shot bufferisation never allocates a result and never returns a buffer from a loop.

`fill_splats`:           constant dense<0.0>       ->  fill an empty tensor with 0.0
`copy_inserted_slices`:  insert_slice %x into %d   ->  copy %x into a slice of %d, insert it
                         (the copy is a linalg op: it can be tiled, fused and outlined);
                         a pad that only convolutions read stays, marked `bellrock.pad`: their
                         kernels pad as they read
`settle_loop_carries`:   scf.yield %new            ->  scf.yield (%new materialised in the
                         loop's own buffer of that value)
`return_in_arguments`:   func @main(args) -> r     ->  func @main(args, out) -> r, where r is
                         materialised in out
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import arith, bufferization, ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, each_op, edits_in_place
from bellrock.dialects.pads import PAD, is_windowed_pad
from bellrock.errors import CompileError

FIRST_DESTINATION = "bellrock.first_destination"
"""Integer attribute of a function that returns in arguments: the number of the first of these."""


@edits_in_place(lambda op: each_op(op, "tensor.insert_slice", _copy_source))
class CopyInsertedSlicesOp(Bellrock.Operation, name="copy_inserted_slices"):
    """Give every `tensor.insert_slice` below the handle's ops a source it can own."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: each_op(op, "arith.constant", _fill_splat))
class FillSplatsOp(Bellrock.Operation, name="fill_splats"):
    """Turn tensor constants of one repeated value into fills, which can own their buffer."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: _settle_all(op))
class SettleLoopCarriesOp(Bellrock.Operation, name="settle_loop_carries"):
    """Make every tensor that a loop carries stay in one buffer."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: return_in_arguments(op))
class ReturnInArgumentsOp(Bellrock.Operation, name="return_in_arguments"):
    """Append one destination argument per result to each of the handle's functions."""

    target: ext.Operand[transform.AnyOpType]


def _copy_source(op: ir.Operation) -> None:
    source = op.operands[0]
    owner = source.owner
    if not isinstance(owner, ir.Block) and owner.operation.name == "linalg.copy":
        return
    if is_windowed_pad(op):
        op.attributes[PAD] = ir.UnitAttr.get(op.context)
        return
    view = op.opview  # the typed view gives offsets, sizes and strides
    with ir.InsertionPoint(op):
        kept = tensor.ExtractSliceOp(
            source.type, view.dest, list(view.offsets), list(view.sizes), list(view.strides),
            view.static_offsets, view.static_sizes, view.static_strides,
        ).result  # fmt: skip
        maker = _retargetable(source, op)
        if maker is not None:
            maker.move_before(op)
            maker.operands[len(maker.operands) - 1] = kept
        else:
            op.operands[0] = linalg.copy(source, outs=[kept])


def _retargetable(source: ir.Value, insert: ir.Operation) -> ir.Operation | None:
    """Return the op that makes an inserted tensor, if it can write into the slice itself."""
    if isinstance(source.owner, ir.Block):
        return None
    maker = source.owner.operation
    if maker.name != "linalg.generic" or len(maker.results) != 1 or maker.block != insert.block:
        return None
    init = maker.operands[len(maker.operands) - 1].owner
    fresh = not isinstance(init, ir.Block) and init.operation.name == "tensor.empty"
    return maker if fresh and len(list(source.uses)) == 1 else None


def _fill_splat(op: ir.Operation) -> None:
    value = op.attributes["value"]
    if not (isinstance(value, ir.DenseElementsAttr) and value.is_splat):
        return
    kind = op.results[0].type
    if not isinstance(kind, ir.RankedTensorType):
        return
    scalar = arith.ConstantOp(kind.element_type, value.get_splat_value()).result
    empty = tensor.EmptyOp(list(kind.shape), kind.element_type).result
    op.results[0].replace_all_uses_with(linalg.fill(scalar, outs=[empty]))
    op.erase()


def _settle_all(root: ir.Operation) -> None:
    each_op(root, "scf.for", _settle_for)
    each_op(root, "scf.while", _settle_while)


def _own_inits(op: ir.Operation, first_operand: int) -> None:
    """Start each carried value from a buffer of its own, which the loop may overwrite."""
    for i in range(first_operand, len(op.operands)):
        value = op.operands[i]
        shared = isinstance(value.owner, ir.Block) or len(list(value.uses)) > 1
        if isinstance(value.type, ir.RankedTensorType) and shared:
            op.operands[i] = _copy(value)


def _copy(value: ir.Value) -> ir.Value:
    return bufferization.AllocTensorOp(value.type, [], copy=value).result


def _settle_for(op: ir.Operation) -> None:
    _own_inits(op, first_operand=3)
    body = op.regions[0].blocks[0]
    _settle_block(body, list(body.arguments)[1:], first_operand=0)


def _settle_while(op: ir.Operation) -> None:
    _own_inits(op, first_operand=0)
    before, after = op.regions[0].blocks[0], op.regions[1].blocks[0]
    kinds = [[a.type for a in block.arguments] for block in (before, after)]
    if kinds[0] != kinds[1]:
        raise CompileError(
            "a while loop passes other values to its body than it carries",
            got=f"{[str(t) for t in kinds[1]]}",
            allowed=f"{[str(t) for t in kinds[0]]}",
            where=str(op.location),
        )
    _settle_block(before, list(before.arguments), first_operand=1)
    _settle_block(after, list(after.arguments), first_operand=0)


def _settle_block(block: ir.Block, own: list[ir.Value], *, first_operand: int) -> None:
    """Materialise what a loop's terminator passes on in the loop's buffers."""
    terminator = list(block.operations)[-1].operation
    with ir.InsertionPoint(terminator), terminator.location:
        for i, buffer in enumerate(own, start=first_operand):
            value = terminator.operands[i]
            # A buffer that becomes another (a swap) is read before it is overwritten.
            if isinstance(value.type, ir.RankedTensorType) and value in own and value != buffer:
                terminator.operands[i] = _copy(value)
        for i, buffer in enumerate(own, start=first_operand):
            value = terminator.operands[i]
            if isinstance(value.type, ir.RankedTensorType) and value != buffer:
                terminator.operands[i] = _materialise(value, buffer)


def _materialise(value: ir.Value, destination: ir.Value) -> ir.Value:
    return bufferization.MaterializeInDestinationOp(value.type, value, destination).results[0]


def return_in_arguments(function: ir.Operation) -> None:
    """Append destinations for a function's tensor results (see the module's docstring)."""
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    block = function.regions[0].blocks[0]
    terminator = list(block.operations)[-1].operation
    inputs, results = list(kind.inputs), list(kind.results)
    settled: list[tuple[ir.Value, ir.Value]] = []
    with function.location:
        for i, value in enumerate(list(terminator.operands)):
            if not isinstance(value.type, ir.RankedTensorType):
                continue
            out = block.add_argument(value.type, function.location)
            inputs.append(value.type)
            # A value that is returned twice is copied from its first destination: its own
            # buffer may have become that destination.
            source = next((kept for other, kept in settled if other == value), value)
            with ir.InsertionPoint(terminator):
                terminator.operands[i] = _materialise(source, out)
            settled.append((value, terminator.operands[i]))
    function.attributes["function_type"] = ir.TypeAttr.get(
        ir.FunctionType.get(inputs, results, function.context)
    )
    # The caller's inputs stay as they are; only destinations may be written.
    kept = ir.DictAttr.get({"bufferization.writable": ir.BoolAttr.get(False, function.context)},
                           function.context)  # fmt: skip
    free = ir.DictAttr.get({}, function.context)
    given = len(list(kind.inputs))
    i64 = ir.IntegerType.get_signless(64, function.context)
    function.attributes[FIRST_DESTINATION] = ir.IntegerAttr.get(i64, given)
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(
        [kept if i < given else free for i in range(len(inputs))], function.context
    )


OPS = (FillSplatsOp, CopyInsertedSlicesOp, SettleLoopCarriesOp, ReturnInArgumentsOp)
