"""Suites: loading, what is refused and where, and which entries paths stand for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bellrock.bench.suite import expand_paths, load_suite
from bellrock.errors import UsageError

SUITES = Path(__file__).parents[3] / "suites"

GOOD = """\
schema: 1
summary: Two problems.
root: problems
defaults:
  set: {N: 8}
  tags: [small]
problems:
  - file: first.py
    tags: [fast, small]
    tolerance: 1
    estimate: {flops: 10, peak_bytes: 20}
  - file: deep/second.py
    set: {N: 4, shape: [2, 3], flag: true, scale: 0.5, name: text}
    skip: not yet
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a suite beside a folder of three problem files."""
    for name in ("first", "deep/second", "deep/10_third"):
        path = tmp_path / "problems" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")

    def write_suite(text: str) -> Path:
        path = tmp_path / "suite.yaml"
        path.write_text(text)
        return path

    return write_suite


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What looks like a checkout of KernelBench with one problem."""
    level = tmp_path / "checkout" / "KernelBench" / "level1"
    level.mkdir(parents=True)
    (level / "1_x.py").write_text("")
    return tmp_path / "checkout"


KERNELBENCH_SUITE = """\
schema: 1
summary: From a checkout.
root: kernelbench
problems:
  - {file: level1/1_x.py, set: {N: 3}}
"""


def test_a_suite_gives_its_entries_in_order(write: Write) -> None:
    path = write(GOOD)
    suite = load_suite(path)
    first, second = suite.entries
    assert suite.summary == "Two problems."
    assert (first.name, second.name) == ("first", "deep/second")
    assert first.path == path.parent / "problems" / "first.py"
    assert first.overrides == {"N": 8}
    assert first.tags == ("small", "fast")
    assert (first.tolerance, first.flops, first.peak_bytes) == (1.0, 10, 20)
    assert first.skip is None
    assert second.skip == "not yet"


def test_overrides_keep_their_types_and_go_before_defaults(write: Write) -> None:
    overrides = load_suite(write(GOOD)).entries[1].overrides
    assert overrides == {"N": 4, "shape": [2, 3], "flag": True, "scale": 0.5, "name": "text"}
    assert [type(v) for v in overrides.values()] == [int, list, bool, float, str]


@pytest.mark.parametrize(
    ("old", "new", "line", "parts"),
    [
        ("schema: 1", "schema: 2", 1, ["schema", "got 2"]),
        ("summary: Two problems.\n", "", 1, ["'summary' is missing"]),
        ("root: problems", "root: nowhere", None, ["not a folder", "nowhere"]),
        ("root: problems", "roots: problems", 3, ["unknown key 'roots'", "mean 'root'"]),
        ("file: first.py", "file: third.py", 8, ["no problem file 'third.py'"]),
        ("    skip: not yet", "    skipp: not yet", 14, ["'skipp'", "mean 'skip'"]),
        ("  - file: first.py\n    tags", "  - tags", 8, ["'file' is missing"]),
        ("tolerance: 1", "tolerance: 0", 10, ["tolerance", "greater than 0"]),
        ("tags: [fast, small]", "tags: fast", 9, ["tags", "got 'fast'"]),
        ("flops: 10", "flop: 10", 11, ["'flop'", "mean 'flops'"]),
        ("flops: 10", "flops: 1.5", 11, ["flops", "got 1.5"]),
        ("{N: 4,", "{4x: 4,", 13, ["module global", "got '4x'"]),
        ("{N: 4,", "{N: {},", 13, ["value", "'N'", "a list of these"]),
        ("{N: 4,", "{N: 4, N: 5,", 13, ['duplicate key "N"']),
        ("set: {N: 8}", "set: {N: 8", 6, ["not valid YAML"]),
        ("set: {N: 8}", "sett: {N: 8}", 5, ["'sett'", "mean 'set'"]),
    ],
)
def test_what_is_wrong_is_named_at_its_line(
    write: Write, old: str, new: str, line: int | None, parts: list[str]
) -> None:
    assert GOOD.count(old) == 1
    path = write(GOOD.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_suite(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}:" if line is not None else f"{path}:")
    for part in parts:
        assert part in message


@pytest.mark.parametrize("text", ["", "- 1\n", "just text\n"])
def test_what_is_no_map_is_no_suite(write: Write, text: str) -> None:
    with pytest.raises(UsageError, match="a suite is a YAML map"):
        load_suite(write(text))


def test_a_suite_without_problems_is_refused(write: Write) -> None:
    with pytest.raises(UsageError, match="problems"):
        load_suite(write(GOOD[: GOOD.index("problems:\n")] + "problems: []\n"))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="the suite is not UTF-8 text"):
        load_suite(path)


