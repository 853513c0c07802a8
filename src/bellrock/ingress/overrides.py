"""Overrides of a problem file's globals, made in its syntax tree.

Flows in: a file's source, and values by name. Flows out: a syntax tree in which the
assignment of each name gives the new value, so that globals computed from it follow.
"""

from __future__ import annotations

import ast
import difflib
import operator as op
from collections.abc import Iterator, Mapping
from pathlib import Path

from bellrock.errors import ProblemError

_UNKNOWN = object()
"""Value of an expression that cannot be computed without running the file."""


def parse(source: str, path: Path) -> ast.Module:
    """Return the syntax tree of a file.

    Raises:
        ProblemError: it is not Python; says which line.
    """
    try:
        return ast.parse(source, filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        text = (getattr(error, "text", None) or "").strip()
        raise ProblemError(
            f"the problem file is not Python: {getattr(error, 'msg', error)}",
            got=text or None,
            where=f"{path}:{line}" if line else path,
        ) from error


def defined_names(tree: ast.Module) -> set[str] | None:
    """Return names that a module binds at its top level; None if that takes running it."""
    names: set[str] = set()
    for node in _top_level(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            aliases = [alias.asname or alias.name.split(".")[0] for alias in node.names]
            if "*" in aliases:
                return None
            names.update(aliases)
        else:
            names.update(
                n.id
                for n in ast.walk(node)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            )
    return names


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        inner = [getattr(node, part, []) for part in ("body", "orelse", "finalbody", "handlers")]
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            for statements in inner:
                yield from _top_level(
                    [
                        s
                        for x in statements
                        for s in (x.body if isinstance(x, ast.ExceptHandler) else [x])
                    ]
                )
        else:
            yield node


def overridable(tree: ast.Module) -> dict[str, object]:
    """Return the globals that can be overridden, by name.

    Their values are known as far as the file's text tells them: literals, arithmetic on those.
    """
    values: dict[str, object] = {}
    for statement in tree.body:
        for name, expression in _assignments(statement):
            values[name] = _value(expression, values)
    return {name: value for name, value in values.items() if not name.startswith("__")}


def checked_overrides(
    tree: ast.Module, overrides: Mapping[str, object], path: Path
) -> dict[str, object]:
    """Return the overrides as typed values.

    Args:
        tree: the file's.
        overrides: values by name; text is read as a Python literal, and stays text where it
            is none or the global holds text.
        path: for messages.

    Raises:
        ProblemError: a name is not a global of the file, or a value has the wrong type.
    """
    known = overridable(tree)
    checked: dict[str, object] = {}
    for name, value in overrides.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            raise ProblemError(
                f"the problem file has no global {name!r} to override",
                allowed=sorted(known) or "it assigns no globals",
                where=path,
                hint=f"did you mean {near[0]!r}" if near else None,
            )
        checked[name] = _fitting(name, _literal(value, known[name]), known[name], path)
    return checked


def apply_overrides(tree: ast.Module, overrides: Mapping[str, object]) -> ast.Module:
    """Return the tree (changed in place) with new values assigned to the names."""
    body: list[ast.stmt] = []
    for statement in tree.body:
        body.append(statement)
        bound = [name for name, _ in _assignments(statement) if name in overrides]
        for name in bound:
            if not _replace(statement, name, overrides[name]):
                # A chain or an unpacking: the name is given its value right after it.
                target = ast.Name(id=name, ctx=ast.Store())
                new = ast.Assign(targets=[target], value=_expression(overrides[name]))
                body.append(ast.copy_location(new, statement))
    tree.body = body
    return ast.fix_missing_locations(tree)


def _assignments(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield names that a statement assigns, each with its expression where it has its own."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        if isinstance(statement.target, ast.Name):
            yield statement.target.id, statement.value
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _pairs(target, statement.value)


def _pairs(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Starred):
        yield from _pairs(target.value, None)
    elif isinstance(target, (ast.Tuple, ast.List)):
        own = _elements(target, value)
        for i, part in enumerate(target.elts):
            yield from _pairs(part, own[i] if own is not None else None)


def _elements(target: ast.expr, value: ast.expr | None) -> list[ast.expr] | None:
    """Return the list of expressions of an unpacking, if each target has one of its own."""
    displays = (ast.Tuple, ast.List)
    if not isinstance(target, displays) or not isinstance(value, displays):
        return None
    starred = any(isinstance(e, ast.Starred) for e in (*target.elts, *value.elts))
    return None if starred or len(target.elts) != len(value.elts) else value.elts


def _replace(statement: ast.stmt, name: str, value: object) -> bool:
    """Put the value where the statement computes it, if nothing else is computed there."""
    if isinstance(statement, ast.AnnAssign):
        statement.value = _expression(value)
        return True
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    (target,) = statement.targets
    if isinstance(target, ast.Name):
        statement.value = _expression(value)
        return True
    own = _elements(target, statement.value)
    if own is None or not isinstance(target, (ast.Tuple, ast.List)):
        return False
    for i, part in enumerate(target.elts):
        if isinstance(part, ast.Name) and part.id == name:
            own[i] = _expression(value)
            return True
    return False


def _expression(value: object) -> ast.expr:
    return ast.parse(repr(value), mode="eval").body


def _literal(value: object, old: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parsed = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return value if isinstance(old, str) and not isinstance(parsed, str) else parsed


def _fitting(name: str, new: object, old: object, path: Path) -> object:
    if not _is_literal(new):
        raise ProblemError(
            f"the override of {name!r} is not a Python literal",
            got=repr(new),
            allowed="numbers, text, booleans, None, and lists, tuples, dicts or sets of them",
            where=path,
        )
    new = _like(new, old)
    if old is _UNKNOWN or _fits(new, old):
        return new
    raise ProblemError(
        f"the override of {name!r} has the wrong type",
        got=f"{new!r} ({type(new).__name__})",
        allowed=f"{_kind(old)}, as in {name} = {old!r}",
        where=path,
    )


def _is_literal(value: object) -> bool:
    try:
        return ast.literal_eval(repr(value)) == value
    except (ValueError, SyntaxError):
        return False


def _like(new: object, old: object) -> object:
    """Return a list as a tuple, or the reverse, where the old value is one (YAML has no tuples)."""
    if isinstance(new, (list, tuple)) and isinstance(old, (list, tuple)):
        first = old[0] if old else None
        return type(old)(_like(element, first) for element in new)
    return new


def _fits(new: object, old: object) -> bool:
    if old is None:
        return True
    if isinstance(old, float):
        return isinstance(new, (int, float)) and not isinstance(new, bool)
    if type(new) is not type(old):
        return False
    if isinstance(old, (list, tuple)) and old and isinstance(new, (list, tuple)):
        # Lengths may differ (layer sizes); each element has to fit one that was there.
        return all(any(_fits(n, o) for o in old) for n in new)
    return True


def _kind(value: object) -> str:
    return "int or float" if isinstance(value, float) else type(value).__name__


def _value(expression: ast.expr | None, known: Mapping[str, object]) -> object:
    """Compute an expression of literals, arithmetic and names computed before."""
    if isinstance(expression, ast.Name):
        return known.get(expression.id, _UNKNOWN)
    if isinstance(expression, (ast.Tuple, ast.List)):
        parts = [_value(element, known) for element in expression.elts]
        if any(part is _UNKNOWN for part in parts):
            return _UNKNOWN
        return tuple(parts) if isinstance(expression, ast.Tuple) else parts
    if isinstance(expression, ast.BinOp):
        left, right = _value(expression.left, known), _value(expression.right, known)
        return _arithmetic(expression.op, left, right)
    try:
        return ast.literal_eval(expression) if expression is not None else _UNKNOWN
    except (ValueError, TypeError, SyntaxError):
        return _UNKNOWN


def _arithmetic(kind: ast.operator, left: object, right: object) -> object:
    compute = _OPERATORS.get(type(kind))
    numbers = (int, float)
    if compute is None or not isinstance(left, numbers) or not isinstance(right, numbers):
        return _UNKNOWN
    try:
        return compute(left, right)
    except ArithmeticError:
        return _UNKNOWN


_OPERATORS = {
    ast.Add: op.add, ast.Sub: op.sub, ast.Mult: op.mul, ast.Div: op.truediv,
    ast.FloorDiv: op.floordiv, ast.Mod: op.mod, ast.Pow: pow,
}  # fmt: skip
