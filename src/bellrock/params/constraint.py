"""Symbolic constraints between knobs, a motif's sizes and a device's facts.

Flows in: an expression as text, e.g. `mr * ceildiv(nr, lanes) <= vector_registers - 2`. Flows
out: whether it holds for given values, and, when it does not, the values that it saw. Being
text, a constraint is its own documentation, and a tuner can read which names it binds.

Grammar: Python expressions of names, integers, strings, `+ - * // %`, comparisons, `and or not`,
`x if c else y`, indexing and slicing, and calls of the functions in `FUNCTIONS`; nothing else.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import CodeType

Value = int | float | str | bool | tuple[int, ...]
"""What a name may stand for."""


def _ceildiv(a: int, b: int) -> int:
    return -(-a // b)


def _within(values: Sequence[int], limits: Sequence[int]) -> bool:
    """Whether there are as many values as limits and each is at most its limit."""
    return len(values) == len(limits) and all(v <= n for v, n in zip(values, limits, strict=True))


def _only_where(values: Sequence[int], flags: Sequence[int]) -> bool:
    """Whether each value is 0 where its flag is 0."""
    return len(values) == len(flags) and all(f or not v for v, f in zip(values, flags, strict=True))


def _is_permutation(values: Sequence[int]) -> bool:
    """Whether the values are 0, 1, ... in some order."""
    return sorted(values) == list(range(len(values)))


def _power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "len": len, "min": min, "max": max, "sum": sum, "prod": math.prod, "abs": abs,
    "ceildiv": _ceildiv, "within": _within, "is_power_of_two": _power_of_two,
    "only_where": _only_where, "is_permutation": _is_permutation,
}  # fmt: skip
"""What an expression may call."""

_ALLOWED = (
    ast.Expression, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.UnaryOp,
    ast.USub, ast.Not, ast.BoolOp, ast.And, ast.Or, ast.Compare, ast.Eq, ast.NotEq, ast.Lt,
    ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.IfExp, ast.Call, ast.Name, ast.Load,
    ast.Constant, ast.Subscript, ast.Slice, ast.Tuple,
)  # fmt: skip


@dataclass(frozen=True)
class Constraint:
    """A named condition. Not slotted: the compiled form is kept on it."""

    name: str
    """Short, in kebab case; what an error names."""
    expression: str
    """The condition (see the module for the grammar)."""
    help: str = ""
    """Why it is there, as a sentence."""
    _names: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse an expression that is not in the grammar (a defect of the target)."""
        object.__setattr__(self, "_names", _names_of(self.expression))

    @property
    def names(self) -> frozenset[str]:
        """The names that it reads."""
        return self._names

    @cached_property
    def _code(self) -> CodeType:
        return compile(self.expression, f"<constraint {self.name}>", "eval")

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether the condition is true of the values.

        Args:
            values: all names that it reads.

        Raises:
            KeyError: a name is missing.
        """
        scope = {name: values[name] for name in self._names}
        # Safe: the syntax tree has nothing but the nodes above, and no builtins are in reach.
        return bool(eval(self._code, {"__builtins__": {}, **FUNCTIONS}, scope))

    def seen(self, values: Mapping[str, Value]) -> str:
        """Return `name=value, ...` of all names that it reads, for a message."""
        return ", ".join(f"{name}={_shown(values[name])}" for name in sorted(self._names))


@lru_cache(maxsize=1024)
def _names_of(expression: str) -> frozenset[str]:
    names: set[str] = set()
    called: set[int] = set()
    for node in ast.walk(ast.parse(expression, mode="eval")):
        if not isinstance(node, _ALLOWED):
            raise ValueError(  # noqa: TRY004  (the text is wrong, not its type)
                f"{expression!r} has {type(node).__name__}, which is not allowed"
            )
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
                raise ValueError(f"{expression!r} calls something else than {sorted(FUNCTIONS)}")
            called.add(id(node.func))
        elif isinstance(node, ast.Name) and id(node) not in called:
            names.add(node.id)
    return frozenset(names)


def _shown(value: Value) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
