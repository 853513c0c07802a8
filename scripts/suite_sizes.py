"""Sizes of a problem: which of its module globals they are.

Flows in: a problem's source. Flows out: `Size` values, with a guess of what each is for.
Names of globals are hints only: whether sizes fit together is found by trying, so nothing
here knows a particular problem. Used by `make_suites.py` only.
"""

from __future__ import annotations

import ast
import enum
import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Value = int | tuple[int, ...]
Sizes = dict[str, Value]

SMALLEST_SIZE = 16
"""A literal below this is taken for a kernel size, a dimension or a count, not for a size."""


class Role(enum.StrEnum):
    """What a size most likely is, judged by its name."""

    BATCH = "batch"
    SPATIAL = "spatial"
    SEQUENCE = "sequence"
    CHANNELS = "channels"
    FEATURES = "features"
    COUNT = "count"


_ROLES = (
    (Role.BATCH, r"batch(_size)?|b"),
    (Role.COUNT, r"(num_|n_)?(groups|heads?|layers|blocks)"),
    (Role.SEQUENCE, r".*(seq|length|block_len).*"),
    (Role.SPATIAL, r".*(height|width|depth|image_size|dim\d).*|[DHW]"),
    (Role.CHANNELS, r".*(channels|reduce_|out_\d|growth).*"),
    (Role.FEATURES, r".*"),
)
_NOT_A_SIZE = re.compile(r".*(kernel|stride|padding|dilation|pool|patch|repeats).*|layers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A module global that holds a size or several."""

    name: str
    original: Value
    role: Role


def find_sizes(source: str) -> tuple[Size, ...]:
    """Return the module globals that hold sizes, in the order of their last assignment."""
    found: dict[str, Value] = {}
    known: dict[str, Value] = {}
    for node in ast.parse(source).body:
        for name, expression in _assignments(node):
            value = _fold(expression, known)
            found.pop(name, None)
            if value is None:
                continue
            known[name] = value
            if _NOT_A_SIZE.fullmatch(name) is None and _holds_size(name, expression):
                found[name] = value
    return tuple(Size(name=n, original=v, role=_role(n, v)) for n, v in found.items())


def has_fixed_sizes(source: str) -> bool:
    """Whether `get_inputs` spells a size out instead of taking it from a module global."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == "get_inputs":
            return any(_is_large(inner) for inner in ast.walk(node))
    return False


def _assignments(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node, ast.Assign):
        return
    for target in node.targets:
        if isinstance(target, ast.Name):
            yield target.id, node.value
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            for element, value in zip(target.elts, node.value.elts, strict=False):
                if isinstance(element, ast.Name):
                    yield element.id, value


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def _fold(node: ast.expr, known: Mapping[str, Value]) -> Value | None:
    """Return the value of an integer or sequence-of-integers expression, else None."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Tuple | ast.List):
        parts = [_fold(element, known) for element in node.elts]
        return tuple(p for p in parts if isinstance(p, int)) if None not in parts else None
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _fold(node.left, known), _fold(node.right, known)
        if left is not None and right is not None:
            return _OPERATORS[type(node.op)](left, right)
    return None


def _is_large(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant) and type(node.value) is int and node.value >= SMALLEST_SIZE
    )


def _holds_size(name: str, expression: ast.expr) -> bool:
    """A size has a literal of its own; what only repeats other globals follows them."""
    literal = any(isinstance(n, ast.Constant) for n in ast.walk(expression))
    large = any(_is_large(n) for n in ast.walk(expression))
    return large or (literal and _role(name, 1) is Role.BATCH)


def _role(name: str, value: Value) -> Role:
    if isinstance(value, tuple) and len(value) > 2:  # a shape: what it ends on is an image
        return Role.SPATIAL if re.fullmatch(r".*shape", name) else Role.FEATURES
    return next(role for role, pattern in _ROLES if re.fullmatch(pattern, name))


def flat(value: Value) -> tuple[int, ...]:
    """Return the numbers of a size."""
    return value if isinstance(value, tuple) else (value,)
