"""Overrides of globals, over random files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellrock.errors import ProblemError
from bellrock.ingress.overrides import apply_overrides, checked_overrides, overridable, parse

NAMES = st.sampled_from(["alpha", "beta", "gamma", "delta"])
VALUES_OF: dict[type, st.SearchStrategy[object]] = {
    int: st.integers(-(10**6), 10**6),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    str: st.text(max_size=5),
    list: st.lists(st.integers(0, 99), min_size=1, max_size=3),
    tuple: st.tuples(st.integers(0, 99), st.integers(0, 99)),
}
VALUES = st.one_of(*VALUES_OF.values())
FORMS = st.sampled_from(["plain", "annotated", "tuple", "chain"])
PATH = Path("file.py")


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    """Return the source of a file that assigns some globals, and their values."""
    values = draw(st.dictionaries(NAMES, VALUES, min_size=1))
    lines = []
    for name, value in values.items():
        form = draw(FORMS)
        lines.append(
            {
                "plain": f"{name} = {value!r}",
                "annotated": f"{name}: object = {value!r}",
                "tuple": f"first_{name}, {name} = 0, {value!r}",
                "chain": f"{name} = same_{name} = {value!r}",
            }[form]
        )
        lines.append(f"after_{name} = [{name}]")
    return "\n".join(lines), values


def run(tree: ast.Module) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(tree, "file.py", "exec"), names)
    return names


@given(files(), st.data())
def test_the_name_has_the_value_and_dependents_follow(
    file: tuple[str, dict[str, object]], data: st.DataObject
) -> None:
    source, values = file
    name = data.draw(st.sampled_from(sorted(values)))
    new = data.draw(VALUES_OF[type(values[name])])
    tree = parse(source, PATH)
    checked = checked_overrides(tree, {name: new}, PATH)
    after = run(apply_overrides(tree, checked))
    before = run(parse(source, PATH))
    assert after[name] == new
    assert after[f"after_{name}"] == [new]
    for other, value in before.items():
        if other not in (name, f"after_{name}", "__builtins__"):
            assert after[other] == value


@given(files())
def test_text_from_the_command_line_reads_as_the_value(
    file: tuple[str, dict[str, object]],
) -> None:
    source, values = file
    tree = parse(source, PATH)
    given_text = {n: v if isinstance(v, str) else repr(v) for n, v in values.items()}
    checked = checked_overrides(tree, given_text, PATH)
    for name, value in values.items():
        if not isinstance(value, str):
            assert checked[name] == value
            assert type(checked[name]) is type(value)


@given(files(), st.data())
def test_another_type_is_refused(file: tuple[str, dict[str, object]], data: st.DataObject) -> None:
    source, values = file
    name = data.draw(st.sampled_from(sorted(values)))
    old = values[name]
    kinds = {type(old)}
    if isinstance(old, float):
        kinds.add(int)
    if isinstance(old, (list, tuple)):
        kinds |= {list, tuple}
    new = data.draw(VALUES.filter(lambda v: type(v) not in kinds and not isinstance(v, str)))
    if isinstance(old, str):  # any text is text
        new = [new]
    with pytest.raises(ProblemError, match="wrong type"):
        checked_overrides(parse(source, PATH), {name: new}, PATH)


@given(files())
def test_every_assigned_global_is_listed(file: tuple[str, dict[str, object]]) -> None:
    source, values = file
    listed = overridable(parse(source, PATH))
    assert {n: listed[n] for n in values} == values
