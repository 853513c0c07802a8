"""The loops that the ops of a kernel share: its rows.

Flows in: ops of one group on tensors (generics, and reshapes between them). Flows out:
`RowSpace`: the parallel loops that every one of the ops has, matched through the tensors which
they hand to each other, so that all ops can be cut together along them. What is left of an
op's loops lies inside a row. Softmax over the last of three dimensions has the first two as
its rows: the maximum, the exponential, the sum and the quotient all have them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.loop_order import loop_sizes

RESHAPES = {"tensor.expand_shape", "tensor.collapse_shape"}
_LOOP, _DIM = "loop", "dim"

Node = tuple[str, object, int]
"""A loop of an op, or a dimension of a tensor."""


@dataclass(frozen=True, slots=True)
class RowSpace:
    """Loops that all ops of a group share, in the order of the first reduction's loops."""

    sizes: tuple[int, ...]
    loops: dict[ir.Operation, dict[int, int]]
    """For each generic: its loop -> number of the shared loop."""
    dims: dict[ir.Operation, tuple[int | None, ...]]
    """For each op: number of the shared loop that each dimension of its result runs along."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return math.prod(self.sizes)

    def along(self, op: ir.Operation, access: ir.AffineMap) -> tuple[int | None, ...]:
        """Return the shared loop of each dimension of an operand of one of the generics."""
        loops = self.loops[op]
        return tuple(
            loops.get(e.position) if isinstance(e, ir.AffineDimExpr) else None
            for e in access.results
        )


def is_row_op(op: ir.Operation) -> bool:
    """Whether an op can be cut along loops: a generic whose operands it projects."""
    if op.name != "linalg.generic":
        return False
    maps = maps_of(op)
    inits = len(op.operands) - len(op.results)
    return (
        len(op.results) > 0
        and all(_has_static_shape(v) for v in op.operands)
        and all(_projects(m, constants=i < inits) for i, m in enumerate(maps))
    )


def _has_static_shape(value: ir.Value) -> bool:
    kind = value.type
    return not isinstance(kind, ir.RankedTensorType) or kind.has_static_shape


def _projects(access: ir.AffineMap, *, constants: bool) -> bool:
    """Whether each index is a loop of its own (or a constant, of an input)."""
    seen: list[int] = []
    for expr in access.results:
        if isinstance(expr, ir.AffineDimExpr):
            seen.append(expr.position)
        elif not (constants and isinstance(expr, ir.AffineConstantExpr)):
            return False
    return len(set(seen)) == len(seen)


def reduces(op: ir.Operation) -> bool:
    """Whether a generic has a reduction loop."""
    return op.name == "linalg.generic" and any(
        "reduction" in str(a) for a in ir.ArrayAttr(op.attributes["iterator_types"])
    )


class _Classes:
    """Union-find."""

    def __init__(self) -> None:
        self._parent: dict[Node, Node] = {}

    def find(self, node: Node) -> Node:
        while (parent := self._parent.get(node, node)) != node:
            node = parent
        return node

    def join(self, a: Node, b: Node) -> None:
        self._parent[self.find(a)] = self.find(b)


def row_space(ops: Sequence[ir.Operation], *, through_inputs: bool = False) -> RowSpace | None:
    """Find the parallel loops that all ops of a group share.

    Args:
        ops: generics that are row ops, and reshapes of their results, in program order.
        through_inputs: loops are the same, too, if they run along one dimension of a
            tensor that the group only reads.

    Returns:
        None where there is no shared loop.
    """
    inside = set(ops)
    classes = _Classes()
    for op in ops:
        for loop, value, dim in _links(op):
            owner = None if isinstance(value.owner, ir.Block) else value.owner.operation
            if owner in inside or through_inputs:
                classes.join(loop, (_DIM, value, dim))
    members = {op: _loops_of(op, classes) for op in ops}
    leader = next((op for op in ops if reduces(op)), ops[0])
    shared: list[Node] = [
        node for node in members[leader]
        if all(members[op].get(node, -1) >= 0 for op in ops)
    ]  # fmt: skip
    if not shared:
        return None
    number = {node: i for i, node in enumerate(shared)}
    sizes = loop_sizes(leader)
    loops = {
        op: {loop: number[node] for node, loop in members[op].items() if node in number}
        for op in ops if op.name not in RESHAPES
    }  # fmt: skip
    dims = {
        op: tuple(
            number.get(classes.find((_DIM, op.results[0], d)))
            for d in range(ir.RankedTensorType(op.results[0].type).rank)
        )
        for op in ops
    }
    return RowSpace(tuple(sizes[members[leader][n]] for n in shared), loops, dims)


def _links(op: ir.Operation) -> Iterator[tuple[Node, ir.Value, int]]:
    """Yield (loop of the op, tensor, dimension of it along which the loop runs)."""
    if op.name in RESHAPES:
        yield from _reshape_links(op)
        return
    maps = maps_of(op)
    inits = len(op.operands) - len(op.results)
    values = [*op.operands, *op.results]
    for value, access in zip(values, [*maps, *maps[inits:]], strict=True):
        for dim, expr in enumerate(access.results):
            if isinstance(expr, ir.AffineDimExpr):
                yield (_LOOP, op, expr.position), value, dim


def _reshape_links(op: ir.Operation) -> Iterator[tuple[Node, ir.Value, int]]:
    source, result = op.operands[0], op.results[0]
    long, short = (result, source) if op.name == "tensor.expand_shape" else (source, result)
    groups = [[ir.IntegerAttr(i).value for i in ir.ArrayAttr(g)]
              for g in ir.ArrayAttr(op.attributes["reassociation"])]  # fmt: skip
    for dim, group in enumerate(groups):
        if len(group) == 1:
            loop: Node = (_LOOP, op, dim)
            yield loop, long, group[0]
            yield loop, short, dim


def _loops_of(op: ir.Operation, classes: _Classes) -> dict[Node, int]:
    """Return the class of each loop of an op -> the loop; -1 where it cannot be shared."""
    found: dict[Node, int] = {}
    parallel = _parallel_loops(op)
    for loop in range(len(parallel)):
        node = classes.find((_LOOP, op, loop))
        usable = parallel[loop] and node not in found
        found[node] = loop if usable else -1
    return found


def _parallel_loops(op: ir.Operation) -> list[bool]:
    if op.name in RESHAPES:
        return [True] * len(ir.ArrayAttr(op.attributes["reassociation"]))
    return ["parallel" in str(a) for a in ir.ArrayAttr(op.attributes["iterator_types"])]


def element_bytes(kind: ir.Type) -> int:
    """Return the bytes of one stored element."""
    if isinstance(kind, ir.IntegerType | ir.FloatType):
        return -(-kind.width // 8)
    return 8
