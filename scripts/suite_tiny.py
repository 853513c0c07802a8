"""Tiny sizes of a problem, most wanted first.

Flows in: a problem's source. Flows out: overrides of its module globals to be tried in
turn; which of them are valid, only trying tells. Used by `make_suites.py` only.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterator, Sequence

from suite_sizes import SMALLEST_SIZE, Role, Size, Sizes, Value, find_sizes, flat, has_fixed_sizes

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
        and flat(size.original) == flat(sizes.get(size.name, size.original))
        for size in find_sizes(source)
        if max(flat(size.original)) >= _LARGE_IMAGE
    )
    return ("fixed-size",) if kept else ()


def only_batch(source: str, batch: int) -> Sizes:
    """Return overrides of the batch alone."""
    return {s.name: _at_most(s.original, batch) for s in find_sizes(source) if s.role is Role.BATCH}


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
    if size.role is not Role.BATCH:  # a size that is small already may turn odd, a batch not one
        values = [value for value in values if value != size.original]
    return list(dict.fromkeys([*values, size.original]))


def _at_most(original: Value, limit: int) -> Value:
    if isinstance(original, int):
        return min(original, limit)
    return tuple(min(v, limit) if v >= SMALLEST_SIZE else v for v in original)
