"""The suites of the repository list all of KernelBench's levels 1 to 3, each at its sizes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bellrock.bench.suite import load_suite
from bellrock.bench.suite_file import SuiteFile, read_suite
from bellrock.ingress.problem import load_problem

SUITES = Path(__file__).parents[3] / "suites"
NAMES = ("kernelbench", "kernelbench-cpu", "kernelbench-smoke")
GIBIBYTE = 2**30


def _read(name: str) -> SuiteFile:
    return read_suite(SUITES / f"{name}.yaml")[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_is_listed_once(name: str) -> None:
    files = [row.file for row in _read(name).problems]
    assert len(set(files)) == len(files)
    assert Counter(file.partition("/")[0] for file in files) == {
        "level1": 100,
        "level2": 100,
        "level3": 50,
    }


def test_the_suites_list_the_same_files_in_the_same_order() -> None:
    first, *others = [[row.file for row in _read(name).problems] for name in NAMES]
    assert all(other == first for other in others)


def test_the_full_suite_overrides_nothing() -> None:
    assert not any(row.set for row in _read("kernelbench").problems)


def test_the_cpu_suite_keeps_its_limits() -> None:
    for row in _read("kernelbench-cpu").problems:
        assert row.estimate is not None
        if "over-limit" not in row.tags:
            assert row.estimate.peak_bytes <= GIBIBYTE, row.file
            assert row.estimate.flops <= 20e9, row.file


def test_what_the_cpu_suite_overrides_did_not_fit_before() -> None:
    original = {row.file: row.estimate for row in _read("kernelbench").problems}
    for row in _read("kernelbench-cpu").problems:
        estimate = original[row.file]
        assert estimate is not None
        fits = estimate.peak_bytes <= GIBIBYTE and estimate.flops <= 20e9
        assert fits != bool(row.set), row.file


def test_the_smoke_suite_is_tiny() -> None:
    for row in _read("kernelbench-smoke").problems:
        assert row.estimate is not None
        if "fixed-size" not in row.tags:
            assert row.estimate.peak_bytes < GIBIBYTE / 2, row.file


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(SUITES.glob("*.yaml")) if path.stem not in NAMES],
    ids=lambda path: path.stem,
)
def test_what_our_own_suites_override_is_there(path: Path) -> None:
    for entry in load_suite(path).entries:
        load_problem(entry.path, entry.overrides)
        assert "/" not in entry.name  # sizes tell entries of one file apart, not its folder
