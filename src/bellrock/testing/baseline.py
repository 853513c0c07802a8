"""`BaselineContract`: what every baseline must keep so that its times can be compared.

Flows in: a baseline's name. Flows out: pytest's verdict.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from bellrock.bench.baseline import BASELINES, Baseline, Prepared


class _Block(torch.nn.Module):
    """Small, with parameters, a buffer, and two results."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(7, 5)
        self.norm = torch.nn.BatchNorm1d(5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.norm(self.linear(x))
        return torch.relu(hidden), hidden.sum(dim=-1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trial:
    """A baseline and what it is given: as the bench does, without gradients."""

    baseline: Baseline
    model: torch.nn.Module
    inputs: list[torch.Tensor]
    folder: Path

    def prepare(self) -> Prepared:
        return self.baseline.prepare(self.model, self.inputs, folder=self.folder)


class BaselineContract:
    """Subclass it with `name` set; each test is one promise of `Baseline`."""

    name: ClassVar[str]
    """As registered in the entry-point group `bellrock.baselines`."""
    tolerance: ClassVar[float] = 1e-4
    """Largest difference from eager in float32 on the small block."""

    @pytest.fixture
    def trial(self, tmp_path: Path) -> Iterator[_Trial]:
        """The plug-in, found the way users find it, and a seeded model in evaluation mode."""
        torch.manual_seed(0)
        inputs = [torch.randn(3, 7, generator=torch.Generator().manual_seed(1))]
        with torch.no_grad():
            yield _Trial(
                baseline=BASELINES.get(self.name), model=_Block().eval(), inputs=inputs,
                folder=tmp_path,
            )  # fmt: skip

    def test_has_the_name_it_is_registered_under(self, trial: _Trial) -> None:
        """Records name baselines by it."""
        assert trial.baseline.name == self.name

    def test_computes_what_the_model_computes(self, trial: _Trial) -> None:
        """A baseline that is fast and wrong compares with nothing."""
        expected = trial.model(*trial.inputs)
        got = trial.prepare().call()
        assert isinstance(got, tuple)
        for ours, theirs in zip(got, expected, strict=True):
            assert torch.allclose(ours, theirs, rtol=self.tolerance, atol=self.tolerance)

    def test_calls_give_fresh_results(self, trial: _Trial) -> None:
        """Each call allocates its outputs, as ours does; an earlier result stays as it was."""
        prepared = trial.prepare()
        first, second = prepared.call(), prepared.call()
        assert isinstance(first, tuple)
        assert isinstance(second, tuple)
        assert all(
            a.data_ptr() != b.data_ptr() and torch.equal(a, b)
            for a, b in zip(first, second, strict=True)
        )

    def test_leaves_model_and_inputs_alone(self, trial: _Trial) -> None:
        """The same model is compared and timed afterwards."""
        model, inputs = trial.model, trial.inputs
        state, given = copy.deepcopy(model.state_dict()), copy.deepcopy(inputs)
        trial.prepare().call()
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
        assert all(torch.equal(a, b) for a, b in zip(inputs, given, strict=True))

    def test_compile_seconds_are_a_time(self, trial: _Trial) -> None:
        """Zero where nothing is compiled, never negative."""
        assert trial.prepare().compile_seconds >= 0
