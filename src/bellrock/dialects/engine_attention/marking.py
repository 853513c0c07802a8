"""`transform.bellrock.mark_unnormalised_attentions`: ends of attentions with no softmax.

To most lowerings such an attention is two contractions with elementwise ops between. Where there
is one for it, this op marks the last product, and from there on its motif is an attention.

Rewrite:
    %s = linalg.generic (product of queries and keys)
    %w = linalg.generic (elementwise, rounded to f16) ins(%s, ..)
    %r = linalg.generic (product) ins(%w, %v : tensor<..xf16>, tensor<..xf16>)
  ->
    %r = linalg.generic (product) ins(%w, %v ..) attrs = {bellrock.unnormalised_attention}

Needs: factors in f16 or bf16; a dimension that queries, keys and values all have; no op that an
attention with a softmax has (a projection of queries and the scores after it look alike).
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.attention.chosen import attention_at
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.payload.motifs.attention_unnormalised import UNNORMALISED, read_unnormalised
from bellrock.payload.motifs.structured import read_structured

_ELEMENTS = {"f16", "bf16"}


@edits_in_place(lambda op: _mark_all(op))
class MarkUnnormalisedAttentionsOp(Bellrock.Operation, name="mark_unnormalised_attentions"):
    """Mark the last products of attentions without a softmax below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


def _mark_all(root: ir.Operation) -> None:
    generics = ops_named(root, "linalg.generic")
    taken = {part for op in generics if (found := attention_at(op)) for part in found.ops}
    for op in generics:
        structured = read_structured(op)
        if structured is None or structured.input_count != 2:
            continue
        if not set(structured.dtypes[:2]) <= _ELEMENTS:
            continue
        found = read_unnormalised(structured)
        if found is not None and not taken.intersection(found.ops):
            op.attributes[UNNORMALISED] = ir.UnitAttr.get(op.context)


OPS = (MarkUnnormalisedAttentionsOp,)
