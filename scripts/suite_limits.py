"""The largest sizes of a problem under limits, near its original ones.

Flows in: the sizes of a problem and a function that tells whether an override fits. Flows
out: overrides of its module globals. Used by `make_suites.py` only.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence

from suite_sizes import SMALLEST_SIZE, Role, Size, Sizes, Value, flat


def largest_sizes(sizes: Sequence[Size], fits: Callable[[Sizes], bool]) -> Sizes | None:
    """Return overrides that fit and are near the original sizes; None where none were found.

    Shrinks the batch alone where that is enough, because the shapes of weights and images
    decide which kernel is the best one. Else scales all sizes, or all but the batch, by one
    factor and takes what is nearer (least sum of logarithms of the ratios). A batch of one
    is nearer too unless it is twice as far off: it may run only because it broadcasts.
    """
    if fits({}):
        return {}
    batch = [s for s in sizes if s.role is Role.BATCH]
    others = [s for s in sizes if s.role not in (Role.BATCH, Role.COUNT)]
    alone = _with_largest_batch(batch, {}, fits)
    if alone is not None and alone[batch[0].name] != 1:
        return alone
    together = _scaled([*batch, *others], {}, fits)
    smallest: Sizes = {s.name: 1 for s in batch}
    apart = _scaled(others, smallest, fits)
    if apart is not None and batch:
        apart = _with_largest_batch(batch, apart, fits) or apart
    candidates = [
        (_distance(sizes, candidate) * weight, candidate)
        for candidate, weight in ((alone, 0.5), (together, 1.0), (apart, 1.0))
        if candidate is not None
    ]
    return min(candidates, key=operator.itemgetter(0))[1] if candidates else None


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
    if original < SMALLEST_SIZE:
        return original
    quantum = math.gcd(original, 32)
    if quantum == 1:
        return max(int(original * factor) // 2 * 2 - 1, 1)
    return max(int(original * factor) // quantum * quantum, quantum)


def _distance(sizes: Sequence[Size], overrides: Sizes) -> float:
    total = 0.0
    for size in sizes:
        olds, news = (
            flat(size.original),
            flat(overrides.get(size.name, size.original)),
        )
        total += sum(abs(math.log(old / new)) for old, new in zip(olds, news, strict=True))
    return total
