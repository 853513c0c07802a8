"""`transform.bellrock.narrow_results`: what was narrowed and widened again is kept narrow.

Missing upstream: fusing elementwise ops puts the widening of a result into the op that made it, so
that a model in f16 keeps f32 between its kernels: twice the bytes, and factors that matrix engines
do not take. Fusing the other way is refused for contractions.

Rewrite:
    %r = linalg.generic ... { %h = arith.truncf %x : f32 to f16
                              %w = arith.extf %h : f16 to f32; yield %w } -> tensor<4x8xf32>
    linalg.generic ins(%r) { ^bb0(%in: f32): ... }
  ->
    %r = linalg.generic ... { %h = arith.truncf %x : f32 to f16; yield %h } -> tensor<4x8xf16>
    linalg.generic ins(%r) { ^bb0(%in: f16): %w = arith.extf %in : f16 to f32; ... }

Needs: results that only generics read, directly or through views and pads of a constant that the
narrow type has. Others are left alone.
"""

# No postponed annotations here: the dialect reads the field types from them.
import struct

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.convolution.operands import owner_of
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import widen_inside
from bellrock.dialects.grouping import init_index

_VIEWS = ("tensor.expand_shape", "tensor.collapse_shape", "tensor.extract_slice")


@edits_in_place(lambda op: _narrow_all(op))
class NarrowResultsOp(Bellrock.Operation, name="narrow_results"):
    """Keep results narrow that are widened as they are made, below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


def _narrow_all(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        for number in range(len(op.results)):
            _narrow(op, number)


def _narrow(op: ir.Operation, number: int) -> None:
    result = op.results[number]
    body = op.regions[0].blocks[0]
    last = list(body.operations)[-1].operation
    widened = owner_of(last.operands[number])
    if (
        widened is None
        or widened.name != "arith.extf"
        or not isinstance(result.type, ir.RankedTensorType)
    ):
        return
    out = init_index(op) + number
    made = owner_of(op.operands[out])
    unread = not len(list(body.arguments[out].uses))
    narrow = widened.operands[0].type
    if made is None or made.name != "tensor.empty" or not unread:
        return
    if not len(list(result.uses)) or not _takes(result, narrow):
        return
    with ir.InsertionPoint(op), op.location:
        op.operands[out] = tensor.empty(list(result.type.shape), narrow)
    body.arguments[out].set_type(narrow)
    last.operands[number] = widened.operands[0]
    _give(result, narrow)


def _takes(value: ir.Value, narrow: ir.Type) -> bool:
    """Whether all that reads a value can read it narrow."""
    return all(_reads(u.owner.operation, u.operand_number, narrow) for u in value.uses)


def _reads(user: ir.Operation, number: int, narrow: ir.Type) -> bool:
    if user.name == "linalg.generic":
        return number < init_index(user)
    if user.name in _VIEWS:
        return number == 0 and _takes(user.results[0], narrow)
    if user.name == "tensor.insert_slice" and number == 0:
        return _fill_of(user, narrow) is not None and _takes(user.results[0], narrow)
    return False


def _fill_of(insert: ir.Operation, narrow: ir.Type) -> float | None:
    """Return the constant that a pad is filled with, if the narrow type has it."""
    base = owner_of(insert.operands[1])
    constant = owner_of(base.operands[0]) if base and base.name == "linalg.fill" else None
    if constant is None or constant.name != "arith.constant":
        return None
    value = ir.FloatAttr(constant.attributes["value"]).value
    return value if _exact(value, narrow) else None


def _exact(value: float, narrow: ir.Type) -> bool:
    if isinstance(narrow, ir.F16Type):
        try:
            return struct.unpack("<e", struct.pack("<e", value))[0] == value
        except OverflowError:
            return False
    return struct.pack("<f", value)[:2] == b"\0\0"


def _give(value: ir.Value, narrow: ir.Type) -> None:
    """Make a value narrow, and all that reads it widen it."""
    kind = ir.RankedTensorType.get(value.type.shape, narrow, loc=value.owner.location)
    value.set_type(kind)
    for use in list(value.uses):
        user, number = use.owner.operation, use.operand_number
        if user.name == "linalg.generic":
            widen_inside(user, number, narrow)
            continue
        if user.name == "tensor.insert_slice":
            filler = _fill_of(user, narrow)
            assert filler is not None, "only what takes narrow values is asked to"
            with ir.InsertionPoint(user), user.location:
                shape = list(user.results[0].type.shape)
                constant = arith.constant(narrow, filler)
                user.operands[1] = linalg.fill(constant, outs=[tensor.empty(shape, narrow)])
        _give(user.results[0], narrow)


OPS = (NarrowResultsOp,)
