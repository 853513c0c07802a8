"""What the default pipelines are, and what they make of one kernel, kept as files.

A change of these files in a commit shows what a change of the code does. Write them anew with
`pytest tests/golden --update-golden`, and look at the difference.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from torch_mlir import ir

from bellrock.compiler import environment_for, pipeline_for
from bellrock.dialects import register
from bellrock.pipeline.driver import run_pipeline
from bellrock.pipeline.environment import Snapshots
from bellrock.pipeline.show import show_pipeline
from bellrock.target.cpu import facts

HERE = Path(__file__).parent


def compare(name: str, found: str, request: pytest.FixtureRequest) -> None:
    path = HERE / name
    if request.config.getoption("--update-golden"):
        path.write_text(found)
        pytest.fail(f"{name} was written anew; run again without --update-golden")
    assert path.exists(), f"{name} is missing; make it with --update-golden"
    assert found == path.read_text()


@pytest.fixture(autouse=True)
def _described_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts that pipelines refer to are of one machine, whatever runs the test."""
    described = dataclasses.replace(
        facts.host_facts(), cores=2, vector_bits=512, vector_registers=32
    )
    monkeypatch.setattr(facts, "host_facts", lambda: described)


@pytest.mark.parametrize("pipeline", ["default", "kernel"])
def test_the_pipelines_of_the_processor(pipeline: str, request: pytest.FixtureRequest) -> None:
    compare(f"cpu-{pipeline}.yaml", show_pipeline(pipeline_for("cpu", pipeline)), request)


def test_a_linear_layer_in_its_kernel(request: pytest.FixtureRequest) -> None:
    """A transposed weight is read in place, the bias fused: one kernel, one call."""
    context = ir.Context()
    register(context)
    with context, ir.Location.unknown(context):
        module = ir.Module.parse((HERE / "linear.mlir").read_text())
        snapshots = Snapshots(stop_after="schedule-outline-kernels")
        # Without choices, which depend on the machine's cores.
        loaded = pipeline_for("cpu", HERE / "outline.yaml")
        run_pipeline(loaded, module, environment_for("cpu", snapshots=snapshots))
        compare("linear-outlined.mlir", str(module), request)
