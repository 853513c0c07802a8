"""What is multiplied: elements of a tensor, perhaps scaled or widened on the way.

Flows in: a value in the body of a product. Flows out: `Factor`, which makes the same of vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.operands import owner_of
from bellrock.payload.motifs.bodies import before_widening


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor of a product in f32, before it is widened to that."""

    value: ir.Value
    """In the body of the product."""
    inner: ir.Value | None = None
    """In the body of an op before it: what the product's body has for an element."""

    @classmethod
    def of(cls, multiplied: ir.Value) -> Factor:
        """Read what a product multiplies."""
        return cls(before_widening(multiplied))

    def after(self, value: ir.Value) -> Factor:
        """Return the factor of elements that a value in another body is."""
        plain = owner_of(self.value) is None
        # A product that takes elements as they are takes what they are rounded to.
        return Factor(before_widening(value)) if plain else Factor(self.value, value)

    @property
    def element(self) -> ir.Type:
        """Its type."""
        return self.value.type

    @property
    def is_bf16(self) -> bool:
        """Whether it can be one of a pair."""
        return isinstance(self.element, ir.BF16Type)

    @property
    def in_place(self) -> bool:
        """Whether elements are multiplied as they lie in memory."""
        return owner_of(self.value) is None and isinstance(self.element, ir.F32Type)

    def emit(self, loaded: ir.Value, *, pairs: bool) -> ir.Value:
        """Return the factor of a vector of elements, in f32; as bf16 where it is for pairs."""
        (lanes,) = ir.VectorType(loaded.type).shape
        if self.inner is not None:
            loaded = _evaluated(self.inner, loaded, lanes)
        value = _evaluated(self.value, loaded, lanes)
        if pairs or isinstance(self.element, ir.F32Type):
            return value
        return arith.extf(ir.VectorType.get([lanes], ir.F32Type.get()), value)


def _evaluated(value: ir.Value, loaded: ir.Value, lanes: int) -> ir.Value:
    """Emit what a body makes of its only argument, on vectors."""
    owner = owner_of(value)
    if owner is None:
        return loaded
    if owner.name == "arith.constant":
        return code.splat(lanes, value.type, owner.attributes["value"])
    operands = [_evaluated(v, loaded, lanes) for v in owner.operands]
    kinds = [ir.VectorType.get([lanes], r.type) for r in owner.results]
    attributes = {name: owner.attributes[name] for name in owner.attributes}
    return ir.Operation.create(owner.name, kinds, operands, attributes).results[0]
