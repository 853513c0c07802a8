"""Rules for files: sizes, names, docstrings, who prints, and what no file may mention."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LARGEST_LINES = 400
LONGEST_FUNCTION_LINES = 70
"""Without the docstring; 40 is what to aim at."""
VAGUE_FOLDERS = {"utils", "util", "helpers", "helper", "common", "misc"}
PRINTING_ROOMS = {"cli", "report"}

FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.}~-])/(?:home|root|tmp|work|opt|mnt)/\w"),
    "a package host": re.compile(r"https?://[^\s)]*(?:pypi|pythonhosted|pytorch\.org/whl)"),
    "unfinished work": re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b"),
}


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: there is no list of the repository's files")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_relative)
def test_source_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= LARGEST_LINES, "split it by what it is for"
    assert ast.get_docstring(tree), "say what the file is, what flows in, what flows out"
    room = path.relative_to(ROOT / "src" / "bellrock").parts[0]
    if room not in PRINTING_ROOMS:
        prints = [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ]
        assert not prints, f"only {PRINTING_ROOMS} print (lines {prints})"
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    long = [f.name for f in functions if _lines(f) > LONGEST_FUNCTION_LINES]
    assert not long, "split it by what it does"


def _lines(function: ast.FunctionDef) -> int:
    assert function.end_lineno is not None
    documented = ast.get_docstring(function, clean=False) or ""
    return function.end_lineno - function.lineno + 1 - len(documented.splitlines())


def test_names_of_files_and_folders() -> None:
    for path in SOURCES:
        assert re.fullmatch(r"_{0,2}[a-z][a-z0-9_]*\.py", path.name), path
    folders = {folder for path in SOURCES for folder in path.relative_to(ROOT).parts[:-1]}
    assert not folders & VAGUE_FOLDERS, "name a folder by what is in it"
    for kind in ("src", "suites"):
        for path in (ROOT / kind).rglob("*.yaml"):
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*\.yaml", path.name), path


def test_tests_are_no_packages() -> None:
    packages = [p for p in (ROOT / "tests").rglob("__init__.py") if "plugin_null" not in p.parts]
    assert not packages, "pytest imports by path here (--import-mode=importlib)"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_mentions(what: str) -> None:
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{_relative(path)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if FORBIDDEN[what].search(line)
        ]
    assert not found, f"{what}:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a path of one machine", "see " + "/home" + "/me/notes"),
        ("a package host", "https://" + "pypi" + ".example/simple"),
        ("unfinished work", "# TO" + "DO: later"),
    ],
)
def test_the_patterns_find_what_they_are_for(what: str, text: str) -> None:
    assert FORBIDDEN[what].search(text)
