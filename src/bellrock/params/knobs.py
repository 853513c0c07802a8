"""How a target declares the parameters of a motif kind: one frozen dataclass.

Flows in: a subclass of `Knobs` in a target's `params.py`. Flows out: checked values, from YAML,
lock files and tuners, and the list of all legal ones. Example:

    @dataclass(frozen=True, kw_only=True, slots=True)
    class MatmulKnobs(Knobs, name="matmul"):
        tile: tuple[int, ...] = knob(unit="elements", low=1, help="Size of a tile, by loop.")
        unroll: int = knob(default=1, low=1, high=8, values=(1, 2, 4), help="...")

        constraints = (
            Constraint("one-size-per-loop", "len(tile) == rank"),
            Constraint("tile-in-L1", "prod(tile) * element_bytes <= L1d"),
        )

Names that a constraint may read: the fields; `rank` (number of loops), `loops`, `parallel_loops`
(1 for each loop that is parallel, else 0), `element_bytes` (of the accumulator); each of the
motif's `dims` by name, and its `lists` (`<name>_sizes`); of the device `cores`, `vector_bits`,
`vector_registers`, `lanes` (vector elements of the accumulator), its caches by level (`L1d`, `L2`,
`L3`, in bytes; one of unknown size limits nothing), and its `limits`. A constraint on a name that
the motif or device does not have is an error that says so.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Self, get_type_hints

from bellrock.errors import SelectionError, UnknownNameError
from bellrock.params.candidates import assignments, values_of
from bellrock.params.constraint import Constraint, Value
from bellrock.params.knob import KnobSpec, check_range, knob, spec_of, typed
from bellrock.payload.motifs.base import Motif, element_bytes

if TYPE_CHECKING:
    from bellrock.target.base import Facts

__all__ = ["Constraint", "Knobs", "knob"]

_CACHES = ("L1d", "L2", "L3")
_UNLIMITED = 2**62
_RESERVED = frozenset({"by", "knobs", "name", "constraints"})
"""Keys of the choice attribute and of this class, which no knob may have."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Knobs:
    """Base of all parameter classes; values are checked against a motif by `validate`."""

    name: ClassVar[str] = ""
    """Name in choices and lock files; given as `class X(Knobs, name="...")`."""
    constraints: ClassVar[tuple[Constraint, ...]] = ()
    """What must hold between the fields, the motif and the device."""

    def __init_subclass__(cls, *, name: str | None = None) -> None:
        """Take the name (the second call, by `slots=True`, comes without one)."""
        # Not `super().__init_subclass__()`: a slotted dataclass is a second class, and the
        # zero-argument form would look for the first.
        if name is not None:
            cls.name = name
        taken = _RESERVED & set(inspect.get_annotations(cls))
        if taken:
            raise TypeError(f"{cls.__name__}: a knob cannot be called {sorted(taken)[0]!r}")

    @classmethod
    def specs(cls) -> dict[str, KnobSpec]:
        """Return what is known of each knob, in order."""
        return {f.name: spec_of(f) for f in dataclasses.fields(cls)}

    @classmethod
    def scope(cls, motif: Motif, facts: Facts) -> dict[str, Value]:
        """Return what names other than the fields stand for in constraints.

        Args:
            motif: whose sizes are meant.
            facts: of the device.
        """
        accumulator_bytes = element_bytes(motif.accumulator) if motif.accumulator else 1
        return {
            **dict.fromkeys(_CACHES, _UNLIMITED),
            **facts.cache_bytes,
            **facts.limits,
            **{f"{name}_sizes": sizes for name, sizes in motif.lists.items()},
            **motif.dims,
            "loops": motif.loops,
            "parallel_loops": tuple(int(i == "parallel") for i in motif.iterators),
            "rank": len(motif.loops),
            "element_bytes": accumulator_bytes,
            "cores": facts.cores,
            "vector_bits": facts.vector_bits,
            "vector_registers": facts.vector_registers,
            "lanes": max(1, facts.vector_bits // (8 * accumulator_bytes)),
        }

    def validate(self, motif: Motif, facts: Facts) -> None:
        """Check the values against their ranges and constraints.

        Args:
            motif: that they are for.
            facts: of the device that they are for.

        Raises:
            SelectionError: one is broken; it is named, with the values that it saw.
        """
        for field, spec in self.specs().items():
            check_range(self.name, field, getattr(self, field), spec, motif)
        values = {**self.scope(motif, facts), **self.to_mapping()}
        for constraint in self.constraints:
            _check(self.name, constraint, values, motif)

    def broken(
        self, constraint: str, *, got: object, allowed: object, hint: str | None = None
    ) -> SelectionError:
        """Return the error of a constraint that a subclass checks in `validate`.

        Args:
            constraint: its name.
            got: what breaks it.
            allowed: what would not.
            hint: what to do.
        """
        what = f"constraint {constraint!r} of {self.name} is broken"
        return SelectionError(what, got=got, allowed=allowed, hint=hint)

    def broken_constraint(self, motif: Motif, facts: Facts) -> str:
        """Return the name of the first of `constraints` that is broken; empty if none is.

        Args:
            motif: that the values are for.
            facts: of the device that they are for.
        """
        values = {**self.scope(motif, facts), **self.to_mapping()}
        for constraint in self.constraints:
            if constraint.names <= set(values) and not constraint.holds(values):
                return constraint.name
        return ""

    def is_legal(self, motif: Motif, facts: Facts) -> bool:
        """Whether `validate` accepts the values.

        Args:
            motif: that they are for.
            facts: of the device that they are for.
        """
        try:
            self.validate(motif, facts)
        except (SelectionError, UnknownNameError):
            return False
        return True

    def to_mapping(self) -> dict[str, Value]:
        """Return the fields by name, in order (lists as tuples)."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], *, where: object = None) -> Self:
        """Make the knobs from plain data, strictly.

        Args:
            mapping: of field names to values; integer lists as any sequence.
            where: file:line, for messages.

        Raises:
            UnknownNameError: a name that is not a field.
            SelectionError: a field is missing or has the wrong type.
        """
        fields = {f.name: f for f in dataclasses.fields(cls)}
        for key in mapping:
            if key not in fields:
                raise UnknownNameError(f"knob of {cls.name}", str(key), fields, where=where)
        missing = [
            n for n, f in fields.items() if n not in mapping and f.default is dataclasses.MISSING
        ]
        if missing:
            raise SelectionError(
                f"the choice for {cls.name} lacks the knob {missing[0]!r}",
                allowed=[f"{n} ({t})" for n, t in cls.types().items()],
                where=where,
            )
        types = cls.types()
        return cls(**{k: typed(cls.name, k, v, types[k], where) for k, v in mapping.items()})

    @classmethod
    def types(cls) -> dict[str, str]:
        """Return each field's type: `int`, `bool`, `str` or `ints`."""
        hints = get_type_hints(cls)
        return {
            f.name: hints[f.name].__name__ if isinstance(hints[f.name], type) else "ints"
            for f in dataclasses.fields(cls)
        }

    @classmethod
    def candidates(cls, motif: Motif, facts: Facts) -> Iterator[Self]:
        """Yield all legal values that are made of the `values` to try, in a fixed order.

        Args:
            motif: that they are for.
            facts: of the device.
        """
        domains = {f: list(cls.domain(f, motif)) for f in cls.specs()}
        scope = cls.scope(motif, facts)
        for values in assignments(cls.specs(), domains, cls.constraints, scope):
            knobs = cls(**typing.cast("dict", values))
            # What a subclass checks beyond its constraints is known to `validate` alone.
            if cls.validate is Knobs.validate or knobs.is_legal(motif, facts):
                yield knobs

    @classmethod
    def domain(cls, field: str, motif: Motif) -> Iterator[Value]:
        """Yield the values to try for one knob; a class may override it for a motif.

        Args:
            field: name of the knob.
            motif: that it is for.
        """
        spec, kind = cls.specs()[field], cls.types()[field]
        yield from values_of(spec, kind, len(motif.loops))


def _check(name: str, constraint: Constraint, values: Mapping[str, Value], motif: Motif) -> None:
    unknown = sorted(constraint.names - set(values))
    if unknown:
        raise SelectionError(
            f"the constraint {constraint.name!r} of {name} reads {unknown[0]!r}, "
            f"which neither the {motif.kind} nor the device has",
            allowed=sorted(values),
        )
    if constraint.holds(values):
        return
    raise SelectionError(
        f"the choice for {motif.signature()} breaks the constraint {constraint.name!r} of {name}",
        got=constraint.seen(values),
        allowed=constraint.expression,
        where=motif.location or None,
        hint=constraint.help.rstrip(".") or None,
    )
