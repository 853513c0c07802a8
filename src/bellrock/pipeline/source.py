"""YAML text with positions: plain values on one side, file:line:column on the other.

Flows in: the path of a YAML file. Flows out: a `Source`, whose `data` holds plain Python
values only (dict, list, str, int, float, bool, None) and which tells where each of them
stands in the file.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from bellrock.documents import Kind
from bellrock.errors import PipelineError

_PIPELINE = Kind(name="pipeline", error=PipelineError, hint="start it with `schema: 1`")

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
"""What a YAML file can hold here."""

Keys = tuple[str | int, ...]
"""The way from the root of a document to one of its values: map keys and list indices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One parsed file; shared, so nobody changes what is in it."""

    path: Path
    data: dict[str, Value]
    root: CommentedMap
    """The parser's own tree, which knows the positions."""

    def where(self, keys: Sequence[str | int], *, key: bool = False) -> str:
        """Return `file:line:column` of the value at `keys`.

        Elements that are not in the document (a type's name in an error's path, a key that
        is missing) are stepped over, so the position is that of the nearest value around.

        Args:
            keys: way from the root.
            key: the position of the last map key instead of that of its value.
        """
        node: object = self.root
        line, column = self.root.lc.line, self.root.lc.col
        for element in keys:
            position = _position(node, element, key=key and element == keys[-1])
            if position is None:
                continue
            line, column = position
            node = node[element]  # pyright: ignore[reportIndexIssue]
        return f"{self.path}:{line + 1}:{column + 1}"


def _position(node: object, element: str | int, *, key: bool) -> tuple[int, int] | None:
    try:
        if isinstance(node, CommentedMap) and element in node:
            line, column = node.lc.key(element) if key else node.lc.value(element)
            return line, column
        if isinstance(node, CommentedSeq) and isinstance(element, int) and element < len(node):
            line, column = node.lc.item(element)
            return line, column
    except (KeyError, TypeError):  # the value was merged in (`<<`): it has no place of its own
        return None
    return None


def read_source(path: Path) -> Source:
    """Parse a YAML file.

    Args:
        path: of the file.

    Returns:
        Its plain values and their positions.

    Raises:
        PipelineError: the file cannot be read, is not YAML, holds a key twice, is not a
            map, or has a value that a pipeline cannot use (a date, a tagged value).
    """
    return _parse(path, _PIPELINE.read_text(path))


@functools.lru_cache(maxsize=128)
def _parse(path: Path, text: str) -> Source:
    """Parse a text once: a process that compiles many programs reads the same files again."""
    root = _PIPELINE.parse_map(text, source=path)
    bare = Source(path=path, data={}, root=root)
    data = _plain(bare, root, keys=(), above=())
    assert isinstance(data, dict)
    return Source(path=path, data=data, root=root)


def _plain(source: Source, node: object, *, keys: Keys, above: tuple[int, ...]) -> Value:
    """Strip the parser's own types, so that validation sees plain values."""
    if id(node) in above:
        raise PipelineError("a YAML alias contains itself", where=source.where(keys))
    if isinstance(node, CommentedMap):
        plain: dict[str, Value] = {}
        for name, value in node.items():
            if not isinstance(name, str):
                raise PipelineError(
                    "a key must be a string", got=repr(name), where=source.where((*keys, name))
                )
            plain[str(name)] = _plain(source, value, keys=(*keys, name), above=(*above, id(node)))
        return plain
    if isinstance(node, CommentedSeq):
        return [
            _plain(source, value, keys=(*keys, index), above=(*above, id(node)))
            for index, value in enumerate(node)
        ]
    value = _plain_scalar(node)
    if value is not None and not isinstance(value, str | int | float | bool):
        raise PipelineError(
            "a value that no pipeline can use",
            got=f"{node} ({type(node).__name__})",
            allowed="strings, integers, floats, true, false, lists and maps",
            where=source.where(keys),
            hint="put quotes around it if text is meant",
        )
    return value


def _plain_scalar(node: object) -> object:
    if isinstance(node, bool):
        return bool(node)
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    # ruamel keeps `true` as an int subclass only when it carries an anchor
    return node
