"""`bellrock bench` with nothing pretended: small problems through every step, in real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROBLEM = """
import torch

rows = 37

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(29, 23)

    def forward(self, x):
        {body}

def get_inputs():
    return [torch.randn(rows, 29)]

def get_init_inputs():
    return []
"""
BODIES = {
    "good": "return torch.relu(self.linear(x))",
    "raising": "raise ValueError('not today')",
    "quitting": "import os; os._exit(3)",
}
CODE = """
import pathlib, sys
from bellrock.cli.main import main
code = main()
# Not getrusage: its peak is inherited from the process that started this one.
status = pathlib.Path("/proc/self/status").read_text()
peak_kib = int(status.split("VmHWM:")[1].split()[0])
print("driver bytes", 1024 * peak_kib, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run over all problems above; it takes most of its time to load torch."""
    folder = tmp_path_factory.mktemp("problems")
    for name, body in BODIES.items():
        (folder / f"{name}.py").write_text(PROBLEM.format(body=body))
    words = ["bench", *(f"{name}.py" for name in BODIES), "--against", "eager"]
    words += ["--json", "r.jsonl", "--html", "r.html", "--write-lock", "lock.yaml"]
    words += ["--min-runs", "3", "--cache-dir", "cache", "--mutants", "--set", "rows=41"]
    process = subprocess.run(
        [sys.executable, "-c", CODE, *words], cwd=folder, capture_output=True, text=True,
        timeout=280, check=False,
    )  # fmt: skip
    return process, folder


def _records(folder: Path) -> dict[str, dict]:
    lines = (folder / "r.jsonl").read_text().splitlines()
    return {record["problem"]["name"]: record for record in map(json.loads, lines)}


def test_the_good_one_is_right_and_timed(
    done: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    process, folder = done
    record = _records(folder)["good"]
    assert record["status"] == "ok", (record["failure"], process.stderr)
    assert record["correct"] is True
    assert record["error"]["value"] <= record["error"]["budget"]
    assert record["verdict"]["mutants"]
    assert record["time"]["median_s"] > 0
    assert set(record["baselines"]) == set(record["speedup"]) == {"eager"}
    assert record["flops"] >= 2 * 41 * 29 * 23
    assert record["bytes"] == 4 * (41 * 29 + 29 * 23 + 23 + 41 * 23)
    assert record["roofline"]["peak_fraction"] > 0
    assert record["kernels"]
    assert record["cached"] is False
    assert record["compile_seconds"] > 0
    assert record["machine"]["cpu"]
    assert record["toolchain"]["torch"]


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [("raising", "import-failed", "not today"), ("quitting", "crashed", "ended early")],
)
def test_the_bad_ones_are_rows(
    done: tuple[subprocess.CompletedProcess[str], Path], name: str, status: str, message: str
) -> None:
    process, folder = done
    record = _records(folder)[name]
    assert record["status"] == status
    assert message in record["failure"]["message"]
    assert process.returncode == 1
    assert "Traceback" not in process.stdout + process.stderr


def test_the_driver_stays_small(done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    line = done[0].stderr.splitlines()[-1]
    assert line.startswith("driver bytes ")
    assert int(line.split()[-1]) < 400 << 20


def test_all_outputs_are_there(done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    process, folder = done
    assert "1 of 3 ok" in process.stdout
    assert "<title>good:" in (folder / "r.html").read_text()
    assert "knobs:" in (folder / "lock.yaml").read_text()
