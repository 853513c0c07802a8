"""Patterns: groups of ops that are one thing to a person: softmax, normalisation, attention.

Flows in: a `Graph`. Flows out: `Group`s of node indices. The rules follow the data and not the
order or the location of ops, and bear fused as well as unfused elementwise bodies:

* softmax: a sum over exponentials, and an op that divides those exponentials by it (or, for
  log-softmax, subtracts its logarithm); the maximum before it belongs to it.
* normalisation: a (reciprocal) square root, computed from sums of squares or given statistics,
  that is broadcast into a larger tensor; mean, scale and shift around it belong to it.
* attention: a contraction, a softmax of it, and a contraction of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bellrock.payload.graph import Graph, Node
from bellrock.payload.motif import MotifKind

_ROOTS = frozenset({"math.sqrt", "math.rsqrt", "math.powf"})
_DIVISIONS = frozenset({"arith.divf", "arith.mulf"})
_PASSING = frozenset({MotifKind.ELEMENTWISE, MotifKind.DATA_MOVEMENT})
_PRODUCTS = frozenset({MotifKind.CONTRACTION, MotifKind.ATTENTION})
_DEPTH = 8
"""How many ops a chain between two parts of a pattern may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Some nodes that make one pattern."""

    kind: MotifKind
    variant: str = ""
    """`log` (softmax); `given` (statistics are arguments) or `computed` (normalisation)."""
    nodes: tuple[int, ...] = ()
    """In execution order."""
    dims: dict[str, int] = field(default_factory=dict)
    """`parallel reduced` of a softmax or computed normalisation."""


def find_groups(graph: Graph) -> tuple[Group, ...]:
    """Return the groups of a graph; no node is in two of them."""
    finder = _Finder(graph)
    taken: set[int] = set()
    groups: list[Group] = []
    for group in finder.attentions(finder.softmaxes()) + finder.normalisations():
        if taken.isdisjoint(group.nodes):
            taken.update(group.nodes)
            groups.append(group)
    return tuple(sorted(groups, key=lambda g: g.nodes[0]))


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.nodes
        self.users = graph.consumers()

    def sources(self, index: int) -> list[int]:
        return [i for i in self.nodes[index].inputs if i is not None]

    def is_passing(self, index: int) -> bool:
        return self.nodes[index].motif.kind in _PASSING

    def reach(
        self, start: Iterable[int], step: Callable[[int], list[int]], depth: int = _DEPTH
    ) -> dict[int, tuple[int, ...]]:
        """Return every node reachable through passing ops, with the path to it."""
        paths: dict[int, tuple[int, ...]] = {i: (i,) for i in start}
        frontier = list(paths)
        for _ in range(depth):
            following: list[int] = []
            for at in frontier:
                for neighbour in step(at):
                    if neighbour not in paths:
                        paths[neighbour] = (*paths[at], neighbour)
                        if self.is_passing(neighbour):
                            following.append(neighbour)
            frontier = following
        return paths

    # Softmax

    def softmaxes(self) -> list[Group]:
        found = (self.softmax(n) for n in self.nodes if _is_sum(n))
        return [group for group in found if group is not None]

    def softmax(self, total: Node) -> Group | None:
        """Match around the sum of a softmax."""
        sources = self.sources(total.index)
        if "math.exp" in total.computes:
            exponentials = set(sources)
            inside: set[int] = set()
        else:
            inside = {i for i in sources if "math.exp" in self.nodes[i].computes}
            exponentials = set(inside)
        if not inside and "math.exp" not in total.computes:
            return None
        above = self.maximum(inside or {total.index})
        applied, logarithm = self.division(total, exponentials | inside | above)
        if not applied:
            return None
        members = {total.index} | inside | above | applied
        return Group(
            kind=MotifKind.SOFTMAX,
            variant="log" if logarithm else "",
            nodes=tuple(sorted(members)),
            dims=dict(total.motif.dims),
        )

    def maximum(self, exponentials: set[int]) -> set[int]:
        """Return the maximum, and the ops from it to the exponentials."""
        for index, path in self.reach(exponentials, self.sources, depth=3).items():
            motif = self.nodes[index].motif
            if motif.kind is MotifKind.REDUCTION and motif.variant in ("max", "arg-max"):
                return set(path)
        return set()

    def division(self, total: Node, parts: set[int]) -> tuple[set[int], bool]:
        """Return the ops from the sum to where it is put to the exponentials; and if by log."""
        size = total.motif.dims["parallel"] * total.motif.dims["reduced"]
        for index, path in self.reach([total.index], lambda i: self.users[i], depth=3).items():
            node = self.nodes[index]
            if index == total.index or node.motif.dims.get("elements") != size:
                continue
            if not parts & set(self.sources(index)):
                continue
            names = frozenset().union(*(self.nodes[i].computes for i in path[1:]))
            if "math.log" in names and "arith.subf" in names:
                return set(path[1:]), True
            if names & _DIVISIONS:
                return set(path[1:]), False
        return set(), False

    # Attention

    def attentions(self, softmaxes: list[Group]) -> list[Group]:
        """Return attentions in place of the softmaxes that are part of one."""
        return [self.attention(group) or group for group in softmaxes]

    def attention(self, softmax: Group) -> Group | None:
        inside = set(softmax.nodes)
        above = self.contraction(inside, lambda i: self.sources(i), lambda i: i not in inside)
        below = self.contraction(inside, lambda i: self.users[i], lambda i: i not in inside)
        if not above or not below:
            return None
        return Group(
            kind=MotifKind.ATTENTION,
            nodes=tuple(sorted(inside | set(above) | set(below))),
            dims=softmax.dims,
        )

    def contraction(
        self, start: set[int], step: Callable[[int], list[int]], outside: Callable[[int], bool]
    ) -> tuple[int, ...]:
        """Return the path to the nearest contraction, without the start."""
        for index, path in self.reach(sorted(start), step, depth=4).items():
            if self.nodes[index].motif.kind in _PRODUCTS and outside(index):
                return tuple(i for i in path if i not in start)
        return ()

    # Normalisation

    def normalisations(self) -> list[Group]:
        found = (self.normalisation(n) for n in self.nodes if _is_root(n))
        return [group for group in found if group is not None]

    def normalisation(self, root: Node) -> Group | None:
        """Match around the square root of a normalisation."""
        applied = self.application(root)
        if applied is None:
            return None
        above = self.reach([root.index], self.sources)
        sums = [i for i in above if _is_sum(self.nodes[i])]
        members = {root.index, *applied}
        size = self.nodes[applied[-1]].motif.dims["elements"]
        dims: dict[str, int] = {}
        for total in sums:
            motif = self.nodes[total].motif
            if motif.dims["parallel"] * motif.dims["reduced"] == size:
                dims = dims or dict(motif.dims)
                members |= set(above[total]) | self.statistics(total, size)
        members |= self.squares(members, size) | self.shift(members, size)
        if not dims:
            behind = (i for i in self.reach(members, self.sources) if self.is_passing(i))
            members |= {i for i in behind if self.nodes[i].motif.dims.get("elements", size) < size}
        return Group(
            kind=MotifKind.NORMALISATION,
            variant="computed" if dims else "given",
            nodes=tuple(sorted(members)),
            dims=dims,
        )

    def application(self, root: Node) -> tuple[int, ...] | None:
        """Return the ops from the root to the larger tensor that it scales, without the root."""
        small = root.motif.dims.get("elements", root.motif.dims.get("parallel", 0))
        for index, path in self.reach([root.index], lambda i: self.users[i], depth=4).items():
            node = self.nodes[index]
            names = frozenset().union(*(self.nodes[i].computes for i in path[1:]))
            larger = node.motif.dims.get("elements", 0) > small
            if larger and self.is_passing(index) and names & _DIVISIONS:
                return path[1:]
        return None

    def statistics(self, total: int, size: int) -> set[int]:
        """Return what leads from the normalised tensor to a sum: differences, squares, means."""
        found: set[int] = set()
        paths = self.reach([total], self.sources, depth=4)
        for index, path in paths.items():
            motif = self.nodes[index].motif
            if not _is_sum(self.nodes[index]) or index == total:
                continue
            if motif.dims["parallel"] * motif.dims["reduced"] == size:
                found |= set(path)
        return found

    def squares(self, members: set[int], size: int) -> set[int]:
        """Return the full-size ops that only the group's sums read."""
        sums = {i for i in members if _is_sum(self.nodes[i])}
        return {
            i
            for total in sums
            for i in self.sources(total)
            if self.nodes[i].motif.kind is MotifKind.ELEMENTWISE
            and self.nodes[i].motif.dims["elements"] == size
            and set(self.users[i]) <= sums
        }

    def shift(self, members: set[int], size: int) -> set[int]:
        """Return the full-size ops between members, and scale and shift after them."""
        found: set[int] = set()
        for node in self.nodes:
            if node.index in members or node.motif.dims.get("elements") != size:
                continue
            feeds = bool(members & set(self.users[node.index]))
            fed = bool((members | found) & set(self.sources(node.index)))
            scales = node.computes <= {"arith.mulf", "arith.addf", "arith.subf", "linalg.yield"}
            broadcast = (
                any("*" in o.layout for o in node.motif.inputs)
                or len({len(o.shape) for o in node.motif.inputs}) > 1
            )
            if (
                node.motif.kind is MotifKind.ELEMENTWISE
                and fed
                and (feeds or (scales and broadcast))
            ):
                found.add(node.index)
        return found


def _is_sum(node: Node) -> bool:
    return node.motif.kind is MotifKind.REDUCTION and node.motif.variant == "add"


def _is_root(node: Node) -> bool:
    return node.motif.kind is MotifKind.ELEMENTWISE and bool(_ROOTS & node.computes)
