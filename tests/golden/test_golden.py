"""What the default pipelines are, and what they make of one kernel, kept as files.

A change of these files in a commit shows what a change of the code does. Write them anew with
`pytest tests/golden --update-golden`, and look at the difference.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from torch_mlir import ir

from bellrock.compiler import environment_for, pipeline_for
from bellrock.dialects import register
from bellrock.pipeline.driver import run_pipeline
from bellrock.pipeline.environment import Snapshots
from bellrock.pipeline.show import show_pipeline

HERE = Path(__file__).parent

LINEAR = """
func.func @main(%x: tensor<61x48xf32>, %w: tensor<79x48xf32>, %b: tensor<79xf32>) -> tensor<61x79xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<48x79xf32>
  %t = linalg.transpose ins(%w : tensor<79x48xf32>) outs(%e : tensor<48x79xf32>) permutation = [1, 0]
  %r = tensor.empty() : tensor<61x79xf32>
  %i = linalg.fill ins(%zero : f32) outs(%r : tensor<61x79xf32>) -> tensor<61x79xf32>
  %c = linalg.matmul ins(%x, %t : tensor<61x48xf32>, tensor<48x79xf32>) outs(%i : tensor<61x79xf32>) -> tensor<61x79xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%c, %b : tensor<61x79xf32>, tensor<79xf32>) outs(%r : tensor<61x79xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<61x79xf32>
  return %d : tensor<61x79xf32>
}
"""


def compare(name: str, found: str, request: pytest.FixtureRequest) -> None:
    path = HERE / name
    if request.config.getoption("--update-golden"):
        path.write_text(found)
        pytest.fail(f"{name} was written anew; run again without --update-golden")
    assert path.exists(), f"{name} is missing; make it with --update-golden"
    assert found == path.read_text()


@pytest.mark.parametrize("pipeline", ["default", "kernel"])
def test_the_pipelines_of_the_processor(pipeline: str, request: pytest.FixtureRequest) -> None:
    compare(f"cpu-{pipeline}.yaml", show_pipeline(pipeline_for("cpu", pipeline)), request)


def test_a_linear_layer_in_its_kernel(request: pytest.FixtureRequest) -> None:
    """A transposed weight is read in place, the bias fused: one kernel, one call."""
    context = ir.Context()
    register(context)
    with context, ir.Location.unknown(context):
        module = ir.Module.parse(LINEAR)
        snapshots = Snapshots(stop_after="schedule-outline-kernels")
        # Without choices, which depend on the machine's cores.
        loaded = pipeline_for("cpu", HERE / "outline.yaml")
        run_pipeline(loaded, module, environment_for("cpu", snapshots=snapshots))
        compare("linear-outlined.mlir", str(module), request)
