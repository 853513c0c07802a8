"""The numbers of constant tables, which MLIR's bindings give out for some types only.

Flows in: dense attributes. Flows out: numpy arrays of their elements; of bf16 the bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch_mlir import ir

Array = np.ndarray[Any, np.dtype[Any]]


def round_to_bf16(value: Array) -> Array:
    """Return the bits of bf16 for f32 values, rounded to nearest even."""
    bits = np.ascontiguousarray(value, np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(value), np.uint16(0x7FC0), rounded)


def bf16_table(attribute: ir.DenseElementsAttr) -> Array:
    """Return the bits of a dense attribute of bf16, in a row."""
    if attribute.is_splat:
        value = np.asarray([attribute.get_splat_value().value], np.float32)
        return np.repeat(round_to_bf16(value), len(attribute))
    text = str(attribute).removeprefix("dense<").rpartition("> :")[0]
    if text.startswith('"'):
        return np.frombuffer(bytes.fromhex(text.strip('"')[2:]), np.uint16)
    words = text.replace("[", " ").replace("]", " ").replace(",", " ").split()
    values = round_to_bf16(np.array([0 if w.startswith("0x") else float(w) for w in words]))
    for i, word in enumerate(words):
        if word.startswith("0x"):
            values[i] = int(word, 16)
    return values


def as_integers(attribute: ir.DenseElementsAttr) -> ir.DenseElementsAttr:
    """Return a table of bf16 as one of 16-bit integers, and a table of booleans as bytes."""
    from torch_mlir import ir

    kind = ir.ShapedType(attribute.type)
    if isinstance(kind.element_type, ir.BF16Type):
        width, numbers = 16, bf16_table(attribute).view(np.int16)
    else:
        width, numbers = 8, np.ravel(np.array(attribute)).astype(np.int8)
    element = ir.IntegerType.get_signless(width)
    shape = list(kind.shape)
    whole = (
        ir.VectorType.get(shape, element)
        if isinstance(attribute.type, ir.VectorType)
        else ir.RankedTensorType.get(shape, element)
    )
    return ir.DenseElementsAttr.get(np.ascontiguousarray(numbers.reshape(shape)), type=whole)
