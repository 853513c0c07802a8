"""One verification under way: which inputs, what is judged, and what was found.

Flows in: a candidate and its subject. Flows out: a `Verdict`. Per trial: fresh inputs, the
reference and its budget, then the candidate into poisoned buffers, then the comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch.utils import _pytree as pytree

from bellrock.errors import VerifyError
from bellrock.payload import DType
from bellrock.target.base import CodeMutant
from bellrock.verify.compare import NOTHING, Comparison
from bellrock.verify.distributions import OWN, VARIANTS, vary
from bellrock.verify.mutants import MutationCheck, simple_mutants
from bellrock.verify.oracle import Expectation, Oracle
from bellrock.verify.program import Program, Violation, check_types, checksum, discover, observe
from bellrock.verify.reference import Reference, Written, flat_tensors
from bellrock.verify.statistics import randomise_statistics, statistics_of
from bellrock.verify.verdict import Candidate, MutantResult, Subject, Verdict

CONTRACT = "contract of a call"


@dataclass(kw_only=True, slots=True)
class Examination:
    """One verification under way; what it has found so far."""

    candidate: Candidate
    subject: Subject
    dtype: DType
    trials: int
    seed: int
    factor: float
    with_mutants: bool
    code_mutants: Callable[[], Iterable[CodeMutant[Candidate]]]
    worst: Comparison | None = None
    distributions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    insensitive: list[str] = field(default_factory=list)
    results: tuple[MutantResult, ...] = ()
    randomised: bool = False
    eager_ratio: float = math.nan
    width: str = "f64"
    written: tuple[str, ...] = ()
    _like: object = None

    def run(self) -> None:
        """Make all trials; stop at the first wrong answer."""
        oracle, program = self._prepare()
        parameters: list[torch.Tensor] = list(self.subject.model.parameters())
        before = checksum(parameters)
        try:
            self._trials(oracle, program)
            if before != checksum(parameters):
                raise Violation("it changed the model's parameters")
        except Violation as violation:
            self.worst = Comparison(
                metric=CONTRACT, value=math.inf, budget=0.0, ratio=math.inf, index=(), output=0,
                rms=math.inf, detail=str(violation),
            )  # fmt: skip
        self.written = (oracle.reference.written or Written()).names
        self.width = {8: "f64", 4: "f32"}.get(oracle.reference.width.itemsize, str(self.dtype))
        self.notes.extend(oracle.reference.fallbacks)

    def _prepare(self) -> tuple[Oracle, Program]:
        torch_dtype = getattr(torch, self.dtype.torch_name)
        reference = Reference(model=self.subject.model, dtype=torch_dtype)
        dtypes = self._learn_types(reference)
        found, given = len(dtypes), len(self.candidate.result_specs)
        if found != given:
            raise VerifyError(
                "the candidate's results are not the model's", got=f"{given} result tensors",
                allowed=f"{found}, as the model returns", where=self.subject.name,
            )  # fmt: skip
        oracle = Oracle(reference=reference, dtype=self.dtype, dtypes=dtypes, seed=self.seed)
        return oracle, Program(candidate=self.candidate, subject=self.subject)

    def _learn_types(self, reference: Reference) -> list[torch.dtype]:
        """Run PyTorch once in the tested dtype, for the structure and dtypes of the output."""
        inputs = self.subject.make_inputs(self.seed)
        try:
            self._like, reference.written = discover(self.subject.model, inputs, seed=self.seed)
        except (RuntimeError, NotImplementedError) as error:
            self.notes.append(
                f"PyTorch itself does not run in {self.dtype} ({str(error).splitlines()[0]}); "
                "dtypes of the output are taken from the reference, its structure is not checked"
            )
            outputs = reference.run(self.subject.make_inputs(self.seed), seed=self.seed).outputs
            own = outputs[: len(outputs) - len((reference.written or Written()).names)]
            return [reference.dtype if t.is_floating_point() else t.dtype for t in own]
        dtypes = [tensor.dtype for tensor in flat_tensors(self._like)]
        # Of the output only its structure is asked for again.
        self._like = pytree.tree_map_only(torch.Tensor, lambda t: t.to("meta"), self._like)
        return dtypes

    def _trials(self, oracle: Oracle, program: Program) -> None:
        other = self._first_trial(oracle, program)
        if other is None or self.trials == 1:
            return
        expectation = self._expect_own(oracle, self.seed + 1)
        if self._cannot_tell(expectation, other) and statistics_of(self.subject.model):
            self._randomise(oracle, expectation.inputs)
            del expectation
            other = self._first_trial(oracle, program)
            if other is None:
                return
            expectation = self._expect_own(oracle, self.seed + 1)
        self._second_trial(oracle, program, expectation, other)
        del expectation
        if self.worst is not None and self.worst.correct:
            self._judge_variants(oracle, program)

    def _expect_own(self, oracle: Oracle, seed: int) -> Expectation:
        inputs = self.subject.make_inputs(seed)
        expectation = oracle.expect(inputs, distribution=OWN)
        assert isinstance(expectation, Expectation)
        return expectation

    def _first_trial(self, oracle: Oracle, program: Program) -> list[torch.Tensor] | None:
        """Judge the first inputs; return the right answer to them if that went well."""
        expectation = self._expect_own(oracle, self.seed)
        if not self._judge(program, expectation):
            return None
        return expectation.right()

    def _cannot_tell(self, expectation: Expectation, other: list[torch.Tensor]) -> bool:
        """Return whether the answer to other inputs would pass: outputs have collapsed."""
        return expectation.judge(other, factor=self.factor, stop_when_wrong=True).correct

    def _randomise(self, oracle: Oracle, inputs: tuple[object, ...]) -> None:
        count = randomise_statistics(oracle.reference, inputs, seed=self.seed)
        self.randomised = True
        self.notes.append(
            f"outputs for different inputs were alike: the statistics of {count} "
            "normalisation layers were randomised"
        )

    def _second_trial(
        self, oracle: Oracle, program: Program, expectation: Expectation,
        other: list[torch.Tensor],
    ) -> None:  # fmt: skip
        """Judge the second inputs both ways, and find out what this problem can tell."""
        if not self._judge(program, expectation) or not self._judge_free(program, expectation):
            return
        if expectation.random_ops:
            names = ", ".join(sorted(expectation.random_ops))
            self.notes.append(f"the model draws random numbers ({names}) from the global generator")
        eager = self._eager_outputs(expectation)
        if eager is not None:
            self.eager_ratio = expectation.judge(eager, factor=self.factor).ratio
        if self.with_mutants:
            self._check_mutants(oracle, expectation, other, eager)
        self.insensitive = [
            f"{result.name}: {result.reason}"
            for result in (self.results or simple_mutants(expectation, other, self.factor))
            if not result.able and not math.isnan(result.value)
        ]

    def _check_mutants(
        self, oracle: Oracle, expectation: Expectation, other: list[torch.Tensor],
        eager: list[torch.Tensor] | None,
    ) -> None:  # fmt: skip
        """Check the checker, as often as there are trials on the problem's own inputs."""
        spoilt = tuple(self.code_mutants())
        for trial in range(2, self.trials + 1):
            check = MutationCheck(
                oracle=oracle, expectation=expectation, other=other, factor=self.factor,
                eager=eager, seed=self.seed, subject=self.subject, spoilt=spoilt,
            )  # fmt: skip
            self.results = check.retry(self.results) if self.results else check.run()
            if not any(result.accepted for result in self.results):
                return
            other = expectation.right()
            expectation = self._expect_own(oracle, self.seed + trial)
            eager = self._eager_outputs(expectation)

    def _judge(self, program: Program, expectation: Expectation) -> bool:
        outputs = program.run_into_buffers(
            expectation.inputs, written=expectation.written, seed=expectation.seed
        )
        check_types(outputs, expectation.references, expectation.dtypes)
        self.distributions.append(expectation.distribution)
        return self._note(expectation.judge(outputs, factor=self.factor))

    def _judge_free(self, program: Program, expectation: Expectation) -> bool:
        """Judge a call without `out=`."""
        if self._like is None:
            return True
        outputs = program.run_freely(
            expectation.inputs, written=expectation.written, seed=expectation.seed, like=self._like
        )
        check_types(outputs, expectation.references, expectation.dtypes)
        return self._note(expectation.judge(outputs, factor=self.factor))

    def _note(self, found: Comparison) -> bool:
        if self.worst is None or found.ratio > self.worst.ratio:
            self.worst = found
        return found.correct

    def _eager_outputs(self, expectation: Expectation) -> list[torch.Tensor] | None:
        if self._like is None:
            return None
        output, values = observe(
            self.subject.model, self.subject.model, expectation.inputs,
            written=expectation.written, seed=expectation.seed,
        )  # fmt: skip
        return [*flat_tensors(output), *values]

    def _judge_variants(self, oracle: Oracle, program: Program) -> None:
        """Judge further trials on variants, in turn; own inputs again where none applies."""
        names = list(VARIANTS)
        number = 2
        while number < self.trials:
            seed = self.seed + number
            own = self.subject.make_inputs(seed)
            expectation: Expectation | None = None
            while names and expectation is None:
                expectation = self._expect_variant(oracle, own, names.pop(0), seed)
            if expectation is None:
                expectation = self._expect_own(oracle, seed)
            if not self._judge(program, expectation) or not self._judge_free(program, expectation):
                return
            number += 1

    def _expect_variant(
        self, oracle: Oracle, own: tuple[object, ...], name: str, seed: int
    ) -> Expectation | None:
        inputs = vary(own, name, seed)
        found = "no input may take other values" if inputs is None else oracle.expect(
            inputs, distribution=name, may_fail=True
        )  # fmt: skip
        if isinstance(found, str):
            self.notes.append(f"distribution {name!r} dropped: {found}")
            return None
        return found

    def verdict(self, seconds: float) -> Verdict:
        """Return the verdict on what was found."""
        worst = self.worst
        assert worst is not None
        return Verdict(
            correct=worst.correct, metric=worst.metric, value=worst.value, budget=worst.budget,
            worst_index=worst.index, worst_output=worst.output, trials=len(self.distributions),
            distributions=tuple(self.distributions), reference=self.width,
            eager_value=self.eager_ratio, insensitive=tuple(self.insensitive),
            randomised=self.randomised, mutants=self.results, notes=tuple(self.notes),
            message=self._message(worst), seconds=seconds,
        )  # fmt: skip

    def _message(self, worst: Comparison) -> str:
        if worst.metric == CONTRACT:
            return f"{self.subject.name} is wrong: {worst.detail}."
        if worst.metric == NOTHING:
            return f"{self.subject.name} is right as far as can be told: no output has an element."
        name = f"output {worst.output}"
        beyond = worst.output - len(self.candidate.result_specs)
        if beyond >= 0:
            name = f"{self.written[beyond]!r}, which the model writes,"
        place = f"{name} at {list(worst.index)}"
        numbers = f"{worst.metric} is {worst.value:.3g}, the budget is {worst.budget:.3g}"
        said = "is right" if worst.correct else "is wrong"
        parts = [f"{self.subject.name} {said}: {numbers}, {place} ({worst.detail})"]
        if not math.isnan(self.eager_ratio):
            parts.append(f"PyTorch's own error is {self.eager_ratio:.3g} of its budget")
        if self.insensitive:
            parts.append("this problem cannot tell apart: " + "; ".join(self.insensitive))
        return ". ".join([*parts, *self.notes]) + "."
