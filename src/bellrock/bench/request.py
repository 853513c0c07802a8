"""The door between the driver and the process of one problem.

Flows in (to the child): a `Request`, as JSON. Flows out: a `Notebook`, a folder in which
the child writes which step it is in and what it knows so far, so that a crash loses neither.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bellrock.bench.record import FailureInfo, ProblemInfo, Record, Status, TargetInfo
from bellrock.errors import BellrockError


class Request(BaseModel):
    """One problem to be worked on, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: ProblemInfo
    path: Path
    """The problem file; absolute."""
    target: str = "cpu"
    dtype: str = "f32"
    seed: int = 0
    pipeline: str | None = None
    lock: Path | None = None
    against: tuple[str, ...] = ("eager", "inductor")
    tolerance: float | None = None
    """Error allowed, relative to the results' spread, instead of the computed budget."""
    lost: dict[str, FailureInfo] = {}
    """Baselines that took an earlier process of this problem down; not tried again."""
    check_only: bool = False
    trials: int = 3
    """Comparisons of the verification."""
    mutants: bool = False
    mode: Literal["hot", "cold"] = "hot"
    threads: int
    min_runs: int = 15
    time_limit_seconds: float = 600.0
    neighbours: int = 0
    """Problems that run at the same time beside this one; they stand still while it is timed."""
    cache_dir: Path | None = None
    use_cache: bool = True

    def blank(self, status: Status, failure: FailureInfo | None = None) -> Record:
        """Return a record that holds what the request says and nothing more."""
        return Record(
            problem=self.problem, target=TargetInfo(name=self.target), dtype=self.dtype,
            seed=self.seed, threads=self.threads, status=status, failure=failure,
            check_only=self.check_only,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notebook:
    """What a child leaves in its folder; readable at any time, also after a crash."""

    folder: Path

    @property
    def stderr_path(self) -> Path:
        """Where the child's standard output and error go."""
        return self.folder / "output.txt"

    def enter(self, step: str) -> None:
        """Note which step begins."""
        self._write("step", step)

    def step(self) -> str:
        """Return the step that began last."""
        return self._read("step") or "start"

    def keep(self, record: Record) -> None:
        """Note what is known so far."""
        self._write("record.json", record.line())

    def record(self) -> Record | None:
        """Return what was known last, or None."""
        text = self._read("record.json")
        return Record.model_validate_json(text) if text else None

    def finish(self) -> None:
        """Note that the record kept last is complete."""
        self._write("finished", "yes")

    def finished(self) -> bool:
        """Return whether the job came to its end."""
        return self._read("finished") is not None

    def stop(self, error: BellrockError) -> None:
        """Note an error that every other problem of the run would end on too."""
        self._write("stop.json", json.dumps([error.exit_code, str(error)]))

    def stopped(self) -> BellrockError | None:
        """Return the error noted by `stop`, or None."""
        text = self._read("stop.json")
        if text is None:
            return None
        code, message = json.loads(text)
        error = BellrockError(message.removesuffix("."))
        error.exit_code = code
        return error

    def stderr_tail(self, *, characters: int = 4000) -> str:
        """Return the end of the child's output, with room for where a fault was.

        The fault handler ends by naming every extension that is loaded: thousands of characters
        that say nothing, and would leave only the outer calls of the stack before them.
        """
        try:
            text = self.stderr_path.read_bytes().decode(errors="replace")
        except OSError:
            return ""
        said = [line for line in text.splitlines() if not line.startswith("Extension modules:")]
        return "\n".join(said)[-characters:].strip()

    def _write(self, name: str, text: str) -> None:
        # Replaced in one step: the reader may come, or the writer die, at any moment.
        draft = self.folder / f".{name}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.folder / name)

    def _read(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
