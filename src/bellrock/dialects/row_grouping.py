"""Which kernels become one because they share their rows (see `row_space`).

Flows in: the groups that `grouping` has made. Flows out: fewer groups: around each reduction,
the elementwise ops that make what it reads, those that read what it makes, and further
reductions, as long as all of them share loops. Softmax, a normalisation, a loss over rows
are then one kernel each, which goes through memory once.

A group has to be convex: nothing outside may need one of its results to make one of its
inputs, or neither could run first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.kinds import kind_of
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.row_space import RESHAPES, is_row_op, reduces, row_space
from bellrock.dialects.unit_order import is_convex
from bellrock.payload.motif import MotifKind, find_motif

MOST_OPS = 24
"""Ops of one kernel: keeps the time to compile it in bounds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EnoughRows:
    """When the rows of a kernel give every core work."""

    fewest: int
    """Rows; a kernel of fewer leaves cores without work."""
    small: int
    """Iterations of its longest op up to which that does not matter."""


class RowMerger:
    """Joins the groups of one block that share rows."""

    def __init__(
        self,
        groups: dict[ir.Operation, tuple[ir.Operation, ...]],
        position: dict[ir.Operation, int],
        ancestor: Callable[[ir.Operation], ir.Operation],
        enough: EnoughRows,
    ) -> None:
        """Start from the groups of a block.

        Args:
            groups: op -> its group; changed by `run`.
            position: of each op of the block.
            ancestor: the op of the block that is or contains an op.
            enough: that a kernel has to have.
        """
        self._groups = groups
        self._position = position
        self._ancestor = ancestor
        self._enough = enough
        self._row_ops: dict[ir.Operation, bool] = {}

    def run(self) -> None:
        """Join until nothing more can be joined."""
        seeds = [op for op in sorted(self._groups, key=self._position.__getitem__)
                 if is_plain_reduction(op) and self._is_row_group(self._groups[op])]  # fmt: skip
        for seed in seeds:
            while self._grow(self._groups[seed]):
                pass
        for seed in seeds:
            self._join_sibling(seed)

    def _is_row_group(self, group: tuple[ir.Operation, ...]) -> bool:
        for op in group:
            if op not in self._row_ops:
                self._row_ops[op] = (is_row_op(op) or op.name in RESHAPES) and not is_heavy(op)
        return all(self._row_ops[op] for op in group)

    def _grow(self, group: tuple[ir.Operation, ...]) -> bool:
        return any(self._join(group, neighbour) for neighbour in self._neighbours(group))

    def _neighbours(self, group: tuple[ir.Operation, ...]) -> Iterator[tuple[ir.Operation, ...]]:
        """Yield what may join: (reshapes on the way, ops of another group)."""
        for op in group:
            for operand in op.operands:
                owner = None if isinstance(operand.owner, ir.Block) else operand.owner.operation
                if owner in self._groups and self._groups[owner] is not group:
                    yield self._groups[owner]
        for op in group:
            yield from self._readers(op, group, ())

    def _readers(
        self, op: ir.Operation, group: tuple[ir.Operation, ...], way: tuple[ir.Operation, ...]
    ) -> Iterator[tuple[ir.Operation, ...]]:
        for result in op.results:
            for use in result.uses:
                user = use.owner.operation
                if user in self._groups:
                    if self._groups[user] is not group:
                        yield (*way, *self._groups[user])
                elif user.name in RESHAPES and not way and self._ancestor(user) == user:
                    yield from self._readers(user, group, (user,))

    def _join(
        self, group: tuple[ir.Operation, ...], other: tuple[ir.Operation, ...], *,
        through_inputs: bool = False,
    ) -> bool:  # fmt: skip
        merged = tuple(sorted({*group, *other}, key=self._position.__getitem__))
        if len(merged) > MOST_OPS or not self._is_row_group(other):
            return False
        inside = set(merged)
        if any(not self._stays_inside(op, inside) for op in merged):
            return False
        space = row_space(merged, through_inputs=through_inputs)
        if space is None:
            return False
        iterations = max(_iterations(op) for op in merged)
        if space.rows < self._enough.fewest and iterations > self._enough.small:
            return False
        if not is_convex(merged, self._groups, self._position, self._ancestor):
            return False
        for op in merged:
            self._groups[op] = merged
        return True

    def _stays_inside(self, op: ir.Operation, inside: set[ir.Operation]) -> bool:
        """Whether a reshape is read by the group only, and no body reads a result at large."""
        if op.name in RESHAPES:
            return all(u.owner.operation in inside for u in op.results[0].uses)
        for result in op.results:
            for use in result.uses:
                user = use.owner.operation
                if user not in inside and self._ancestor(user) in inside:
                    return False
        return True

    def _join_sibling(self, seed: ir.Operation) -> None:
        """Join another reduction of the same tensor, e.g. a mean and a maximum of one row."""
        group = self._groups[seed]
        inits = len(seed.operands) - len(seed.results)
        for operand in list(seed.operands)[:inits]:
            if not isinstance(operand.type, ir.RankedTensorType):
                continue
            for use in operand.uses:
                user = use.owner.operation
                other = self._groups.get(user, group)
                if other is not group and reduces(user) and self._join(
                    group, other, through_inputs=True
                ):  # fmt: skip
                    group = self._groups[seed]


def _iterations(op: ir.Operation) -> int:
    if op.name in RESHAPES:
        return 0
    return math.prod(loop_sizes(op).values())


def is_heavy(op: ir.Operation) -> bool:
    """Whether an op has a schedule of its own: a matrix product, a convolution."""
    if not reduces(op):
        return False
    motif = find_motif(op)
    is_dot = (
        motif is not None
        and motif.kind is MotifKind.CONTRACTION
        and not {"m", "n"} & set(motif.roles)
    )
    return not is_dot and not is_plain_reduction(op)


def is_plain_reduction(op: ir.Operation) -> bool:
    """Whether an op is for a reduction and nothing more particular."""
    return reduces(op) and kind_of(op) == str(MotifKind.REDUCTION)
