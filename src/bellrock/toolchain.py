"""The packages underneath: which versions are installed, and whether they are the right ones.

Flows in: what pip knows. Flows out: versions for records and cache keys, or a `ToolchainError`
that says what to install. Nothing is imported to find out.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from bellrock.errors import ToolchainError

REQUIRED = {"torch": "2.13.0", "torch-mlir": "20261001"}
"""The one pair that works together; the same pins are in `pyproject.toml`."""

RECORDED = ("bellrock", "torch", "torch-mlir", "llvmlite", "intel-openmp", "numpy")
"""Packages that decide what code comes out, or how fast it runs."""


def installed(package: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that a record and a cache key have to name."""
    return {package: found for package in RECORDED if (found := installed(package))}


def check_toolchain() -> None:
    """Make sure that the pair of torch and torch-mlir is the one Bellrock is built for.

    Raises:
        ToolchainError: one of them is absent or of another version.
    """
    found = {package: installed(package) for package in REQUIRED}
    # A local part such as `+cpu` names a build of the same version.
    wrong = [p for p, v in found.items() if v is None or v.partition("+")[0] != REQUIRED[p]]
    if not wrong:
        return
    pins = " ".join(f"{package}=={pin}" for package, pin in REQUIRED.items())
    raise ToolchainError(
        f"{' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not the one that Bellrock "
        "is built for",
        got=", ".join(f"{package} {found[package] or 'not installed'}" for package in REQUIRED),
        allowed=" with ".join(f"{package} {pin}" for package, pin in REQUIRED.items()),
        hint=f"pip install {pins}",
    )
