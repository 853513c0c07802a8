"""Transform files: their named sequences, checked when a pipeline is loaded.

Flows in: the path of a file in the transform dialect and the name of a sequence. Flows
out: the file's text, which is known to parse and to hold that sequence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.errors import PipelineError
from bellrock.pipeline.context import new_context
from bellrock.pipeline.invalid import unknown

if TYPE_CHECKING:
    from torch_mlir import ir


def place_of(location: ir.Location, name: str) -> str:
    """Return an MLIR location as `name:line:column`, where text was parsed without a name."""
    found = re.fullmatch(r'loc\("-":(\d+):(\d+)\)', str(location))
    return f"{name}:{found[1]}:{found[2]}" if found else str(location)


def sequences_of(module: ir.Module) -> dict[str, ir.Operation]:
    """Return the named sequences at the top of a transform module, by name."""
    from torch_mlir import ir

    return {
        ir.StringAttr(op.operation.attributes["sym_name"]).value: op.operation
        for op in module.body.operations
        if op.operation.name == "transform.named_sequence"
    }


def read_sequence(
    path: Path,
    sequence: str,
    *,
    file_where: str,
    sequence_where: str,
    register: Callable[[ir.Context], None] | None,
) -> str:
    """Read a transform file and check that it holds a sequence.

    Args:
        path: of the file.
        sequence: the sequence's symbol.
        file_where: where the descriptor names the file.
        sequence_where: where it names the sequence.
        register: makes dialects known.

    Raises:
        PipelineError: the file cannot be read or parsed, or lacks the sequence.
    """
    from torch_mlir import ir

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PipelineError(
            "cannot read the transform file", got=f"{path}: {reason}", where=file_where
        ) from error
    with new_context(register):
        try:
            known = sequences_of(ir.Module.parse(text))
        except ir.MLIRError as error:
            first = error.error_diagnostics[0]
            raise PipelineError(
                "the transform file does not parse",
                got=f"{first.message} at {place_of(first.location, str(path))}",
                where=file_where,
            ) from error
        if sequence not in known:
            raise unknown(f"sequence of {path.name}", sequence, known, sequence_where)
    return text
