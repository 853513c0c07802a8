"""Running decoded functions for many work-items at once, branches that part them included.

Flows in: a function, a batch of work-groups, arguments. Flows out: what it does to memory.

Work-items wait in front of segments. The earliest segment that has any runs next, for all that
wait there: those that a branch sent elsewhere, or that are still in a loop, catch up by
themselves, for a segment comes after those it follows on. At a barrier work-items wait until
those of their group are all there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bellrock.target.xegpu.loaders.simt.decode import Edge, Function, Segment
from bellrock.target.xegpu.loaders.simt.frame import Frame
from bellrock.target.xegpu.loaders.simt.memory import AccessError
from bellrock.target.xegpu.loaders.simt.types import Array, Value

Mask = Array | None
"""None stands for all work-items of the batch."""


class OpError(Exception):
    """A fault at an op; the launch adds the kernel."""

    def __init__(self, what: str, op: Any) -> None:
        super().__init__(what)
        self.what = what
        self.op = str(op)[:300]


def run_function(function: Function, frame: Frame, arguments: Sequence[Value]) -> None:
    """Run a kernel for all work-items of a batch.

    Raises:
        OpError: an op did what it must not.
    """
    _Run(function, frame, arguments).to_the_end()


def call_function(function: Function, frame: Frame, arguments: Sequence[Value]) -> Value | None:
    """Run a function that a kernel calls, for the work-items that are active."""
    mask = frame.mask
    run = _Run(function, frame, arguments)
    run.to_the_end()
    frame.mask = mask
    return run.returned


class _Run:
    """One function under way."""

    def __init__(self, function: Function, frame: Frame, arguments: Sequence[Value]) -> None:
        self._function, self._frame = function, frame
        self._values: list[Any] = [None] * function.values
        for place, value in zip(function.parameters, arguments, strict=True):
            self._values[place] = value
        self._waiting: dict[int, Mask] = {0: frame.mask}
        self._parked: dict[int, Mask] = {}
        """Work-items at a barrier, by the segment after it."""
        self._barriers: dict[int, Any] = {}
        self._started: Mask = frame.mask
        self.returned: Value | None = None

    def to_the_end(self) -> None:
        while self._waiting or self._parked:
            if self._waiting:
                number = min(self._waiting)
                self._frame.mask = self._waiting.pop(number)
                self._run_segment(self._function.segments[number])
            else:
                self._pass_barrier()

    def _run_segment(self, segment: Segment) -> None:
        frame, values = self._frame, self._values
        kept = self._kept()
        for instruction in segment.instructions:
            operands = [values[place] for place in instruction.operands]
            try:
                value = instruction.compute(frame, *operands)
            except (AccessError, IndexError) as error:
                raise OpError(str(error), instruction.op) from error
            if instruction.result >= 0:
                self._set(instruction.result, value, kept)
        if segment.barrier is not None:
            after = segment.edges[0].segment
            self._barriers[after] = segment.barrier
            self._parked[after] = _union(self._parked, after, frame.mask)
        elif segment.edges:
            self._branch(segment)
        elif segment.returned >= 0:
            value = values[segment.returned]
            self.returned = _merged(frame.mask, value, self.returned)

    def _kept(self) -> frozenset[int]:
        """Return the places whose values work-items that wait elsewhere still use."""
        live: frozenset[int] = frozenset()
        for number in (*self._waiting, *self._parked):
            live |= self._function.segments[number].live
        return live

    def _set(self, place: int, value: Any, kept: frozenset[int]) -> None:
        if self._frame.mask is not None and place in kept:
            value = _merged(self._frame.mask, value, self._values[place])
        self._values[place] = value

    def _branch(self, segment: Segment) -> None:
        mask = self._frame.mask
        if len(segment.edges) == 1:
            self._follow(segment.edges[0], mask)
            return
        condition = self._values[segment.condition]
        if segment.cases:
            self._switch(segment, condition)
        elif len(segment.edges) == 2 and condition.dtype == np.bool_:
            self._divide(segment.edges, condition)
        else:
            self._follow(segment.edges[0], mask)

    def _divide(self, edges: tuple[Edge, ...], condition: Array) -> None:
        mask = self._frame.mask
        active = self._frame.active(condition)
        if active.all():
            self._follow(edges[0], mask)
        elif not active.any():
            self._follow(edges[1], mask)
        else:  # both: what passes along the first must not be read along the second
            sides = [condition, ~condition]
            self._follow_all(
                [
                    (edge, side if mask is None else side & mask)
                    for edge, side in zip(edges, sides, strict=True)
                ]
            )

    def _switch(self, segment: Segment, condition: Array) -> None:
        mask = self._frame.mask
        condition = np.broadcast_to(condition, len(self._frame.lanes))
        left = np.ones(len(condition), bool) if mask is None else mask.copy()
        ways: list[tuple[Edge, Mask]] = []
        for case, edge in zip(segment.cases, segment.edges[1:], strict=True):
            here = left & (condition == case)
            left &= ~here
            ways.append((edge, here))
        ways.append((segment.edges[0], left))
        self._follow_all([(edge, here) for edge, here in ways if here is None or here.any()])

    def _follow(self, edge: Edge, mask: Mask) -> None:
        self._follow_all([(edge, mask)])

    def _follow_all(self, ways: list[tuple[Edge, Mask]]) -> None:
        """Send work-items along edges; all values are read before any is passed."""
        passed = [[self._values[place] for place in edge.given] for edge, _ in ways]
        kept = self._kept()
        if len(ways) > 1:  # a value passed along one way may go on living along another
            kept = kept.union(*(self._function.segments[e.segment].live for e, _ in ways))
        for (edge, mask), values in zip(ways, passed, strict=True):
            self._frame.mask = mask
            for place, value in zip(edge.taken, values, strict=True):
                self._set(place, value, kept)
            self._waiting[edge.segment] = _union(self._waiting, edge.segment, mask)

    def _pass_barrier(self) -> None:
        """Let those pass whose groups are complete; nobody else can come any more."""
        frame = self._frame
        at = np.full(len(frame.lanes), -1)
        for number, mask in self._parked.items():
            if mask is None:
                at[:] = number
            else:
                at[mask] = number
        by_group = at.reshape(frame.group_count, frame.items)
        started = np.ones(at.shape, bool) if self._started is None else self._started
        agreed = (by_group == by_group[:, :1]).all(1)
        if not (agreed | ~started.reshape(by_group.shape).any(1)).all():
            number = next(iter(self._parked))
            raise OpError(
                "the work-items of a work-group disagree about a barrier", self._barriers[number]
            )
        frame.local_memory.barrier(np.arange(frame.group_count))
        self._waiting, self._parked = self._parked, {}


def _union(masks: dict[int, Mask], key: int, mask: Mask) -> Mask:
    if key not in masks:
        return mask
    other = masks[key]
    if other is None or mask is None:
        return None
    both = other | mask
    return None if both.all() else both


def _merged(mask: Mask, new: Any, old: Any) -> Any:
    """Return new values for active work-items, the old ones for others."""
    if mask is None or old is None:
        return new
    if isinstance(new, tuple):
        return tuple(_merged(mask, n, o) for n, o in zip(new, old, strict=True))
    if new.shape == old.shape and len(new) == 1 and np.array_equal(new, old):
        return old
    return np.where(mask[:, None] if new.ndim == 2 else mask, new, old)
