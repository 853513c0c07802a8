"""Kernels are called in an order that needs less memory (dialects/order_kernels)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.order_kernels"(%module) : (!transform.any_op) -> ()
    """
