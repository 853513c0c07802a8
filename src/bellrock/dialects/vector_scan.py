"""A scan along memory, by vectors.

Flows in: a `tm_tensor.scan` whose scanned dimension is the last and whose combiner is one
associative op with a neutral element. Flows out: a forall over lines; in a line, each
vector is scanned by log2(lanes) shuffles and combinations, and combined with the last lane of
the vector before it.

A line of 40 elements of f32, with a vector of 16:
    scf.for %j = 0 to 32 step 16 iter_args(%line, %carry: vector<16xf32>) {
      %x = vector.transfer_read %source[..., %j]
      %y = combine(%x, %x shifted by 1 lane); ... by 2, 4, 8
      %z = combine(%carry, %y)
      vector.transfer_write %z, %line[..., %j]; yield the last lane of %z, broadcast }
    scf.for %k = 32 to 40 ... one element at a time

The order of combination differs from a serial scan's; its rounding error is smaller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, scf, tensor, vector

VECTOR_BYTES = 64
_NEUTRAL: dict[str, float] = {
    "arith.addf": 0.0, "arith.mulf": 1.0, "arith.addi": 0, "arith.muli": 1,
    "arith.maximumf": -math.inf, "arith.minimumf": math.inf,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LineScan:
    """How one line is scanned."""

    combiner: str
    element: ir.Type
    length: int

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        kind = self.element
        assert isinstance(kind, ir.FloatType | ir.IntegerType), "checked by `line_scan`"
        return VECTOR_BYTES * 8 // kind.width

    def combine(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Combine two scalars or two vectors."""
        return ir.Operation.create(self.combiner, [a.type], [a, b]).result

    def neutral(self) -> ir.Value:
        """Make a vector of neutral elements."""
        scalar = arith.ConstantOp(self.element, self.neutral_number()).result
        return vector.BroadcastOp(ir.VectorType.get([self.lanes], self.element), scalar).result

    def neutral_number(self) -> float | int:
        """Return the number that changes nothing it is combined with."""
        value = _NEUTRAL[self.combiner]
        return float(value) if isinstance(self.element, ir.FloatType) else int(value)

    def scanned(self, x: ir.Value) -> ir.Value:
        """Return the inclusive scan of a vector."""
        neutral, lanes, distance = self.neutral(), self.lanes, 1
        while distance < lanes:
            mask = [i - distance if i >= distance else lanes for i in range(lanes)]
            x = self.combine(x, vector.ShuffleOp(x, neutral, mask).result)
            distance *= 2
        return x


def line_scan(op: ir.Operation) -> LineScan | None:
    """Return how a scan goes by vectors, or None where it has to go another way."""
    axis = ir.IntegerAttr(op.attributes["dimension"]).value
    kind = ir.RankedTensorType(op.operands[0].type)
    ops = [o.operation for o in op.regions[0].blocks[0].operations]
    element = kind.element_type
    if not isinstance(element, ir.FloatType | ir.IntegerType) or element.width not in (32, 64):
        return None
    if axis != kind.rank - 1 or len(ops) != 2 or ops[0].name not in _NEUTRAL:
        return None
    arguments = list(op.regions[0].blocks[0].arguments)
    inclusive = ir.BoolAttr(op.attributes["inclusive"]).value
    if sorted(map(arguments.index, ops[0].operands)) != [0, 1] or not inclusive:
        return None
    found = LineScan(ops[0].name, element, kind.shape[-1])
    return found if found.length >= 2 * found.lanes else None


def scan_line(scan: LineScan, source: ir.Value, line: ir.Value, at: list[ir.Value]) -> ir.Value:
    """Scan one line of a tensor at the insertion point.

    Args:
        scan: how.
        source: tensor that is scanned.
        line: 1-D tensor that is written.
        at: indices of the line in the source, without the last.

    Returns:
        The line, written.
    """
    whole = scan.length // scan.lanes * scan.lanes
    vectors = ir.VectorType.get([scan.lanes], scan.element)
    identity = ir.AffineMap.get(
        len(at) + 1, 0, [ir.AffineExpr.get_dim(len(at))]
    )  # fmt: skip
    in_bounds = ir.ArrayAttr.get([ir.BoolAttr.get(True)])
    padding = arith.ConstantOp(scan.element, scan.neutral_number()).result
    loop = scf.ForOp(_index(0), _index(whole), _index(scan.lanes), [line, scan.neutral()])
    with ir.InsertionPoint(loop.body):
        j, (out, carry) = loop.induction_variable, loop.inner_iter_args
        x = vector.TransferReadOp(
            vectors, source, [*at, j], ir.AffineMapAttr.get(identity), padding, in_bounds
        ).result
        done = scan.combine(carry, scan.scanned(x))
        own = ir.AffineMapAttr.get(ir.AffineMap.get_identity(1))
        out = vector.TransferWriteOp(line.type, done, out, [j], own, in_bounds).result
        last = vector.ShuffleOp(done, done, [scan.lanes - 1] * scan.lanes).result
        scf.YieldOp([out, last])
    if whole == scan.length:
        return loop.results[0]
    carry = vector.ExtractOp(loop.results[1], [], [0]).result
    return _rest(scan, source, loop.results[0], carry, at, whole)


def _rest(
    scan: LineScan, source: ir.Value, line: ir.Value, carry: ir.Value, at: list[ir.Value],
    begin: int,
) -> ir.Value:  # fmt: skip
    """Scan what is left of a line by elements."""
    loop = scf.ForOp(_index(begin), _index(scan.length), _index(1), [line, carry])
    with ir.InsertionPoint(loop.body):
        k, (out, total) = loop.induction_variable, loop.inner_iter_args
        total = scan.combine(total, tensor.ExtractOp(source, [*at, k]).result)
        scf.YieldOp([tensor.InsertOp(total, out, [k]).result, total])
    return loop.results[0]


def _index(value: int) -> ir.Value:
    return arith.ConstantOp(ir.IndexType.get(), value).result


def lower_lines(op: ir.Operation, scan: LineScan) -> ir.Value:
    """Emit a forall over the lines of a scan; returns the tensor that it fills."""
    source, output = op.operands[0], op.operands[1]
    *rest, length = ir.RankedTensorType(source.type).shape
    line_type = ir.RankedTensorType.get([length], scan.element)
    if not rest:
        return scan_line(scan, source, output, [])
    forall = scf.ForallOp([0] * len(rest), list(rest), [1] * len(rest), [output])
    dynamic = ir.ShapedType.get_dynamic_size()
    place = ([dynamic] * len(rest) + [0], [1] * len(rest) + [length], [1] * (len(rest) + 1))
    with ir.InsertionPoint(forall.body):
        at, shared = list(forall.induction_variables), forall.inner_iter_args[0]
        line = tensor.ExtractSliceOp(line_type, shared, at, [], [], *place).result
        done = scan_line(scan, source, line, at)
        in_parallel = scf.InParallelOp()
        with ir.InsertionPoint(in_parallel.regions[0].blocks[0]):
            tensor.ParallelInsertSliceOp(done, shared, at, [], [], *place)
    return forall.results[0]
