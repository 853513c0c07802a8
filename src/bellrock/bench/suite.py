"""Suites: which problems, at which sizes.

Flows in: paths (a problem file, a folder of problem files, a suite YAML) and what narrows
them down. Flows out: `SuiteEntry` values in a fixed order, each file known to exist. Loads
neither torch nor MLIR, and no problem file: that is the work of each problem's own process.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from bellrock.bench.suite_file import OverrideValue, ProblemRow, SuiteFile, read_suite
from bellrock.errors import UnknownNameError, UsageError

KERNELBENCH = "kernelbench"
"""As a suite's root: the checkout that the user names."""
KERNELBENCH_VARIABLE = "KERNELBENCH_DIR"


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteEntry:
    """One problem to work on."""

    name: str
    """As in the report; unique among the entries of one run."""
    path: Path
    """The problem file."""
    overrides: Mapping[str, OverrideValue] = field(default_factory=dict)
    """Module globals of the problem that are replaced."""
    tags: tuple[str, ...] = ()
    tolerance: float | None = None
    """Error allowed, relative to the results' spread, instead of the computed budget."""
    skip: str | None = None
    """Why the problem is not to be run; None: it is."""
    flops: int | None = None
    """Estimate of the contractions' operations in one run."""
    peak_bytes: int | None = None
    """Estimate of the most tensor storage alive at once in an eager float32 run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """One suite file."""

    path: Path
    summary: str
    entries: tuple[SuiteEntry, ...]


def load_suite(path: Path, *, kernelbench: Path | None = None) -> Suite:
    """Load a suite file and find all problem files that it lists.

    Args:
        path: of the YAML file.
        kernelbench: checkout of KernelBench; None: as the environment says.

    Raises:
        UsageError: the suite is malformed, its root is not there, or a listed file is not.
    """
    content, places = read_suite(path)
    root = _root(content, path, kernelbench)
    entries = [
        _entry(row, content, root, where)
        for row, where in zip(content.problems, places, strict=True)
    ]
    return Suite(path=path, summary=content.summary, entries=_distinct(entries))


def expand_paths(
    paths: Sequence[Path],
    *,
    kernelbench: Path | None = None,
    only: str | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> tuple[SuiteEntry, ...]:
    """Return the problems that paths stand for, in the order of the paths.

    Args:
        paths: problem files, folders (searched recursively) and suite files.
        kernelbench: checkout of KernelBench, for suites that need one.
        only: keep names that contain this text, or match this glob (with or without folders).
        sample: keep this many, chosen at random.
        seed: of that choice.

    Raises:
        UsageError: a path is missing or of no known kind, a suite is wrong, or nothing
            is left.
    """
    found = [entry for path in paths for entry in _expand(path, kernelbench)]
    entries = _distinct(found)
    if only is not None:
        entries = _matching(entries, only)
    if sample is None:
        return entries
    if sample < 1:
        raise UsageError("a sample holds at least one problem", got=sample)
    chosen = random.Random(seed).sample(range(len(entries)), min(sample, len(entries)))
    return tuple(entries[index] for index in sorted(chosen))


def find_kernelbench(directory: Path | None) -> Path:
    """Return the folder with `level1/` of a KernelBench checkout.

    Args:
        directory: that folder, or the top of the repository; None: as the environment
            variable KERNELBENCH_DIR says.

    Raises:
        UsageError: none is named, or there is none at that place.
    """
    named = directory is not None
    source = "--kernelbench" if named else KERNELBENCH_VARIABLE
    text = str(directory) if named else os.environ.get(KERNELBENCH_VARIABLE, "")
    if not text:
        raise UsageError(
            "this suite lists problems of KernelBench, which is no part of Bellrock: a public "
            "collection of PyTorch models in folders level1 to level4",
            hint=f"clone KernelBench and name the clone by --kernelbench DIR or "
            f"{KERNELBENCH_VARIABLE}",
        )
    for folder in (Path(text), Path(text) / "KernelBench"):
        if (folder / "level1").is_dir():
            return folder
    raise UsageError(
        "not a checkout of KernelBench",
        got=text,
        allowed="a folder that contains level1/, or KernelBench/level1/",
        where=source,
    )


def _root(content: SuiteFile, path: Path, kernelbench: Path | None) -> Path:
    if content.root == KERNELBENCH:
        try:
            return find_kernelbench(kernelbench)
        except UsageError as error:
            where = path if error.where is None else f"{path} ({error.where})"
            raise UsageError(
                error.what, got=error.got, allowed=error.allowed, where=where, hint=error.hint
            ) from error
    root = path.parent / content.root
    if not root.is_dir():
        raise UsageError(
            "the suite's root is not a folder",
            got=root,
            allowed=f"{KERNELBENCH!r}, or a folder relative to the suite file",
            where=path,
        )
    return root


def _entry(row: ProblemRow, content: SuiteFile, root: Path, where: str) -> SuiteEntry:
    path = root / row.file
    if not path.is_file():
        hint = "the checkout may be of another version" if content.root == KERNELBENCH else None
        raise UsageError(f"no problem file {row.file!r}", got=path, where=where, hint=hint)
    defaults, estimate = content.defaults, row.estimate
    return SuiteEntry(
        name=_name(Path(row.file)),
        path=path,
        overrides={**defaults.set, **row.set},
        tags=tuple(dict.fromkeys([*defaults.tags, *row.tags])),
        tolerance=row.tolerance if row.tolerance is not None else defaults.tolerance,
        skip=row.skip,
        flops=estimate.flops if estimate else None,
        peak_bytes=estimate.peak_bytes if estimate else None,
    )


def _expand(path: Path, kernelbench: Path | None) -> Sequence[SuiteEntry]:
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise UsageError(
            "no such file or folder",
            got=path,
            allowed="a problem file (.py), a folder of problem files, a suite (.yaml)",
        )
    if path.suffix in (".yaml", ".yml"):
        return load_suite(path, kernelbench=kernelbench).entries
    if path.suffix == ".py":
        return [SuiteEntry(name=path.stem, path=path)]
    raise UsageError(
        "not a problem or a suite", got=path, allowed="a .py file, a folder, a .yaml file"
    )


def _folder(folder: Path) -> Sequence[SuiteEntry]:
    """Return every problem file below a folder; hidden and `_private` ones are not problems."""
    files = [
        path
        for path in folder.rglob("*.py")
        if not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise UsageError("no problem file (.py) in the folder", got=folder)
    names = {path: _name(path.relative_to(folder)) for path in files}
    return [SuiteEntry(name=names[p], path=p) for p in sorted(files, key=lambda p: _key(names[p]))]


def _name(relative: Path) -> str:
    return relative.with_suffix("").as_posix()


def _key(name: str) -> list[tuple[int, int, str]]:
    """Order as people do: by number where there is one, so that 2 stands before 10."""
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", name) if p]


def _distinct(entries: Iterable[SuiteEntry]) -> tuple[SuiteEntry, ...]:
    """Drop repetitions, and give different entries different names."""
    kept: dict[tuple[Path, str], SuiteEntry] = {}
    for entry in entries:
        kept.setdefault((entry.path.resolve(), repr(sorted(entry.overrides.items()))), entry)
    result = list(kept.values())
    files = Counter(name for name, _ in {(e.name, e.path.resolve()) for e in result})
    result = [replace(e, name=_with_folder(e)) if files[e.name] > 1 else e for e in result]
    count = Counter(entry.name for entry in result)
    return tuple(replace(e, name=_with_overrides(e)) if count[e.name] > 1 else e for e in result)


def _with_folder(entry: SuiteEntry) -> str:
    return _name(entry.path)


def _with_overrides(entry: SuiteEntry) -> str:
    return entry.name + "[" + ",".join(f"{k}={v}" for k, v in entry.overrides.items()) + "]"


def _matching(entries: tuple[SuiteEntry, ...], pattern: str) -> tuple[SuiteEntry, ...]:
    kept = tuple(
        entry
        for entry in entries
        if pattern in entry.name
        or fnmatchcase(entry.name, pattern)
        or fnmatchcase(entry.name.rpartition("/")[2], pattern)
    )
    if kept:
        return kept
    names = [entry.name for entry in entries]
    if len(names) <= 60:
        raise UnknownNameError("problem", pattern, names)
    raise UsageError(
        "no problem has a name like this",
        got=pattern,
        hint=f"{len(names)} names were searched, such as {names[0]!r}",
    )
