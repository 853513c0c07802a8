"""The coverage map of a target: how far each problem comes, and the first op that stops it.

Flows in: records of problems, and the stages that a target's pipeline has. Flows out:
`Coverage`: a row for each problem, a column for each step from import to verified results. Columns
between are the entries of the pipeline's own descriptor, so that the map of any target looks as
its pipeline does.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bellrock.bench.record import FailureInfo, Record, Status
from bellrock.pipeline.stage import PassStage, Pipeline, Stage, children

IMPORT, CODE, RUN, VERIFY = "import", "code", "run", "verify"
_STEPS = {"load": IMPORT, "compile": CODE, "run": RUN, "verify": VERIFY}
"""Columns of failures that no stage of a pipeline names."""
_OP = re.compile(r"(?:operation |error: )'([a-z_][\w]*(?:\.[\w.]+)+)'")
_QUOTED = re.compile(r"'([a-z_]\w*(?:\.\w+)+)'")
_ATEN = re.compile(r"\b((?:torch\.)?(?:aten|prims|higher_order)[.:]+\w+(?:\.\w+)?)")
_STAGE_FAILED = re.compile(
    r"the stage '[^']*' failed; got (.*?)(?:; (?:the|no) reproducer.*)?$", re.S
)
_KERNEL = re.compile(r"k_([a-z-]+)_[0-9a-f]+-")
"""In the name of a reproducer's folder: what the kernel computes."""
MOST_CHARACTERS = 160
"""Of a message in a map."""


class Mark(enum.StrEnum):
    """What became of a problem in one column."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not-reached"
    UNKNOWN = "unknown"
    """The process ended before it could say how far it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One problem."""

    problem: str
    status: Status
    marks: tuple[Mark, ...]
    """One for each column."""
    stage: str = ""
    """That failed, as the pipeline names it."""
    kernel: str = ""
    """Kind of the kernel's anchor, where the stage is of a kernel."""
    op: str = ""
    """The first op that failed, as far as the message tells."""
    message: str = ""
    seconds: float = 0.0
    ways: Mapping[str, int]
    """How often each class of parameters was chosen."""

    @property
    def why(self) -> str:
        """What stopped it, in short."""
        prefix = f"{self.kernel} kernel: " if self.kernel else ""
        return prefix + (self.op or self.message or str(self.status))


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """The map."""

    target: str
    device: str
    dtype: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def passed(self) -> tuple[int, ...]:
        """Problems that passed each column."""
        return tuple(
            sum(row.marks[i] is Mark.PASSED for row in self.rows) for i in range(len(self.columns))
        )

    @property
    def complete(self) -> int:
        """Problems that passed all columns."""
        return sum(all(m is Mark.PASSED for m in row.marks) for row in self.rows)

    @property
    def culprits(self) -> tuple[tuple[str, str, int], ...]:
        """Column, reason and number of problems, the most frequent first."""
        found = Counter(
            (self.columns[row.marks.index(Mark.FAILED)], row.why)
            for row in self.rows
            if Mark.FAILED in row.marks
        )
        ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        return tuple((column, why, count) for (column, why), count in ordered)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The columns of a target's maps, and the column of each stage."""

    columns: tuple[str, ...]
    column_of: Mapping[str, str]


def plan_of(pipeline: Pipeline, *, verified: bool) -> Plan:
    """Return the columns that a pipeline gives: its own entries, between import and code.

    Args:
        pipeline: as loaded, with its groups.
        verified: whether problems are run and checked, too.
    """
    columns: list[str] = [IMPORT]
    column_of: dict[str, str] = {}
    for stage in pipeline.stages:
        # A pass by itself cleans up after what is before it.
        if not isinstance(stage, PassStage) or len(columns) == 1:
            columns.append(_label(stage.name))
        column_of |= dict.fromkeys(_names(stage), columns[-1])
    columns += [CODE, RUN, VERIFY] if verified else [CODE]
    return Plan(columns=tuple(columns), column_of=column_of)


def _label(name: str) -> str:
    for prefix in ("schedule-", "pass-", "common/"):
        name = name.removeprefix(prefix)
    return name


def _names(stage: Stage) -> list[str]:
    return [stage.name, *(name for inner in children(stage) for name in _names(inner))]


def coverage(records: Sequence[Record], plan: Plan, *, target: str, dtype: str) -> Coverage:
    """Return the map of records.

    Args:
        records: of `bench`, in the order that rows are to have.
        plan: of the pipeline that they were made with.
        target: that they are for.
        dtype: of the models.
    """
    device = next((r.target.device for r in records if r.target.device), "")
    return Coverage(
        target=target, device=device, dtype=dtype, columns=plan.columns,
        rows=tuple(_row(record, plan) for record in records),
    )  # fmt: skip


def _row(record: Record, plan: Plan) -> Row:
    failure = record.failure
    ways = dict(Counter(choice.knobs for choice in record.choices))
    if record.status is Status.OK or failure is None:
        marks = (Mark.PASSED,) * len(plan.columns)
        return Row(
            problem=record.problem.name, status=record.status, marks=marks, ways=ways,
            seconds=record.wall_seconds or 0.0,
        )  # fmt: skip
    return Row(
        problem=record.problem.name, status=record.status, marks=_marks(record, failure, plan),
        stage=failure.stage, kernel=_kernel(failure), op=first_op(failure),
        message=_short(failure.message),
        seconds=record.wall_seconds or 0.0, ways=ways,
    )  # fmt: skip


def _marks(record: Record, failure: FailureInfo, plan: Plan) -> tuple[Mark, ...]:
    column = plan.column_of.get(failure.stage) or _STEPS.get(failure.stage, VERIFY)
    if record.status is Status.IMPORT_FAILED:
        column = IMPORT
    if column not in plan.columns:
        column = plan.columns[-1]
    at = plan.columns.index(column)
    # A process that died while compiling did not say in which stage.
    died = record.status in (Status.CRASHED, Status.TIMEOUT, Status.OUT_OF_MEMORY)
    blind = died and failure.stage == "compile"
    before = Mark.UNKNOWN if blind else Mark.PASSED
    after = (Mark.NOT_REACHED,) * (len(plan.columns) - at - 1)
    return ((before,) * at) + (Mark.FAILED, *after)


def first_op(failure: FailureInfo) -> str:
    """Return the op that a failure is about, empty where nothing names one.

    Args:
        failure: of a record; its diagnostics are read before its message.
    """
    for text in (failure.message, failure.stderr_tail):
        for pattern in (_OP, _ATEN, _QUOTED):
            match = pattern.search(text)
            if match is not None:
                return match[1]
    return ""


def _kernel(failure: FailureInfo) -> str:
    match = _KERNEL.search(failure.reproducer or "")
    return match[1] if match else ""


def _short(message: str) -> str:
    match = _STAGE_FAILED.search(message)
    line = " ".join((match[1] if match else message).split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 3] + "..."
