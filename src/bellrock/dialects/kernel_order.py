"""An order of calls that needs less memory, from what each waits for and which memory it uses.

Flows in: `Needs`, in numbers of calls in the order of the program. Flows out: an order, and the
most bytes that an order needs at one time.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate


@dataclass(slots=True)
class Needs:
    """What calls need of each other and of memory."""

    after: list[set[int]]
    """For each call, those that have to come before it."""
    users: list[set[int]] = field(default_factory=list)
    """For each piece of memory, the calls that write or read it."""
    size_bytes: list[int] = field(default_factory=list)


def peak_of(needs: Needs, order: Sequence[int]) -> int:
    """Return the most bytes that are in use at one time."""
    place = {call: i for i, call in enumerate(order)}
    change = [0] * (len(order) + 1)
    for users, size in zip(needs.users, needs.size_bytes, strict=True):
        places = [place[u] for u in users]
        change[min(places)] += size
        change[max(places) + 1] -= size
    return max(accumulate(change), default=0)


def call_order(needs: Needs) -> list[int]:
    """Order calls: next is one that frees more than it takes, else the first of the program's."""
    return _Ordering(needs).run()


class _Ordering:
    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._waits = [len(after) for after in needs.after]
        self._successors: list[list[int]] = [[] for _ in needs.after]
        for call, after in enumerate(needs.after):
            for earlier in after:
                self._successors[earlier].append(call)
        self._memory: list[list[int]] = [[] for _ in needs.after]
        for piece, users in enumerate(needs.users):
            for call in users:
                self._memory[call].append(piece)
        self._left = [len(users) for users in needs.users]
        self._started = [False] * len(needs.users)
        self._done = [False] * len(needs.after)
        self._ready = [call for call, waits in enumerate(self._waits) if not waits]
        self._relieving: list[int] = []
        """Calls that may free more than they take."""

    def run(self) -> list[int]:
        order: list[int] = []
        self._relieving = [c for c in self._ready if self._growth(c) < 0]
        while (call := self._next()) is not None:
            self._done[call] = True
            order.append(call)
            self._run_call(call)
        return order

    def _next(self) -> int | None:
        while self._relieving:
            call = heapq.heappop(self._relieving)
            if not self._done[call] and self._growth(call) < 0:
                return call
        while self._ready:
            call = heapq.heappop(self._ready)
            if not self._done[call]:
                return call
        return None

    def _growth(self, call: int) -> int:
        """Return by how much the bytes in use grow with a call, once it has ended."""
        total = 0
        for piece in self._memory[call]:
            total += 0 if self._started[piece] else self._needs.size_bytes[piece]
            total -= self._needs.size_bytes[piece] if self._left[piece] == 1 else 0
        return total

    def _run_call(self, call: int) -> None:
        alone: list[int] = []
        for piece in self._memory[call]:
            self._started[piece] = True
            self._left[piece] -= 1
            if self._left[piece] == 1:
                alone += [u for u in self._needs.users[piece] if not self._done[u]]
        for after in self._successors[call]:
            self._waits[after] -= 1
            if not self._waits[after]:
                heapq.heappush(self._ready, after)
                alone.append(after)
        for other in alone:
            if not self._waits[other] and self._growth(other) < 0:
                heapq.heappush(self._relieving, other)
