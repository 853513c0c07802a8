"""`bellrock pipeline`: whole outputs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bellrock.cli.main import cli
from bellrock.target import TARGETS

MINE = """\
schema: 1
summary: My own.
variables:
  rounds: {type: int, default: 3}
  greedy: {type: bool, default: false}
stages:
  - include: part.yaml
  - pass: canonicalize
    on: func.func
    options: {max-iterations: "${rounds}", top-down: "${greedy}"}
  - when: {feature: FEATURE}
    then: [{pass: inline}]
    else: [{pass: symbol-dce, name: tidy}]
"""
FEATURE = min(TARGETS.get("cpu").known_features() or {""})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(MINE.replace("FEATURE", FEATURE))
    (tmp_path / "part.yaml").write_text("schema: 1\nsummary: P.\nstages: [{pass: cse}]\n")
    return tmp_path


def run(words: str, *, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["pipeline", *words.split()])
    assert result.exit_code == code, result.output
    return result


def refused(words: str) -> str:
    result = run(words, code=2)
    assert result.stdout == ""
    return result.stderr


def test_list_has_a_line_for_each_with_its_summary() -> None:
    lines = run("list").stdout.splitlines()
    names = [line.split()[0] for line in lines]
    assert names == sorted(names)
    assert {"common/normalise", "default"} <= set(names)
    assert all(line.endswith(".") and len(line.split()) > 2 for line in lines)


SHOWN = """\
schema: 1
summary: My own.
stages:
  - pass: cse
  - pass: canonicalize
    on: func.func
    options: {max-iterations: 3, top-down: false}
  - when: {feature: FEATURE}
    then:
      - pass: inline
    else:
      - pass: symbol-dce
        name: tidy
"""


def test_show_puts_includes_in_place_and_resolves_variables() -> None:
    assert run("show mine.yaml").stdout == SHOWN.replace("FEATURE", FEATURE)


def test_show_with_values() -> None:
    shown = run("show mine.yaml --set rounds=7 --set greedy=true").stdout
    assert "    options: {max-iterations: 7, top-down: true}\n" in shown


@pytest.mark.parametrize("there", [True, False])
def test_show_resolved_decides_the_features_of_the_device(folder: Path, there: bool) -> None:
    target = TARGETS.get("cpu")
    here = target.facts().features
    features = sorted(here if there else (target.known_features() or frozenset()) - here)
    if not features:
        pytest.skip("this processor has all features, or none")
    (folder / "mine.yaml").write_text(MINE.replace("FEATURE", features[0]))
    shown = run("show mine.yaml --resolved").stdout
    last = "  - pass: inline\n" if there else "  - pass: symbol-dce\n    name: tidy\n"
    assert shown == SHOWN[: SHOWN.index("  - when")] + last


def test_what_show_prints_can_be_shown_again(folder: Path) -> None:
    (folder / "flat.yaml").write_text(run("show").stdout)
    assert run("show flat.yaml").stdout == (folder / "flat.yaml").read_text()


def test_check_counts_stages() -> None:
    assert run("check mine.yaml part.yaml").stdout == (
        "mine.yaml: ok, 5 stages\npart.yaml: ok, 1 stages\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "check part.yaml --set n=1",
            "Error: values given to part.yaml: unknown variable 'n'; allowed: none, there are no "
            "names of this kind.\n",
        ),
        (
            "check mine.yaml --set rounds=many",
            "Error: values given to mine.yaml: the variable 'rounds' has the wrong type; "
            "got 'many' (str); allowed: int.\n",
        ),
        ("show mine.yaml --set rounds", "Error: --set: not a variable's value; got rounds; "
         "allowed: NAME=VALUE.\n"),
        ("show mine.yaml --set rounds=[1", "Error: --set: not a YAML value; got rounds=[1.\n"),
        (
            "show mine.yaml --set rounds=1 --set rounds=2",
            "Error: --set: the variable 'rounds' is given twice; got rounds=2.\n",
        ),
        ("show gone.yaml", "Error: no such pipeline file; got gone.yaml.\n"),
    ],
)  # fmt: skip
def test_refused(words: str, message: str) -> None:
    assert refused(words) == message


def test_check_stops_at_the_first_mistake_and_says_where(folder: Path) -> None:
    (folder / "part.yaml").write_text("schema: 1\nsummary: P.\nstages:\n  - {pass: csee}\n")
    assert refused("check mine.yaml") == (
        "Error: part.yaml:4:12: unknown pass 'csee'; did you mean 'cse'?\n"
    )


def test_unknown_target() -> None:
    assert refused("list --target cpuu").startswith("Error: --target: unknown target 'cpuu'; ")
