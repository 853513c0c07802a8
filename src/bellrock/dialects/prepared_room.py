"""The memory that copies of weights may take beside them, and how an op is given such a copy.

Flows in: a function, before kernels are outlined. Flows out: `Room`, from which packed or
transformed weights are paid, by stages one after the other; `add_unused_input`, by which an op
carries its copy to its lowering.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import add_input, init_index
from bellrock.dialects.grouping import VIEWS
from bellrock.dialects.kinds import KIND, kind_of
from bellrock.dialects.live_bytes import peak_bytes
from bellrock.dialects.preparation import fixed_arguments

SMALL_BYTES = 1 << 20
"""Memory that copies may take in any case."""
TAKEN = "bellrock.prepared_bytes"
"""Attribute of a function: what copies take already."""
NEEDED = "bellrock.needed_bytes"
"""Attribute of a function: what it needed before any copy was made."""
LIBRARIES = "bellrock.library_bytes"
"""Attribute of a function: what it needed then with what libraries would need inside each op."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is left for copies of one function's weights."""

    function: ir.Operation
    total_bytes: int

    @classmethod
    def of(cls, function: ir.Operation, percent: int) -> Room:
        """Return the room of a function; stages that took of it before have left less.

        Args:
            function: whose weights are copied.
            percent: how much more memory than its ops need one by one, when libraries do them, it
                may need with all copies; 0: no copies at all.
        """
        if percent <= 0:
            return cls(function, 0)
        if NEEDED not in function.attributes:
            _note(function, NEEDED, peak_bytes(function))
            _note(function, LIBRARIES, peak_bytes(function, libraries=True))
        allowed = _noted(function, LIBRARIES) * (100 + percent) // 100
        return cls(function, max(SMALL_BYTES, allowed - _noted(function, NEEDED)))

    @property
    def left_bytes(self) -> int:
        """What copies may still take."""
        return self.total_bytes - self.taken_bytes

    @property
    def taken_bytes(self) -> int:
        """What copies take already."""
        return _noted(self.function, TAKEN) if TAKEN in self.function.attributes else 0

    def take(self, size_bytes: int) -> bool:
        """Take room for a copy; False, and nothing taken, where too little is left."""
        if size_bytes > self.left_bytes:
            return False
        self.charge(size_bytes)
        return True

    def charge(self, size_bytes: int) -> None:
        """Take room that was promised before."""
        _note(self.function, TAKEN, self.taken_bytes + size_bytes)


def _noted(function: ir.Operation, name: str) -> int:
    return ir.IntegerAttr(function.attributes[name]).value


def _note(function: ir.Operation, name: str, number: int) -> None:
    i64 = ir.IntegerType.get_signless(64, function.context)
    function.attributes[name] = ir.IntegerAttr.get(i64, number)


def is_fixed(value: ir.Value, function: ir.Operation) -> bool:
    """Whether a value is a fixed argument of a function, or a view of one."""
    while not isinstance(value.owner, ir.Block):
        if value.owner.operation.name not in VIEWS:
            return False
        value = value.owner.operation.operands[0]
    arguments = function.regions[0].blocks[0].arguments
    return any(value == arguments[i] for i in fixed_arguments(function))


def add_unused_input(op: ir.Operation, value: ir.Value, access: ir.AffineMap | None = None) -> None:
    """Put an equal op with one more input, which its body does not use, in the place of `op`.

    Args:
        op: a `linalg.generic`.
        value: the input.
        access: its map; where blocks of the op are to have their part of it, and not the whole.
    """
    kind = kind_of(op)
    loops, rank = maps_of(op)[0].n_dims, ir.RankedTensorType(value.type).rank
    nowhere = ir.AffineMap.get(loops, 0, [ir.AffineExpr.get_constant(0)] * rank)
    made = add_input(op, value, access or nowhere)
    if kind is not None:
        made.attributes[KIND] = ir.StringAttr.get(kind)


def unused_input(op: ir.Operation) -> ir.Value | None:
    """Return what `add_unused_input` added to an op; None where nothing was."""
    number = init_index(op) - 1
    if number < 0:
        return None
    indices = list(maps_of(op)[number].results)
    argument = op.regions[0].blocks[0].arguments[number]
    if not indices or not all(isinstance(e, ir.AffineConstantExpr) for e in indices):
        return None
    return None if list(argument.uses) else op.operands[number]
