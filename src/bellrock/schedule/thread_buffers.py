"""Stack buffers are made once per thread (dialects/thread_buffers)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.thread_buffers"(%module) : (!transform.any_op) -> ()
    """
