"""Mutants: wrong answers made on purpose, to check the checker.

Flows in: an expectation, the right answer to other inputs, and programs with a mistake in their
code, where the target makes some. Flows out: for each kind of
mistake, whether the comparison told it from the right answer; if it did not, whether the
problem cannot (the two are as near as rounding brings them) or the checker failed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch.utils import _pytree as pytree

from bellrock.errors import BellrockError
from bellrock.target.base import CodeMutant
from bellrock.verify import quantiles
from bellrock.verify.compare import Comparison
from bellrock.verify.meddling import DropMode, NarrowMode, dropped_candidates
from bellrock.verify.oracle import Expectation, Oracle
from bellrock.verify.program import Program, Violation
from bellrock.verify.reference import WideMode
from bellrock.verify.spoiling import ARRANGED, SIMPLE, Outputs, Spoil
from bellrock.verify.verdict import Candidate, MutantResult, Subject

ONE_STEP = 8.0
"""Errors of one step in precision: a mutant nearer to the right answer than this many times
PyTorch's own error (and what chance adds where errors are few) cannot be told apart."""

_LUCK = 0.01
"""Chance that PyTorch's own error is taken for smaller than it usually is."""


def simple_mutants(
    expectation: Expectation, other: Outputs, factor: float
) -> tuple[MutantResult, ...]:
    """Judge the cheap mutants that show whether a problem can tell anything at all."""
    judge = _Judge(expectation=expectation, factor=factor, eager=None, stop_when_wrong=True)
    return tuple(_arranged(judge, expectation.right(), other, SIMPLE))


@dataclass(kw_only=True, slots=True)
class MutationCheck:
    """All mutants of one right answer."""

    oracle: Oracle
    expectation: Expectation
    other: Outputs
    """The right answer to other inputs."""
    factor: float
    eager: Outputs | None
    """What PyTorch answers in the tested dtype."""
    seed: int
    subject: Subject
    spoilt: tuple[CodeMutant[Candidate], ...]
    """The candidate with mistakes in its code."""

    def run(self) -> tuple[MutantResult, ...]:
        """Make and judge every kind."""
        judge = _Judge(expectation=self.expectation, factor=self.factor, eager=self.eager)
        found = list(_arranged(judge, self.expectation.right(), self.other, ARRANGED))
        found.append(judge.whole("lower-precision", self._lower_precision()))
        last, middle = self._dropped()
        found.append(judge.whole("dropped-epilogue", last))
        found.append(judge.whole("dropped-op", middle))
        found.append(judge.whole("swapped-inputs", self._swapped()))
        found.extend(self._code_mutant(judge, mutant) for mutant in self.spoilt)
        return tuple(found)

    def retry(self, results: tuple[MutantResult, ...]) -> tuple[MutantResult, ...]:
        """Try what was accepted again: a wrong program has to pass every trial, not one."""
        if not any(result.accepted for result in results):
            return results
        again = {result.name: result for result in self.run()}
        return tuple(again[r.name] if r.accepted else r for r in results)

    def _code_mutant(self, judge: _Judge, mutant: CodeMutant[Candidate]) -> MutantResult:
        """Run a program with a mistake; one that does not get through is found out, too."""
        if mutant.program is None:
            return _impossible(mutant.name, mutant.reason)
        expectation = self.expectation
        try:
            outputs = Program(candidate=mutant.program, subject=self.subject).run_into_buffers(
                expectation.inputs, written=expectation.written, seed=expectation.seed
            )
        except (BellrockError, Violation) as error:
            return MutantResult(
                name=mutant.name, rejected=True, value=math.inf, eager_ratio=math.inf, able=True,
                reason=f"it does not get through: {error}",
            )  # fmt: skip
        return judge.whole(mutant.name, outputs)

    def _run(self, mode: WideMode, inputs: tuple[object, ...]) -> Outputs:
        result = self.oracle.reference.run_with(mode, inputs, self.expectation.seed)
        pairs = zip(result.outputs, self.expectation.dtypes, strict=True)
        return [tensor.to(dtype) for tensor, dtype in pairs]

    def _lower_precision(self) -> Outputs | str:
        mode = NarrowMode(width=self.oracle.reference.width, dtype=self.oracle.dtype)
        narrow = pytree.tree_map_only(torch.Tensor, mode.narrowed, self.expectation.inputs)
        return self._run(mode, narrow)

    def _dropped(self) -> tuple[Outputs | str, Outputs | str]:
        reference = self.oracle.reference
        recorder = DropMode(width=reference.width, dtype=reference.dtype, drop=None)
        self._run(recorder, self.expectation.inputs)
        last, middle = dropped_candidates(recorder, random.Random(self.seed))
        return self._without(last), self._without(middle)

    def _without(self, op: int | None) -> Outputs | str:
        if op is None:
            return "no (other) op of the model has an input of its result's shape that it changes"
        reference = self.oracle.reference
        mode = DropMode(width=reference.width, dtype=reference.dtype, drop=op)
        try:
            outputs = self._run(mode, self.expectation.inputs)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            return f"the model does not run without that op ({type(error).__name__})"
        same = [o.shape == r.shape for o, r in zip(outputs, self.other, strict=True)]
        return outputs if all(same) else "the model's output has another shape without that op"

    def _swapped(self) -> Outputs | str:
        inputs = list(self.expectation.inputs)
        for i, first in enumerate(inputs):
            for j in range(i + 1, len(inputs)):
                second = inputs[j]
                if _alike(first, second):
                    inputs[i], inputs[j] = second, first
                    return self._swapped_run(tuple(inputs))
        return "no two inputs have the same shape and dtype"

    def _swapped_run(self, inputs: tuple[object, ...]) -> Outputs | str:
        try:
            return self._run(self.oracle.reference.mode(), inputs)
        except (RuntimeError, ValueError, IndexError) as error:
            return f"the model refuses them swapped ({type(error).__name__})"


