"""Where in the user's source a node of a graph, or a frame of an error, comes from.

Flows in: FX nodes, tracebacks. Flows out: `file:line (code line)` for error messages.
"""

from __future__ import annotations

import linecache
import re
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.fx import Node

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def where(node: Node) -> str | None:
    """Return the place in the model's source that made a node, or None if not recorded.

    For an op inside one of PyTorch's own modules, that is the module's path in the model.
    """
    frames = [(f, int(line)) for f, line in _FRAME.findall(node.meta.get("stack_trace") or "")]
    own = _innermost(frames)
    modules = list((node.meta.get("nn_module_stack") or {}).values())
    if own is not None or not modules or not modules[-1][0]:
        return own
    path, kind = modules[-1]
    return f"module {path} ({kind if isinstance(kind, str) else kind.__qualname__})"


def raised_at(error: BaseException) -> str | None:
    """Return the innermost place outside installed packages that an error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    return _innermost([(frame.filename, frame.lineno or 0) for frame in frames])


def place(file: str, line: int) -> str:
    """Return `file:line (code line)`."""
    code = linecache.getline(file, line).strip()
    return f"{file}:{line} ({code})" if code else f"{file}:{line}"


def _innermost(frames: list[tuple[str, int]]) -> str | None:
    """Return the last frame that is neither Python's, an installed package's nor Bellrock's."""
    own = [(file, line) for file, line in frames if _is_users(file)]
    return place(*own[-1]) if own else None


def _is_users(file: str) -> bool:
    elsewhere = (sysconfig.get_path("stdlib"), "site-packages", "dist-packages",
                 str(Path(__file__).parent))  # fmt: skip
    return not file.startswith("<") and not any(part in file for part in elsewhere)
