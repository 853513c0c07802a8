"""Variables of a descriptor: their values, and `${name}` in parsed values.

Flows in: variable declarations, given values, facts of the target. Flows out: values in
which nothing is left to resolve. A scalar that is exactly `${x}` becomes the variable's
value with its type; inside longer text, text and integers are substituted. `$${` is a
literal `${`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bellrock.errors import PipelineError
from bellrock.pipeline.descriptor import VariableSpec
from bellrock.pipeline.invalid import unknown
from bellrock.pipeline.source import Keys, Source, Value

TARGET = "target."
"""What the names of the target's facts start with."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_PRINTED = 10**30
"""Integers below it are printed in messages."""
_KINDS: Mapping[str, type] = {"int": int, "float": float, "bool": bool, "str": str, "list": list}


@dataclass(kw_only=True)
class Scope:
    """The names that one descriptor's `${...}` may use, and which were used."""

    source: Source
    values: dict[str, Value]
    facts: Mapping[str, Value]
    used: set[str] = field(default_factory=set)

    def lookup(self, name: str, keys: Keys) -> Value:
        """Return the value of a name, and remember that it was used."""
        where = self.source.where(keys)
        if name.startswith(TARGET):
            fact = name.removeprefix(TARGET)
            if fact not in self.facts:
                raise unknown("target fact", fact, self.facts, where)
            return self.facts[fact]
        if name not in self.values:
            raise unknown("variable", name, self.values, where)
        self.used.add(name)
        return self.values[name]

    def resolve(self, value: Value, keys: Keys) -> Value:
        """Return `value` with every `${...}` in it resolved.

        Args:
            value: as parsed.
            keys: where it is in the source.
        """
        if isinstance(value, dict):
            return {name: self.resolve(inner, (*keys, name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.resolve(inner, (*keys, i)) for i, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole is not None and whole[1] is not None:
            return self.lookup(whole[1], keys)
        return _REFERENCE.sub(lambda match: self._text(match, keys), value)

    def _text(self, match: re.Match[str], keys: Keys) -> str:
        if match[0] == "$${":
            return "${"
        where = self.source.where(keys)
        if match[1] is None:
            raise PipelineError(
                "`${` is not closed", where=where, hint="write `$${` for a literal `${`"
            )
        value = self.lookup(match[1], keys)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise PipelineError(
                f"`${{{match[1]}}}` cannot be put into a longer text",
                got=_describe(value),
                allowed="str, int",
                where=where,
                hint=f"make the whole value `${{{match[1]}}}`",
            )
        return str(value)

    def check_used(self) -> None:
        """Raise if a declared variable is used nowhere in its descriptor."""
        for name in self.values:
            if name not in self.used:
                raise PipelineError(
                    f"the variable {name!r} is never used",
                    where=self.source.where(("variables", name), key=True),
                    hint=f"remove it, or use it as `${{{name}}}`",
                )


def open_scope(
    source: Source,
    declared: Mapping[str, VariableSpec],
    *,
    given: Mapping[str, Value],
    facts: Mapping[str, Value],
    given_at: Mapping[str, str],
    asked_at: str | None,
) -> Scope:
    """Give every declared variable its value.

    Args:
        source: the descriptor.
        declared: its variables; a default may use the target's facts and earlier variables.
        given: values from outside, which replace defaults.
        facts: of the target, by name without `target.`.
        given_at: where each given value stands, for messages.
        asked_at: where the descriptor is included, if it is.

    Raises:
        PipelineError: a value has the wrong type, is not among the choices, or is missing.
    """
    for name in given:
        if name not in declared:
            raise unknown("variable", name, declared, given_at[name])
    scope = Scope(source=source, values={}, facts=facts)
    for name, spec in declared.items():
        keys: Keys = ("variables", name, "default")
        where = source.where(keys)
        if name in given:
            value, where = given[name], given_at[name]
        elif spec.default is None:
            raise PipelineError(
                f"the variable {name!r} has no default and is given no value",
                allowed=spec.type,
                where=asked_at or source.where(("variables", name), key=True),
                hint="give it under `variables:`" if asked_at else f"use --set {name}=VALUE",
            )
        else:
            value = scope.resolve(_default(spec), keys)
        scope.values[name] = typed(name, spec, value, where)
    return scope


def typed(name: str, spec: VariableSpec, value: Value, where: str) -> Value:
    """Return `value` as the variable's type (an integer is a float, nothing else converts).

    Raises:
        PipelineError: it is of another type, or not among the choices.
    """
    if spec.type == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = _exact_float(name, value, where)
    kind = _KINDS[spec.type]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise PipelineError(
            f"the variable {name!r} has the wrong type",
            got=_describe(value),
            allowed=spec.type,
            where=where,
        )
    if spec.choices is not None and value not in spec.choices:
        raise PipelineError(
            f"the variable {name!r} has a value that is not among its choices",
            got=repr(value),
            allowed=[repr(choice) for choice in spec.choices],
            where=where,
        )
    return value


def _exact_float(name: str, value: int, where: str) -> float:
    """Return an integer as a float; one that a float cannot hold would be rounded in silence."""
    try:
        converted = float(value)
    except OverflowError:
        converted = math.inf
    if converted != value:
        raise PipelineError(
            f"the variable {name!r} is a float, which cannot hold this integer",
            got=str(value) if abs(value) < _PRINTED else f"{value.bit_length()} bits",
            allowed="integers that a float holds exactly, or a float",
            where=where,
        )
    return converted


def _default(spec: VariableSpec) -> Value:
    return [*spec.default] if isinstance(spec.default, list) else spec.default


def _describe(value: Value) -> str:
    return f"{value!r} ({type(value).__name__})"
