"""Descriptors to pipelines: everything that can be wrong is found here, before a stage runs.

Flows in: the name or path of a descriptor, values for its variables, and the names that
are registered. Flows out: a `Pipeline`, or a `PipelineError` with file:line:column.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

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
from bellrock.pipeline.invalid import check_known, invalid
from bellrock.pipeline.naming import name_stages
from bellrock.pipeline.passes import check_pass
from bellrock.pipeline.search import find_pipeline
from bellrock.pipeline.sequences import read_sequence
from bellrock.pipeline.source import Keys, Source, Value, read_source
from bellrock.pipeline.stage import (
    NO_CHOICE,
    GroupStage,
    KernelsStage,
    PassStage,
    Pipeline,
    ScheduleStage,
    SelectStage,
    Stage,
    TransformStage,
    WhenStage,
)
from bellrock.pipeline.variables import Scope, open_scope, typed

if TYPE_CHECKING:
    from torch_mlir import ir


def load_pipeline(
    name_or_path: str | Path,
    *,
    search: Sequence[Path] = (),
    variables: Mapping[str, object] | None = None,
    target_facts: Mapping[str, object] | None = None,
    schedules: Collection[str] = (),
    selectors: Collection[str] = (),
    motifs: Collection[str] | None = None,
    choices: Collection[str] | None = None,
    features: Collection[str] | None = None,
    register: Callable[[ir.Context], None] | None = None,
) -> Pipeline:
    """Load a pipeline and check all of it, included descriptors and both branches too.

    Args:
        name_or_path: a path (a `Path`, or text that ends in `.yaml`), or a name below a
            search folder, e.g. `common/normalise`.
        search: folders of descriptors, in order; the library comes after them.
        variables: values for the pipeline's variables.
        target_facts: what `${target.NAME}` gives.
        schedules: names that `schedule:` may use.
        selectors: names that `select: {by: ...}` may use.
        motifs: names that `select: {motifs: ...}` may use; None: not checked.
        choices: names of classes of knobs, for `when: {choice: ...}`; None: not checked.
        features: that devices may have, for `when: {feature: ...}`; None: not checked.
        register: makes dialects known, for parsing transform files.

    Raises:
        PipelineError: the descriptor is malformed or names something unknown.
    """
    loader = _Loader(
        search=search,
        facts=_plain_values(target_facts or {}),
        schedules=schedules,
        selectors=selectors,
        motifs=motifs,
        choices=choices,
        features=features,
        register=register,
    )
    path = find_pipeline(name_or_path, search, folder=Path(), where=None)
    given = _plain_values(variables or {})
    places = dict.fromkeys(given, f"values given to {path}")
    loaded = loader.load(path, given=given, given_at=places, asked_at=None)
    return Pipeline(
        name=str(name_or_path),
        summary=loaded.summary,
        stages=name_stages(loaded.stages),
        variables=loaded.variables,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    summary: str
    stages: tuple[Stage, ...]
    variables: Mapping[str, Value]


@dataclass(kw_only=True)
class _File:
    """One descriptor while its stages are built."""

    source: Source
    scope: Scope
    declared: Descriptor
    labels: dict[str, str] = field(default_factory=dict)
    """Names given in this file, and where."""

    def where(self, keys: Keys, *, key: bool = False) -> str:
        """Return `file:line:column` of a value, or of the key that it is under."""
        return self.source.where(keys, key=key)


@dataclass(kw_only=True)
class _Loader:
    search: Sequence[Path]
    facts: Mapping[str, Value]
    schedules: Collection[str]
    selectors: Collection[str]
    motifs: Collection[str] | None
    choices: Collection[str] | None
    features: Collection[str] | None
    register: Callable[[ir.Context], None] | None
    open_files: list[Path] = field(default_factory=list)
    """The chain of includes that is being loaded, outermost first."""

    def load(
        self,
        path: Path,
        *,
        given: Mapping[str, Value],
        given_at: Mapping[str, str],
        asked_at: str | None,
    ) -> _Loaded:
        """Load one file and everything that it includes."""
        source = read_source(path)
        declared = _validate(source, {**source.data, "stages": []} if _has_stages(source) else None)
        scope = open_scope(
            source,
            declared.variables,
            given=given,
            facts=self.facts,
            given_at=given_at,
            asked_at=asked_at,
        )
        stages = scope.resolve(source.data["stages"], ("stages",))
        descriptor = _validate(source, {**source.data, "stages": stages})
        file = _File(source=source, scope=scope, declared=declared)
        self.open_files.append(path.resolve())
        built = self._stages(descriptor.stages, ("stages",), file)
        self.open_files.pop()
        scope.check_used()
        return _Loaded(summary=descriptor.summary, stages=built, variables=scope.values)

    def _stages(self, entries: Sequence[StageEntry], keys: Keys, file: _File) -> tuple[Stage, ...]:
        stages: list[Stage] = []
        for index, entry in enumerate(entries):
            stages.extend(self._stage(entry, (*keys, index), file))
        return tuple(stages)

    def _stage(self, entry: StageEntry, keys: Keys, file: _File) -> tuple[Stage, ...]:
        where, name = file.where(keys), self._label(entry, keys, file)
        match entry:
            case IncludeEntry():
                return (self._include(entry, name, keys, file),)
            case WhenEntry():
                return self._when(entry, name, keys, file)
            case KernelsEntry():
                inner = self._stages(entry.kernels, (*keys, "kernels"), file)
                return (KernelsStage(name=name, where=where, stages=inner),)
            case PassEntry():
                stage = _pass_stage(entry, name, where)
                check_pass(stage, lambda *inner, key=False: file.where((*keys, *inner), key=key))
                return (stage,)
            case ScheduleEntry():
                call = entry.schedule
                at = file.where((*keys, "schedule", "name"))
                check_known("schedule", [call.name], self.schedules, at)
                return (
                    ScheduleStage(name=name, where=where, schedule=call.name, options=call.options),
                )
            case TransformEntry():
                return (self._transform(entry, name, keys, file),)
            case SelectEntry():
                return (self._select(entry, name, keys, file),)

    def _label(self, entry: StageEntry, keys: Keys, file: _File) -> str:
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

    def _include(self, entry: IncludeEntry, name: str, keys: Keys, file: _File) -> GroupStage:
        where = file.where((*keys, "include"))
        folder = file.source.path.parent
        path = find_pipeline(entry.include, self.search, folder=folder, where=where)
        if path.resolve() in self.open_files:
            chain = [p.name for p in self.open_files[self.open_files.index(path.resolve()) :]]
            raise PipelineError(
                "a pipeline includes itself", got=" -> ".join([*chain, path.name]), where=where
            )
        given = _plain_values(entry.variables)
        places = {each: file.where((*keys, "variables", each)) for each in given}
        loaded = self.load(path, given=given, given_at=places, asked_at=where)
        return GroupStage(name=name, where=where, source=entry.include, stages=loaded.stages)

    def _when(self, entry: WhenEntry, name: str, keys: Keys, file: _File) -> tuple[Stage, ...]:
        then = self._stages(entry.then, (*keys, "then"), file)
        otherwise = self._stages(entry.otherwise, (*keys, "else"), file)
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

    def _values(self, condition: Condition, keys: Keys, file: _File) -> tuple[str, ...]:
        """Return the features or classes of knobs of a condition, checked."""
        if condition.feature is not None:
            values = (condition.feature,)
            if self.features is not None:
                check_known("feature", values, self.features, file.where((*keys, "feature")))
            return values
        choice = condition.choice
        values = (choice,) if isinstance(choice, str) else tuple(choice or ())
        if self.choices is not None:
            known = [*self.choices, NO_CHOICE]
            check_known("choice", values, known, file.where((*keys, "choice")))
        return values

    def _transform(
        self, entry: TransformEntry, name: str, keys: Keys, file: _File
    ) -> TransformStage:
        path = file.source.path.parent / entry.transform
        text = read_sequence(
            path,
            entry.sequence,
            file_where=file.where((*keys, "transform")),
            sequence_where=file.where((*keys, "sequence")),
            register=self.register,
        )
        return TransformStage(
            name=name,
            where=file.where(keys),
            path=str(path.resolve()),
            text=text,
            sequence=entry.sequence,
        )

    def _select(self, entry: SelectEntry, name: str, keys: Keys, file: _File) -> SelectStage:
        call = entry.select
        for index, selector in enumerate(call.by):
            at = file.where((*keys, "select", "by", index))
            check_known("selector", [selector], self.selectors, at)
        motifs = None if call.motifs == "all" else tuple(call.motifs)
        for index, motif in enumerate(motifs or ()):
            if self.motifs is not None:
                at = file.where((*keys, "select", "motifs", index))
                check_known("motif", [motif], self.motifs, at)
        return SelectStage(name=name, where=file.where(keys), motifs=motifs, by=tuple(call.by))


def _has_stages(source: Source) -> bool:
    return isinstance(source.data.get("stages"), list)


def _validate(source: Source, data: Mapping[str, Value] | None) -> Descriptor:
    """Check values against the model; None stands for the file as it is."""
    try:
        return Descriptor.model_validate(source.data if data is None else data)
    except ValidationError as error:
        raise invalid(error, source) from error


def _pass_stage(entry: PassEntry, name: str, where: str) -> PassStage:
    on = (entry.on,) if isinstance(entry.on, str) else tuple(entry.on)
    if on[0] != "builtin.module":
        on = ("builtin.module", *on)
    return PassStage(
        name=name, where=where, pass_name=entry.pass_name, on=on, options=entry.options
    )


def _holds(condition: Condition, keys: Keys, file: _File) -> bool:
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


def _plain_values(values: Mapping[str, object]) -> dict[str, Value]:
    """Return values from outside as the loader's own, tuples as lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportReturnType]
        for name, value in values.items()
    }
