"""Comparing one output with the reference, block by block.

Flows in: the output, the reference, its budget. Flows out: a `Comparison`: the error that
came nearest its limit (or exceeded it most), for single elements and for groups of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from bellrock.verify.blocks import (
    GroupSums,
    Slices,
    all_finite,
    group_counts,
    group_start,
    iterate_blocks,
)
from bellrock.verify.budget import Budget

DEFAULT_FACTOR = 1.5
"""How many times noisier than the noise a right answer may be; see docs/verification.md."""
ELEMENT, GROUP, PLACE, COUNT, NOTHING = (
    "max |error| / spread",
    "rms error / spread in a block",
    "NaN or infinity out of place",
    "differing integers",
    "nothing to compare",
)
_LARGEST = 1e15
"""Largest error over expected error that is told from larger ones; squares fit in f32."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The worst of one output (or of several)."""

    metric: str
    value: float
    budget: float
    ratio: float
    """Error over its limit; at most 1 is right."""
    index: tuple[int, ...]
    output: int
    rms: float
    """Root mean square of error over expected error, of the whole output."""
    detail: str = ""
    """What was got and what was expected at the worst place."""

    @property
    def correct(self) -> bool:
        """Whether everything is within its limit."""
        return self.ratio <= 1.0


def nothing_to_compare() -> Comparison:
    """Return what is said of outputs that have no elements."""
    return Comparison(metric=NOTHING, value=0.0, budget=0.0, ratio=0.0, index=(), output=0, rms=0.0)


@dataclass(kw_only=True, slots=True)
class _Worst:
    ratio: float = -1.0
    index: int = 0
    error: float = 0.0
    limit: float = 0.0
    got: float = 0.0
    wanted: float = 0.0
    misplaced: int | None = None


def compare_floats(
    got: torch.Tensor, reference: torch.Tensor, budget: Budget, *, output: int, factor: float,
    allowed_jumps: int = 0, stop_when_wrong: bool = False,
) -> Comparison:  # fmt: skip
    """Compare a float output with the reference.

    Args:
        got: in the tested dtype, of the reference's shape.
        reference: in the wide format.
        budget: of this output.
        output: its number, for the report.
        factor: see `DEFAULT_FACTOR`.
        allowed_jumps: elements that may be off by any amount, because the model jumps.
        stop_when_wrong: look no further than the first block that decides; what is found
            then is not the worst.

    Returns:
        The worst of elements and groups.
    """
    shape = budget.shape
    mine, clean = got.reshape(shape), reference.reshape(shape)
    limit = budget.element_limit(factor)
    sums, worst, beyond = GroupSums(shape=shape), _Worst(), 0
    for where in iterate_blocks(shape):
        ratios, expected, misplaced = _errors(mine[where], clean[where].double(), budget, where)
        over = ratios > limit
        if allowed_jumps:
            beyond += int(over.sum())
            if beyond <= allowed_jumps:
                ratios = torch.where(over, 0.0, ratios)
        _note_worst(worst, ratios, expected, misplaced, where, (mine, clean), budget.scale.unit)
        if stop_when_wrong and (worst.misplaced is not None or worst.ratio > limit):
            break
        sums.add(where, ratios.square())
    shown = tuple(reference.shape)
    if worst.misplaced is not None:
        return _misplaced(worst.misplaced, mine, clean, shown, output)
    element = Comparison(
        metric=ELEMENT, value=worst.error / _unit(budget),
        budget=worst.limit * limit / _unit(budget),
        ratio=worst.ratio / limit, index=_place(worst.index, shown), output=output,
        rms=float((sums.sums["whole"] / max(1, math.prod(shape))).sqrt()),
        detail=f"got {worst.got:.9g}, the reference is {worst.wanted:.9g}",
    )  # fmt: skip
    if stop_when_wrong and not element.correct:
        return element
    group = _worst_group(sums, budget, factor, shown, output)
    return max((element, group), key=lambda comparison: comparison.ratio)


def tails_of(noisy: torch.Tensor, reference: torch.Tensor, budget: Budget) -> dict[str, float]:
    """Return how a further noisy run compares with the limits: 1 is at them, per partition."""
    mine, clean = noisy.reshape(budget.shape), reference.reshape(budget.shape)
    sums, worst = GroupSums(shape=budget.shape), 0.0
    for where in iterate_blocks(budget.shape):
        ratios, _, _ = _errors(mine[where], clean[where].double(), budget, where)
        worst = max(worst, float(ratios.max()))
        sums.add(where, ratios.square())
    limits, counts = budget.group_limits(1.0), group_counts(budget.shape)
    tails = {
        name: float((group / counts[name]).max().sqrt()) / limits[name]
        for name, group in sums.sums.items()
    }
    return {**tails, "element": worst / budget.element_limit(1.0)}


def count_beyond(got: torch.Tensor, reference: torch.Tensor, budget: Budget, factor: float) -> int:
    """Return how many elements are beyond the limit for single elements."""
    mine, clean = got.reshape(budget.shape), reference.reshape(budget.shape)
    limit, count = budget.element_limit(factor), 0
    for where in iterate_blocks(budget.shape):
        ratios, _, _ = _errors(mine[where], clean[where].double(), budget, where)
        count += int((ratios > limit).sum())
    return count


def _unit(budget: Budget) -> float:
    return budget.scale.spread or 1.0


