"""A contraction as matrix engines see it: rows and columns of the result, and both operands.

Flows in: a contraction's motif. Flows out: `Product`, in which columns run along the innermost
dimension of the result, whichever role that has, and how a sub-group reads each operand.
"""

from __future__ import annotations

import enum
import math
import re
from dataclasses import dataclass
from functools import lru_cache

from bellrock.payload.motifs.base import Motif, MotifKind, Operand, Side, element_bytes
from bellrock.target.base import Facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """Sizes and operands of `result[rows, columns] += a[rows, k] * b[k, columns]`."""

    batch: int
    rows: int
    columns: int
    k: int
    a: Operand
    b: Operand
    result: Operand
    column_letter: str
    """Of the columns, in layouts: `n`, or `m` where the result is transposed."""

    @property
    def operand_bytes(self) -> int:
        """Bytes of an element of the larger operand."""
        return max(element_bytes(self.a.dtype), element_bytes(self.b.dtype))


@lru_cache(maxsize=64)
def product_of(motif: Motif) -> Product:
    """Return a contraction or convolution as a product; of an attention, the last one.

    Args:
        motif: any of these.
    """
    if motif.kind is MotifKind.CONVOLUTION:
        return _convolution_product(motif)
    left, right = motif.inputs
    (result,) = motif.outputs
    size: dict[str, int] = dict.fromkeys(("batch", "m", "n", "k"), 1)
    for role, trips in zip(motif.roles, motif.loops, strict=True):
        size[role] *= trips
    m, n = size["m"], size["n"]
    unit = next((c for c, size in reversed(letters_of(result)) if size != 1), "n")
    swapped = unit == "m"
    return Product(
        batch=size["batch"], k=size["k"], result=result,
        rows=n if swapped else m, columns=m if swapped else n,
        a=right if swapped else left, b=left if swapped else right,
        column_letter="m" if swapped else "n",
    )  # fmt: skip


def _convolution_product(motif: Motif) -> Product:
    """Return a convolution as filters times positions, or the other way round."""
    sizes: dict[str, int] = dict.fromkeys("mnkb", 1)
    for role, size in zip(motif.roles, motif.loops, strict=True):
        sizes[_CONVOLUTION_LETTERS[role]] *= size
    image = next(o for o in motif.inputs if _WINDOW in o.layout)
    (result,) = motif.outputs
    positions = [n for r, n in zip(motif.roles, motif.loops, strict=True) if r == "output"]
    filters = Operand(
        side=Side.INPUT, dtype=image.dtype, shape=(sizes["b"], sizes["m"], sizes["k"]),
        layout="bmk",
    )  # fmt: skip
    # Images one after the other are no single row of positions.
    spread = _WINDOW if motif.dims["batch"] > 1 else ""
    written = Operand(
        side=Side.OUTPUT, dtype=result.dtype, shape=(sizes["b"], sizes["m"], sizes["n"]),
        layout=f"bmn{spread}",
    )  # fmt: skip
    swapped = math.prod(positions) == 1
    return Product(
        batch=sizes["b"], k=sizes["k"], result=written,
        rows=sizes["n"] if swapped else sizes["m"], columns=sizes["m"] if swapped else sizes["n"],
        a=image if swapped else filters, b=filters if swapped else image,
        column_letter="m" if swapped else "n",
    )  # fmt: skip


_CONVOLUTION_LETTERS = {
    "out_channel": "m", "batch": "n", "output": "n", "in_channel": "k", "kernel": "k",
    "group": "b",
}  # fmt: skip
_WINDOW = "("
"""In the layout of what is indexed by sums of loops."""


def letters_of(operand: Operand) -> list[tuple[str, int]]:
    """Return the role's letter and the size of each dimension."""
    letters = re.findall(r"[a-z]\d*|\*", operand.layout)
    return [(c[0], n) for c, n in zip(letters, operand.shape, strict=True)]


class Access(enum.Enum):
    """How a sub-group reads an operand."""

    BLOCK = "block"
    """By 2-d block loads, as it lies or transposed."""
    GATHERED = "gathered"
    """Element by element, lanes side by side."""
    SCATTERED = "scattered"
    """Element by element, each lane in a line of its own."""
    COPIED = "copied"
    """By block loads, from a copy that the kernel makes first."""


USES = 256
"""Products of each element from which on what block loads refuse is copied for them first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockLimits:
    """What 2-d block loads and stores need of a matrix in memory."""

    pitch_alignment: int
    width_alignment: int
    least_bytes: int

    @classmethod
    def of(cls, facts: Facts) -> BlockLimits:
        """Return what a device needs."""
        limits = facts.limits
        return cls(
            pitch_alignment=limits["block_pitch_alignment"],
            width_alignment=limits["block_width_alignment"],
            least_bytes=limits["block_least_bytes"],
        )

    def takes(self, width_bytes: int, pitch_bytes: int | None) -> bool:
        """Whether a matrix fits; one of a single row has no pitch."""
        return (
            width_bytes >= self.least_bytes
            and width_bytes % self.width_alignment == 0
            and (pitch_bytes is None or pitch_bytes % self.pitch_alignment == 0)
        )


@lru_cache(maxsize=256)
def access_of(operand: Operand, lanes: str, limits: BlockLimits) -> Access:
    """Return how a sub-group can read or write an operand.

    Args:
        operand: of a contraction.
        lanes: letter of the dimension that goes along lanes where nothing is transposed: `k` of
            A, the columns' of B and of the result.
        limits: of block loads.
    """
    if _WINDOW in operand.layout:
        return Access.GATHERED
    sizes = [(letter, size) for letter, size in letters_of(operand) if size != 1]
    if not sizes:
        return Access.GATHERED
    unit = sizes[-1][0]
    width, pitch = _surface(sizes, unit)
    element = element_bytes(operand.dtype)
    if unit != "b" and limits.takes(width * element, None if pitch is None else pitch * element):
        return Access.BLOCK
    return Access.GATHERED if unit == lanes else Access.SCATTERED


def side_access(product: Product, side: str, limits: BlockLimits) -> Access:
    """Return how a sub-group reads a side of a product.

    Args:
        product: what is multiplied.
        side: `a` or `b`.
        limits: of block loads.
    """
    operand, lanes, uses = (
        (product.a, "k", product.columns) if side == "a"
        else (product.b, product.column_letter, product.rows)
    )  # fmt: skip
    found = access_of(operand, lanes, limits)
    if found is Access.BLOCK or _WINDOW in operand.layout or uses < USES:
        return found
    return Access.COPIED


def in_blocks(product: Product, limits: BlockLimits) -> bool:
    """Whether block loads and stores take both operands, or copies of them, and the result."""
    blocks = (Access.BLOCK, Access.COPIED)
    written = access_of(product.result, product.column_letter, limits)
    return written is Access.BLOCK and all(
        side_access(product, side, limits) in blocks for side in "ab"
    )


def copied_elements(product: Product, limits: BlockLimits) -> int:
    """Return the elements of both operands that are copied first."""
    sizes = {"a": product.rows, "b": product.columns}
    return product.batch * product.k * sum(
        size for side, size in sizes.items()
        if side_access(product, side, limits) is Access.COPIED
    )  # fmt: skip


def _surface(sizes: list[tuple[str, int]], unit: str) -> tuple[int, int | None]:
    """Return width and pitch, in elements, of the matrix whose rows run along a letter."""
    width = 1
    for place in range(len(sizes) - 1, -1, -1):
        letter, size = sizes[place]
        if letter == unit:
            width *= size
        elif letter != "b":
            return width, math.prod(n for _, n in sizes[place + 1 :])
    return width, None
