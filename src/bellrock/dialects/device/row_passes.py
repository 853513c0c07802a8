"""Whether the passes over a row are one launch, and by how many work-items.

Flows in: a `scf.forall` over rows, on buffers, each iteration of which is one row. Flows out:
`RowPlan`, or None where a work-item for each row is better, or where the body has ops that
work-items cannot share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.device.grid import SUB_GROUP, Group
from bellrock.dialects.device.placement import VIEWS
from bellrock.dialects.device.row_items import items_for
from bellrock.dialects.device.row_nest import SHORTEST, is_static
from bellrock.dialects.device.row_scan import Scan, scan_of
from bellrock.dialects.generic_ops import init_index
from bellrock.dialects.grouping import defining_op
from bellrock.dialects.loop_order import loop_sizes, operand_strides
from bellrock.dialects.split_reductions import combiner_of

FEWEST_GROUPS = 64
"""Groups have fewer rows before there are fewer groups than this."""
_FAR = 16
"""Elements from which on neighbours are in cache lines of their own."""
_PURE = ("arith.", "math.")
_ENDS = {"memref.dealloc", "memref.load", "memref.store"}
_DYNAMIC = ir.ShapedType.get_dynamic_size()


@dataclass(frozen=True, slots=True)
class RowPlan:
    """How rows are dealt out."""

    counts: list[int]
    """Iterations of each loop over rows."""
    items: int
    """Work-items of a row."""
    rows: int
    """Of a group, as far as local memory goes."""

    @property
    def total(self) -> int:
        """All rows."""
        return math.prod(self.counts)


def row_plan(forall: ir.Operation, group: Group) -> RowPlan | None:
    """Return how a loop over rows is dealt out."""
    counts = _counts(forall)
    body = forall.regions[0].blocks[0]
    ops = [op.operation for op in body.operations][:-1]
    if counts is None or not all(_is_taken(op) for op in ops):
        return None
    work = [_Pass.of(op) for op in ops if op.name in ("linalg.generic", "scf.for")]
    longest = max(work, key=lambda p: p.iterations, default=None)
    if longest is None or longest.iterations < SHORTEST:
        return None
    if not longest.along_row(list(body.arguments), counts):
        return None
    items = items_for(group.row_items, longest.iterations)
    if items < SUB_GROUP:
        return None
    rows = max(1, group.size // items)
    total = math.prod(counts)
    while rows > 1 and (rows > total or -(-total // rows) < FEWEST_GROUPS):
        rows //= 2
    return RowPlan(counts, items, rows)


def root_of(value: ir.Value) -> ir.Value:
    """Return the buffer that a view is of."""
    op = defining_op(value)
    while op is not None and op.name in VIEWS and len(op.operands):
        value = op.operands[0]
        op = defining_op(value)
    return value


def _counts(forall: ir.Operation) -> list[int] | None:
    low, high, step = (
        list(ir.DenseI64ArrayAttr(forall.attributes[f"static{name}"]))
        for name in ("LowerBound", "UpperBound", "Step")
    )
    if any(low) or any(n != 1 for n in step) or _DYNAMIC in high or min(high) < 1:
        return None
    return high


def _is_taken(op: ir.Operation) -> bool:
    """Whether work-items of a row can share an op."""
    if op.name == "linalg.generic":
        return _is_taken_generic(op)
    if op.name == "scf.for":
        return scan_of(op) is not None and _has_bytes(op.operands[3].type)
    if op.name == "memref.alloc":
        kind = ir.MemRefType(op.results[0].type)
        return not len(op.operands) and _has_bytes(kind.element_type) and 0 not in kind.shape
    return op.name in VIEWS or op.name in _ENDS or op.name.startswith(_PURE)


def _is_taken_generic(op: ir.Operation) -> bool:
    if len(op.results) or not is_static(op):
        return False
    outputs = list(op.operands)[init_index(op) :]
    if not all(isinstance(v.type, ir.MemRefType) for v in outputs):
        return False
    if not any("reduction" in str(kind) for kind in op.attributes["iterator_types"]):
        return True
    # A row's one result is combined across work-items; several are a work-item's each.
    several = any(math.prod(ir.MemRefType(v.type).shape) > 1 for v in outputs)
    return all(_has_bytes(v.type.element_type) for v in outputs) and (
        several or combiner_of(op, indices=True) is not None
    )


def _has_bytes(kind: ir.Type) -> bool:
    return isinstance(kind, (ir.IntegerType, ir.FloatType)) and kind.width >= 8


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass over a row: its loops, and how far each step takes each operand."""

    sizes: list[int]
    buffers: list[ir.Value]
    strides: list[list[int]]
    """Of each buffer, along each loop."""
    indices: list[list[ir.Value]]
    """Of each buffer, where it is indexed by values."""

    @property
    def iterations(self) -> int:
        return math.prod(self.sizes)

    @staticmethod
    def of(op: ir.Operation) -> _Pass:
        if op.name == "scf.for":
            scan = scan_of(op)
            assert scan is not None
            return _Pass._of_scan(scan)
        sizes = loop_sizes(op)
        maps = [ir.AffineMapAttr(a).value for a in ir.ArrayAttr(op.attributes["indexing_maps"])]
        found = [
            (value, strides)
            for value, access in zip(op.operands, maps, strict=True)
            if isinstance(value.type, ir.MemRefType)
            and (strides := operand_strides(value, access)) is not None
        ]
        return _Pass(
            [sizes[d] for d in range(len(sizes))], [v for v, _ in found], [s for _, s in found],
            [[] for _ in found],
        )  # fmt: skip

    @staticmethod
    def _of_scan(scan: Scan) -> _Pass:
        block = scan.loop.regions[0].blocks[0]
        accesses = [o.operation for o in block.operations if o.operation.name == "memref.load"]
        found = [(o.operands[0], list(o.operands)[1:]) for o in accesses]
        found.append((scan.store.operands[1], list(scan.store.operands)[2:]))
        variable = block.arguments[0]
        strides = [[_stride_of(v, indices, variable)] for v, indices in found]
        return _Pass([scan.high - scan.low], [v for v, _ in found], strides, [i for _, i in found])

    def along_row(self, variables: Sequence[ir.Value], counts: Sequence[int]) -> bool:
        """Whether neighbours in memory belong to one row, not to neighbouring rows.

        Args:
            variables: of the loops over rows.
            counts: their iterations.
        """
        inside = [
            sum(min(s[d], _FAR) for s in self.strides)
            for d, size in enumerate(self.sizes)
            if size > 1
        ]
        across = [
            sum(
                min(_stride_along(v, variable) + _stride_of(v, indices, variable), _FAR)
                for v, indices in zip(self.buffers, self.indices, strict=True)
            )
            for variable, count in zip(variables, counts, strict=True)
            if count > 1
        ]
        return bool(inside) and min(inside) <= min(across, default=_FAR * len(self.buffers))


def _stride_of(value: ir.Value, indices: Sequence[ir.Value], variable: ir.Value) -> int:
    """Return how far apart the elements are that neighbouring values of an index are of."""
    strides, _ = ir.MemRefType(value.type).get_strides_and_offset()
    known = [_FAR if s == _DYNAMIC else s for s in strides]
    return sum(s for s, i in zip(known, indices, strict=False) if i == variable)


def _stride_along(value: ir.Value, variable: ir.Value) -> int:
    """Return how far in memory the next row's part of a buffer is; 0 for the same part."""
    total = 0
    op = defining_op(value)
    while op is not None and op.name in VIEWS and len(op.operands):
        if op.name == "memref.subview":
            strides, _ = ir.MemRefType(op.operands[0].type).get_strides_and_offset()
            static = list(ir.DenseI64ArrayAttr(op.attributes["static_offsets"]))
            segments = list(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"]))
            dynamic = iter(list(op.operands)[1 : 1 + segments[1]])
            for stride, offset in zip(strides, static, strict=True):
                if offset == _DYNAMIC and next(dynamic) == variable:
                    total += abs(stride)
        op = defining_op(op.operands[0])
    return total
