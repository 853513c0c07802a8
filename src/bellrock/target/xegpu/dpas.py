"""The choice `dpas`: a contraction by matrix engines, with 2-d block loads and prefetches.

Flows in: a contraction's motif, facts of the device. Flows out: `DpasKnobs`, and a default for
every shape, by an analytic rule: the largest tile of a sub-group that the shape fills, and
work-groups of as many as leave work for all Xe-cores. Pairs are (rows, columns) of the `Product`
(A is rows x k, B k x columns, however they lie in memory). A size need not be a multiple of its
tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bellrock.params.constraint import Constraint, Value
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.base import Facts
from bellrock.target.xegpu.product import BlockLimits, in_blocks, product_of

RESERVED_REGISTERS = 24
"""Of a thread, for addresses, counters and descriptors of block loads."""
DEPTH_BYTES = 32
"""Of k in one matrix instruction, in every type."""
COLUMNS = 16
ROWS = 8
MOST_ELEMENTS = 512
"""Of a sub-group's tile where elements are loaded or stored one by one."""
SUB_GROUPS = (
    (8, 16), (8, 32), (8, 64), (16, 16), (16, 32), (16, 64), (32, 16), (32, 32), (32, 64), (64, 32),
)  # fmt: skip
"""Tiles of a sub-group that are worth trying."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DpasKnobs(Knobs, name="dpas"):
    """Tiles of work-groups and sub-groups, and how their operands come."""

    work_group: tuple[int, ...] = knob(
        unit="elements", low=1, values=((32, 64), (64, 128), (128, 128), (128, 256), (256, 256)),
        help="Result of a work-group: (rows, columns).",
    )  # fmt: skip
    sub_group: tuple[int, ...] = knob(
        unit="elements", low=1, values=SUB_GROUPS, help="Result of a sub-group: (rows, columns)."
    )
    k_step: int = knob(
        unit="elements", low=1, values=(16, 32, 64), help="Part of k of one turn of the loop."
    )
    load_a: tuple[int, ...] = knob(
        unit="elements", low=1, values=((8, 16), (16, 16)), help="One block load of A: (rows, k)."
    )
    load_b: tuple[int, ...] = knob(
        unit="elements",
        low=1,
        values=((16, 16), (32, 16)),
        help="One block load of B: (k, columns).",
    )
    prefetch_a: tuple[int, ...] = knob(
        unit="elements", low=1, values=((8, 16), (16, 16), (32, 16)),
        help="One prefetch of A by one sub-group: (rows, k).",
    )  # fmt: skip
    prefetch_b: tuple[int, ...] = knob(
        unit="elements", low=1, values=((16, 16), (32, 16)),
        help="One prefetch of B by one sub-group: (k, columns).",
    )  # fmt: skip
    prefetch_depth: int = knob(
        default=1, low=0, high=4, unit="steps of k", values=(0, 1, 2),
        help="How far ahead is prefetched; 0 prefetches nothing.",
    )  # fmt: skip
    dpas: tuple[int, ...] = knob(
        default=(ROWS, COLUMNS, 16), unit="elements", low=1, values=((ROWS, COLUMNS, 16),),
        help="Shape of one instruction: (m, n, k).",
    )  # fmt: skip
    grf: int = knob(
        default=256, low=128, high=256, unit="registers", values=(128, 256),
        help="Registers of a thread; 256 halves the threads.",
    )  # fmt: skip
    split_k: int = knob(
        default=1, low=1, high=64, values=(1, 2, 4, 8, 16),
        help="Parts of k, each with work-groups of its own; their sums are added afterwards.",
    )  # fmt: skip

    constraints = (
        Constraint("pairs", "len(work_group) == 2 and len(sub_group) == 2 and len(dpas) == 3"),
        Constraint(
            "shape-of-the-engine",
            "1 <= dpas[0] <= dpas_rows and dpas[1] == dpas_columns"
            " and dpas[2] * operand_bytes == dpas_k_bytes",
        ),
        Constraint(
            "sub-groups-fill-work-group",
            "work_group[0] % sub_group[0] == 0 and work_group[1] % sub_group[1] == 0",
        ),
        Constraint(
            "instructions-fill-sub-group",
            "sub_group[0] % dpas[0] == 0 and sub_group[1] % dpas[1] == 0 and k_step % dpas[2] == 0",
        ),
        Constraint(
            "loads-fill-sub-group",
            "len(load_a) == 2 and sub_group[0] % load_a[0] == 0 and k_step % load_a[1] == 0"
            " and len(load_b) == 2 and k_step % load_b[0] == 0 and sub_group[1] % load_b[1] == 0",
        ),
        Constraint(
            "instructions-fill-loads",
            "load_a[0] % dpas[0] == 0 and load_a[1] % dpas[2] == 0"
            " and load_b[0] % dpas[2] == 0 and load_b[1] % dpas[1] == 0",
        ),
        Constraint(
            "blocks-that-can-be-loaded",
            "max(load_a[0], load_b[0], prefetch_a[0], prefetch_b[0]) <= block_rows"
            " and max(load_a[1], load_b[1], prefetch_a[1], prefetch_b[1]) * operand_bytes"
            " <= block_row_bytes",
        ),
        Constraint(
            "loads-of-16-words-a-lane",
            "load_a[0] * load_a[1] <= 16 * sub_group_size and load_b[1] == dpas[1]"
            " and load_b[0] * load_b[1] * operand_bytes <= 16 * 4 * sub_group_size",
            help="SPIR-V has no longer vectors; of B, words hold neighbours along k.",
        ),
        Constraint(
            "tile-in-registers",
            "ceildiv(sub_group[0] * sub_group[1] * element_bytes"
            " + (sub_group[0] + sub_group[1]) * dpas[2] * operand_bytes, register_bytes)"
            f" + {RESERVED_REGISTERS} <= grf",
        ),
        Constraint(
            "code-of-single-elements",
            f"in_blocks or sub_group[0] * sub_group[1] <= {MOST_ELEMENTS}",
            help="What is loaded or stored element by element has code for each of them.",
        ),
        Constraint("registers-of-a-thread", "grf in (128, 256)"),
        Constraint(
            "work-group-on-one-core",
            "(work_group[0] // sub_group[0]) * (work_group[1] // sub_group[1])"
            " <= vector_engines * (threads if grf == 128 else threads_large_grf)",
        ),
        Constraint(
            "items-of-a-work-group",
            "(work_group[0] // sub_group[0]) * (work_group[1] // sub_group[1]) * sub_group_size"
            " <= work_group_items",
        ),
        Constraint(
            "parts-of-whole-steps",
            "split_k == 1 or split_k * k_step <= depth",
            help="Every part of k has a step at least.",
        ),
    )

    @classmethod
    def scope(cls, motif: Motif, facts: Facts) -> dict[str, Value]:
        """Return what names stand for.

        Here also `operand_bytes`, of the larger operand's element, `depth`, the size of k (of a
        convolution, channels times taps), and `in_blocks`, whether block
        loads and stores take both operands and the result.
        """
        product = product_of(motif)
        return {
            **Knobs.scope(motif, facts),
            "operand_bytes": product.operand_bytes,
            "depth": product.k,
            "in_blocks": in_blocks(product, BlockLimits.of(facts)),
        }

    @property
    def sub_groups(self) -> int:
        """How many a work-group has."""
        return math.prod(
            max(1, w // s) for w, s in zip(self.work_group, self.sub_group, strict=True)
        )

    def registers(self, element: int, register_bytes: int) -> int:
        """Return the registers that sums and the operands of one step of instructions take.

        Args:
            element: bytes of an operand's element.
            register_bytes: of one register.
        """
        rows, columns = self.sub_group
        operands = (rows + columns) * self.dpas[2] * element
        return -(-(rows * columns * 4 + operands) // register_bytes)


def takes_dpas(motif: Motif) -> bool:
    """Whether a contraction or convolution can be computed by matrix engines.

    Of an attention it is the last contraction, which stands for all of it.

    Args:
        motif: any.
    """
    return (
        motif.kind in (MotifKind.CONTRACTION, MotifKind.CONVOLUTION, MotifKind.ATTENTION)
        and motif.plain
        and motif.accumulator == "f32"
        and len(motif.inputs) == 2
        and {o.dtype for o in motif.inputs} in ({"f16"}, {"bf16"})
        and all("*" not in o.layout for o in motif.operands)
    )


def default_dpas(motif: Motif, facts: Facts) -> DpasKnobs:
    """Return the choice of the rule (see the module's docstring); legal for any shape.

    Args:
        motif: a contraction that matrix engines take.
        facts: of the device.
    """
    product = product_of(motif)
    large = 1 if in_blocks(product, BlockLimits.of(facts)) else 2
    rows = next((r for r in (ROWS, 2 * ROWS) if product.rows <= r), 4 * ROWS // large)
    columns = next(
        (c for c in (COLUMNS, 2 * COLUMNS) if product.columns <= c), 4 * COLUMNS // large
    )
    down = _at_most(8, -(-product.rows // rows))
    across = _at_most(4, -(-product.columns // columns))

    def groups() -> int:
        tall, wide = rows * down, columns * across
        return product.batch * -(-product.rows // tall) * -(-product.columns // wide)

    while groups() < facts.cores and down * across > 1:
        down, across = (down // 2, across) if down >= across else (down, across // 2)
    while groups() < facts.cores and (rows > ROWS or columns > COLUMNS):
        rows, columns = (rows, columns // 2) if columns > rows else (rows // 2, columns)
    return knobs_for_tile(motif, (rows, columns), (down, across))


def _at_most(most: int, size: int) -> int:
    """Return the largest power of two up to a size and a limit."""
    return min(most, 1 << (size.bit_length() - 1))


def knobs_for_tile(
    motif: Motif,
    sub_group: tuple[int, int],
    layout: tuple[int, int],
    *,
    k_step: int = 32,
    prefetch_depth: int = 2,
    grf: int = 256,
) -> DpasKnobs:
    """Return knobs with the largest loads and prefetches that a tile allows.

    Args:
        motif: a contraction that matrix engines take.
        sub_group: tile of a sub-group.
        layout: sub-groups of a work-group, down and across.
        k_step: part of k of a turn.
        prefetch_depth: turns.
        grf: registers of a thread.
    """
    rows, columns = sub_group
    depth = DEPTH_BYTES // product_of(motif).operand_bytes
    loaded = 2 * depth if k_step % (2 * depth) == 0 else depth
    return DpasKnobs(
        work_group=(rows * layout[0], columns * layout[1]), sub_group=sub_group, k_step=k_step,
        load_a=(min(rows, 2 * ROWS), depth), load_b=(loaded, COLUMNS),
        prefetch_a=(min(rows, 4 * ROWS), depth), prefetch_b=(min(k_step, 32), COLUMNS),
        prefetch_depth=prefetch_depth, dpas=(ROWS, COLUMNS, depth), grf=grf,
    )  # fmt: skip
