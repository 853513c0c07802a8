"""All legal values of a class of knobs, in a fixed order.

Flows in: what each knob may be, constraints, and what their other names stand for. Flows out:
assignments of values to knobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bellrock.params.constraint import Constraint, Value
from bellrock.params.knob import KnobSpec, in_range


def values_of(spec: KnobSpec, kind: str, rank: int) -> Iterator[Value]:
    """Yield the values to try for one knob.

    Args:
        spec: of the knob.
        kind: its type, as `Knobs.types` has it.
        rank: number of items of a list.
    """
    whole = [v for v in spec.values if isinstance(v, tuple)]
    items = [v for v in spec.values if not isinstance(v, tuple)]
    if not spec.values:
        items = [False, True] if kind == "bool" else _powers(spec) if kind == "int" else []
    if kind != "ints":
        yield from items
        return
    yield from whole
    integers = [int(v) for v in items] or ([] if whole else _powers(spec))
    yield from _tuples(integers, rank)


def _powers(spec: KnobSpec) -> list[int]:
    """Return the powers of two in a range (up to 1024 where it is open), and its lower end."""
    low = 1 if spec.low is None else spec.low
    high = 1024 if spec.high is None else spec.high
    powers = [1 << i for i in range(high.bit_length()) if low <= 1 << i <= high]
    return powers if low in powers else [low, *powers]


def _tuples(items: list[int], rank: int) -> Iterator[tuple[int, ...]]:
    if rank == 0:
        yield ()
        return
    for first in items:
        for rest in _tuples(items, rank - 1):
            yield (first, *rest)


def assignments(
    specs: Mapping[str, KnobSpec],
    domains: Mapping[str, list[Value]],
    constraints: tuple[Constraint, ...],
    scope: Mapping[str, Value],
) -> Iterator[dict[str, Value]]:
    """Yield each assignment that keeps all ranges and constraints.

    A partial one is dropped as soon as it breaks a constraint whose names are all known, so that
    the walk costs about as much as what it yields.

    Args:
        specs: of the knobs.
        domains: values to try, by knob.
        constraints: between knobs, and what `scope` has.
        scope: what names other than the knobs' stand for.
    """
    names = list(domains)
    ready = _ready_at(constraints, names)

    def extend(depth: int, chosen: dict[str, Value]) -> Iterator[dict[str, Value]]:
        if depth == len(names):
            yield chosen
            return
        name = names[depth]
        for value in domains[name]:
            values = {**chosen, name: value}
            if in_range(value, specs[name]) and all(
                c.holds({**scope, **values}) for c in ready[depth]
            ):
                yield from extend(depth + 1, values)

    yield from extend(0, {})


def _ready_at(constraints: tuple[Constraint, ...], names: list[str]) -> list[list[Constraint]]:
    """Return, for each field, the constraints that its value completes."""
    ready: list[list[Constraint]] = [[] for _ in names]
    for constraint in constraints:
        last = max((i for i, n in enumerate(names) if n in constraint.names), default=0)
        if names:
            ready[last].append(constraint)
    return ready
