"""`bellrock coverage` on real problems, each in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bellrock.cli.main import cli

GOOD = """
import torch
size = 6
class Model(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x) + 1
def get_inputs():
    return [torch.randn(size, 5)]
def get_init_inputs():
    return []
"""
UNKNOWN = GOOD.replace("torch.relu(x) + 1", "torch.linalg.eigvals(x[:5, :5].double())")
CRASHES = GOOD.replace("        return torch.relu(x) + 1", "        import os\n        os.abort()")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"good": GOOD, "unknown": UNKNOWN, "crashes": CRASHES}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def run(*words: object, code: int) -> Result:
    result = CliRunner().invoke(cli, ["coverage", *map(str, words), "--memory-limit", "8GiB"])
    assert result.exit_code == code, result.output
    return result


def test_each_problem_has_a_row_whatever_becomes_of_it(folder: Path) -> None:
    out, page = folder / "map.json", folder / "map.md"
    run(folder, "--target", "cpu", "--json", out, "--markdown", page,
        "--cache-dir", folder / "cache", code=1)  # fmt: skip
    found = json.loads(out.read_text())
    rows = {row["problem"]: row for row in found["problems"]}
    assert found["complete"] == 1
    assert found["columns"][0] == "import"
    assert found["columns"][-1] == "verify"
    assert set(rows["good"]["marks"].values()) == {"passed"}
    assert rows["unknown"]["marks"]["import"] == "failed"
    assert "complex128" in rows["unknown"]["message"]
    assert rows["crashes"]["status"] == "crashed"
    assert "unknown" in page.read_text()


def test_only_to_code(folder: Path) -> None:
    result = run(folder / "good.py", "--target", "xegpu", "--device", "lnl", "--to", "compile",
                 "--all", "--cache-dir", folder / "cache", code=0)  # fmt: skip
    assert "1 of 1 problems come through on xegpu:lnl" in result.output
    assert "verify" not in result.output
