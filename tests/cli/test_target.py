"""`bellrock target`, and the option `--device` of whatever compiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bellrock.cli.main import cli
from bellrock.payload import generate
from bellrock.target import TARGETS, with_device


def run(words: str) -> str:
    result = CliRunner().invoke(cli, words.split())
    assert result.exit_code == 0, result.output
    return result.output


def failure(words: str) -> str:
    result = CliRunner().invoke(cli, words.split())
    assert result.exit_code == 2
    return result.output


def test_a_device_is_shown_by_its_name_or_alias() -> None:
    for name in ("max-1550", "pvc", "PVC-1550"):
        text = run(f"target show xegpu --device {name}")
        assert "Intel Data Center GPU Max 1550" in text
        assert "cores       128" in text


def test_every_number_of_a_device_has_its_source() -> None:
    text = run("target show xegpu --device b580 --sources")
    found = json.loads(run("target show xegpu --device b580 --json"))
    assert found["facts"]["cores"] == 20
    assert "b580" in found["devices"]
    for number in found["facts"]["limits"]:
        assert f"\n  {number}: " in text


def test_a_device_that_is_not_there_is_an_error_that_says_what_is() -> None:
    text = failure("target show xegpu --device b850")
    assert "unknown device of xegpu 'b850'" in text
    assert "b580" in text
    assert "leave --device out" in failure("target show cpu --device b580")


def test_a_name_says_the_device_to_every_process() -> None:
    named = with_device("xegpu", "bmg")
    assert named == with_device("xegpu:lnl", "bmg") == "xegpu:bmg"
    assert with_device("cpu", None) == "cpu"
    target = TARGETS.get(named)
    assert target.full_name == "xegpu:b580"
    assert TARGETS.get(target.full_name) == target
    assert TARGETS.identity(target.full_name) != TARGETS.identity("xegpu:lnl")
    assert TARGETS.owner(named) == TARGETS.owner("xegpu")


def test_choices_are_explained_for_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.mlir").write_text(generate.elementwise((4096, 4096), ["exp"]))
    small, large = (
        json.loads(run(f"explain chain.mlir --target xegpu --device {name} --json"))
        for name in ("lnl", "max-1550")
    )
    assert "Lunar Lake" in small["device"]
    seconds = [d["motifs"][0]["candidates"][0]["predicted_seconds"] for d in (small, large)]
    assert seconds[0] > 5 * seconds[1]
