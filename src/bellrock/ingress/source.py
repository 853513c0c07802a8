"""Where in the user's source a node of a graph, or a frame of an error, comes from.

Flows in: FX nodes, tracebacks. Flows out: `file:line (code line)` for error messages.
"""

from __future__ import annotations

import linecache
import re
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
    modules = list((node.meta.get("nn_module_stack") or {}).values())
    if modules and modules[-1][0] and all(_installed(file) for file, _ in frames):
        path, kind = modules[-1]
        return f"module {path} ({kind if isinstance(kind, str) else kind.__qualname__})"
    return _innermost(frames)


def raised_at(error: BaseException) -> str | None:
    """Return the innermost place outside installed packages that an error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    return _innermost(
        [(f.filename, f.lineno or 0) for f in frames if not f.filename.startswith("<")]
    )


def place(file: str, line: int) -> str:
    """Return `file:line (code line)`."""
    code = linecache.getline(file, line).strip()
    return f"{file}:{line} ({code})" if code else f"{file}:{line}"


def _innermost(frames: list[tuple[str, int]]) -> str | None:
    own = [frame for frame in frames if not _installed(frame[0])]
    chosen = own or frames
    return place(*chosen[-1]) if chosen else None


def _installed(file: str) -> bool:
    return "site-packages" in file or str(Path(__file__).parent) in file
