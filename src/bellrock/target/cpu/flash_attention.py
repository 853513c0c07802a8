"""What can be chosen for attention in one pass over keys and values, and the default.

Flows in: a motif, the processor's facts. Flows out: `FlashAttentionKnobs`, or None where the
lowering (`bellrock/dialects/attention`) does not take the motif.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.params.constraint import Constraint
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.base import Facts
from bellrock.target.cpu.constraints import WHOLE_VECTORS, check_stack
from bellrock.target.cpu.panels import PAIRS_FEATURE

ELEMENT_BYTES = 4
"""Of a block's buffers."""
ELEMENTS = {"f32", "bf16", "f16"}
"""Types of queries, keys and values."""
STACK_BYTES = 1 << 20
"""Most that a block's buffers may take of a thread's stack (OpenMP's smallest is 4 MiB)."""
PARALLEL_FLOPS = 1 << 20
"""Below this much work, waking the other cores costs more than it gains."""
BLOCK_KEYS = 96
"""Scores of so many keys stay in the L1 cache between the two products."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FlashAttentionKnobs(Knobs, name="flash-attention"):
    """Blocks of queries, side by side in vectors, against blocks of keys."""

    lanes: int = knob(
        unit="elements", low=4, high=16, values=(4, 8, 16), help="Queries of a vector."
    )
    vectors: int = knob(
        low=1, high=8, values=(1, 2, 3, 4, 6), help="Vectors of queries of a block."
    )
    rows: int = knob(
        unit="elements", low=1, high=28, values=(1, 2, 3, 4, 6, 8, 12),
        help="Keys (or features) of a register tile.",
    )  # fmt: skip
    keys: int = knob(unit="elements", low=1, values=(32, 64, 96, 128, 256), help="Keys of a block.")
    pairs: bool = knob(
        default=False, values=(False,), help="Multiply pairs of bf16 (x86 dot product)."
    )
    parallel: bool = knob(help="Whether the cores share the blocks of queries.")

    constraints = (
        Constraint(
            "accumulators-in-registers",
            "rows * vectors + vectors + 1 < vector_registers",
            help="What does not fit is spilled to memory in the innermost loop.",
        ),
        WHOLE_VECTORS,
    )

    def validate(self, motif: Motif, facts: Facts) -> None:
        """Check ranges and constraints, and that a block's buffers fit the stack.

        Raises:
            SelectionError: one is broken; it is named, with the values that it saw.
        """
        Knobs.validate(self, motif, facts)
        if not takes_flash(motif):
            raise self.broken(
                "attention-of-floats",
                got=motif.signature(),
                allowed=f"an attention of tensors of one type, of {sorted(ELEMENTS)}",
            )
        if self.pairs and not takes_pairs(motif, facts):
            raise self.broken(
                "pairs-of-bf16",
                got=f"pairs=True for {motif.signature()}",
                allowed=f"bf16 operands on a processor with {PAIRS_FEATURE}",
            )
        check_stack(self, self.buffer_bytes(motif), STACK_BYTES)

    def buffer_bytes(self, motif: Motif) -> int:
        """Return the size of a block's queries, scores and sums, and of copied keys and values."""
        dims, unit = motif.dims, 2 if self.pairs else 1
        keys = min(self.keys, dims["keys"])
        rows = -(-dims["depth"] // unit) + self._padded(dims["features"]) + keys + 2
        elements = self.lanes * self.vectors * rows
        if _element(motif) != "f32":
            # One dimension of each copy is in whole vectors: whichever lies side by side.
            elements += self._padded(keys) * self._padded(-(-dims["depth"] // unit))
            elements += self._padded(-(-keys // unit)) * self._padded(dims["features"])
        return ELEMENT_BYTES * elements

    def _padded(self, size: int) -> int:
        return -(-size // self.lanes) * self.lanes


def _element(motif: Motif) -> str:
    """Return the type of the values."""
    return motif.inputs[-1].dtype


def takes_flash(motif: Motif) -> bool:
    """Whether the lowering knows the motif."""
    return (
        motif.kind is MotifKind.ATTENTION
        and motif.variant == ""
        and set(motif.dtypes) <= ELEMENTS
        and min(motif.dims.values()) > 0
    )


def takes_pairs(motif: Motif, facts: Facts) -> bool:
    """Whether a processor has a product for the motif's elements that takes two at once."""
    narrow = {o.dtype for o in motif.inputs} == {"bf16"}
    return narrow and PAIRS_FEATURE in facts.features and facts.vector_bits >= 512


def default_flash(motif: Motif, facts: Facts) -> FlashAttentionKnobs | None:
    """Return the widest block of queries whose buffers fit; None where none does."""
    if not takes_flash(motif):
        return None
    lanes = min(16, facts.vector_bits // 32)
    wanted = -(-motif.dims["queries"] // lanes)
    most = 4 if facts.vector_registers >= 32 else 2
    dims = motif.dims
    work = 2 * dims["batch"] * dims["queries"] * dims["keys"] * (dims["depth"] + dims["features"])
    for vectors in range(min(most, wanted), 0, -1):
        rows = min(12, (facts.vector_registers - vectors - 2) // vectors)
        for block in (BLOCK_KEYS, BLOCK_KEYS // 4):
            knobs = FlashAttentionKnobs(
                lanes=lanes, vectors=vectors, rows=rows, keys=max(rows, block // rows * rows),
                pairs=takes_pairs(motif, facts), parallel=work >= PARALLEL_FLOPS,
            )  # fmt: skip
            if knobs.buffer_bytes(motif) <= STACK_BYTES:
                return knobs
    return None
