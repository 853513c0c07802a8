"""Parts of k and panels of columns: whole ones, whose sizes are known, and what is left.

Flows in: the sizes of a block. Flows out: loops. What is whole is worked on without masks; once
more the same, with them, for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bellrock.dialects.contraction.loops import (
    Condition,
    Size,
    add,
    ceil_divide,
    each,
    floor_divide,
    multiply,
    round_down,
    subtract,
)
from bellrock.dialects.contraction.product import Product


@dataclass(frozen=True, kw_only=True)
class Depth:
    """The part of k that is worked on."""

    start: Size
    """First element."""
    end: Size
    """End of it, in elements."""
    units: Size
    most: int
    """Most elements in a part."""
    last: Condition
    """Whether it is the last part."""
    multiple: int
    """A factor of every part's size, in elements."""

    def at(self, unit: Size, product: Product) -> Size:
        """Return the element at which a unit starts."""
        return add(self.start, multiply(unit, product.depth))

    def left(self, start: Size, wanted: int) -> Size:
        """Return how many elements there are from `start` on; at most `wanted` are asked for."""
        return wanted if self.multiple % wanted == 0 else subtract(self.end, start)


def each_unit(
    depth: Depth, step: int, product: Product, body: Callable[[Size, Size, Size], None]
) -> None:
    """Emit a loop over `step` units at a time, and once more for what is left of the last ones.

    Args:
        depth: the part of k.
        step: units that are worked on together.
        product: says what a unit is.
        body: takes a unit, its first element, and how many elements there are, which is a known
            number in all but the last iteration.
    """
    wanted = step * product.depth
    whole = depth.units
    if depth.multiple % wanted:
        complete = floor_divide(subtract(depth.end, depth.start), product.depth)
        whole = round_down(complete, step)

    def run(unit: Size, *, known: bool) -> None:
        start = depth.at(unit, product)
        body(unit, start, wanted if known else subtract(depth.end, start))

    each(0, whole, step, lambda unit: run(unit, known=True))
    if depth.multiple % wanted:
        each(whole, depth.units, step, lambda unit: run(unit, known=False))


def each_panel(columns: Size, width: int, body: Callable[[Size, Size], None]) -> None:
    """Emit a loop over whole panels, and once more for the last one's columns.

    Args:
        columns: of the block.
        width: columns of a panel.
        body: takes a panel and how many columns it has.
    """
    whole = floor_divide(columns, width)
    each(0, whole, 1, lambda panel: body(panel, width))
    rest = subtract(columns, multiply(whole, width))
    each(whole, ceil_divide(columns, width), 1, lambda panel: body(panel, rest))
