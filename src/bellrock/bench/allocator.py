"""The C library's allocator, which PyTorch's results come from.

Flows in: the wish that memory be kept once it was asked for. Flows out: a process whose
allocations no longer pay for page faults; nothing else changes.
"""

from __future__ import annotations

import ctypes

from bellrock.errors import BenchError

_TRIM_THRESHOLD = -1
_MMAP_MAX = -4
"""Parameters of glibc's `mallopt`, as in malloc.h."""


def keep_freed_memory() -> None:
    """Have this process keep what it frees, and give it out again.

    By default glibc maps each large block (from 32 MiB on always) anew, so that its pages fault
    and are cleared at each call; that can take longer than the call's own work.

    Raises:
        BenchError: the C library has no such setting.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError as error:
        raise BenchError(
            "this C library's allocator cannot be told to keep memory",
            hint="leave out '--allocator recycling', which needs glibc",
        ) from error
    # No block is mapped on its own, and the heap never shrinks.
    if not (mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, -1)):
        raise BenchError("the C library refused to keep freed memory")