def _alike(first: object, second: object) -> bool:
    if not isinstance(first, torch.Tensor) or not isinstance(second, torch.Tensor):
        return False
    return first.shape == second.shape and first.dtype == second.dtype


def _arranged(
    judge: _Judge, right: Outputs, other: Outputs,
    kinds: Mapping[str, Spoil],
) -> Iterator[MutantResult]:  # fmt: skip
    for name, make in kinds.items():
        for number, out in enumerate(right):
            if out.numel():
                shown = name if len(right) == 1 else f"{name}[{number}]"
                yield judge.one(shown, make(right, other, number), number)


@dataclass(kw_only=True, slots=True)
class _Judge:
    """Turns comparisons into results."""

    expectation: Expectation
    factor: float
    eager: Outputs | None
    stop_when_wrong: bool = False
    """Whether it matters only that a mutant is rejected, and not by how much."""

    def one(self, name: str, mutant: torch.Tensor | str, number: int) -> MutantResult:
        """Judge a mutant of one output."""
        if isinstance(mutant, str):
            return _impossible(name, mutant)
        nothing = torch.empty(0)  # stands for the outputs that are not judged
        outputs = [nothing] * len(self.expectation.references)
        outputs[number] = mutant
        return self._result(name, outputs, number)

    def whole(self, name: str, mutant: Outputs | str) -> MutantResult:
        """Judge a mutant of all outputs."""
        if isinstance(mutant, str):
            return _impossible(name, mutant)
        return self._result(name, mutant, None)

    def _result(self, name: str, outputs: Outputs, number: int | None) -> MutantResult:
        found = self.expectation.judge(
            outputs, factor=self.factor, only=number, stop_when_wrong=self.stop_when_wrong
        )
        near = self._eager_ratio(found, number)
        if not found.correct:
            return MutantResult(
                name=name, rejected=True, value=found.ratio, eager_ratio=near, able=True,
                reason=f"{found.metric} is {found.value:.3g}, the budget is {found.budget:.3g}",
            )  # fmt: skip
        distance = self._distance(outputs, number)
        chance = self._chance(found.output)
        lucky = self._lucky(found.output)
        drowned = self._drowned(found.output)
        able = distance > 1.0 and near * lucky > ONE_STEP * chance and not drowned
        if distance == 0.0:
            reason = "it equals the right answer"
        elif distance <= 1.0:
            reason = "it differs from the right answer by less than 4 ulp of the output's spread"
        elif drowned:
            reason = "the output's spread is within its rounding error"
        elif able:
            reason = f"accepted, though its error is {near:.3g} times PyTorch's own"
        else:
            reason = (
                f"it is as near to the right answer as rounding may be: {found.value:.3g} of "
                f"{found.budget:.3g} ({found.metric}), {near:.3g} times PyTorch's own error"
            )
            if lucky < 0.5:
                reason += ", which is of few roundings and may be small by chance"
            if chance > 2.0:
                reason += f", where {chance:.2g} times the expected error may be chance"
        return MutantResult(
            name=name, rejected=False, value=found.ratio, eager_ratio=near, able=able, reason=reason
        )

    def _chance(self, number: int) -> float:
        """Return how far the error of few independent roundings may be from the expected."""
        budget = self.expectation.budgets[number]
        return 1.0 if budget is None else budget.group_limits(1.0)["whole"]

    def _lucky(self, number: int) -> float:
        """Return how small PyTorch's own error may be by chance, beside what it is on average.

        A scalar is one error, which is a hundredth of its usual size once in a hundred times.
        """
        budget = self.expectation.budgets[number]
        if budget is None:
            return 1.0
        return math.sqrt(quantiles.small_mean_square(_LUCK, budget.independent["whole"]))

    def _drowned(self, number: int) -> bool:
        """Return whether an output is made of rounding errors: a mean of what sums to 0."""
        budget = self.expectation.budgets[number]
        if budget is None:
            return False
        return budget.typical_error * budget.group_limits(1.0)["whole"] > budget.scale.spread

    def _distance(self, outputs: Outputs, number: int | None) -> float:
        """Return the largest difference from the right answer, in 4 ulp of the spread."""
        largest = 0.0
        for index, right in enumerate(self.expectation.right()):
            if number not in (None, index) or not right.numel():
                continue
            budget, mine = self.expectation.budgets[index], outputs[index]
            difference = (mine.double() - right.double()).abs()
            difference = difference[torch.isfinite(difference)]
            unit = 0.5 if budget is None else 8 * budget.roundoff * (budget.scale.spread or 1.0)
            if difference.numel():
                largest = max(largest, float(difference.max()) / unit)
        return largest

    def _eager_ratio(self, found: Comparison, number: int | None) -> float:
        if self.eager is None:
            return math.nan
        own = self.expectation.judge(self.eager, factor=self.factor, only=number)
        return max(found.rms / max(own.rms, 1e-30), found.ratio / max(own.ratio, 1e-30))


def _impossible(name: str, reason: str) -> MutantResult:
    return MutantResult(
        name=name, rejected=False, value=math.nan, eager_ratio=math.nan, able=False, reason=reason
    )
