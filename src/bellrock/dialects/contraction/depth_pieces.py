"""Whether a contraction's depth (k) is cut into pieces for the cores, and how long they are.

Flows in: a contraction on tensors. Flows out: the length of a piece, or None: leave it whole.
Cutting k gives parallel work where the result is small, lets every core read its part of the
operands once, and costs one write and one read of the partial results.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.payload.motif import Motif, MotifKind, find_motif

LARGEST_RESULT = 65536
"""Elements of a result up to which blocks of rows and columns are too small to share out."""
SHORTEST_PIECE = 8192
"""Elements of k from which on starting a piece, with its own lines of both operands, is cheap."""
TRAFFIC = 64
"""Elements of the operands read for each partial result written, at the least: what the
partial results cost is then a few percent."""
MANY_LINES = 128
"""Where k lies side by side, inner products of so many lines are work enough for all cores."""


def piece_of(op: ir.Operation) -> int | None:
    """Return how many elements of k a piece should have; 0 is "leave whole".

    Args:
        op: a linalg op on tensors.

    Returns:
        None if the op is no contraction of two operands, or its result is one number.
    """
    motif = find_motif(op)
    if motif is None or motif.kind is not MotifKind.CONTRACTION or len(motif.inputs) != 2:
        return None
    m, n = motif.dims["m"], motif.dims["n"]
    if m * n == 1:
        return None
    results = motif.dims["batch"] * m * n
    whole = results > LARGEST_RESULT or (_lines(motif) and max(m, n) >= MANY_LINES)
    piece = max(SHORTEST_PIECE, TRAFFIC * m * n // (m + n))
    return 0 if whole or motif.dims["k"] < 2 * piece else piece


def _lines(motif: Motif) -> bool:
    """Whether both operands have k as their last dimension that is not of size 1."""
    for operand in motif.inputs:
        letters = [c for c in operand.layout if c.isalpha()]
        long = [c for c, size in zip(letters, operand.shape, strict=False) if size != 1]
        if not long or long[-1] != "k":
            return False
    return True
