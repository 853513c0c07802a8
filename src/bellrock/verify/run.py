"""`verify`: is this compiled program right?

Flows in: a candidate and its subject. Flows out: a `Verdict`; the model is as it was before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import torch

from bellrock.payload import DType
from bellrock.target.base import CodeMutant
from bellrock.verify.compare import DEFAULT_FACTOR
from bellrock.verify.examination import Examination
from bellrock.verify.state import State
from bellrock.verify.verdict import Candidate, Subject, Verdict


def verify(
    candidate: Candidate, subject: Subject, *, dtype: DType, trials: int = 3, seed: int = 0,
    budget_factor: float = DEFAULT_FACTOR, mutants: bool = False,
    code_mutants: Callable[[], Iterable[CodeMutant[Candidate]]] = tuple,
) -> Verdict:  # fmt: skip
    """Judge a compiled program by PyTorch in higher precision.

    Args:
        candidate: the program; it must read the storage of the subject's parameters.
        subject: the model in the tested dtype, and a maker of inputs.
        dtype: the tested dtype, of the model and of its float inputs.
        trials: comparisons on fresh inputs: two of the problem's own distribution, the
            others of variants of it. One alone tells a right answer from a wrong one on the
            first inputs, and finds out nothing of what the problem can tell.
        seed: of everything random; equal seeds give equal verdicts.
        budget_factor: how many times noisier than the noise a right answer may be.
        mutants: whether to check the checker with wrong answers made on purpose.
        code_mutants: makes the candidate with mistakes in its code, if that is to be checked.

    Returns:
        The verdict. The model's buffers are as before.

    Raises:
        VerifyError: the reference cannot be computed, or the numbers of results differ.
    """
    started = time.monotonic()
    state, generator = State.of(subject.model), torch.random.get_rng_state()
    try:
        examination = Examination(
            candidate=candidate, subject=subject, dtype=dtype, trials=max(1, trials), seed=seed,
            factor=budget_factor, with_mutants=mutants, code_mutants=code_mutants,
        )  # fmt: skip
        examination.run()
        return examination.verdict(time.monotonic() - started)
    finally:
        state.restore()
        torch.random.set_rng_state(generator)
