"""What is expected: the reference's outputs on some inputs, each with its budget.

Flows in: a subject and inputs. Flows out: an `Expectation`. The number of noisy runs follows
from how many independent errors one run shows, and from what a run costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from bellrock.errors import BellrockError
from bellrock.payload import DType
from bellrock.verify import quantiles
from bellrock.verify.budget import FALSE_ALARM, Budget
from bellrock.verify.compare import (
    DEFAULT_FACTOR,
    Comparison,
    compare_floats,
    compare_integers,
    count_beyond,
    nothing_to_compare,
    tails_of,
)
from bellrock.verify.noise import NoiseMode
from bellrock.verify.reference import Reference, ReferenceResult, Written
from bellrock.verify.rounding import INDEXING, INDICES, JUMPS
from bellrock.verify.sampling import NoiseStatistics
from bellrock.verify.scale import scale_of

_NEEDED, _ENOUGH = 4.0, 64.0
"""Degrees of freedom of the estimated deviation: below the first the t quantile exceeds 40
and nothing could be told, whatever it costs; beyond the second it hardly falls any more."""
_ENOUGH_IN_A_GROUP = 8.0
"""The same for the noise of one group, of which there are many to be blended with."""
_MOST_SAMPLES = 16
_CHEAP_SECONDS = 1.0
"""More noisy runs than needed are made while they take less than this in all."""


@dataclass(kw_only=True, slots=True)
class Expectation:
    """The reference on one set of inputs."""

    distribution: str
    inputs: tuple[object, ...]
    seed: int
    """Of the global generator, for models that draw random numbers."""
    references: list[torch.Tensor]
    """Floats in the wide format; integers as they are."""
    budgets: list[Budget | None]
    """None for integers."""
    jumps: list[int]
    """Elements of each output that rounding may decide."""
    dtypes: list[torch.dtype]
    """What each output must have."""
    written: Written
    """What the references after the output's own are."""
    random_ops: frozenset[str]

    def right(self) -> list[torch.Tensor]:
        """Return the right answer: the reference rounded to the outputs' dtypes."""
        pairs = zip(self.references, self.dtypes, strict=True)
        return [reference.to(dtype).contiguous() for reference, dtype in pairs]

    def judge(
        self, outputs: list[torch.Tensor], *, factor: float, only: int | None = None,
        stop_when_wrong: bool = False,
    ) -> Comparison:  # fmt: skip
        """Return the worst comparison of all outputs (or of one).

        With `stop_when_wrong` any that is wrong will do: large outputs that are wrong
        everywhere are told from right ones in no time.
        """
        worst: Comparison | None = None
        for number, got in enumerate(outputs):
            if got.numel() == 0 or only not in (None, number):
                continue
            found = self._judge_one(number, got, factor, stop_when_wrong=stop_when_wrong)
            if worst is None or found.ratio > worst.ratio:
                worst = found
            if stop_when_wrong and not found.correct:
                break
        return nothing_to_compare() if worst is None else worst

    def _judge_one(
        self, number: int, got: torch.Tensor, factor: float, *, stop_when_wrong: bool
    ) -> Comparison:
        budget, reference = self.budgets[number], self.references[number]
        if budget is None:
            return compare_integers(got, reference, output=number, allowed=self.jumps[number])
        return compare_floats(
            got, reference, budget, output=number, factor=factor,
            allowed_jumps=self.jumps[number], stop_when_wrong=stop_when_wrong,
        )  # fmt: skip


