"""Pipelines back to YAML: what `load` reads, `show` writes.

Flows in: resolved stages. Flows out: a valid descriptor without includes and variables.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from bellrock.pipeline.naming import name_stages
from bellrock.pipeline.stage import (
    GroupStage,
    KernelsStage,
    OptionValue,
    PassStage,
    Pipeline,
    ScheduleStage,
    SelectStage,
    Stage,
    TransformStage,
    WhenStage,
    flatten,
    walk,
)

_WORDS = re.compile(r"[\w/][\w./-]*( [\w/][\w./-]*)*", re.ASCII)
"""Text whose quoting is left to the YAML library (which quotes `true` and the like)."""
_WIDTH = 4096
"""No line is broken: it would be broken inside brackets, where it helps nobody."""

TransformPath = Callable[[TransformStage], str]
"""How a descriptor names the file of a transform stage."""


def show_pipeline(
    pipeline: Pipeline, *, transform_path: TransformPath = lambda stage: stage.path
) -> str:
    """Return a pipeline as the text of one descriptor; loading it gives equal stages.

    Args:
        pipeline: any; includes are put in place.
        transform_path: paths for transform files; absolute or relative to where the
            text is going to be.
    """
    stages = flatten(pipeline).stages
    entries = _entries(stages, _names_to_write(stages), transform_path)
    return _dump({"schema": 1, "summary": _quoted(pipeline.summary), "stages": entries})


def canonical_text(stages: Sequence[Stage]) -> str:
    """Return text that is equal exactly for stages that do the same, to be hashed.

    Names and places are left out; the text of a transform file is in.
    """
    return json.dumps([_canonical(stage) for stage in stages])


def _canonical(stage: Stage) -> list[object]:
    facts: list[object] = [type(stage).__name__]
    for each in dataclasses.fields(stage):
        value = getattr(stage, each.name)
        if each.name in ("stages", "then", "otherwise"):
            facts.append([_canonical(inner) for inner in value])
        elif each.compare and each.name not in ("name", "source"):
            facts.append(value)
    return facts


def _dump(document: Mapping[str, object]) -> str:
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(dict(document), stream)
    return stream.getvalue()


def _names_to_write(stages: Sequence[Stage]) -> frozenset[str]:
    """Return the names that a reader of the text would not make up itself."""
    given: set[str] = set()
    while True:
        bare = tuple(_bare(stage, given) for stage in stages)
        made = [stage.name for stage in walk(name_stages(bare))]
        meant = [stage.name for stage in walk(stages)]
        missed = {name for name, guess in zip(meant, made, strict=True) if name != guess}
        if not missed:
            return frozenset(given)
        given |= missed


def _bare(stage: Stage, given: set[str]) -> Stage:
    name = stage.name if stage.name in given else ""
    match stage:
        case KernelsStage() | GroupStage():
            inner = tuple(_bare(each, given) for each in stage.stages)
            return dataclasses.replace(stage, name=name, stages=inner)
        case WhenStage():
            return dataclasses.replace(
                stage,
                name=name,
                then=tuple(_bare(each, given) for each in stage.then),
                otherwise=tuple(_bare(each, given) for each in stage.otherwise),
            )
        case _:
            return dataclasses.replace(stage, name=name)


def _entries(
    stages: Sequence[Stage], names: frozenset[str], path: TransformPath
) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = []
    for stage in stages:
        entry = _entry(stage, names, path)
        if stage.name in names:
            entry["name"] = stage.name
        entries.append(entry)
    return entries


def _entry(stage: Stage, names: frozenset[str], path: TransformPath) -> dict[str, object]:
    match stage:
        case PassStage():
            return _pass_entry(stage)
        case ScheduleStage():
            call = _line(name=_text(stage.schedule), options=_value(stage.options))
            return {"schedule": call if stage.options else call["name"]}
        case TransformStage():
            return {"transform": _text(path(stage)), "sequence": _text(stage.sequence)}
        case SelectStage():
            motifs = "all" if stage.motifs is None else _value(stage.motifs)
            return {"select": _line(motifs=motifs, by=_value(stage.by))}
        case KernelsStage():
            return {"kernels": _entries(stage.stages, names, path)}
        case WhenStage():
            branches = {"then": stage.then, "else": stage.otherwise}
            inner = {key: _entries(each, names, path) for key, each in branches.items() if each}
            values = _text(stage.values[0]) if len(stage.values) == 1 else _value(stage.values)
            return {"when": _line(**{stage.of: values}), **inner}
        case GroupStage():
            raise AssertionError("a flattened pipeline has no groups")


def _pass_entry(stage: PassStage) -> dict[str, object]:
    entry: dict[str, object] = {"pass": _text(stage.pass_name)}
    inner = stage.on[1:]
    if inner:
        entry["on"] = _text(inner[0]) if len(inner) == 1 else _value(inner)
    if stage.options:
        entry["options"] = _value(stage.options)
    return entry


def _value(value: OptionValue) -> object:
    """Return a value as it is written: maps and lists on one line."""
    if isinstance(value, Mapping):
        inner = CommentedMap({_quoted(key): _value(each) for key, each in value.items()})
        inner.fa.set_flow_style()
        return inner
    if isinstance(value, list | tuple):
        items = CommentedSeq(_value(each) for each in value)
        items.fa.set_flow_style()
        return items
    return _text(value) if isinstance(value, str) else value


def _quoted(text: str) -> str:
    return text if _WORDS.fullmatch(text) else DoubleQuotedScalarString(text)


def _line(**entries: object) -> CommentedMap:
    line = CommentedMap(entries)
    line.fa.set_flow_style()
    return line


def _text(value: str) -> str:
    """Escape what the loader would take for a variable, and quote what is not plainly a word."""
    return _quoted(value.replace("${", "$${"))
