"""The kind of motif that an op is, also where a stage gave it inputs that its body does not use.

Flows in: an op. Flows out: its kind, as records name it. The structure of an op with packed
weights beside its own (`prepared_room.add_unused_input`) is not that of its motif any more, though
what it computes is; so the kind is noted when the input is added.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.payload.motif import find_motif

KIND = "bellrock.motif_kind"
"""Attribute of an op that got an unused input: the kind of motif that it was before."""


def kind_of(op: ir.Operation) -> str | None:
    """Return the kind of an op's motif, e.g. "contraction"; None where it has none."""
    if KIND in op.attributes:
        return ir.StringAttr(op.attributes[KIND]).value
    motif = find_motif(op)
    return None if motif is None else str(motif.kind)
