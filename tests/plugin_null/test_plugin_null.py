"""A target from another package: installed, listed, compiled to, and rejected as wrong.

The package beside this file is installed into a folder of its own, which is put on
`PYTHONPATH` of fresh processes; nothing in Bellrock knows of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROBLEM = """
import torch

features = 6

class Model(torch.nn.Module):
    def __init__(self, features):
        super().__init__()
        self.linear = torch.nn.Linear(features, 3)

    def forward(self, x):
        return torch.relu(self.linear(x))

def get_inputs():
    return [torch.randn(5, features)]

def get_init_inputs():
    return [features]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plug-in installed in it, by pip, as a user would."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--target", str(folder), str(HERE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def _run(site: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "BELLROCK_CACHE_DIR": str(cwd / "cache"),
    }
    return subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
        timeout=240,
        check=False,
    )


def test_it_is_listed_with_its_package(site: Path, tmp_path: Path) -> None:
    done = _run(site, "bellrock.cli.main", "target", "list", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["null"] == {
        "name": "null",
        "package": "bellrock-null",
        "summary": "Computes nothing; every result is zero.",
    }
    assert rows["cpu"]["package"] == "bellrock"


def test_it_is_absent_without_its_package(tmp_path: Path) -> None:
    done = _run(tmp_path, "bellrock.cli.main", "target", "show", "null", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: unknown target 'null'; allowed: ")


def test_its_pipeline_is_found_and_checked(site: Path, tmp_path: Path) -> None:
    words = ("pipeline", "check", "null", "--target", "null")
    done = _run(site, "bellrock.cli.main", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "null: ok, 1 stages\n"


def test_it_keeps_the_contract_of_targets(site: Path, tmp_path: Path) -> None:
    words = ("pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"))
    done = _run(site, *words, str(HERE / "contract.py"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_a_program_is_compiled_and_run(site: Path, tmp_path: Path) -> None:
    (tmp_path / "linear.py").write_text(PROBLEM)
    words = ("compile", "linear.py", "--target", "null", "-o", "linear.bellrock")
    done = _run(site, "bellrock.cli.main", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = _run(site, "bellrock.cli.main", "run", "linear.bellrock", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    assert result["shape"] == [5, 3]
    assert result["lowest"] == result["highest"] == 0


def test_its_zeros_are_found_to_be_wrong(site: Path, tmp_path: Path) -> None:
    (tmp_path / "linear.py").write_text(PROBLEM)
    words = ("bench", "linear.py", "--target", "null", "--check-only", "--json", "out.jsonl")
    done = _run(site, "bellrock.cli.main", *words, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    (record,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert record["status"] == "wrong"
    assert record["target"]["name"] == "null"
