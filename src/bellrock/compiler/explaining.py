"""What a pipeline chooses for a payload, and what the cost model says of the alternatives.

Flows in: a payload, a target, a pipeline. Flows out: for each distinct motif its choice and a
`Ranking`. The pipeline runs up to its last selection; nothing is lowered.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.compiler.compiling import pipeline_for
from bellrock.compiler.schedules import schedules_of
from bellrock.errors import PipelineError
from bellrock.params.lock import Lock, LockRow
from bellrock.params.ranking import Ranking, rank
from bellrock.payload import Payload
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.pipeline.environment import Environment, Snapshots
from bellrock.pipeline.stage import SelectStage, walk
from bellrock.target import TARGETS
from bellrock.target.base import Target

if TYPE_CHECKING:
    from torch_mlir import ir


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedMotif:
    """One distinct motif of a payload."""

    motif: Motif
    ops: int
    """That have it."""
    row: LockRow
    """What was chosen, and by whom."""
    ranking: Ranking | None
    """None where the target has no model for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What was chosen for a payload, and why."""

    target: str
    device: str
    by: tuple[str, ...]
    """The selectors, in the order in which they were asked."""
    motifs: tuple[ExplainedMotif, ...]
    """In order of first occurrence."""
    warnings: tuple[str, ...]


def explain_payload(
    payload: Payload,
    *,
    target: str = "cpu",
    pipeline: str | Path | None = None,
    lock: Lock | None = None,
    top: int = 5,
) -> Explanation:
    """Run a pipeline up to its last selection, and rank what could be chosen.

    Args:
        payload: to choose for.
        target: name.
        pipeline: name or path of a descriptor; None is the target's default.
        lock: choices to use again.
        top: how many candidates of each motif are ranked.

    Raises:
        PipelineError: the pipeline selects nothing.
        BellrockError: as the stages up to the selection raise it.
    """
    from torch_mlir import ir

    from bellrock.dialects import register
    from bellrock.pipeline.driver import run_pipeline

    plugin = TARGETS.get(target)
    loaded = pipeline_for(target, pipeline)
    selections = [s for s in walk(loaded.stages) if isinstance(s, SelectStage)]
    if not selections:
        raise PipelineError("the pipeline selects nothing", got=loaded.name)
    found = _Found(plugin, lock)
    environment = Environment(
        features=plugin.facts().features,
        schedule=schedules_of(plugin),
        select=found.select,
        snapshots=Snapshots(stop_after=selections[-1].name),
        target=plugin.name,
    )
    text, context = payload.text(), ir.Context()
    register(context)
    with context, ir.Location.unknown(context):
        run_pipeline(loaded, ir.Module.parse(text), environment)
    explained = [
        ExplainedMotif(motif=m, ops=n, row=found.rows[key], ranking=rank(m, plugin, top=top))
        for key, (m, n) in found.motifs.items()
        if key in found.rows
    ]
    return Explanation(
        target=plugin.name,
        device=plugin.facts().device,
        by=selections[-1].by,
        motifs=tuple(explained),
        warnings=tuple(found.warnings),
    )


class _Found:
    """Motifs and choices, collected by the selection stages."""

    def __init__(self, target: Target, lock: Lock | None) -> None:
        self._target, self._lock = target, lock
        self.motifs: dict[str, tuple[Motif, int]] = {}
        self.rows: dict[str, LockRow] = {}
        self.warnings: list[str] = []

    def select(self, module: ir.Module, stage: SelectStage) -> None:
        """Choose as `compile_payload` does, and note the motifs."""
        from bellrock.params.select import anchors_of, select_all

        for _, motif in anchors_of(module, frozenset(MotifKind)):
            first, ops = self.motifs.get(motif.signature(), (motif, 0))
            self.motifs[motif.signature()] = (first, ops + 1)
        selection = select_all(
            module,
            by=stage.by,
            target=self._target,
            motifs="all" if stage.motifs is None else stage.motifs,
            lock=self._lock,
        )
        self.rows |= {row.motif: row for row in selection.rows}
        self.warnings += selection.warnings