@pytest.mark.parametrize("inner", ["", "KernelBench"])
def test_a_checkout_may_be_named_by_its_top_or_its_levels(
    write: Write, checkout: Path, inner: str
) -> None:
    (entry,) = load_suite(write(KERNELBENCH_SUITE), kernelbench=checkout / inner).entries
    assert entry.path == checkout / "KernelBench" / "level1" / "1_x.py"
    assert entry.name == "level1/1_x"


def test_the_environment_names_a_checkout(
    write: Write, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNELBENCH_DIR", str(checkout))
    assert load_suite(write(KERNELBENCH_SUITE)).entries[0].overrides == {"N": 3}


def test_the_argument_goes_before_the_environment(
    write: Write, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNELBENCH_DIR", str(checkout))
    with pytest.raises(UsageError, match="--kernelbench"):
        load_suite(write(KERNELBENCH_SUITE), kernelbench=checkout / "elsewhere")


def test_a_missing_checkout_is_explained(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERNELBENCH_DIR", raising=False)
    with pytest.raises(UsageError) as caught:
        load_suite(write(KERNELBENCH_SUITE))
    for part in ("KernelBench", "no part of Bellrock", "--kernelbench", "KERNELBENCH_DIR"):
        assert part in str(caught.value)


def test_a_file_that_the_checkout_lacks_is_named(write: Write, checkout: Path) -> None:
    with pytest.raises(UsageError, match=r"suite\.yaml:5.*level1/2_y\.py.*another version"):
        load_suite(write(KERNELBENCH_SUITE.replace("1_x", "2_y")), kernelbench=checkout)


def test_a_folder_gives_its_files_in_natural_order(tmp_path: Path) -> None:
    for name in ("b/10_x.py", "b/9_x.py", "a.py", "_private.py", ".hidden/c.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert [e.name for e in expand_paths([tmp_path])] == ["a", "b/9_x", "b/10_x"]


def test_a_folder_without_problems_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no problem file"):
        expand_paths([tmp_path])


@pytest.mark.parametrize("name", ["missing.py", "missing", "missing.yaml"])
def test_a_missing_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        expand_paths([tmp_path / name])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "problem.txt"
    path.write_text("")
    with pytest.raises(UsageError, match=r"not a problem or a suite.*\.yaml"):
        expand_paths([path])


def test_paths_of_all_kinds_may_be_mixed_and_repetitions_are_dropped(write: Write) -> None:
    suite = write(GOOD)
    folder = suite.parent / "problems"
    entries = expand_paths([folder / "first.py", folder, suite])
    assert len({entry.name for entry in entries}) == len(entries) == 5
    plain = [entry.path.name for entry in entries if not entry.overrides]
    assert plain == ["first.py", "10_third.py", "second.py"]


def test_one_file_at_two_sizes_has_two_names(write: Write) -> None:
    text = KERNELBENCH_SUITE.replace("kernelbench", "problems").replace("level1/1_x", "first")
    text += "  - {file: first.py, set: {N: 5}}\n"
    one, two = expand_paths([write(text)])
    assert one.name.endswith("first[N=3]")
    assert two.name.endswith("first[N=5]")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("second", ["deep/second"]),
        ("deep/*", ["deep/10_third", "deep/second"]),
        ("*_third", ["deep/10_third"]),
        ("10_*", ["deep/10_third"]),
        ("[f]*", ["first"]),
    ],
)
def test_a_pattern_narrows(write: Write, pattern: str, names: list[str]) -> None:
    folder = write(GOOD).parent / "problems"
    assert [e.name for e in expand_paths([folder], only=pattern)] == names


def test_a_pattern_that_fits_nothing_suggests(write: Write) -> None:
    with pytest.raises(UsageError, match="mean 'first'"):
        expand_paths([write(GOOD)], only="frist")


def test_a_sample_is_decided_by_its_seed_and_keeps_the_order() -> None:
    suite = SUITES.parent / "examples" / "problems"
    everything = [entry.name for entry in expand_paths([suite])]
    samples = {
        seed: [entry.name for entry in expand_paths([suite], sample=9, seed=seed)]
        for seed in range(3)
    }
    assert samples[1] == [e.name for e in expand_paths([suite], sample=9, seed=1)]
    assert samples[0] != samples[1] != samples[2]
    for names in samples.values():
        assert len(set(names)) == 9
        assert names == [name for name in everything if name in names]


def test_a_sample_larger_than_the_suite_is_all_of_it(write: Write) -> None:
    assert len(expand_paths([write(GOOD)], sample=100)) == 2


def test_an_empty_sample_is_refused(write: Write) -> None:
    with pytest.raises(UsageError, match="got 0"):
        expand_paths([write(GOOD)], sample=0)


def test_loading_a_suite_loads_no_torch(write: Write) -> None:
    code = (
        "import sys, pathlib; from bellrock.bench.suite import load_suite;"
        f"load_suite(pathlib.Path({str(write(GOOD))!r}));"
        "assert not {'torch', 'torch_mlir'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