@dataclass(kw_only=True, slots=True)
class Oracle:
    """Makes expectations of one subject."""

    reference: Reference
    dtype: DType
    dtypes: list[torch.dtype]
    """Of the output's tensors."""
    seed: int
    _independent: list[dict[str, float]] | None = field(default=None)
    _tails: list[dict[str, float]] = field(default_factory=list)
    _made: int = 0

    def expect(
        self, inputs: tuple[object, ...], *, distribution: str, may_fail: bool = False
    ) -> Expectation | str:
        """Run the reference and the noise.

        Args:
            inputs: in the tested dtype.
            distribution: its name, for reports.
            may_fail: whether inputs may lie outside the model's domain.

        Returns:
            The expectation, or (if it may fail) why these inputs cannot be judged.
        """
        seed = self.seed + 7919 * self._made
        self._made += 1
        if may_fail:
            try:
                result = self.reference.run_with(self.reference.mode(), inputs, seed)
            except BellrockError:
                raise
            except Exception as error:  # noqa: BLE001 - the model's own check of its domain
                return f"the model refuses it ({type(error).__name__})"
        else:
            result = self.reference.run(inputs, seed=seed)
        if may_fail and not all(bool(torch.isfinite(t).all()) for t in _floats(result.outputs)):
            return "the reference is not finite on it"
        return self._with_budgets(inputs, distribution, seed, result)

    def _with_budgets(
        self, inputs: tuple[object, ...], distribution: str, seed: int, result: ReferenceResult
    ) -> Expectation:
        written = self.reference.written or Written()
        values = written.values(self.reference.model, inputs)
        dtypes = [*self.dtypes, *(value.dtype for value in values)]
        statistics = [
            NoiseStatistics(reference=t, roundoff=torch.finfo(d).eps / 2, scale=scale_of(t))
            if t.is_floating_point() and t.numel()
            else None
            for t, d in zip(result.outputs, dtypes, strict=True)
        ]
        flips, jumping = self._sample(inputs, seed, result, statistics)
        budgets = [None if s is None else s.finish() for s in statistics]
        self._share_independence(budgets)
        for budget, tails in zip(budgets, self._tails, strict=True):
            if budget is not None:
                budget.tails = tails
        jumps = [0] * len(budgets)
        if jumping:
            jumps = self._allowed_jumps(inputs, seed, result, budgets, flips)
        return Expectation(
            distribution=distribution, inputs=inputs, seed=seed, references=result.outputs,
            budgets=budgets, jumps=jumps, dtypes=dtypes, written=written,
            random_ops=result.random_ops,
        )  # fmt: skip

    def _sample(
        self, inputs: tuple[object, ...], seed: int, result: ReferenceResult,
        statistics: list[NoiseStatistics | None],
    ) -> tuple[list[float], bool]:  # fmt: skip
        """Make noisy runs until they are enough; return flips of integers, and if any jumped."""
        flips, jumping, samples, seconds = [0.0] * len(statistics), False, 0, 0.0
        tails: list[dict[str, float]] = [{} for _ in statistics]
        while not self._enough(samples, statistics, seconds):
            noisy, mode = self._noisy(inputs, seed, number=samples, amplify=1.0)
            samples += 1
            seconds += mode.seconds
            jumping = jumping or _can_jump(mode, result.outputs)
            for number, (clean, stats, shaken) in enumerate(
                zip(result.outputs, statistics, noisy, strict=True)
            ):
                if stats is None:
                    flips[number] += float((clean != shaken).sum())
                    continue
                if stats.samples in (1, 3, 7, _MOST_SAMPLES - 1):
                    tails[number] = tails_of(shaken, clean, stats.finish())
                stats.add(shaken)
        self._remember_tails(tails)
        return [count / samples for count in flips], jumping

    def _remember_tails(self, tails: list[dict[str, float]]) -> None:
        """Tails are those of this expectation, or where it held no run out, of the last."""
        if not self._tails:
            self._tails = tails
        self._tails = [new or known for new, known in zip(tails, self._tails, strict=True)]

    def _enough(
        self, samples: int, statistics: list[NoiseStatistics | None], seconds: float
    ) -> bool:
        """Decide by how many independent errors were seen, and by the estimated cost."""
        if samples < (2 if self._independent is None else 1):
            return False
        if samples >= _MOST_SAMPLES:
            return True
        whole, group = _ENOUGH, _ENOUGH_IN_A_GROUP
        for number, stats in enumerate(statistics):
            if stats is not None:
                found = stats.independent()
                known = self._independent[number]["whole"] if self._independent else math.inf
                whole = min(whole, samples * min(known, found["whole"]))
                group = min(group, *(samples * value for value in found.values()))
        if whole < _NEEDED:
            return False
        wanted = whole >= _ENOUGH and group >= _ENOUGH_IN_A_GROUP
        return wanted or seconds + seconds / samples > _CHEAP_SECONDS

    def _share_independence(self, budgets: list[Budget | None]) -> None:
        """One noisy run cannot show how errors hang together; the first expectation's did."""
        if self._independent is None:
            self._independent = [{} if b is None else b.independent for b in budgets]
            return
        for budget, known in zip(budgets, self._independent, strict=True):
            if budget is None:
                continue
            for name, value in known.items():
                budget.independent[name] = min(value, budget.independent.get(name, value))

    def _noisy(
        self, inputs: tuple[object, ...], seed: int, *, number: int, amplify: float
    ) -> tuple[list[torch.Tensor], NoiseMode]:
        mode = NoiseMode(
            width=self.reference.width, dtype=self.dtype, seed=seed * 31 + number,
            amplify=amplify, store_constants=number in (0, _MOST_SAMPLES),
        )  # fmt: skip
        return self.reference.run_with(mode, inputs, seed).outputs, mode

    def _allowed_jumps(
        self, inputs: tuple[object, ...], seed: int, result: ReferenceResult,
        budgets: list[Budget | None], flips: list[float],
    ) -> list[int]:  # fmt: skip
        """Return how many elements of each output rounding may make jump.

        Jumps are rare, so they are counted in a run of larger noise and scaled down: the
        chance of crossing an edge is proportional to the noise.
        """
        amplify = max(1.0, min(64.0, 2.0**-5 / self.dtype.unit_roundoff))
        noisy, _ = self._noisy(inputs, seed, number=_MOST_SAMPLES, amplify=amplify)
        allowed = []
        for number, (clean, budget, shaken) in enumerate(
            zip(result.outputs, budgets, noisy, strict=True)
        ):
            if budget is None:
                rate = max(float((clean != shaken).sum()) / amplify, flips[number])
            else:
                limit = amplify * DEFAULT_FACTOR
                rate = count_beyond(shaken, clean, budget, limit) / amplify
            allowed.append(quantiles.poisson(FALSE_ALARM, DEFAULT_FACTOR * rate))
        return allowed


def _floats(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    return [tensor for tensor in tensors if tensor.is_floating_point()]


def _can_jump(mode: NoiseMode, outputs: list[torch.Tensor]) -> bool:
    integers = any(not tensor.is_floating_point() for tensor in outputs)
    if mode.names & JUMPS:
        return True
    return bool(mode.names & INDICES) and (integers or bool(mode.names & INDEXING))
