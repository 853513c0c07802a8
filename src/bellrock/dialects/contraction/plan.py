"""Reads a contraction on buffers: three operands, each with its step along rows, columns, depth.

Flows in: a linalg.generic on memrefs whose maps are projections. Flows out: `Plan`. Loops of one
role that lie behind each other in every operand are merged into one; what cannot be merged, and
the batch, are `outer` loops around the block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch_mlir import ir
from torch_mlir.dialects import memref

from bellrock.dialects.contraction.loops import Size, add, multiply, value
from bellrock.dialects.fold_movement import maps_of
from bellrock.errors import CompileError

_ROLES = {
    (True, True, True): "batch",
    (True, False, True): "m",
    (False, True, True): "n",
    (True, True, False): "k",
}
LEFT, RIGHT, OUT = range(3)
_DYNAMIC_SIZE = ir.ShapedType.get_dynamic_size()
_DYNAMIC_STRIDE = ir.ShapedType.get_dynamic_stride_or_offset()


@dataclass(slots=True, eq=False)
class Axis:
    """One loop, or several that are one."""

    size: Size
    steps: list[Size]
    """In elements, for `LEFT`, `RIGHT`, `OUT`, and what more a plan was asked for."""


@dataclass(slots=True, eq=False)
class Buffer:
    """The memory of an operand."""

    base: ir.Value
    offset: Size
    element: ir.Type


@dataclass(slots=True, eq=False)
class Plan:
    """A contraction as rows, columns and depth, inside outer loops."""

    buffers: list[Buffer]
    axes: dict[str, Axis]
    """By role: `m`, `n`, `k`."""
    outer: list[Axis] = field(default_factory=list)
    outer_depth: bool = False
    """Whether one of the outer loops is a reduction."""

    def swapped(self) -> Plan:
        """Return the same contraction with left and right exchanged."""

        def turned(axis: Axis) -> Axis:
            left, right, *others = axis.steps
            return Axis(axis.size, [right, left, *others])

        axes = {role: turned(a) for role, a in self.axes.items()}
        axes["m"], axes["n"] = axes["n"], axes["m"]
        left, right, *others = self.buffers
        outer = [turned(a) for a in self.outer]
        return Plan([right, left, *others], axes, outer, self.outer_depth)

    def view(self, operand: int, rows: str, columns: str, at: list[Size]) -> ir.Value:
        """Return an operand as a matrix.

        Args:
            operand: `LEFT`, `RIGHT`, `OUT`, or the number of another.
            rows: role of its rows.
            columns: role of its columns.
            at: index of each outer loop.
        """
        buffer = self.buffers[operand]
        offset = buffer.offset
        for axis, index in zip(self.outer, at, strict=True):
            if axis.steps[operand] != 0:
                offset = add(offset, multiply(index, axis.steps[operand]))
        axes = [self.axes[rows], self.axes[columns]]
        return _cast(buffer, offset, [a.size for a in axes], [a.steps[operand] for a in axes])


def read_plan(op: ir.Operation, others: Sequence[tuple[ir.Value, ir.AffineMap]] = ()) -> Plan:
    """Read a contraction, emitting what reads sizes and steps that are not known.

    Args:
        op: the contraction.
        others: further buffers to be walked with it, and where in them, by dimensions of its
            result.

    Raises:
        CompileError: the op is no contraction of two operands.
    """
    maps = maps_of(op)
    read = [i for i, a in enumerate(op.regions[0].blocks[0].arguments) if list(a.uses)]
    if len(maps) not in (3, 4) or (len(maps) == 4 and 2 in read):
        raise CompileError(
            "a packed contraction has two operands and a result",
            got=f"{len(maps)} operands",
            where=op.location,
        )
    # An input that the body does not read is one of the two in another form.
    operands, maps = [[*each[:2], each[-1]] for each in (list(op.operands), maps)]
    count = maps[0].n_dims
    buffers, steps, sizes = [], [], {}
    for operand, access in zip(operands, maps, strict=True):
        buffer, strides = _open(operand)
        buffers.append(buffer)
        by_loop: list[Size] = [0] * count
        for position, expression in enumerate(access.results):
            loop = ir.AffineDimExpr(expression).position
            by_loop[loop] = strides[position]
            size = _size(operand, position)
            if loop not in sizes or isinstance(size, int):
                sizes[loop] = size
        steps.append(by_loop)
    loops = [ir.AffineDimExpr(e).position for e in maps[OUT].results]
    for operand, access in others:
        buffer, strides = _open(operand)
        buffers.append(buffer)
        by_loop = [0] * count
        for position, expression in enumerate(access.results):
            by_loop[loops[ir.AffineDimExpr(expression).position]] = strides[position]
        steps.append(by_loop)
    plan = Plan(buffers, {})
    groups: dict[str, list[Axis]] = {"batch": [], "m": [], "n": [], "k": []}
    for loop in range(count):
        left, right, out = (_uses(access, loop) for access in maps)
        role = _ROLES[left, right, out]
        if sizes[loop] != 1:
            groups[role].append(Axis(sizes[loop], [s[loop] for s in steps]))
    for role in ("m", "n", "k"):
        merged = _merge(groups[role], OUT if role != "k" else LEFT)
        plan.axes[role] = merged.pop() if merged else Axis(1, [0] * len(buffers))
        groups[role] = merged
    plan.outer = [*groups["batch"], *groups["m"], *groups["n"], *groups["k"]]
    plan.outer_depth = bool(groups["k"])
    return plan


def _uses(access: ir.AffineMap, loop: int) -> bool:
    return any(ir.AffineDimExpr(e).position == loop for e in access.results)


def _merge(axes: list[Axis], by: int) -> list[Axis]:
    """Merge loops that are one walk through memory; the one with the longest walk is last."""
    known = all(isinstance(s, int) for a in axes for s in a.steps)
    if known:
        axes = sorted(axes, key=lambda a: -a.steps[by])  # type: ignore[operator, arg-type]
    merged: list[Axis] = []
    for axis in axes:
        above = merged[-1] if merged else None
        if above is not None and known and isinstance(axis.size, int) and all(
            high == low * axis.size for high, low in zip(above.steps, axis.steps, strict=True)
        ):  # fmt: skip
            merged[-1] = Axis(multiply(above.size, axis.size), axis.steps)
        else:
            merged.append(axis)
    return merged


def _open(operand: ir.Value) -> tuple[Buffer, list[Size]]:
    kind = ir.MemRefType(operand.type)
    strides, offset = kind.get_strides_and_offset()
    described = memref.ExtractStridedMetadataOp(operand)
    results = list(described.results)
    rank = len(kind.shape)
    known: list[Size] = [
        results[2 + rank + i] if s == _DYNAMIC_STRIDE else s for i, s in enumerate(strides)
    ]
    start = results[1] if offset == _DYNAMIC_STRIDE else offset
    return Buffer(results[0], start, kind.element_type), known


def _size(operand: ir.Value, position: int) -> Size:
    size = ir.MemRefType(operand.type).shape[position]
    return memref.dim(operand, value(position)) if size == _DYNAMIC_SIZE else size


def _cast(buffer: Buffer, offset: Size, sizes: list[Size], steps: list[Size]) -> ir.Value:
    # An axis of size 1 has no step of its own; 1 keeps the last one contiguous. Nor has one that
    # an operand does not walk along: it is read at 0.
    steps = [1 if size == 1 or step == 0 else step for size, step in zip(sizes, steps, strict=True)]

    def static(values: list[Size], unknown: int) -> list[int]:
        return [v if isinstance(v, int) else unknown for v in values]

    def dynamic(values: list[Size]) -> list[ir.Value]:
        return [v for v in values if not isinstance(v, int)]

    offsets = static([offset], _DYNAMIC_STRIDE)
    strides = static(steps, _DYNAMIC_STRIDE)
    shape = static(sizes, _DYNAMIC_SIZE)
    layout = ir.StridedLayoutAttr.get(offsets[0], strides)
    result = ir.MemRefType.get(shape, buffer.element, layout=layout)
    return memref.ReinterpretCastOp(
        result, buffer.base, dynamic([offset]), dynamic(sizes), dynamic(steps),
        offsets, shape, strides,
    ).result  # fmt: skip


def contiguous(plan: Plan, operand: int, role: str) -> bool:
    """Whether an operand's elements lie side by side along a role."""
    axis = plan.axes[role]
    return axis.size == 1 or axis.steps[operand] == 1
