"""bf16 products on tiles of a matrix engine, by its stand-in, against float64."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bellrock.target.native.matrix_engine import VARIABLE

PROGRAM = Path(__file__).parents[2] / "support" / "engine_products.py"
TOLERANCE = 5e-3
"""Of bf16, relative to the largest element: results are rounded once, before and after what
follows them."""
NAMES = [
    *(f"{layout}-{size}" for layout in ("nn", "tn", "nt", "tt")
      for size in ("odd", "even", "deep", "few")),
    "batched", "result-transposed", "strided", "epilogue", "two-depths", "weights",
    "weights-of-many-parts",
]  # fmt: skip


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, VARIABLE: "amx-bf16"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["name"]: each for each in records}


@pytest.mark.parametrize("name", NAMES)
def test_products_are_right(found: dict[str, dict[str, Any]], name: str) -> None:
    assert found[name]["error"] < TOLERANCE * (2 if name == "epilogue" else 1)
    choices = found[name]["choices"]
    assert choices
    assert all(choice["amx"] for choice in choices)
    assert all(choice["prepared"] for choice in choices) is name.startswith("weights")


def test_there_is_a_case_of_each_name(found: dict[str, dict[str, Any]]) -> None:
    assert list(found) == NAMES


def test_a_stand_in_of_another_name_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bellrock", "target", "show", "cpu"], capture_output=True, text=True,
        timeout=300, check=False, env={**os.environ, VARIABLE: "amx-bf61"},
    )  # fmt: skip
    assert done.returncode != 0
    assert "unknown stand-in 'amx-bf61'" in done.stderr
    assert "did you mean 'amx-bf16'?" in done.stderr