def _errors(
    got: torch.Tensor, clean: torch.Tensor, budget: Budget, where: Slices
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return error over expected, expected, and where NaN or infinity are out of place."""
    wide = got.double()
    expected = budget.expected(clean, where)
    if budget.excused is None and all_finite(wide) and all_finite(clean):
        error = wide.sub_(clean) if got.dtype != wide.dtype else wide - clean
        return _ratios(error, expected, budget), expected, torch.zeros((), dtype=torch.bool)
    stored = clean.to(got.dtype).double()  # infinite where the reference overflows the dtype
    both = torch.isfinite(wide) & torch.isfinite(clean)
    same = (wide == stored) | (torch.isnan(wide) & torch.isnan(stored))
    fine = same | both
    if budget.excused is not None:
        fine |= budget.excused[where]
    error = torch.where(both, (wide - clean).abs(), 0.0)
    if budget.excused is not None:
        error = torch.where(budget.excused[where], 0.0, error)
    return _ratios(error, expected, budget), expected, ~fine


def _ratios(error: torch.Tensor, expected: torch.Tensor, budget: Budget) -> torch.Tensor:
    """Divide; nothing over nothing is nothing, and what f32 cannot hold is its largest."""
    ratios = (error / budget.scale.unit).float().abs_().div_(expected)
    return ratios.nan_to_num_(nan=0.0, posinf=_LARGEST).clamp_max_(_LARGEST)


def _note_worst(
    worst: _Worst, ratios: torch.Tensor, expected: torch.Tensor, misplaced: torch.Tensor,
    where: Slices, views: tuple[torch.Tensor, torch.Tensor], unit: float,
) -> None:  # fmt: skip
    shape = tuple(views[0].shape)
    if worst.misplaced is None and bool(misplaced.any()):
        first = int(misplaced.flatten().to(torch.uint8).argmax())
        worst.misplaced = _flat_index(first, where, shape)
    local = int(ratios.argmax())
    ratio = float(ratios.flatten()[local])
    if ratio <= worst.ratio:
        return
    worst.ratio, worst.index = ratio, _flat_index(local, where, shape)
    worst.limit = float(expected.flatten()[local]) * unit
    worst.got, worst.wanted = (_at(view, worst.index) for view in views)
    worst.error = abs(worst.got - worst.wanted)


def _flat_index(local: int, where: Slices, shape: tuple[int, ...]) -> int:
    sizes = [part.stop - part.start for part in where]
    plane, rest = divmod(local, sizes[1] * sizes[2])
    row, column = divmod(rest, sizes[2])
    plane, row, column = plane + where[0].start, row + where[1].start, column + where[2].start
    return (plane * shape[1] + row) * shape[2] + column


def _at(view: torch.Tensor, index: int) -> float:
    return float(view[_place(index, tuple(view.shape))])


def _place(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    place: list[int] = []
    for size in reversed(shape):
        index, here = divmod(index, size)
        place.insert(0, here)
    return tuple(place)


def _misplaced(
    index: int, got: torch.Tensor, clean: torch.Tensor, shape: tuple[int, ...], output: int
) -> Comparison:
    mine, wanted = _at(got, index), _at(clean, index)
    return Comparison(
        metric=PLACE, value=math.inf, budget=0.0, ratio=math.inf, index=_place(index, shape),
        output=output, rms=math.inf, detail=f"got {mine:.9g}, the reference is {wanted:.9g}",
    )  # fmt: skip


def _worst_group(
    sums: GroupSums, budget: Budget, factor: float, shape: tuple[int, ...], output: int
) -> Comparison:
    """Return the group whose mean square error is worst against its limit."""
    limits, counts = budget.group_limits(factor), group_counts(budget.shape)
    found = ("whole", -1.0, 0, 0.0)
    whole = float((sums.sums["whole"] / counts["whole"]).sqrt())
    for name, group in sums.sums.items():
        rms = (group / counts[name]).sqrt()
        local = int(rms.argmax())
        value = float(rms.flatten()[local])
        if value / limits[name] > found[1]:
            found = (name, value / limits[name], local, value)
    name, ratio, local, value = found
    where = _place(local, tuple(sums.sums[name].shape))
    start = group_start(name, (where[0], where[1], where[2]))
    flat = (start[0] * budget.shape[1] + start[1]) * budget.shape[2] + start[2]
    expected = budget.typical_error / _unit(budget)
    return Comparison(
        metric=f"{GROUP} ({name})", value=value * expected, budget=limits[name] * expected,
        ratio=ratio, index=_place(flat, shape), output=output, rms=whole,
        detail=f"{value:.3g} times the expected rounding error over the block",
    )  # fmt: skip


def compare_integers(
    got: torch.Tensor, reference: torch.Tensor, *, output: int, allowed: int
) -> Comparison:
    """Compare an integer or boolean output: equal, but for ties that rounding decides.

    Args:
        got: the output.
        reference: of the same shape and dtype.
        output: its number.
        allowed: elements that may differ, because rounding noise flips as many.

    Returns:
        How many differ, against how many may.
    """
    differing = (got.flatten() != reference.flatten()).flatten()
    count = int(differing.sum())
    first = int(differing.to(torch.uint8).argmax()) if count else 0
    detail = ""
    if count:
        pair = got.flatten()[first].item(), reference.flatten()[first].item()
        detail = f"got {pair[0]}, the reference is {pair[1]}"
    return Comparison(
        metric=COUNT, value=float(count), budget=float(allowed),
        ratio=count / allowed if allowed else (math.inf if count else 0.0),
        index=_place(first, tuple(reference.shape)), output=output, rms=float(count), detail=detail,
    )  # fmt: skip
