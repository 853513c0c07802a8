"""Sizes of a problem: which module globals they are, and how to choose smaller ones.

Flows in: a problem's source and a function that tells what it costs at given sizes.
Flows out: overrides of module globals. Names of globals are hints only: whether sizes fit
together is found by trying, so nothing here knows a particular problem.
"""

from __future__ import annotations

import ast
import enum
import heapq
import math
import operator
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Value = int | tuple[int, ...]
Sizes = dict[str, Value]

_SMALLEST_SIZE = 16
"""A literal below this is taken for a kernel size, a dimension or a count, not for a size."""


class Role(enum.StrEnum):
    """What a size most likely is, judged by its name."""

    BATCH = "batch"
    SPATIAL = "spatial"
    SEQUENCE = "sequence"
    CHANNELS = "channels"
    FEATURES = "features"
    COUNT = "count"


_ROLES = (
    (Role.BATCH, r"batch(_size)?|b"),
    (Role.COUNT, r"(num_|n_)?(groups|heads?|layers|blocks)"),
    (Role.SEQUENCE, r".*(seq|length|block_len).*"),
    (Role.SPATIAL, r".*(height|width|depth|image_size|dim\d).*|[DHW]"),
    (Role.CHANNELS, r".*(channels|reduce_|out_\d|growth).*"),
    (Role.FEATURES, r".*"),
)
_NOT_A_SIZE = re.compile(r".*(kernel|stride|padding|dilation|pool|patch|repeats).*|layers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A module global that holds a size or several."""

    name: str
    original: Value
    role: Role


def find_sizes(source: str) -> tuple[Size, ...]:
    """Return the module globals that hold sizes, in the order of their last assignment."""
    found: dict[str, Value] = {}
    known: dict[str, Value] = {}
    for node in ast.parse(source).body:
        for name, expression in _assignments(node):
            value = _fold(expression, known)
            found.pop(name, None)
            if value is None:
                continue
            known[name] = value
            if _NOT_A_SIZE.fullmatch(name) is None and _holds_size(name, expression):
                found[name] = value
    return tuple(Size(name=n, original=v, role=_role(n, v)) for n, v in found.items())


def has_fixed_sizes(source: str) -> bool:
    """Whether `get_inputs` spells a size out instead of taking it from a module global."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == "get_inputs":
            return any(_is_large(inner) for inner in ast.walk(node))
    return False


def _assignments(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node, ast.Assign):
        return
    for target in node.targets:
        if isinstance(target, ast.Name):
            yield target.id, node.value
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            for element, value in zip(target.elts, node.value.elts, strict=False):
                if isinstance(element, ast.Name):
                    yield element.id, value


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def _fold(node: ast.expr, known: Mapping[str, Value]) -> Value | None:
    """Return the value of an integer or sequence-of-integers expression, else None."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Tuple | ast.List):
        parts = [_fold(element, known) for element in node.elts]
        return tuple(p for p in parts if isinstance(p, int)) if None not in parts else None
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _fold(node.left, known), _fold(node.right, known)
        if left is not None and right is not None:
            return _OPERATORS[type(node.op)](left, right)
    return None


def _is_large(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant) and type(node.value) is int and node.value >= _SMALLEST_SIZE
    )


def _holds_size(name: str, expression: ast.expr) -> bool:
    """A size has a literal of its own; what only repeats other globals follows them."""
    literal = any(isinstance(n, ast.Constant) for n in ast.walk(expression))
    large = any(_is_large(n) for n in ast.walk(expression))
    return large or (literal and _role(name, 1) is Role.BATCH)


def _role(name: str, value: Value) -> Role:
    if isinstance(value, tuple) and len(value) > 2:  # a shape: what it ends on is an image
        return Role.SPATIAL if re.fullmatch(r".*shape", name) else Role.FEATURES
    return next(role for role, pattern in _ROLES if re.fullmatch(pattern, name))


# --- tiny sizes -------------------------------------------------------------------------

