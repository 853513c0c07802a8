"""One block of queries of an attention: what its parts share.

Flows in: an `AttentionKernel`, its choice, the new function's buffers. Flows out: the block's own
buffers on the stack, with a block's queries side by side, and accesses to them.

All of these buffers are of f32. A pair of bf16, which the processor's dot product takes at once, is
kept in one such place: its bits are moved, nothing is computed with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch_mlir import ir

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.reading import AttentionKernel
from bellrock.dialects.contraction.product import Product
from bellrock.dialects.vector_code import Index


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The knobs of `flash-attention`."""

    lanes: int
    vectors: int
    rows: int
    keys: int
    parallel: bool
    pairs: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """The kernel that a block is of, and its buffers."""

    kernel: AttentionKernel
    choice: Choice
    arguments: list[ir.Value]
    buffers: dict[str, ir.Value] = field(default_factory=dict)

    @property
    def lanes(self) -> int:
        """Elements of a vector of f32."""
        return self.choice.lanes

    @property
    def width(self) -> int:
        """Queries of a block."""
        return self.choice.lanes * self.choice.vectors

    @property
    def places(self) -> list[int]:
        """Where each vector of a block's queries starts."""
        return [i * self.choice.lanes for i in range(self.choice.vectors)]

    @property
    def block_keys(self) -> int:
        """Keys of a block: no more than there are, and whole pairs."""
        return min(self.choice.keys, self.kernel.shape[self.kernel.key])

    @property
    def score_product(self) -> Product:
        """How queries and keys are multiplied."""
        pairs = self.choice.pairs and self.kernel.query_factor.is_bf16
        return self._product(pairs=pairs and self.kernel.key_factor.is_bf16)

    @property
    def sum_product(self) -> Product:
        """How exponentials and values are multiplied."""
        narrow = self.kernel.narrow_weights and self.kernel.value_factor.is_bf16
        return self._product(pairs=self.choice.pairs and narrow)

    def _product(self, *, pairs: bool) -> Product:
        return Product(lanes=self.lanes, accumulator=ir.F32Type.get(), pairs=pairs)

    def allocate(self, name: str, elements: int) -> None:
        """Make a buffer of the thread's stack."""
        self.buffers[name] = code.stack_buffer(elements, ir.F32Type.get())

    def splat(self, number: float) -> ir.Value:
        """Return a vector of one number."""
        element = ir.F32Type.get()
        return code.splat(self.lanes, element, ir.FloatAttr.get(element, number))

    def load(self, name: str, at: Index) -> ir.Value:
        """Load a vector of a buffer."""
        return code.load(self.buffers[name], at, self.lanes)

    def store(self, value: ir.Value, name: str, at: Index) -> None:
        """Store a vector into a buffer."""
        code.store(value, self.buffers[name], at)

    @property
    def whole(self) -> bool:
        """Whether all blocks have all of their queries."""
        return self.kernel.shape[self.kernel.query] % self.width == 0

    def inside(self, left: Index, place: int) -> Index:
        """Return how many queries of a vector there are, of `left` in the block."""
        return self.lanes if self.whole else code.subtract(left, place)

    def mask(self, left: Index, place: int) -> ir.Value | None:
        """Return which queries of a vector there are."""
        return code.prefix_mask(self.lanes, self.inside(left, place))
