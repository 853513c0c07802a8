"""Kernels that are compiled elsewhere become declarations (dialects/kernel_loops)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.declare_kernels"(%module) : (!transform.any_op) -> ()
    """