_TINY = {
    Role.BATCH: (2, 3, 4, 8, 16, 64, 1),
    Role.SPATIAL: (16, 17, 18, 19, 20, 21, 24, 32, 48, 64, 128),
    Role.SEQUENCE: (32, 33, 48, 47, 64, 128, 256),
    Role.CHANNELS: (16, 15, 12, 11, 24, 25, 32, 64, 128),
    Role.FEATURES: (64, 61, 48, 47, 80, 79, 32, 96, 128, 256, 512),
    Role.COUNT: (16, 8, 4, 2),
}
"""Most wanted first. Even and odd sizes alternate; the second global of one role starts at
the third, and so on: sizes that differ tell apart what would look the same if they agreed."""
_TINY_VOLUME = (8, 9, 10, 11, 12, 13, 16, 24, 32)
_TINY_DEEP = (32, 64, 48, 96, 33, 128, 65)
_LARGE_IMAGE = 128
_TINY_FIXED = (2, 1)


def tiny_sizes(source: str, salt: str, *, deep: bool) -> Iterator[Sizes]:
    """Yield overrides from the most to the least wanted; the original sizes come last.

    Args:
        source: of the problem.
        salt: the problem's name; decides where an odd size is the most wanted one.
        deep: whether the problem is a network that halves its images several times.
    """
    sizes = find_sizes(source)
    if sum(size.role is Role.SPATIAL for size in sizes) >= 3:
        spatial = _TINY_VOLUME
    else:
        spatial = _TINY_DEEP if deep else _TINY[Role.SPATIAL]
    order = [[other for other in sizes if other.role is s.role].index(s) for s in sizes]
    salt = "" if has_fixed_sizes(source) else salt  # such a problem is large as it is
    choices = [_tiny_choices(s, salt, spatial, i) for s, i in zip(sizes, order, strict=True)]
    for rank in _ranks([len(c) for c in choices]):
        yield {s.name: c[i] for s, c, i in zip(sizes, choices, rank, strict=True)}


