"""Tile each kernel's root to parallel blocks by its choice, and fuse the rest in.

Rewrite: linalg ops with bellrock.tile on the last  ->  scf.forall { the ops on one block }
"""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %roots = "bellrock.with_choice"(%module) {field = "bellrock.tile"}
      : (!transform.any_op) -> !transform.any_op
    transform.foreach %roots : !transform.any_op {
    ^bb0(%root: !transform.any_op):
      %sizes = "bellrock.choice"(%root) {field = "bellrock.tile"}
        : (!transform.any_op) -> !transform.any_param
      %tiled, %loop = transform.structured.fuse %root tile_sizes *(%sizes) {use_forall}
        : (!transform.any_op, !transform.any_param) -> (!transform.any_op, !transform.any_op)
    }
    """
