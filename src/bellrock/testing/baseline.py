"""`BaselineContract`: what every baseline must keep so that its times can be compared.

Flows in: a baseline's name. Flows out: pytest's verdict.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from bellrock.bench.baseline import BASELINES, Baseline


class _Block(torch.nn.Module):
    """Small, with parameters, a buffer, and two results."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(7, 5)
        self.norm = torch.nn.BatchNorm1d(5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.norm(self.linear(x))
        return torch.relu(hidden), hidden.sum(dim=-1)


class BaselineContract:
    """Subclass it with `name` set; each test is one promise of `Baseline`."""

    name: ClassVar[str]
    """As registered in the entry-point group `bellrock.baselines`."""
    tolerance: ClassVar[float] = 1e-4
    """Largest difference from eager in float32 on the small block."""

    @pytest.fixture
    def baseline(self) -> Baseline:
        """The plug-in, found the way users find it."""
        return BASELINES.get(self.name)

    @pytest.fixture
    def model(self) -> torch.nn.Module:
        """A model as the bench hands it over: seeded, in evaluation mode."""
        torch.manual_seed(0)
        return _Block().eval()

    @pytest.fixture
    def inputs(self) -> list[torch.Tensor]:
        """Inputs of an odd shape."""
        return [torch.randn(3, 7, generator=torch.Generator().manual_seed(1))]

    def test_has_the_name_it_is_registered_under(self, baseline: Baseline) -> None:
        """Records name baselines by it."""
        assert baseline.name == self.name

    def test_computes_what_the_model_computes(
        self,
        baseline: Baseline,
        model: torch.nn.Module,
        inputs: list[torch.Tensor],
        tmp_path: Path,
    ) -> None:
        """A baseline that is fast and wrong compares with nothing."""
        with torch.no_grad():
            expected = model(*inputs)
            got = baseline.prepare(model, inputs, folder=tmp_path).call()
        assert isinstance(got, tuple)
        for ours, theirs in zip(got, expected, strict=True):
            assert torch.allclose(ours, theirs, rtol=self.tolerance, atol=self.tolerance)

    def test_calls_give_fresh_results(
        self,
        baseline: Baseline,
        model: torch.nn.Module,
        inputs: list[torch.Tensor],
        tmp_path: Path,
    ) -> None:
        """Each call allocates its outputs, as ours does; an earlier result stays as it was."""
        with torch.no_grad():
            prepared = baseline.prepare(model, inputs, folder=tmp_path)
            first, second = prepared.call(), prepared.call()
        assert isinstance(first, tuple)
        assert isinstance(second, tuple)
        assert all(
            a.data_ptr() != b.data_ptr() and torch.equal(a, b)
            for a, b in zip(first, second, strict=True)
        )

    def test_leaves_model_and_inputs_alone(
        self,
        baseline: Baseline,
        model: torch.nn.Module,
        inputs: list[torch.Tensor],
        tmp_path: Path,
    ) -> None:
        """The same model is compared and timed afterwards."""
        state, given = copy.deepcopy(model.state_dict()), copy.deepcopy(inputs)
        with torch.no_grad():
            baseline.prepare(model, inputs, folder=tmp_path).call()
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
        assert all(torch.equal(a, b) for a, b in zip(inputs, given, strict=True))

    def test_compile_seconds_are_a_time(
        self,
        baseline: Baseline,
        model: torch.nn.Module,
        inputs: list[torch.Tensor],
        tmp_path: Path,
    ) -> None:
        """Zero where nothing is compiled, never negative."""
        with torch.no_grad():
            assert baseline.prepare(model, inputs, folder=tmp_path).compile_seconds >= 0
