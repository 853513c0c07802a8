"""What crosses verify's door: the program under test, the subject, and the verdict.

Flows in: a `Candidate` and the `Subject` that says what it should compute. Flows out: one
frozen `Verdict`, which carries every number that was compared and what could not be told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from bellrock.payload import TensorSpec


class Candidate(Protocol):
    """A compiled program under test; it reads the storage of the subject's parameters."""

    @property
    def result_specs(self) -> tuple[TensorSpec, ...]:
        """Flat tensor results in order: what `out` must hold."""
        ...

    def __call__(self, *inputs: object, out: Sequence[torch.Tensor] | None = None) -> object:
        """Run, and return the model's output structure."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What the candidate should compute."""

    name: str
    """For messages: the problem's or the model's name."""
    model: torch.nn.Module
    """In eval mode and in the tested dtype; its buffers may be changed and are put back."""
    make_inputs: Callable[[int], tuple[object, ...]]
    """Seed to fresh positional inputs, in the tested dtype."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MutantResult:
    """What the checker said of one wrong answer that was made on purpose."""

    name: str
    """Kind of the mutant, e.g. `dropped-epilogue`."""
    rejected: bool
    """Whether the checker told it from the right answer."""
    value: float
    """Its error over the budget; above 1 is rejected; NaN where it could not be made."""
    eager_ratio: float
    """Its root-mean-square error over that of PyTorch in the tested dtype."""
    able: bool
    """False: the problem itself cannot tell this mutant apart, for the reason given."""
    reason: str
    """Why it was rejected, or why it could not be."""

    @property
    def accepted(self) -> bool:
        """Whether the checker failed: a wrong answer that it could and did not tell."""
        return self.able and not self.rejected


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Right or wrong, by how much, judged on what."""

    correct: bool
    metric: str
    """What `value` measures, e.g. `max |error| / spread`."""
    value: float
    """The error that came nearest its budget (or exceeded it most), in units of `metric`."""
    budget: float
    """What `value` may be: the rounding error expected there, times the factor."""
    worst_index: tuple[int, ...]
    """Where in the output; for a block, its first element."""
    worst_output: int
    """Number of the output, in the order of the candidate's `result_specs`."""
    trials: int
    """Comparisons that were made; each with fresh inputs."""
    distributions: tuple[str, ...]
    """Input distributions that were judged, in order; dropped ones are in `notes`."""
    reference: str
    """Width of the reference: `f64`, or the widest that works."""
    eager_value: float
    """PyTorch's own error in the tested dtype over the same budget, 1 is the limit."""
    insensitive: tuple[str, ...]
    """What this problem cannot tell apart, each with its reason."""
    randomised: bool
    """Whether normalisation statistics were randomised because outputs collapsed."""
    mutants: tuple[MutantResult, ...]
    """One for each kind, if asked for."""
    notes: tuple[str, ...]
    """Anything a reader should know: dropped distributions, fall-backs, random draws."""
    message: str
    """For people: one paragraph."""
    seconds: float
    """Time the whole verification took."""

    @property
    def ratio(self) -> float:
        """Error over budget; at most 1 if correct."""
        if self.budget > 0:
            return self.value / self.budget
        return 0.0 if self.correct else math.inf
