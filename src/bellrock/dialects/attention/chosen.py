"""Which ops of a block make one kernel of an attention.

Flows in: an op with its choice. Flows out: the ops of the attention that ends there, and those that
only number positions for it (of a causal mask), which it then has for itself.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.dialects.given_choice import choice_of
from bellrock.payload.motifs.attention import Attention, read_attention
from bellrock.payload.motifs.structured import read_structured

KNOBS = "flash-attention"
ENGINE_KNOBS = "dpas-attention"


def chosen_attention(op: ir.Operation) -> list[ir.Operation] | None:
    """Return the ops of one kernel, if the op's choice is one pass over the keys."""
    if op.name != "linalg.generic" or choice_of(op, KNOBS, ENGINE_KNOBS) is None:
        return None
    found = attention_at(op)
    return None if found is None else [*_own_positions(found), *found.ops]


def attention_at(op: ir.Operation) -> Attention | None:
    """Return the attention that ends with an op."""
    structured = read_structured(op)
    return None if structured is None else read_attention(structured)


def is_positions(op: ir.Operation | None) -> bool:
    """Whether an op numbers the elements of a tensor of one dimension."""
    if op is None or op.name != "linalg.generic" or len(op.operands) != 1:
        return False
    names = [o.operation.name for o in op.regions[0].blocks[0].operations]
    return names == ["linalg.index", "arith.index_cast", "linalg.yield"]


def _own_positions(found: Attention) -> list[ir.Operation]:
    """Return makers of positions that nobody else reads."""
    ops = set(found.ops)
    makers: list[ir.Operation] = []
    for stage in found.stages:
        for value in stage.values[: stage.input_count]:
            maker = None if isinstance(value.owner, ir.Block) else value.owner.operation
            if maker is None or maker in makers or not is_positions(maker):
                continue
            if all(u.owner.operation in ops for u in maker.results[0].uses):
                makers.append(maker)
    return makers
