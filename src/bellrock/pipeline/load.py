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
from bellrock.pipeline.building import Builder, Names, OpenFile
from bellrock.pipeline.descriptor import (
    Descriptor,
    IncludeEntry,
)
from bellrock.pipeline.invalid import invalid
from bellrock.pipeline.naming import name_stages
from bellrock.pipeline.search import find_pipeline
from bellrock.pipeline.source import Keys, Source, Value, read_source
from bellrock.pipeline.stage import (
    GroupStage,
    Pipeline,
    Stage,
)
from bellrock.pipeline.variables import open_scope

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
        names=Names(
            schedules=schedules,
            selectors=selectors,
            motifs=motifs,
            choices=choices,
            features=features,
            register=register,
        ),
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
class _Loader:
    search: Sequence[Path]
    facts: Mapping[str, Value]
    names: Names
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
        file = OpenFile(source=source, scope=scope, declared=declared)
        self.open_files.append(path.resolve())
        builder = Builder(names=self.names, include=self._include)
        built = builder.stages(descriptor.stages, ("stages",), file)
        self.open_files.pop()
        scope.check_used()
        return _Loaded(summary=descriptor.summary, stages=built, variables=scope.values)

    def _include(self, entry: IncludeEntry, name: str, keys: Keys, file: OpenFile) -> GroupStage:
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


def _has_stages(source: Source) -> bool:
    return isinstance(source.data.get("stages"), list)


def _validate(source: Source, data: Mapping[str, Value] | None) -> Descriptor:
    """Check values against the model; None stands for the file as it is."""
    try:
        return Descriptor.model_validate(source.data if data is None else data)
    except ValidationError as error:
        raise invalid(error, source) from error


def _plain_values(values: Mapping[str, object]) -> dict[str, Value]:
    """Return values from outside as the loader's own, tuples as lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportReturnType]
        for name, value in values.items()
    }
