"""What a problem cannot tell apart is said; mutants of what it can are rejected."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bellrock.payload import DType
from bellrock.verify import verify

randn = torch.randn


def deep(layers: int) -> nn.Module:
    """A net that forgets its input: biases are large, weights small."""
    parts: list[nn.Module] = []
    for _ in range(layers):
        linear = nn.Linear(24, 24)
        with torch.no_grad():
            linear.weight.mul_(0.05)
        parts += [linear, nn.BatchNorm1d(24), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(24, 8))


def test_collapsed_outputs_have_their_statistics_randomised(case) -> None:
    made = case(deep(8), lambda: (randn(6, 24),))
    before = [buffer.clone() for buffer in made.subject.model.buffers()]
    verdict = verify(made.candidate(), made.subject, dtype=DType.F32)
    assert verdict.randomised
    assert verdict.correct, verdict.message
    assert not verdict.insensitive
    assert any("8 normalisation layers" in note for note in verdict.notes)
    for buffer, value in zip(made.subject.model.buffers(), before, strict=True):
        assert torch.equal(buffer, value)


def test_after_randomising_a_candidate_that_ignores_statistics_fails(case) -> None:
    made = case(deep(8), lambda: (randn(6, 24),))

    def without(x: torch.Tensor) -> torch.Tensor:
        for layer in made.subject.model:
            if not isinstance(layer, nn.BatchNorm1d):
                x = layer(x)
        return x

    verdict = verify(made.candidate(without), made.subject, dtype=DType.F32)
    assert not verdict.correct


def test_statistics_stay_where_outputs_differ(case) -> None:
    made = case(nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)), lambda: (randn(6, 8),))
    assert not verify(made.candidate(), made.subject, dtype=DType.F32).randomised


class Cancelling(nn.Module):
    """Always zero: the mean over one element is that element."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.amax(1, keepdim=True)
        return torch.relu(y - y.mean(1, keepdim=True))


def test_inability_is_printed(case) -> None:
    made = case(Cancelling(), lambda: (randn(6, 8),))
    verdict = verify(made.candidate(), made.subject, dtype=DType.F32)
    assert verdict.correct
    told = " ".join(verdict.insensitive)
    assert all(name in told for name in ("zeros", "constant", "stale"))
    assert "cannot tell apart" in verdict.message


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(20, 20), nn.Linear(20, 20)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.last(torch.relu(self.first(x)) - y))


@pytest.mark.parametrize("dtype", [DType.F32, DType.F16, DType.BF16])
def test_every_mutant_is_rejected(case, dtype: DType) -> None:
    made = case(TwoInputs(), lambda: (randn(12, 20), randn(12, 20)), dtype)
    verdict = verify(made.candidate(), made.subject, dtype=dtype, mutants=True)
    assert verdict.correct
    assert {mutant.name for mutant in verdict.mutants} == {
        "zeros", "constant", "stale", "unwritten-part", "stale-part", "wrong-tile",
        "missing-step", "permuted-rows", "lower-precision", "dropped-epilogue", "dropped-op",
        "swapped-inputs",
    }  # fmt: skip
    assert [m.name for m in verdict.mutants if not m.rejected] == []
    assert all(m.value > 1 for m in verdict.mutants)


def test_a_symmetric_problem_cannot_tell_swapped_inputs(case) -> None:
    class Sum(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    made = case(Sum(), lambda: (randn(5, 6), randn(5, 6)))
    verdict = verify(made.candidate(), made.subject, dtype=DType.F32, mutants=True)
    swapped = next(m for m in verdict.mutants if m.name == "swapped-inputs")
    assert not swapped.rejected
    assert not swapped.able
    assert not swapped.accepted
    assert swapped.reason == "it equals the right answer"
    assert any(text.startswith("swapped-inputs") for text in verdict.insensitive)


def test_an_output_of_rounding_errors_is_said_to_be_one(case) -> None:
    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.group_norm(x, 2).mean((1, 2))

    made = case(Mean(), lambda: (randn(8, 4, 60),))
    verdict = verify(made.candidate(), made.subject, dtype=DType.F32, mutants=True)
    assert verdict.correct
    zeros = next(m for m in verdict.mutants if m.name == "zeros")
    assert not zeros.rejected
    assert not zeros.able
    assert not [m.name for m in verdict.mutants if m.accepted]
    assert any("within its rounding error" in text for text in verdict.insensitive)


def test_what_a_problem_does_not_have_is_no_inability(case) -> None:
    made = case(nn.Softmax(-1), lambda: (randn(5, 6),))
    verdict = verify(made.candidate(), made.subject, dtype=DType.F32, mutants=True)
    swapped = next(m for m in verdict.mutants if m.name == "swapped-inputs")
    assert math.isnan(swapped.value)
    assert not any("swapped" in text for text in verdict.insensitive)


def test_each_output_has_mutants_of_its_own(case) -> None:
    made = case(nn.LSTM(5, 6, batch_first=True), lambda: (randn(2, 7, 5),))
    verdict = verify(made.candidate(), made.subject, dtype=DType.F32, mutants=True)
    names = {mutant.name for mutant in verdict.mutants}
    assert {"zeros[0]", "zeros[1]", "zeros[2]"} <= names
    assert not [mutant for mutant in verdict.mutants if mutant.accepted]


def test_a_checker_that_is_too_lax_is_caught(case) -> None:
    """With a huge factor mutants pass, and are reported as the checker's failure."""
    made = case(nn.Linear(30, 30), lambda: (randn(12, 30),))
    verdict = verify(
        made.candidate(), made.subject, dtype=DType.F32, budget_factor=1e9, mutants=True
    )
    assert {"zeros", "stale", "lower-precision"} <= {m.name for m in verdict.mutants if m.accepted}
