"""Who may import whom, beyond what import-linter's layers say, and how cold an import is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import bellrock

TARGETS = sorted(
    path.parent.name for path in (Path(bellrock.__file__).parent / "target").glob("*/target.py")
)
COLD_SECONDS = 0.5
"""Longest that an import may compute; best of a few tries is compared. Processor time, which
other work on the machine does not change much."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("bellrock", exclude_type_checking_imports=False, cache_dir=None)


def test_targets_do_not_know_each_other(graph: grimp.ImportGraph) -> None:
    assert TARGETS
    for importer in TARGETS:
        for imported in set(TARGETS) - {importer}:
            chains = graph.find_shortest_chains(
                f"bellrock.target.{importer}", f"bellrock.target.{imported}"
            )
            assert not chains


def test_nobody_imports_a_target_by_name(graph: grimp.ImportGraph) -> None:
    for target in TARGETS:
        folder = f"bellrock.target.{target}"
        inside = {folder, *graph.find_descendants(folder)}
        for module in inside:
            outside = graph.find_modules_that_directly_import(module) - inside
            assert not outside, f"{module} is imported by {outside}; use bellrock.target.TARGETS"


def _cold(statement: str) -> tuple[set[str], float]:
    """Import in a fresh process: the packages that are loaded after it, and its seconds."""
    script = (
        "import json, sys, time; start = time.process_time()\n"
        f"{statement}\n"
        "seconds = time.process_time() - start\n"
        "print(json.dumps([sorted({m.partition('.')[0] for m in sys.modules}), seconds]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    packages, seconds = json.loads(done.stdout)
    return set(packages), seconds


@pytest.mark.parametrize("module", ["bellrock", "bellrock.cli.main", "bellrock.target"])
def test_cold_import_is_light_and_quick(module: str) -> None:
    runs = [_cold(f"import {module}") for _ in range(3)]
    assert not runs[0][0] & {"torch", "torch_mlir", "llvmlite", "numpy", "matplotlib"}
    assert min(seconds for _, seconds in runs) < COLD_SECONDS


def test_the_cold_import_check_sees_torch_mlir() -> None:
    packages, _ = _cold("import torch_mlir.ir")
    assert "torch_mlir" in packages


def test_help_of_every_command_loads_neither_torch_nor_mlir() -> None:
    packages, _ = _cold(
        "import click\nfrom bellrock.cli.main import cli\n"
        "context = click.Context(cli)\n"
        "names = cli.list_commands(context)\n"
        "assert all(cli.get_command(context, name).get_help(context) for name in names)"
    )
    assert not packages & {"torch", "torch_mlir", "llvmlite"}
