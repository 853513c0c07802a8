"""Between which numbers an index lies that a generic's body computes from its loops.

Flows in: the sizes of the loops; a value in the body. Flows out: the lowest and the highest number
that it can be, or None where that is not known. Upstream's `int-range-optimizations` knows
nothing of `linalg.index`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch_mlir import ir

Range = tuple[int, int]
"""Lowest and highest, both included."""

_LARGEST = 1 << 31
"""Beyond it, narrower types than 64 bits would wrap around."""
_SLT, _SGE = 2, 5
"""`arith.cmpi`'s predicates."""


@dataclass(frozen=True, slots=True)
class IndexRanges:
    """Ranges of the values in one body."""

    sizes: Mapping[int, int]
    """Of the loops that are known."""
    _found: dict[ir.Value, Range | None] = field(default_factory=dict)

    def of(self, value: ir.Value) -> Range | None:
        """Return between which numbers an index or an integer lies."""
        if isinstance(value.owner, ir.Block):
            return None
        if value not in self._found:
            op = value.owner.operation
            rule = _RULES.get(op.name)
            found = None if rule is None else rule(op, self)
            fits = found is not None and max(map(abs, found)) < _LARGEST
            self._found[value] = found if fits else None
        return self._found[value]

    def decided(self, condition: ir.Value) -> bool | None:
        """Return what a comparison of integers gives, if it is always the same."""
        if isinstance(condition.owner, ir.Block) or condition.owner.operation.name != "arith.cmpi":
            return None
        op = condition.owner.operation
        left, right = (self.of(v) for v in op.operands)
        if left is None or right is None:
            return None
        below, not_below = left[1] < right[0], left[0] >= right[1]
        predicate = ir.IntegerAttr(op.attributes["predicate"]).value
        if predicate not in (_SLT, _SGE) or not (below or not_below):
            return None
        return below if predicate == _SLT else not_below


_Rule = Callable[[ir.Operation, IndexRanges], Range | None]


def _constant(op: ir.Operation, ranges: IndexRanges) -> Range | None:
    del ranges
    value = op.attributes["value"]
    return (value.value, value.value) if isinstance(value, ir.IntegerAttr) else None


def _index(op: ir.Operation, ranges: IndexRanges) -> Range | None:
    size = ranges.sizes.get(ir.IntegerAttr(op.attributes["dim"]).value, 0)
    return (0, size - 1) if size > 0 else None


def _same(op: ir.Operation, ranges: IndexRanges) -> Range | None:
    return ranges.of(op.operands[0])


def _of_both(combine: Callable[[Range, Range], Range | None]) -> _Rule:
    def rule(op: ir.Operation, ranges: IndexRanges) -> Range | None:
        a, b = (ranges.of(v) for v in op.operands)
        return None if a is None or b is None else combine(a, b)

    return rule


def _product(a: Range, b: Range) -> Range:
    ends = [x * y for x in a for y in b]
    return min(ends), max(ends)


def _quotient(a: Range, b: Range) -> Range | None:
    """Divide what is not negative: there all ways of rounding agree."""
    return (a[0] // b[1], a[1] // b[0]) if a[0] >= 0 and b[0] > 0 else None


def _remainder(a: Range, b: Range) -> Range | None:
    return (0, min(a[1], b[1] - 1)) if a[0] >= 0 and b[0] > 0 else None


def _select(op: ir.Operation, ranges: IndexRanges) -> Range | None:
    decided = ranges.decided(op.operands[0])
    if decided is not None:
        return ranges.of(op.operands[1 if decided else 2])
    a, b = (ranges.of(v) for v in list(op.operands)[1:])
    return None if a is None or b is None else (min(a[0], b[0]), max(a[1], b[1]))


_RULES: dict[str, _Rule] = {
    "arith.constant": _constant,
    "linalg.index": _index,
    "arith.index_cast": _same,
    "arith.extsi": _same,
    "arith.addi": _of_both(lambda a, b: (a[0] + b[0], a[1] + b[1])),
    "arith.subi": _of_both(lambda a, b: (a[0] - b[1], a[1] - b[0])),
    "arith.muli": _of_both(_product),
    "arith.divsi": _of_both(_quotient),
    "arith.floordivsi": _of_both(_quotient),
    "arith.remsi": _of_both(_remainder),
    "arith.maxsi": _of_both(lambda a, b: (max(a[0], b[0]), max(a[1], b[1]))),
    "arith.minsi": _of_both(lambda a, b: (min(a[0], b[0]), min(a[1], b[1]))),
    "arith.select": _select,
}
