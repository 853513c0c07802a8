"""Show then load is the identity, and variables resolve to what they hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellrock.errors import PipelineError
from bellrock.pipeline.descriptor import Descriptor, VariableKind, VariableSpec
from bellrock.pipeline.load import load_pipeline
from bellrock.pipeline.naming import name_stages
from bellrock.pipeline.show import show_pipeline
from bellrock.pipeline.source import Value, read_source
from bellrock.pipeline.stage import (
    GroupStage,
    KernelsStage,
    PassStage,
    Pipeline,
    ScheduleStage,
    SelectStage,
    Stage,
    WhenStage,
    flatten,
    walk,
)
from bellrock.pipeline.variables import open_scope

text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe\uffff"),
    max_size=12,
)
awkward = st.sampled_from(
    [
        "true",
        "no",
        "~",
        "1",
        "1e3",
        "0x1f",
        "",
        " ",
        "a: b",
        "# c",
        "${x}",
        "$${x}",
        "- d",
        "'",
        "[e",
    ]
)
names = st.text("abcXYZ019", min_size=1, max_size=4)
scalars = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
    | awkward
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text | awkward, inner, max_size=2),
    max_leaves=4,
)
labels = st.just("") | st.sampled_from(["a", "pass-cse-2", "select", "schedule-b", "kernels-3"])


def _passes() -> st.SearchStrategy[Stage]:
    return st.builds(
        PassStage,
        name=labels,
        pass_name=st.just("cse"),
        on=st.sampled_from([("builtin.module",), ("builtin.module", "func.func")]),
    ) | st.builds(
        PassStage,
        name=labels,
        pass_name=st.just("canonicalize"),
        options=st.fixed_dictionaries(
            {},
            optional={
                "top-down": st.booleans(),
                "max-iterations": st.integers(-1, 99),
                "disable-patterns": st.lists(names, max_size=2),
            },
        ),
    )


leaves = (
    _passes()
    | st.builds(
        ScheduleStage,
        name=labels,
        schedule=text.filter(bool) | awkward.filter(bool),
        options=st.dictionaries(text | awkward, values, max_size=3),
    )
    | st.builds(
        SelectStage,
        name=labels,
        motifs=st.none() | st.lists(names, min_size=1, max_size=2).map(tuple),
        by=st.lists(names, min_size=1, max_size=2).map(tuple),
    )
)


def _nest(inner: st.SearchStrategy[Stage]) -> st.SearchStrategy[Stage]:
    some = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return (
        st.builds(KernelsStage, name=labels, stages=some)
        | st.builds(GroupStage, name=labels, source=names, stages=some)
        | st.builds(
            WhenStage,
            name=labels,
            of=st.just("feature"),
            values=names.map(lambda name: (name,)),
            then=some,
            otherwise=some | st.just(()),
        )
        | st.builds(
            WhenStage,
            name=labels,
            of=st.just("choice"),
            values=st.lists(names, min_size=1, max_size=3).map(tuple),
            then=some,
            otherwise=some | st.just(()),
        )
    )


stages = st.lists(st.recursive(leaves, _nest, max_leaves=4), max_size=4)


class _Anything(list[str]):
    def __contains__(self, name: object) -> bool:
        return True


@given(stages)
@settings(max_examples=40, deadline=None)
def test_show_then_load_is_the_identity(drawn: list[Stage]) -> None:
    named = name_stages(drawn)
    every = [stage.name for stage in walk(named)]
    assert len(set(every)) == len(every)
    pipeline = Pipeline(name="p", summary="S ${x}.", stages=named)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.yaml"
        path.write_text(show_pipeline(pipeline), encoding="utf-8")
        again = load_pipeline(path, schedules=_Anything(), selectors=_Anything())
    assert again.stages == flatten(pipeline).stages
    assert again.summary == pipeline.summary
    assert show_pipeline(again) == show_pipeline(pipeline)


def _scope(folder: str, declared: dict[str, VariableSpec], given_values: dict[str, Value]):
    path = Path(folder) / "p.yaml"
    path.write_text("schema: 1\nsummary: S.\nstages: []\n")
    return open_scope(
        read_source(path),
        declared,
        given=given_values,
        facts={"cores": 4},
        given_at=dict.fromkeys(given_values, "here"),
        asked_at=None,
    )


KINDS: dict[type, VariableKind] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    list: "list",
}


@given(value=scalars | st.lists(scalars, max_size=3), around=st.sampled_from(["", "a", "$", "}"]))
@settings(deadline=None)
def test_a_whole_reference_keeps_the_type_and_text_takes_words_and_integers(value, around) -> None:
    spec = VariableSpec(type=KINDS[type(value)])
    with tempfile.TemporaryDirectory() as folder:
        scope = _scope(folder, {"x": spec}, {"x": value})
        assert scope.resolve({"k": ["${x}", 1]}, ("stages",)) == {"k": [value, 1]}
        assert type(scope.resolve("${x}", ())) is type(value)
        if isinstance(value, str) or type(value) is int:
            assert scope.resolve(f"{around}_${{x}}", ()) == f"{around}_{value}"
        else:
            with pytest.raises(PipelineError, match="cannot be put into a longer text"):
                scope.resolve(f"{around}_${{x}}", ())


@given(value=scalars | st.lists(scalars, max_size=3), kind=st.sampled_from(sorted(KINDS.values())))
@settings(deadline=None)
def test_no_variable_ever_holds_another_type(value, kind) -> None:
    whole = type(value) is int and kind == "float"
    fits = KINDS[type(value)] == kind or (whole and int(float(value)) == value)
    refusal = "cannot hold this integer" if whole else "the variable 'x' has the wrong type"
    with tempfile.TemporaryDirectory() as folder:
        if fits:
            held = _scope(folder, {"x": VariableSpec(type=kind)}, {"x": value}).values["x"]
            assert KINDS[type(held)] == kind
            assert held == value
        else:
            with pytest.raises(PipelineError, match=refusal):
                _scope(folder, {"x": VariableSpec(type=kind)}, {"x": value})


@pytest.mark.parametrize("value", [2**53 + 1, -(10**400)])
def test_an_integer_that_no_float_holds_is_refused(value: int, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot hold this integer"):
        _scope(str(tmp_path), {"x": VariableSpec(type="float")}, {"x": value})


@given(st.text("ab${}.t ", max_size=20))
@settings(deadline=None)
def test_no_text_is_left_half_resolved(written: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scope = _scope(folder, {"a": VariableSpec(type="str")}, {"a": "A"})
        try:
            resolved = scope.resolve(written, ())
        except PipelineError:
            assert "${" in written
            return
    assert isinstance(resolved, str)
    assert ("${a}" not in resolved) or "$${a}" in written


def test_the_model_is_frozen_and_closed() -> None:
    descriptor = Descriptor.model_validate({"schema": 1, "summary": "S.", "stages": []})
    with pytest.raises(ValueError, match="frozen"):
        descriptor.summary = "other"
    with pytest.raises(ValueError, match="extra"):
        Descriptor.model_validate({"schema": 1, "summary": "S.", "stages": [], "more": 1})
