"""Entries of a descriptor to stages, every name in them checked.

Flows in: entries of an opened file. Flows out: stages, or a `PipelineError` with file:line:column.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bellrock.errors import PipelineError
from bellrock.pipeline.descriptor import (
    Condition,
    Descriptor,
    IncludeEntry,
    KernelsEntry,
    PassEntry,
    ScheduleEntry,
    SelectEntry,
    StageEntry,
    TransformEntry,
    WhenEntry,
)
from bellrock.pipeline.invalid import check_known
from bellrock.pipeline.passes import check_pass
from bellrock.pipeline.sequences import read_sequence
from bellrock.pipeline.source import Keys, Source
from bellrock.pipeline.stage import (
    NO_CHOICE,
    GroupStage,
    KernelsStage,
    PassStage,
    ScheduleStage,
    SelectStage,
    Stage,
    TransformStage,
    WhenStage,
)
from bellrock.pipeline.variables import Scope, typed

if TYPE_CHECKING:
    from torch_mlir import ir


@dataclass(kw_only=True)
class OpenFile:
    """One descriptor while its stages are built."""

    source: Source
    scope: Scope
    declared: Descriptor
    labels: dict[str, str] = field(default_factory=dict)
    """Names given in this file, and where."""

    def where(self, keys: Keys, *, key: bool = False) -> str:
        """Return `file:line:column` of a value, or of the key that it is under."""
        return self.source.where(keys, key=key)


@dataclass(frozen=True, kw_only=True)
class Names:
    """What descriptors may name; None: not checked."""

    schedules: Collection[str]
    selectors: Collection[str]
    motifs: Collection[str] | None
    choices: Collection[str] | None
    features: Collection[str] | None
    register: Callable[[ir.Context], None] | None
    """Makes dialects known, for parsing transform files."""


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Makes stages of entries."""

    names: Names
    include: Callable[[IncludeEntry, str, Keys, OpenFile], GroupStage]
    """Loads another descriptor, as a stage of the name given."""

    def stages(
        self, entries: Sequence[StageEntry], keys: Keys, file: OpenFile
    ) -> tuple[Stage, ...]:
        """Return the stages of entries, with what they include.

        Args:
            entries: of one list.
            keys: the way to the list.
            file: that it is in.
        """
        stages: list[Stage] = []
        for index, entry in enumerate(entries):
            stages.extend(self._stage(entry, (*keys, index), file))
        return tuple(stages)

    def _stage(self, entry: StageEntry, keys: Keys, file: OpenFile) -> tuple[Stage, ...]:
        where, name = file.where(keys), self._label(entry, keys, file)
        match entry:
            case IncludeEntry():
                return (self.include(entry, name, keys, file),)
            case WhenEntry():
                return self._when(entry, name, keys, file)
            case KernelsEntry():
                inner = self.stages(entry.kernels, (*keys, "kernels"), file)
                return (KernelsStage(name=name, where=where, stages=inner),)
            case PassEntry():
                stage = _pass_stage(entry, name, where)
                check_pass(stage, lambda *inner, key=False: file.where((*keys, *inner), key=key))
                return (stage,)
            case ScheduleEntry():
                call = entry.schedule
                at = file.where((*keys, "schedule", "name"))
                check_known("schedule", [call.name], self.names.schedules, at)
                return (
                    ScheduleStage(name=name, where=where, schedule=call.name, options=call.options),
                )
            case TransformEntry():
                return (self._transform(entry, name, keys, file),)
            case SelectEntry():
                return (self._select(entry, name, keys, file),)

    def _label(self, entry: StageEntry, keys: Keys, file: OpenFile) -> str:
        if entry.name is None:
            return ""
        where = file.where((*keys, "name"))
        if entry.name == "all":
            raise PipelineError(
                "a stage cannot have the name 'all'", where=where, hint="it stands for every stage"
            )
        if entry.name in file.labels:
            raise PipelineError(
                f"two stages have the name {entry.name!r}",
                got=f"the other one is at {file.labels[entry.name]}",
                where=where,
            )
        file.labels[entry.name] = where
        return entry.name

    def _when(self, entry: WhenEntry, name: str, keys: Keys, file: OpenFile) -> tuple[Stage, ...]:
        then = self.stages(entry.then, (*keys, "then"), file)
        otherwise = self.stages(entry.otherwise, (*keys, "else"), file)
        if entry.when.variable is not None:
            return then if _holds(entry.when, (*keys, "when"), file) else otherwise
        return (
            WhenStage(
                name=name,
                where=file.where(keys),
                of="feature" if entry.when.feature is not None else "choice",
                values=self._values(entry.when, (*keys, "when"), file),
                then=then,
                otherwise=otherwise,
            ),
        )

    def _values(self, condition: Condition, keys: Keys, file: OpenFile) -> tuple[str, ...]:
        """Return the features or classes of knobs of a condition, checked."""
        if condition.feature is not None:
            values = (condition.feature,)
            if self.names.features is not None:
                check_known("feature", values, self.names.features, file.where((*keys, "feature")))
            return values
        choice = condition.choice
        values = (choice,) if isinstance(choice, str) else tuple(choice or ())
        if self.names.choices is not None:
            known = [*self.names.choices, NO_CHOICE]
            check_known("choice", values, known, file.where((*keys, "choice")))
        return values

    def _transform(
        self, entry: TransformEntry, name: str, keys: Keys, file: OpenFile
    ) -> TransformStage:
        path = file.source.path.parent / entry.transform
        text = read_sequence(
            path,
            entry.sequence,
            file_where=file.where((*keys, "transform")),
            sequence_where=file.where((*keys, "sequence")),
            register=self.names.register,
        )
        return TransformStage(
            name=name,
            where=file.where(keys),
            path=str(path.resolve()),
            text=text,
            sequence=entry.sequence,
        )

    def _select(self, entry: SelectEntry, name: str, keys: Keys, file: OpenFile) -> SelectStage:
        call = entry.select
        for index, selector in enumerate(call.by):
            at = file.where((*keys, "select", "by", index))
            check_known("selector", [selector], self.names.selectors, at)
        motifs = None if call.motifs == "all" else tuple(call.motifs)
        for index, motif in enumerate(motifs or ()):
            if self.names.motifs is not None:
                at = file.where((*keys, "select", "motifs", index))
                check_known("motif", [motif], self.names.motifs, at)
        return SelectStage(name=name, where=file.where(keys), motifs=motifs, by=tuple(call.by))


def _pass_stage(entry: PassEntry, name: str, where: str) -> PassStage:
    on = (entry.on,) if isinstance(entry.on, str) else tuple(entry.on)
    if on[0] != "builtin.module":
        on = ("builtin.module", *on)
    return PassStage(
        name=name, where=where, pass_name=entry.pass_name, on=on, options=entry.options
    )


def _holds(condition: Condition, keys: Keys, file: OpenFile) -> bool:
    """Decide a condition on a variable of this descriptor."""
    name = condition.variable
    assert name is not None
    value = file.scope.lookup(name, (*keys, "variable"))
    if condition.equals is None:
        if not isinstance(value, bool):
            raise PipelineError(
                f"the variable {name!r} is not a bool",
                got=repr(value),
                where=file.where((*keys, "variable")),
                hint="compare it, with `equals:`",
            )
        return value
    spec = file.declared.variables[name]
    return typed(name, spec, condition.equals, file.where((*keys, "equals"))) == value
