"""The names of MLIR's passes and their options, for suggestions.

Flows in: a name that MLIR does not know. Flows out: names that it does know. The bindings
have no list of passes, but every name is a string constant of their library, and MLIR's
own parser says of each string whether it is a pass, or an option of one.
"""

from __future__ import annotations

import difflib
import functools
import mmap
import os
import re
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.pipeline.context import register_passes

if TYPE_CHECKING:
    from torch_mlir import ir

_LOCK = threading.RLock()
"""Held while MLIR is asked: there is one context, and one stderr."""
_WORD = re.compile(rb"[a-z][a-z0-9-]{1,63}(?=\0)")
_ELF_MAGIC = b"\x7fELF\x02\x01"
"""64-bit, little-endian."""


@functools.lru_cache(maxsize=1)
def _context() -> ir.Context:
    """Return the context in which MLIR is asked; making one takes longer than a question."""
    from torch_mlir import ir

    register_passes()
    return ir.Context()


@functools.lru_cache(maxsize=4096)
def complaint(pipeline_text: str) -> str | None:
    """Return what MLIR says against a textual pass pipeline, or None if it accepts it."""
    from torch_mlir.passmanager import PassManager

    context = _context()
    # MLIR's option parser prints the reason of some failures instead of returning it
    with _captured_stderr() as printed, context:
        try:
            PassManager.parse(pipeline_text)
        except ValueError as error:
            return f"{error}\n{printed()}".strip()
    return None


@functools.lru_cache(maxsize=64)
def near_passes(name: str) -> list[str]:
    """Return the names of passes that look like `name`, nearest first."""
    near = difflib.get_close_matches(name, words(), n=50, cutoff=0.5)
    return [word for word in near if is_pass(word)]


def is_pass(name: str) -> bool:
    """Return whether MLIR has a pass of this name."""
    problem = complaint(f"any({name})")
    return problem is None or "does not refer" not in problem


@functools.lru_cache(maxsize=64)
def options_of(pass_name: str) -> list[str]:
    """Return the names of all options of a pass, sorted."""
    from torch_mlir.passmanager import PassManager

    def known(option: str) -> bool:
        try:
            PassManager.parse(f"any({pass_name}{{{option}}})")
        except ValueError as error:
            return "no such option" not in str(error)
        return True

    with _captured_stderr() as printed, _context():
        names = sorted(word for word in words() if known(word))
        printed()
    return names


@functools.lru_cache(maxsize=64)
def is_op(name: str) -> bool:
    """Return whether MLIR has an op of this name."""
    dialect, dot, _ = name.partition(".")
    with _LOCK, _context() as context:
        try:
            context.get_dialect_descriptor(dialect)
        except ValueError:
            return False
        return bool(dot) and context.is_registered_operation(name)


@functools.lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """Return every string of MLIR's library that could be the name of a pass or option."""
    import torch_mlir._mlir_libs as libraries

    assert libraries.__file__ is not None
    found: set[str] = set()
    for path in Path(libraries.__file__).parent.glob("*CAPI.so*"):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start, end = _constants(data)
            for match in _WORD.finditer(data, start, end):
                parts = match[0].decode().split("-")
                # The linker keeps a string that ends another one only once, inside of it.
                found.update("-".join(parts[i:]) for i in range(len(parts)))
    return frozenset(word for word in found if word and word[0].isalpha())


def _constants(data: mmap.mmap) -> tuple[int, int]:
    """Return where the read-only data of a library is; all of the file if it is not ELF."""
    if data[: len(_ELF_MAGIC)] != _ELF_MAGIC:
        return 0, len(data)
    (table,) = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * size) for i in range(count)]
    strings = sections[names][4]
    for name, _, _, _, offset, length, *_ in sections:
        if data[strings + name : strings + name + 8] == b".rodata\0":
            return offset, offset + length
    return 0, len(data)


@contextmanager
def _captured_stderr() -> Iterator[Callable[[], str]]:
    """Take what native code prints to stderr.

    Yields a function that returns what was printed. If it is never called, nothing went
    wrong, and the text (another thread's) is passed on.
    """
    read = False
    with _LOCK, tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)

        def printed() -> str:
            nonlocal read
            read = True
            file.seek(0)
            return file.read().decode(errors="replace")

        try:
            yield printed
        finally:
            os.dup2(saved, 2)
            if not read:
                os.write(saved, printed().encode())
            os.close(saved)
