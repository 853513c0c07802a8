"""A stage that failed: its error, and a folder that shows the failure again.

Flows in: the module before the stage, the stages that were left, the error. Flows out: a
`StageFailedError` with a short message, and a reproducer folder with everything.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from bellrock.errors import StageError
from bellrock.pipeline.environment import Environment
from bellrock.pipeline.show import show_pipeline
from bellrock.pipeline.stage import Pipeline, Step, TransformStage

SHORT_CHARACTERS = 300
"""Length of the diagnostics in a message; `error.txt` has all."""

KEPT = 100
"""Reproducers in the user's cache folder; older ones are removed."""


class StageFailedError(StageError):
    """A stage failed on a payload.

    Attributes:
        stage: the stage's name.
        reproducer: folder that shows the failure again, or None if it could not be written.
        diagnostics: everything that MLIR and Python said, in full.
    """

    def __init__(
        self,
        what: str,
        *,
        stage: str = "",
        reproducer: Path | None = None,
        diagnostics: str = "",
        got: object = None,
        where: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what, got=got, where=where, hint=hint)
        self.stage, self.reproducer, self.diagnostics = stage, reproducer, diagnostics


def stage_failed(
    pipeline: Pipeline,
    left: Sequence[Step],
    *,
    before: str,
    diagnostics: str,
    environment: Environment,
) -> StageFailedError:
    """Write the reproducer of a failure and return the error to raise.

    Args:
        pipeline: that was running.
        left: its steps from the failing one on.
        before: text of the module before the failing step.
        diagnostics: in full.
        environment: of the run.
    """
    step = left[0]
    wanted = environment.snapshots.reproducer_dir
    base = wanted or platformdirs.user_cache_path("bellrock") / "reproducers"
    try:
        folder = _write(base, pipeline, left, before, diagnostics, environment)
        if wanted is None:
            _drop_oldest(base)
        hint = f"the reproducer {folder} has a README that shows it again"
    except OSError as error:
        folder = None
        hint = f"no reproducer: {base} cannot be written ({error.strerror})"
    return StageFailedError(
        f"the stage {step.name!r} failed",
        stage=step.name,
        reproducer=folder,
        diagnostics=diagnostics,
        got=_short(diagnostics),
        where=step.where or None,
        hint=hint,
    )


def _drop_oldest(base: Path) -> None:
    """Keep the user's cache from growing without end; other folders are the user's own."""
    ages: list[tuple[float, Path]] = []
    for folder in base.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process drops it, too
            ages.append((folder.stat().st_mtime, folder))
    for _, folder in sorted(ages)[:-KEPT]:
        shutil.rmtree(folder, ignore_errors=True)


def _short(diagnostics: str) -> str:
    lines = [line.strip() for line in diagnostics.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line or "Diagnostic message at" in line]
    line = (errors or lines or ["no diagnostic"])[0].rstrip(".")
    return line if len(line) <= SHORT_CHARACTERS else line[: SHORT_CHARACTERS - 3] + "..."


def _write(
    base: Path,
    pipeline: Pipeline,
    left: Sequence[Step],
    before: str,
    diagnostics: str,
    environment: Environment,
) -> Path:
    base.mkdir(parents=True, exist_ok=True)
    label = re.sub(r"[^A-Za-z0-9_.-]", "-", f"{Path(pipeline.name).stem}-{left[0].name}")
    folder = Path(tempfile.mkdtemp(prefix=f"{label}-", dir=base))
    (folder / "before.mlir").write_text(before, encoding="utf-8")
    (folder / "error.txt").write_text(diagnostics.rstrip() + "\n", encoding="utf-8")
    files: dict[str, str] = {}

    def transform_path(stage: TransformStage) -> str:
        name = f"{stage.name}.mlir"
        files[name] = stage.text
        return name

    rest = Pipeline(
        name=pipeline.name, summary=f"What was left of {pipeline.name}.", stages=tuple(left)
    )
    (folder / "stage.yaml").write_text(
        show_pipeline(rest, transform_path=transform_path), encoding="utf-8"
    )
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = ["bellrock", "opt", "before.mlir", "--pipeline", "stage.yaml"]
    command += ["--stop-after", left[0].name]
    if environment.target is not None:
        command += ["--target", environment.target]
    if environment.lock is not None:
        (folder / "lock.yaml").write_text(environment.lock, encoding="utf-8")
        command += ["--lock", "lock.yaml"]
    readme = _README.format(
        stage=left[0].name,
        pipeline=pipeline.name,
        folder=shlex.quote(str(folder.resolve())),
        command=shlex.join(command),
    )
    (folder / "README").write_text(readme, encoding="utf-8")
    return folder


_README = """\
The stage {stage!r} of the pipeline {pipeline!r} failed. To see it again:

    cd {folder}
    {command}

before.mlir  the module before the stage
stage.yaml   the stage, and those after it
error.txt    all diagnostics
"""
