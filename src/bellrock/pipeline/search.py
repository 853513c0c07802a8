"""Descriptors by name: where they are looked for, and which there are.

Flows in: a name or a path, the folders of a target and a user. Flows out: a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bellrock.errors import PipelineError
from bellrock.pipeline.invalid import unknown
from bellrock.pipeline.source import read_source

LIBRARY = Path(__file__).parent / "library"
"""Descriptors that come with Bellrock; searched after all other folders."""

SUFFIX = ".yaml"


def find_pipeline(
    name: str | Path, search: Sequence[Path], *, folder: Path, where: str | None
) -> Path:
    """Return the file of a descriptor.

    Args:
        name: a path (a `Path`, or text that ends in `.yaml` or `.yml`), or a name below a
            folder, e.g. `common/normalise`.
        search: folders for names, in order; the library comes after them.
        folder: that a path is relative to.
        where: file:line that asks, for the message.

    Raises:
        PipelineError: there is none.
    """
    if isinstance(name, Path) or name.endswith((SUFFIX, ".yml")):
        path = folder / name
        if not path.is_file():
            raise PipelineError("no such pipeline file", got=path, where=where)
        return path
    for each in (*search, LIBRARY):
        path = each / f"{name}{SUFFIX}"
        if path.is_file():
            return path
    raise unknown("pipeline", name, list_pipelines(search), where)


def list_pipelines(search: Sequence[Path] = ()) -> dict[str, Path]:
    """Return every descriptor by name, those of earlier folders hiding later ones."""
    found: dict[str, Path] = {}
    for folder in (*search, LIBRARY):
        for path in sorted(folder.rglob(f"*{SUFFIX}")):
            found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    return dict(sorted(found.items()))


def read_summary(path: Path) -> str:
    """Return the `summary` of a descriptor without checking the rest of it."""
    return str(read_source(path).data.get("summary", ""))
