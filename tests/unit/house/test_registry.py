"""Plug-ins are found by entry point; whatever is wrong with one is said when it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bellrock.errors import RegistryError, UnknownNameError
from bellrock.registry import Registry

MODULE = """
from decimal import Decimal
GOOD = Decimal(3)
BAD = "a string"
"""


def _install(folder: Path, package: str, points: dict[str, str]) -> None:
    """Make a folder look like a place that a package with entry points is installed in."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("[test.numbers]\n" + "\n".join(lines) + "\n")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[object]:
    from decimal import Decimal

    (tmp_path / "plug_numbers.py").write_text(MODULE)
    (tmp_path / "plug_needy.py").write_text("import a_package_that_is_nowhere\n")
    _install(
        tmp_path,
        "plug-numbers",
        {
            "three": "plug_numbers:GOOD",
            "text": "plug_numbers:BAD",
            "needy": "plug_needy:GOOD [needs]",
            "moved": "plug_numbers.gone:GOOD",
        },
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return Registry("number", "test.numbers", Decimal)


def test_names_load_nothing(registry: Registry[object]) -> None:
    assert registry.names() == ["moved", "needy", "text", "three"]
    assert "plug_numbers" not in sys.modules


def test_a_plugin_is_loaded_when_asked_for(registry: Registry[object]) -> None:
    assert registry.get("three") == 3
    assert registry.owner("three") == "plug-numbers"
    assert registry.identity("three") == "three from plug-numbers 1.0"
    del sys.modules["plug_numbers"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("text", "the number 'text' is not a Decimal; got str from plug_numbers:BAD"),
        (
            "needy",
            "the number 'needy' needs the package 'a_package_that_is_nowhere'; "
            "pip install 'plug-numbers[needs]'.",
        ),
        (
            "moved",
            "the number 'moved' is not where its entry point says; got plug_numbers.gone:GOOD; "
            "reinstall plug-numbers.",
        ),
    ],
)
def test_broken_plugins(registry: Registry[object], name: str, said: str) -> None:
    with pytest.raises(RegistryError) as caught:
        registry.get(name)
    assert said in str(caught.value)
    sys.modules.pop("plug_numbers", None)


def test_unknown_names_are_given_a_suggestion(registry: Registry[object]) -> None:
    with pytest.raises(UnknownNameError, match=r"--n: unknown number 'tree'.*did you mean 'three'"):
        registry.get("tree", where="--n")


def test_a_clash_names_both_owners(registry: Registry[object], tmp_path: Path) -> None:
    _install(tmp_path, "other-numbers", {"three": "elsewhere:THREE"})
    with pytest.raises(RegistryError) as caught:
        registry.names()
    assert "two packages provide the number 'three'" in str(caught.value)
    assert "plug-numbers (plug_numbers:GOOD)" in str(caught.value)
    assert "other-numbers (elsewhere:THREE)" in str(caught.value)


def test_every_name_of_ours_can_be_loaded() -> None:
    """In a fresh process: what this process has loaded already may hide a missing import."""
    script = (
        "from bellrock.target import TARGETS\n"
        "from bellrock.bench.baseline import BASELINES\n"
        "from bellrock.params.select import SELECTORS\n"
        "for registry in (TARGETS, BASELINES, SELECTORS):\n"
        "    assert registry.names()\n"
        "    for name in registry.names():\n"
        "        assert registry.get(name).name == name\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
