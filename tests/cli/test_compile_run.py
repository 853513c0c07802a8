"""`bellrock compile` and `bellrock run`: what is run is what was compiled, values included."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from bellrock.cli.main import cli
from bellrock.ingress.problem import load_problem
from bellrock.payload import DType
from bellrock.runtime.artifact import load_program, save_program
from bellrock.testing.payloads import ELEMENTWISE

PROBLEM = """
import torch

features = 6

class Model(torch.nn.Module):
    def __init__(self, features):
        super().__init__()
        self.linear = torch.nn.Linear(features, 3)

    def forward(self, x):
        return torch.relu(self.linear(x)), x.argmax(dim=1)

def get_inputs():
    return [torch.randn(5, features)]

def get_init_inputs():
    return [features]
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BELLROCK_CACHE_DIR", str(cache))
    (tmp_path / "linear.py").write_text(PROBLEM)
    (tmp_path / "exp.mlir").write_text(ELEMENTWISE)
    return tmp_path


def _bellrock(words: str, *, code: int = 0) -> str:
    result = CliRunner().invoke(cli, words.split())
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


@pytest.mark.parametrize(("dtype", "tolerance"), [("f32", 1e-5), ("bf16", 2e-2)])
def test_results_are_the_models(folder: Path, dtype: str, tolerance: float) -> None:
    _bellrock(f"compile linear.py --seed 3 --dtype {dtype} --set features=7 -o l.bellrock")
    instance = load_problem(folder / "linear.py", {"features": 7}).build(dtype=DType(dtype), seed=3)
    x = instance.inputs[0]
    np.save(folder / "x.npy", x.float().numpy())
    program = load_program(folder / "l.bellrock")
    _bellrock(f"run l.bellrock --input {program.arguments[0].name}=x.npy -o out.npz")
    out = np.load(folder / "out.npz")
    with torch.no_grad():
        hidden, index = instance.model(x)
    values, indices = (out[spec.name] for spec in program.results)
    np.testing.assert_allclose(values, hidden.float().numpy(), atol=tolerance)
    np.testing.assert_array_equal(indices, index.numpy())
    assert indices.dtype == np.int64


def test_output_of_both(folder: Path) -> None:
    said = _bellrock("compile linear.py --write-lock lock.yaml")
    counts = r"\d+ kernels? \(\d+ vectorised, \d+ parallel\)"
    pattern = rf"linear\.bellrock: linear for cpu, {counts}, [\d.]+ s"
    assert re.fullmatch(pattern + "(, from the cache)?\n", said)
    assert (folder / "lock.yaml").read_text().startswith("# Choices of one run of Bellrock")
    said = _bellrock("run linear.bellrock")
    first, second = said.splitlines()
    assert re.fullmatch(r"\w+: 5x3xf32, mean \S+, from 0 to \S+, 0 not finite", first)
    assert re.fullmatch(r"\w+: 5xi64, mean \S+, from \d to \d, 0 not finite", second)
    results = json.loads(_bellrock("run linear.bellrock --json"))["results"]
    assert [(r["shape"], r["dtype"]) for r in results] == [([5, 3], "f32"), ([5], "i64")]


def test_describe_says_what_is_in_the_file(folder: Path) -> None:
    _bellrock("compile linear.py")
    said = _bellrock("run linear.bellrock --describe")
    assert "  linear.weight: 3x6xf32 (parameter, stored)\n" in said
    assert "toolchain: bellrock " in said
    assert "schema: 1\ntarget: cpu\nchoices:" in said


def test_equal_seeds_give_equal_runs(folder: Path) -> None:
    _bellrock("compile linear.py")
    assert _bellrock("run linear.bellrock --seed 1") == _bellrock("run linear.bellrock --seed 1")
    assert _bellrock("run linear.bellrock --seed 1") != _bellrock("run linear.bellrock --seed 2")


def test_an_mlir_module(folder: Path) -> None:
    _bellrock("compile exp.mlir")
    (spec,) = load_program(folder / "exp.bellrock").arguments
    x = np.linspace(-1, 1, 13, dtype=np.float32).reshape(1, 13)
    np.save(folder / "x.npy", x)
    _bellrock(f"run exp.bellrock --input {spec.name}=x.npy -o out.npz")
    (result,) = np.load(folder / "out.npz").values()
    np.testing.assert_allclose(result, np.exp(x) + x, rtol=1e-5)


def test_a_written_lock_is_taken_again(folder: Path) -> None:
    _bellrock("compile linear.py --write-lock lock.yaml")
    text = (folder / "lock.yaml").read_text()
    (folder / "lock.yaml").write_text(text.replace("by: default", "by: me"))
    _bellrock("compile linear.py --lock lock.yaml --write-lock again.yaml")
    assert (folder / "again.yaml").read_text() == (folder / "lock.yaml").read_text()


def test_a_lock_row_that_matches_nothing_is_a_warning(folder: Path) -> None:
    (folder / "lock.yaml").write_text(
        "schema: 1\nchoices:\n- {motif: 'contraction [m=1]', knobs: blocks, parameters: {}}\n"
    )
    result = CliRunner().invoke(cli, ["compile", "linear.py", "--lock", "lock.yaml"])
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: lock.yaml:3: matches no op of this payload")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--input y=x.npy", 2, "unknown argument 'y'; allowed: linear.bias, linear.weight, x"),
        ("--input x", 2, "'x' is not NAME=FILE.npy"),
        (
            "--input x=absent.npy",
            2,
            "absent.npy: cannot read the file; got No such file",
        ),
        ("--input x=linear.py", 2, "linear.py: not a .npy file of numbers"),
        ("--input x=x.npy", 2, "the array given for 'x' has another shape; got [2]"),
        ("-o absent/out.npz", 1, "absent/out.npz: No such file or directory"),
    ],
)
def test_bad_arguments_of_run(folder: Path, words: str, code: int, said: str) -> None:
    _bellrock("compile linear.py")
    np.save(folder / "x.npy", np.zeros(2))
    text = _bellrock(f"run linear.bellrock {words}", code=code)
    assert text.startswith("Error: ")
    assert said in text
    assert text.count("\n") == 1


def test_a_file_from_a_larger_machine_is_refused(folder: Path) -> None:
    _bellrock("compile linear.py")
    program = load_program(folder / "linear.bellrock")
    larger = dataclasses.replace(program, features=program.features | {"avx4096"})
    save_program(larger, folder / "linear.bellrock")
    text = _bellrock("run linear.bellrock", code=2)
    assert "this machine lacks features that the code for 'cpu' may use; got avx4096" in text
