"""The pins in code and in pyproject.toml are one, and another pair is refused clearly."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bellrock import toolchain
from bellrock.errors import ToolchainError

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]


def test_pins_agree_with_pyproject() -> None:
    for package, pin in toolchain.REQUIRED.items():
        assert f"{package}=={pin}" in PROJECT["dependencies"]


def test_no_extra_asks_for_another_torch() -> None:
    for requirements in PROJECT["optional-dependencies"].values():
        for requirement in requirements:
            assert not requirement.startswith(("torch", "timm")), (
                "pip would replace the pinned pair"
            )


def test_the_installed_pair_is_accepted() -> None:
    toolchain.check_toolchain()


@pytest.mark.parametrize(
    ("package", "found", "said"),
    [
        ("torch", "2.14.0", "torch is not the one"),
        ("torch", "2.13.1+cpu", "torch 2.13.1+cpu"),
        ("torch-mlir", None, "torch-mlir not installed"),
    ],
)
def test_another_pair_is_refused(
    monkeypatch: pytest.MonkeyPatch, package: str, found: str | None, said: str
) -> None:
    real = toolchain.installed
    monkeypatch.setattr(toolchain, "installed", lambda p: found if p == package else real(p))
    with pytest.raises(ToolchainError) as caught:
        toolchain.check_toolchain()
    assert said in str(caught.value)
    assert "pip install torch==2.13.0 torch-mlir==20261001" in str(caught.value)
