"""A choice: who chose which parameters; and its form as an attribute on a payload op.

Flows in: a `Choice`. Flows out: the attribute
`bellrock.choice = {by = "default", knobs = "matmul", tile = array<i64: 8, 32>, unroll = 2 : i64}`
on the op, which schedules read, and the same back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellrock.errors import SelectionError, UnknownNameError
from bellrock.params.constraint import Value
from bellrock.params.knobs import Knobs

if TYPE_CHECKING:
    from torch_mlir import ir

ATTRIBUTE = "bellrock.choice"
"""Name of the attribute on the op."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Parameters for one motif, and where they come from."""

    knobs: Knobs
    by: str
    """Name of the selector that chose, or what a lock row says."""
    predicted_seconds: float | None = None
    """By a cost model, for one execution of the op."""
    measured_seconds: float | None = None
    """By a tuner."""


def to_attribute(choice: Choice) -> ir.DictAttr:
    """Return a choice as an attribute of the current context."""
    from torch_mlir import ir

    entries: dict[str, ir.Attribute] = {
        "by": ir.StringAttr.get(choice.by),
        "knobs": ir.StringAttr.get(choice.knobs.name),
    }
    for name, value in choice.knobs.to_mapping().items():
        entries[name] = _attribute(value)
    return ir.DictAttr.get(entries)


def from_attribute(attribute: ir.DictAttr, classes: Mapping[str, type[Knobs]]) -> Choice:
    """Return the choice that an attribute holds.

    Args:
        attribute: as `to_attribute` makes it.
        classes: knob classes by name.

    Raises:
        SelectionError: the attribute is not a choice, or does not fit its class.
    """
    values = {attribute[i].name: _value(attribute[i].attr) for i in range(len(attribute))}
    name, by = values.pop("knobs", None), values.pop("by", "")
    if not isinstance(name, str) or not isinstance(by, str):
        raise SelectionError(
            f"the attribute {ATTRIBUTE!r} does not say which knobs it holds",
            got=str(attribute),
            allowed='{by = "...", knobs = "...", ...}',
        )
    if name not in classes:
        raise UnknownNameError("class of knobs", name, classes, where=ATTRIBUTE)
    return Choice(knobs=classes[name].from_mapping(values, where=ATTRIBUTE), by=by)


def write_choice(op: ir.Operation, choice: Choice) -> None:
    """Put a choice on an op, in place of any that it has."""
    with op.context:
        op.attributes[ATTRIBUTE] = to_attribute(choice)


def read_choice(op: ir.Operation, classes: Mapping[str, type[Knobs]]) -> Choice | None:
    """Return the choice on an op, or None if it has none.

    Args:
        op: any op.
        classes: knob classes by name.
    """
    if ATTRIBUTE not in op.attributes:
        return None
    return from_attribute(op.attributes[ATTRIBUTE], classes)


def _attribute(value: Value) -> ir.Attribute:
    from torch_mlir import ir

    if isinstance(value, bool):
        return ir.BoolAttr.get(value)
    if isinstance(value, int):
        return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)
    if isinstance(value, tuple):
        return ir.DenseI64ArrayAttr.get(list(value))
    return ir.StringAttr.get(str(value))


def _value(attribute: ir.Attribute) -> object:
    """Return an attribute's value; one of another kind as text, which no knob accepts."""
    from torch_mlir import ir

    if isinstance(attribute, ir.DenseI64ArrayAttr):
        return list(attribute)
    if isinstance(attribute, ir.BoolAttr | ir.IntegerAttr | ir.StringAttr):
        return attribute.value
    return attribute
