"""Constant tables are data of device modules; places that one launch finds reach the next.

A device cannot read the host's memory, nor the host a device's.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import bellrock
from bellrock.compiler import compile_payload
from bellrock.ingress.mlir_text import load_mlir
from bellrock.runtime.executable import load
from bellrock.target.xegpu.container import unpack
from bellrock.target.xegpu.loaders.choosing import VARIABLE

TEXT = """
func.func @main(%x: tensor<3x2xTYPE>, %i: tensor<5xi64>)
    -> (tensor<3x2xTYPE>, tensor<3x2xTYPE>, tensor<5xTYPE>) {
  %c = arith.constant dense<[[1.0, 2.5], [-3.0, 4.0], [7.0, 0.125]]> : tensor<3x2xTYPE>
  %d = arith.constant dense<[0.5, -0.5, 9.0]> : tensor<3xTYPE>
  %mask = arith.constant dense<[[true, false], [false, true], [true, true]]> : tensor<3x2xi1>
  %e = tensor.empty() : tensor<3x2xTYPE>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>,
                       affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %c, %mask : tensor<3x2xTYPE>, tensor<3x2xTYPE>, tensor<3x2xi1>)
      outs(%e : tensor<3x2xTYPE>) {
  ^bb0(%a: TYPE, %b: TYPE, %m: i1, %o: TYPE):
    %s = arith.mulf %a, %b : TYPE
    %t = arith.select %m, %s, %a : TYPE
    linalg.yield %t : TYPE
  } -> tensor<3x2xTYPE>
  %f = tensor.empty() : tensor<5xTYPE>
  %g = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]} ins(%i : tensor<5xi64>) outs(%f : tensor<5xTYPE>) {
  ^bb0(%a: i64, %o: TYPE):
    %n = arith.index_cast %a : i64 to index
    %v = tensor.extract %d[%n] : tensor<3xTYPE>
    linalg.yield %v : TYPE
  } -> tensor<5xTYPE>
  return %r, %c, %g : tensor<3x2xTYPE>, tensor<3x2xTYPE>, tensor<5xTYPE>
}
"""
"""Read side by side, returned as it is, a mask, and read at indices."""


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("loader", ["simt", "opencl"])
def test_tables(
    dtype: str, loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    if loader == "opencl":
        request.getfixturevalue("opencl_here")
    monkeypatch.setenv(VARIABLE, loader)
    kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
    payload = load_mlir(TEXT.replace("TYPE", dtype), name="tables")
    compiled = compile_payload(payload, target="xegpu", cache_dir=tmp_path, jobs=1)
    x = torch.arange(6).reshape(3, 2).to(kind)
    table = torch.tensor([[1.0, 2.5], [-3.0, 4.0], [7.0, 0.125]]).to(kind)
    mask = torch.tensor([[True, False], [False, True], [True, True]])
    index = torch.tensor([2, 0, 1, 1, 2])
    product, same, taken = load(compiled)([x, index])
    assert torch.equal(product, torch.where(mask, x * table, x))
    assert torch.equal(same, table)
    assert torch.equal(taken, torch.tensor([0.5, -0.5, 9.0]).to(kind)[index])


def test_no_table_is_the_hosts(tmp_path: Path) -> None:
    payload = load_mlir(TEXT.replace("TYPE", "f32"), name="tables")
    compiled = compile_payload(payload, target="xegpu", cache_dir=tmp_path, jobs=1)
    objects = [unpack(code) for code in compiled.artifact.objects]
    table = np.array([[1.0, 2.5], [-3.0, 4.0], [7.0, 0.125]], np.float32).tobytes()
    assert not any(table in each.host for each in objects)
    modules = [m for each in objects for m in each.modules]
    assert any(re.search(rb"__constant_3x2xf32", m.llvm) for m in modules)


class _AddRows(torch.nn.Module):
    def forward(self, y: torch.Tensor, at: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return y.index_add(0, at, x)


def test_rows_that_only_the_device_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that one launch reads is where the next one works; bounds are checked."""
    monkeypatch.setenv(VARIABLE, "simt")
    given = (
        torch.arange(31 * 40).reshape(31, 40).remainder(7).half(),
        torch.arange(80).remainder(31),
        torch.arange(80 * 40).reshape(80, 40).remainder(5).half(),
    )
    compiled = bellrock.compile(_AddRows(), given, target="xegpu", cache_dir=tmp_path)
    assert torch.equal(compiled(*given), given[0].index_add(0, *given[1:]))
