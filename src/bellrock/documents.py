"""Text files that people write: YAML maps with the places of what is in them.

Flows in: path or text of a file, and what it is meant to be. Flows out: the text, or ruamel's
map; or an error of the caller's class with file:line:column.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.errors import BellrockError

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of file, for messages."""

    name: str
    """As in "a NAME is a YAML map"."""
    error: type[BellrockError]
    """What is raised."""
    hint: str
    """How to begin where the file is no map."""

    def read_text(self, path: Path) -> str:
        """Return what a file holds.

        Raises:
            BellrockError: it cannot be read, or is not UTF-8.
        """
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            what = f"cannot read the {self.name}"
            raise self.error(what, got=error.strerror, where=path) from error
        except UnicodeDecodeError as error:
            raise self.error(f"the {self.name} is not UTF-8 text", got=error, where=path) from error

    def parse_map(self, text: str, *, source: object) -> CommentedMap:
        """Parse YAML that has to be a map.

        Args:
            text: of the file.
            source: its path, for messages.

        Raises:
            BellrockError: it is no YAML, holds a key twice, or is no map.
        """
        from ruamel.yaml import YAML
        from ruamel.yaml.comments import CommentedMap
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        try:
            root = YAML(typ="rt").load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
            problem = ", ".join(p.strip() for p in (error.context, error.problem) if p)
            raise self.error("not valid YAML", got=problem, where=where) from error
        except (YAMLError, ValueError) as error:
            raise self.error("not valid YAML", got=error, where=source) from error
        if not isinstance(root, CommentedMap):
            found = "a list" if isinstance(root, list) else repr(root)
            raise self.error(
                f"a {self.name} is a YAML map",
                got="an empty file" if root is None else found,
                where=f"{source}:1:1",
                hint=self.hint,
            )
        return root
