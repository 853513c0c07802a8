"""One knob: what is declared of it, and whether a value fits.

Flows in: a field of a `Knobs` class, a value. Flows out: the value, or a `SelectionError` that
names both.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable

from bellrock.errors import SelectionError, UnknownNameError
from bellrock.params.constraint import Value
from bellrock.payload.motifs.base import Motif

_METADATA = "knob"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class KnobSpec:
    """What is known of one knob besides its type; each bound holds for each item of a list."""

    unit: str = ""
    low: int | None = None
    high: int | None = None
    values: tuple[int | str | bool | tuple[int, ...], ...] = ()
    """The values to try when searching; for a list of integers, those of each item, or whole
    lists. Not a restriction, unless the knob is a string."""
    help: str = ""

    def range_text(self) -> str:
        """Return the range as people write it, e.g. `1..64`."""
        low = "" if self.low is None else str(self.low)
        high = "" if self.high is None else str(self.high)
        return f"{low}.." + high if low or high else "any"


def knob(
    *,
    default: object = dataclasses.MISSING,
    unit: str = "",
    low: int | None = None,
    high: int | None = None,
    values: Iterable[int | str | bool | tuple[int, ...]] = (),
    help: str = "",  # noqa: A002  (reads as what it is where a target declares its knobs)
) -> typing.Any:
    """Declare one field of a `Knobs` class.

    Args:
        default: value when a mapping leaves the field out; required when not given.
        unit: of the value, e.g. `elements`, `bytes`.
        low: smallest legal value (of each item).
        high: largest legal value (of each item).
        values: what to try when searching (see `KnobSpec.values`).
        help: one sentence.
    """
    spec = KnobSpec(unit=unit, low=low, high=high, values=tuple(values), help=help)
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata={_METADATA: spec})
    return dataclasses.field(default=default, metadata={_METADATA: spec})


def spec_of(field: dataclasses.Field[typing.Any]) -> KnobSpec:
    """Return what was declared of a field of a `Knobs` class."""
    return field.metadata.get(_METADATA, KnobSpec())


def in_range(value: Value, spec: KnobSpec) -> bool:
    """Whether a value, or each item of it, is within the bounds of its knob."""
    return all(
        not isinstance(v, int)
        or ((spec.low is None or v >= spec.low) and (spec.high is None or v <= spec.high))
        for v in (value if isinstance(value, tuple) else (value,))
    )


def check_range(name: str, field: str, value: Value, spec: KnobSpec, motif: Motif) -> None:
    """Check one value of a class of knobs against what was declared of it.

    Args:
        name: of the class, for messages.
        field: name of the knob.
        value: to be checked.
        spec: of the knob.
        motif: that it is for, for messages.

    Raises:
        UnknownNameError: a string that is none of the values.
        SelectionError: a number out of range.
    """
    if isinstance(value, str) and spec.values and value not in spec.values:
        raise UnknownNameError(
            f"value of the knob {name}.{field}",
            value,
            [str(v) for v in spec.values],
            where=motif.location or None,
        )
    if not in_range(value, spec):
        raise SelectionError(
            f"the knob {name}.{field} is out of its range",
            got=list(value) if isinstance(value, tuple) else value,
            allowed=f"{spec.range_text()} {spec.unit}".rstrip(),
            where=motif.location or None,
        )


def typed(name: str, field: str, value: object, kind: str, where: object) -> object:
    """Return a value from outside as one of a knob's type, lists as tuples.

    Args:
        name: of the class of knobs, for messages.
        field: name of the knob.
        value: from a lock file, a tuner or the like.
        kind: the type, as `Knobs.types` has it.
        where: file:line, for messages.

    Raises:
        SelectionError: it is of another type; nothing is converted.
    """
    if kind == "ints" and isinstance(value, list | tuple):
        if all(isinstance(v, int) and not isinstance(v, bool) for v in value):
            return tuple(int(v) for v in value)
    elif kind == "bool" and isinstance(value, bool):
        return bool(value)
    elif kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    elif kind == "str" and isinstance(value, str):
        return str(value)
    raise SelectionError(
        f"the knob {name}.{field} has the wrong type",
        got=repr(value),
        allowed={"ints": "a list of integers", "int": "an integer", "bool": "true or false"}.get(
            kind, "a string"
        ),
        where=where,
    )