def _ranks(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield all index tuples below `lengths`, by growing sum, those of small maximum first."""
    start: tuple[int, ...] = (0,) * len(lengths)
    waiting: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, start)]
    seen: set[tuple[int, ...]] = {start}
    while waiting:
        _, _, rank = heapq.heappop(waiting)
        yield rank
        for position, length in enumerate(lengths):
            index = rank[position] + 1
            after = (*rank[:position], index, *rank[position + 1 :])
            if index < length and after not in seen:
                seen.add(after)
                heapq.heappush(waiting, (sum(after), max(after), after))


def kept_images(source: str, sizes: Sizes) -> tuple[str, ...]:
    """Return the tag of a problem whose images stay as large as they are."""
    kept = any(
        size.role is Role.SPATIAL
        and _flat(size.original) == _flat(sizes.get(size.name, size.original))
        for size in find_sizes(source)
        if max(_flat(size.original)) >= _LARGE_IMAGE
    )
    return ("fixed-size",) if kept else ()


def only_small_batch(source: str) -> Sizes:
    """Return overrides of the batch alone."""
    return {s.name: _at_most(s.original, 2) for s in find_sizes(source) if s.role is Role.BATCH}


def _tiny_choices(size: Size, salt: str, spatial: tuple[int, ...], order: int) -> list[Value]:
    wanted: list[int] = list(spatial if size.role is Role.SPATIAL else _TINY[size.role])
    if size.role is Role.COUNT:
        return list(dict.fromkeys([size.original, *(_at_most(size.original, n) for n in wanted)]))
    if size.role is Role.BATCH and not salt:
        wanted = list(_TINY_FIXED)
    start = 2 * (order % 3) if size.role is not Role.BATCH else 0
    wanted = wanted[start:] + wanted[:start]
    odd = isinstance(size.original, int) and size.original % 2 == 1
    if odd or (salt and zlib.crc32(f"{salt} {size.name}".encode()) % 3 == 0):
        wanted[0], wanted[1] = wanted[1], wanted[0]
    values = [_at_most(size.original, number) for number in wanted]
    return [*dict.fromkeys(v for v in values if v != size.original), size.original]


def _at_most(original: Value, limit: int) -> Value:
    if isinstance(original, int):
        return min(original, limit)
    return tuple(min(v, limit) if v >= _SMALLEST_SIZE else v for v in original)


# --- sizes under limits -----------------------------------------------------------------


def largest_sizes(sizes: Sequence[Size], fits: Callable[[Sizes], bool]) -> Sizes | None:
    """Return overrides that fit and are near the original sizes; None where none were found.

    Shrinks the batch alone where that is enough, because the shapes of weights and images
    decide which kernel is the best one. Else scales all sizes, or all but the batch, by one
    factor and takes what is nearer (least sum of logarithms of the ratios).
    """
    if fits({}):
        return {}
    batch = [s for s in sizes if s.role is Role.BATCH]
    others = [s for s in sizes if s.role not in (Role.BATCH, Role.COUNT)]
    alone = _with_largest_batch(batch, {}, fits)
    if alone is not None and alone[batch[0].name] != 1:
        return alone  # one alone may run only because it broadcasts
    together = _scaled([*batch, *others], {}, fits)
    smallest: Sizes = {s.name: 1 for s in batch}
    apart = _scaled(others, smallest, fits)
    if apart is not None and batch:
        apart = _with_largest_batch(batch, apart, fits) or apart
    candidates = [c for c in (alone, together, apart) if c is not None]
    return min(candidates, key=lambda c: _distance(sizes, c), default=None)


def _with_largest_batch(
    batch: Sequence[Size], start: Sizes, fits: Callable[[Sizes], bool]
) -> Sizes | None:
    if not batch or not isinstance(batch[0].original, int):
        return None
    original = batch[0].original
    numbers = [n for n in _round_numbers() if n < original] + [original]
    low, high = -1, len(numbers)
    while high - low > 1:  # numbers[low] fits (or low is -1), numbers[high] does not
        middle = (low + high) // 2
        fitting = fits(start | {s.name: numbers[middle] for s in batch})
        low, high = (middle, high) if fitting else (low, middle)
    return None if low < 0 else start | {s.name: numbers[low] for s in batch}


def _round_numbers() -> list[int]:
    """1 to 8, then eight numbers for each doubling (steps of at most 12.5 %), to 2**24."""
    return [*range(1, 8), *(m << k for k in range(21) for m in range(8, 16))]


def _scaled(sizes: Sequence[Size], start: Sizes, fits: Callable[[Sizes], bool]) -> Sizes | None:
    """Halve all sizes until they fit, then find the largest factor to within 2 %."""

    def at(octaves: float) -> Sizes:
        return start | {s.name: _scale(s.original, 2**-octaves) for s in sizes}

    fitting = next((n / 2 for n in range(1, 49) if fits(at(n / 2))), None)
    if fitting is None:
        return None
    low, high = fitting - 0.5, fitting
    while high - low > 1 / 32:
        middle = (low + high) / 2
        low, high = (low, middle) if fits(at(middle)) else (middle, high)
    return at(high)


def _scale(original: Value, factor: float) -> Value:
    if isinstance(original, tuple):
        return tuple(_scale_one(v, factor) for v in original)
    return _scale_one(original, factor)


def _scale_one(original: int, factor: float) -> int:
    """Scale, and keep what powers of two (up to 32) divide it; odd stays odd."""
    if original < _SMALLEST_SIZE:
        return original
    quantum = math.gcd(original, 32)
    if quantum == 1:
        return max(int(original * factor) // 2 * 2 - 1, 1)
    return max(int(original * factor) // quantum * quantum, quantum)


def _distance(sizes: Sequence[Size], overrides: Sizes) -> float:
    total = 0.0
    for size in sizes:
        olds, news = (
            _flat(size.original),
            _flat(overrides.get(size.name, size.original)),
        )
        total += sum(abs(math.log(old / new)) for old, new in zip(olds, news, strict=True))
    return total


def _flat(value: Value) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
