"""`bellrock inspect --memory`: the account of the planned workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bellrock.cli.main import cli

TWO_STEPS = """
#id = affine_map<(i, j) -> (i, j)>
#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
func.func @main(%x: tensor<64x32xf32>) -> tensor<64x64xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x32xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<64x32xf32>) outs(%e : tensor<64x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  } -> tensor<64x32xf32>
  %f = tensor.empty() : tensor<64x64xf32>
  %g = linalg.fill ins(%zero : f32) outs(%f : tensor<64x64xf32>) -> tensor<64x64xf32>
  %r = linalg.matmul indexing_maps = [#mk, #nk, #mn]
      ins(%y, %y : tensor<64x32xf32>, tensor<64x32xf32>)
      outs(%g : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %r : tensor<64x64xf32>
}
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "two_steps.mlir"
    path.write_text(TWO_STEPS)
    return path


def test_the_buffer_between_two_kernels_is_the_peak(program: Path) -> None:
    result = CliRunner().invoke(cli, ["inspect", str(program), "--memory", "--json"])
    assert result.exit_code == 0, result.output
    memory = json.loads(result.output)["memory"]
    account = memory["account"]
    (buffer,) = account["buffers"]
    assert buffer["size_bytes"] == 64 * 32 * 4 == account["live_bytes"]
    assert buffer["type"] == "64x32xf32"
    assert [name.rsplit("_", 1)[0] for name in buffer["users"]] == [
        "k_elementwise",
        "k_contraction",
    ]
    assert (buffer["first_call"], buffer["last_call"]) == (0, 1)
    assert memory["total_bytes"] == 64 * 32 * 4 * 2 + 64 * 64 * 4


def test_as_text(program: Path) -> None:
    result = CliRunner().invoke(cli, ["inspect", str(program), "--memory"])
    assert result.exit_code == 0, result.output
    assert "workspace 0.01 MiB (gaps 0.00 MiB)" in result.output
    assert "most is needed at call 0 of 2, k_elementwise" in result.output


def test_memory_without_a_target_is_refused(program: Path) -> None:
    result = CliRunner().invoke(cli, ["inspect", str(program), "--memory", "--target", "none"])
    assert result.exit_code == 2
    assert "--memory needs a target" in result.output
