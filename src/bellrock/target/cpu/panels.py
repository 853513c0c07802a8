"""The choice `panels`: a contraction by register tiles, over panels that fit the caches.

Flows in: a contraction's motif, facts of the processor. Flows out: whether `PanelKnobs` can
compute it, and whether given ones are legal. `panel_rule.py` has the default for every shape.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from bellrock.params.constraint import Constraint, Value
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind, Operand
from bellrock.target.base import Facts
from bellrock.target.cpu.constraints import check_parallel

_NARROW = {"f32", "bf16", "f16"}
PAIRS_FEATURE = "avx512bf16"
ENGINE_FEATURE = "amx-bf16"
ENGINE_LANES = 16
"""Columns, and pairs of k, of one tile of the matrix engine."""
ENGINE_TILES = 8
"""Its registers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelKnobs(Knobs, name="panels"):
    """Register tiles over packed panels."""

    tile: tuple[int, ...] = knob(
        unit="iterations", low=0, help="Size of a block, by loop; 0 leaves a loop whole."
    )
    vector: str = knob(
        values=("n", "m", "k"), help="Role of the loop that runs along vector lanes."
    )
    lanes: int = knob(unit="elements", low=1, high=64, values=(16,), help="Lanes of a vector.")
    rows: int = knob(low=1, high=64, values=(4, 6, 8, 12, 14), help="Rows of a register tile.")
    columns: int = knob(
        low=1, high=16, values=(1, 2, 3, 4),
        help="Vectors in a row of a register tile; columns of it where vectors run along k.",
    )  # fmt: skip
    depth: int = knob(
        default=512, unit="elements", low=2, values=(256, 512), help="Part of k that is packed."
    )
    unroll: int = knob(
        default=4, low=1, high=16, values=(4,),
        help="Steps of k in one iteration; chains of sums where vectors run along k.",
    )  # fmt: skip
    copy: bool = knob(default=True, values=(True,), help="Copy the rows of a tile to the L1 cache.")
    pack: bool = knob(default=True, values=(True, False), help="Pack a block's columns in L2.")
    pairs: bool = knob(
        default=False, values=(False,), help="Multiply pairs of bf16 (x86 dot product)."
    )
    amx: bool = knob(
        default=False, values=(False,), help="Multiply tiles of pairs (x86 AMX matrix engine)."
    )
    prepared: bool = knob(
        default=False, values=(False, True),
        help="Columns come in panels that are packed once per set of weights.",
    )  # fmt: skip

    constraints = (
        Constraint("one-size-per-loop", "len(tile) == rank"),
        Constraint("tile-in-registers", "amx or rows * columns + columns + 1 <= vector_registers"),
        Constraint("tile-in-engine", "not amx or ceildiv(rows, 16) * columns + columns + 1 <= 8"),
    )

    @classmethod
    def domain(cls, field: str, motif: Motif) -> Iterator[Value]:
        """Yield what is worth trying; blocks cut the loops of m and n only."""
        if field != "tile":
            yield from Knobs.domain.__func__(cls, field, motif)  # type: ignore[attr-defined]
            return
        sizes = (
            [1] if role == "batch" else [0, *(s for s in (64, 256, 1024) if s < loop)]
            for loop, role in zip(motif.loops, motif.roles, strict=True)
        )
        cut = (s if role != "k" else [0] for s, role in zip(sizes, motif.roles, strict=True))
        yield from itertools.product(*cut)

    def validate(self, motif: Motif, facts: Facts) -> None:
        """Check ranges, constraints, and what vectors along k need.

        Raises:
            SelectionError: one is broken; it is named, with the values that it saw.
        """
        Knobs.validate(self, motif, facts)
        check_parallel(self, self.tile, motif)
        if self.vector == "k" and not along_k(motif):
            raise self.broken(
                "k-side-by-side",
                got=f"vector={self.vector} for {motif.signature()}",
                allowed="vectors along k only where k lies side by side in both operands",
            )
        if self.prepared:
            self._check_prepared(motif)
        dtypes = {o.dtype for o in motif.inputs}
        if self.pairs and (dtypes != {"bf16"} or PAIRS_FEATURE not in facts.features):
            raise self.broken(
                "pairs-of-bf16",
                got=f"pairs=True for {sorted(dtypes)}",
                allowed=f"bf16 operands on a processor with {PAIRS_FEATURE}",
            )
        if self.amx:
            self._check_engine(motif, facts)

    def _check_engine(self, motif: Motif, facts: Facts) -> None:
        panels = self.pairs and self.copy and self.pack and self.vector != "k"
        whole = self.depth % (2 * ENGINE_LANES) == 0 or self.depth >= motif.dims["k"]
        here = ENGINE_FEATURE in facts.features
        if not (panels and whole and here and self.lanes == ENGINE_LANES):
            raise self.broken(
                "whole-tiles-of-pairs",
                got=f"amx=True, pairs={self.pairs}, copy={self.copy}, pack={self.pack}, "
                f"vector={self.vector}, lanes={self.lanes}, depth={self.depth} for "
                f"{motif.signature()}",
                allowed=f"pairs of bf16 in panels of {ENGINE_LANES} lanes, k in parts of a "
                f"multiple of {2 * ENGINE_LANES}, on a processor with {ENGINE_FEATURE}",
            )

    def _check_prepared(self, motif: Motif) -> None:
        role, operand = ("m", 0) if self.vector == "m" else ("n", 1)
        width = self.columns * self.lanes
        cut = [s for s, r in zip(self.tile, motif.roles, strict=True) if r == role and s % width]
        if not motif.inputs[operand].packable or self.vector == "k" or cut:
            raise self.broken(
                "whole-panels-of-a-weight",
                got=f"prepared=True, vector={self.vector}, tile={list(self.tile)} for "
                f"{motif.signature()}",
                allowed=f"columns that are packable, in blocks of a multiple of {width}",
                hint="what may be packed is a weight, within `prepared_percent` of the memory",
            )


def takes_panels(motif: Motif) -> bool:
    """Whether a contraction can be computed by register tiles."""
    return (
        motif.kind is MotifKind.CONTRACTION
        and motif.plain
        and motif.accumulator == "f32"
        and len(motif.inputs) == 2
        and all(o.dtype in _NARROW for o in motif.inputs)
        and all(o.dtype == "f32" for o in motif.outputs)
        and all("*" not in o.layout for o in motif.operands)
    )


def along_k(motif: Motif) -> bool:
    """Return whether k is one loop that lies side by side in both operands."""
    return motif.roles.count("k") == 1 and all(unit_role(o) in ("k", "") for o in motif.inputs)


def unit_role(operand: Operand) -> str:
    """Return the role of an operand's last dimension that is not of size 1."""
    roles = operand_roles(operand)
    for role, size in zip(reversed(roles), reversed(operand.shape), strict=False):
        if size != 1:
            return role
    return ""


def operand_roles(operand: Operand) -> list[str]:
    """Return the roles of an operand's dimensions, outermost first."""
    return [{"b": "batch"}.get(c, c) for c in operand.layout if c.isalpha()]
