"""`bellrock inspect`: whole outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bellrock.cli import inspect as inspect_command
from bellrock.cli.main import cli
from bellrock.payload import generate
from bellrock.target.base import Facts
from bellrock.testing.selector import ModelTarget

PROBLEM = """
import torch

rows = 4096

class Model(torch.nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.layer = torch.nn.Linear(columns, 16)

    def forward(self, x):
        return torch.softmax(self.layer(x), dim=1)

def get_inputs():
    return [torch.randn(rows, 65536)]

def get_init_inputs():
    return [65536]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a problem and a module in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layer.py").write_text(PROBLEM, encoding="utf-8")
    (tmp_path / "matmul.mlir").write_text(generate.matmul(5, 7, 3), encoding="utf-8")
    return tmp_path


def run(words: str, *, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["inspect", *words.split()])
    assert result.exit_code == code, result.output
    return result


MATMUL = """\
matmul
Door

        role     type      bytes
 ───────────────────────────────
 arg0   input    5x3xf32    60 B
 arg1   input    3x7xf32    84 B
 res0   result   5x7xf32   140 B

Ops

 motif         sizes                 dtypes   ops   runs   flop    read   written   flop/byte   source
 ─────────────────────────────────────────────────────────────────────────────────────────────────────
 fill          elements=5x7          f32        1      1      0     0 B     140 B               line 4
 contraction   batch=1 m=5 n=7 k=3   f32        1      1    210   144 B     140 B       0.739   line 5

flop         210
traffic      424 B op by op, 284 B at the least
intensity    0.739 flop/byte
"""  # noqa: E501  (a whole output)


def test_table_of_a_module() -> None:
    assert run("matmul.mlir --target none").stdout == MATMUL


def test_json_of_a_module() -> None:
    found = json.loads(run("matmul.mlir --target none --json").stdout)
    assert list(found) == [
        "schema", "name", "arguments", "results", "ops", "patterns", "others", "totals",
        "roofline", "warnings",
    ]  # fmt: skip
    assert found["ops"][1] == {
        "op": "linalg.matmul",
        "motif": "contraction",
        "variant": "",
        "dims": {"batch": 1, "m": 5, "n": 7, "k": 3},
        "lists": {"batch": [], "m": [5], "n": [7], "k": [3]},
        "operands": [
            {"side": "input", "dtype": "f32", "shape": [5, 3], "layout": "mk"},
            {"side": "input", "dtype": "f32", "shape": [3, 7], "layout": "kn"},
            {"side": "output", "dtype": "f32", "shape": [5, 7], "layout": "mn"},
        ],
        "accumulator": "f32",
        "executions": 1,
        "flops": 210,
        "bytes_read": 144,
        "bytes_written": 140,
        "pattern": None,
        "source": "line 5",
        "location": '"-":5:8',
    }
    assert found["totals"]["flops"] == 210
    assert found["roofline"] is None


def test_a_problem_at_its_full_size_and_at_another() -> None:
    # A gigabyte of input: it is never made.
    found = json.loads(run("layer.py --target none --json").stdout)
    assert [(a["role"], a["shape"]) for a in found["arguments"]] == [
        ("input", [4096, 65536]), ("parameter", [16, 65536]), ("parameter", [16]),
    ]  # fmt: skip
    (product,) = [op for op in found["ops"] if op["motif"] == "contraction"]
    assert product["flops"] == 2 * 4096 * 16 * 65536
    (pattern,) = found["patterns"]
    assert (pattern["kind"], pattern["dims"]) == ("softmax", {"parallel": 4096, "reduced": 16})

    small = json.loads(run("layer.py --target none --json --set rows=8 --dtype bf16").stdout)
    assert small["arguments"][0]["shape"] == [8, 65536]
    assert small["arguments"][0]["dtype"] == "bf16"


def test_equal_ops_are_one_line_unless_all_are_asked_for(folder: Path) -> None:
    text = generate.elementwise((4, 8), ["exp"] * 3)
    (folder / "chain.mlir").write_text(text, encoding="utf-8")
    assert run("chain.mlir --target none").stdout.count("elementwise exp") == 1
    assert run("chain.mlir --target none --all").stdout.count("elementwise exp") == 3


class FastTarget(ModelTarget):
    """Rates that make the products easy: one flop takes a second."""

    def facts(self) -> Facts:
        return Facts(
            device="a machine",
            cores=1,
            vector_bits=64,
            vector_registers=1,
            cache_bytes={},
            features=frozenset(),
            peak_flops_per_s={"f32": 1.0},
            bandwidth_bytes_per_s={"DRAM": 2.0},
        )


class _Targets:
    def __init__(self, target: ModelTarget) -> None:
        self.target = target

    def get(self, name: str) -> ModelTarget:
        assert name == "contract"
        return self.target


def test_roofline_of_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bellrock.target.TARGETS", _Targets(FastTarget()))
    assert run("matmul.mlir --target contract").stdout == MATMUL + (
        "roofline     compute bound: at least 210 s (compute 210 s, memory 142 s)\n"
    )
    found = json.loads(run("matmul.mlir --target contract --json").stdout)
    assert found["roofline"] == {
        "bound": "compute", "seconds": 210.0, "compute_seconds": 210.0, "memory_seconds": 142.0,
    }  # fmt: skip


def test_target_whose_rates_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bellrock.target.TARGETS", _Targets(ModelTarget()))
    assert run("matmul.mlir --target contract").stdout == MATMUL + (
        "roofline     the peak rates of contract are not known\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("matmul.txt", "cannot tell what the file is; got matmul.txt; allowed: .py, .mlir."),
        ("none.mlir", "none.mlir: cannot read the file; got No such file or directory."),
        ("matmul.mlir --set rows=1", "MLIR text has no module globals."),
        ("matmul.mlir --target cpo", "unknown target 'cpo'; allowed: "),
    ],
)
def test_what_cannot_be_inspected(words: str, message: str) -> None:
    if "--target" not in words:
        words += " --target none"
    result = run(words, code=2)
    assert result.stdout == ""
    assert message in result.stderr


def test_help_says_what_path_may_be() -> None:
    text = run("--help").stdout
    assert "PATH is a problem file (.py) or MLIR text (.mlir)." in text
    assert inspect_command.command.name == "inspect"
