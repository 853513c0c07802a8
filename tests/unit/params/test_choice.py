"""Choices as attributes on ops."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from torch_mlir import ir

from bellrock.errors import SelectionError, UnknownNameError
from bellrock.params import ATTRIBUTE, Choice, Knobs, knob, read_choice, write_choice
from bellrock.payload import generate
from bellrock.payload.context import parse_payload


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixed(Knobs, name="mixed"):
    tile: tuple[int, ...] = knob()
    order: tuple[int, ...] = knob(default=())
    unroll: int = knob(default=-1)
    packed: bool = knob(default=True)
    form: str = knob(default="outer")


CLASSES: dict[str, type[Knobs]] = {"mixed": Mixed}


@pytest.fixture
def module() -> ir.Module:
    return parse_payload(generate.matmul(2, 3, 4), name="test")


@pytest.fixture
def op(module: ir.Module) -> ir.Operation:
    body = module.body.operations[0].regions[0].blocks[0].operations
    return next(o.operation for o in body if o.operation.name == "linalg.matmul")


def test_attribute_as_text(op: ir.Operation) -> None:
    write_choice(op, Choice(knobs=Mixed(tile=(8, 16)), by="default"))
    assert str(op.attributes[ATTRIBUTE]) == (
        '{by = "default", form = "outer", knobs = "mixed", order = array<i64>, packed = true, '
        "tile = array<i64: 8, 16>, unroll = -1 : i64}"
    )


def test_round_trip_through_text(module: ir.Module, op: ir.Operation) -> None:
    choice = Choice(knobs=Mixed(tile=(8, 16), unroll=3, packed=False, form="x"), by="lock")
    write_choice(op, choice)
    parsed = parse_payload(str(module), name="again")
    found: list[Choice] = []

    def visit(each: ir.Operation) -> ir.WalkResult:
        read = read_choice(each, CLASSES)
        if read is not None:
            found.append(read)
        return ir.WalkResult.ADVANCE

    parsed.operation.walk(visit)
    assert found == [choice]


def test_a_new_choice_replaces_the_old(op: ir.Operation) -> None:
    write_choice(op, Choice(knobs=Mixed(tile=(1,)), by="default"))
    write_choice(op, Choice(knobs=Mixed(tile=(2,)), by="lock"))
    assert read_choice(op, CLASSES) == Choice(knobs=Mixed(tile=(2,)), by="lock")


def test_no_choice(op: ir.Operation) -> None:
    assert read_choice(op, CLASSES) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{tile = array<i64: 1>}",
            "the attribute 'bellrock.choice' does not say which knobs it holds; got "
            '{tile = array<i64: 1>}; allowed: {by = "...", knobs = "...", ...}.',
        ),
        (
            '{knobs = "mixd", tile = array<i64: 1>}',
            "bellrock.choice: unknown class of knobs 'mixd'; allowed: mixed; did you mean 'mixed'?",
        ),
        (
            '{knobs = "mixed", tile = [1]}',
            "bellrock.choice: the knob mixed.tile has the wrong type; got ArrayAttr([1]); "
            "allowed: a list of integers.",
        ),
    ],
)
def test_attributes_that_are_no_choice(op: ir.Operation, text: str, message: str) -> None:
    op.attributes[ATTRIBUTE] = ir.Attribute.parse(text, op.context)
    with pytest.raises((SelectionError, UnknownNameError)) as error:
        read_choice(op, CLASSES)
    assert str(error.value).replace("[1 : i64]", "[1]") == message
