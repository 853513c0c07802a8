"""Whole programs on the devices that stand in for a GPU, and what bench says of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import bellrock
from bellrock.target.xegpu.loaders.choosing import VARIABLE

LOADERS = ["simt", "opencl"]
PROBLEM = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.gelu(x) * 2

def get_inputs():
    return [torch.randn(37, 29)]

def get_init_inputs():
    return []
"""


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "opencl":
        request.getfixturevalue("opencl_here")
    monkeypatch.setenv(VARIABLE, request.param)
    return request.param


class _Chain(torch.nn.Module):
    """Several kernels, a weight, two results, an integer argument."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.randn(23))

    def forward(self, x: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = torch.softmax(x * self.scale, dim=1)
        return y, y.sum(0) * index


def test_a_program_of_several_kernels(loader: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x, index = _Chain().eval(), torch.randn(37, 23), torch.arange(23)
    compiled = bellrock.compile(model, (x, index), target="xegpu", cache_dir=tmp_path)
    for _ in range(2):
        with torch.no_grad():
            wanted, found = model(x, index), compiled(x, index)
            for one, other in zip(wanted, found, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
            model.scale.mul_(-0.5)  # a weight that changes is seen
    assert "not those of a GPU" in compiled.timing_note
    assert compiled.device_seconds() is None
    assert compiled.warnings() == ()


@pytest.mark.parametrize("loader", ["simt"], indirect=True)
def test_bench_gives_no_times_where_they_mean_nothing(loader: str, tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(PROBLEM)
    words = ["bench", "p.py", "--target", "xegpu", "--against", "eager", "--json", "r.jsonl"]
    done = subprocess.run(
        [sys.executable, "-m", "bellrock", *words, "--cache-dir", "cache"], cwd=tmp_path,
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "r.jsonl").read_text())
    assert record["status"] == "ok"
    assert record["time"] is None
    assert record["speedup"] == {}
    assert record["flops"] > 0
    (warning,) = record["warnings"]
    assert warning.startswith("not timed: kernels ran")
    assert "not those of a GPU" in warning
    assert "not those of a GPU" in done.stdout.replace("\n", " ")
