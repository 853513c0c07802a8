"""What can be chosen for a pooling by rows, and the default.

Flows in: a motif, the processor's facts. Flows out: `WindowKnobs`, or None where the lowering
(`bellrock/dialects/pooling`) does not take the motif.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bellrock.dialects.pooling.taken import KNOBS, takes_windows
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.cpu.constraints import WHOLE_VECTORS

BUFFER_ELEMENTS = 4096
"""Of a row's combined window (16 KiB), which has to stay in the L1 cache."""
BLOCKS_PER_CORE = 8
PARALLEL_BYTES = 1 << 17
"""Below this much traffic, waking the other cores costs more than it gains."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowKnobs(Knobs, name=KNOBS):
    """Blocks of rows and columns of a pooling's result."""

    lanes: int = knob(
        unit="elements", low=4, high=16, values=(4, 8, 16), help="Columns of a vector."
    )
    rows: int = knob(
        unit="elements", low=0, values=(0, 1, 4, 16), help="Rows of a block; 0: all of a plane."
    )
    columns: int = knob(
        unit="elements", low=0, values=(0, 256, 1024), help="Columns of a block; 0: a whole row."
    )
    parallel: bool = knob(help="Whether the cores share the blocks.")

    constraints = (WHOLE_VECTORS,)

    def validate(self, motif: Motif, facts: Facts) -> None:
        """Check ranges and constraints, and that the motif is taken.

        Raises:
            SelectionError: one is broken; it is named, with the values that it saw.
        """
        Knobs.validate(self, motif, facts)
        if not takes_windows(motif):
            raise self.broken(
                "pooling-along-memory",
                got=motif.signature(),
                allowed="a pooling of floats, results along its image's memory",
            )
        _, columns = _plane(motif)
        size = _buffer(motif, min(self.columns or columns, columns))
        if size > 8 * BUFFER_ELEMENTS:
            raise self.broken(
                "row-on-the-stack",
                got=f"{size} elements for columns={self.columns}",
                allowed=f"at most {8 * BUFFER_ELEMENTS}",
            )


def default_windows(motif: Motif, facts: Facts) -> WindowKnobs | None:
    """Return whole planes, cut where there are few of them or where rows are long."""
    if not takes_windows(motif):
        return None
    rows, columns = _plane(motif)
    block = columns
    while block > 64 and _buffer(motif, block) > BUFFER_ELEMENTS:
        block = -(-block // 2)
    wanted = facts.cores * BLOCKS_PER_CORE
    planes = math.prod(motif.outputs[0].shape) // (rows * columns) * -(-columns // block)
    pieces = min(rows, -(-wanted // planes))
    traffic = (motif.bytes_read or 0) + (motif.bytes_written or 0)
    return WindowKnobs(
        lanes=min(16, facts.vector_bits // 32),
        rows=-(-rows // pieces),
        columns=block,
        parallel=facts.cores > 1 and traffic >= PARALLEL_BYTES,
    )


def _plane(motif: Motif) -> tuple[int, int]:
    """Return rows and columns of one plane of the result."""
    *rest, columns = motif.outputs[0].shape
    return (rest[-1] if rest else 1), columns


def _buffer(motif: Motif, columns: int) -> int:
    """Return the elements that the columns of a block read."""
    along = {n: motif.lists[n][-1] for n in ("strides", "dilations", "kernel")}
    return columns * along["strides"] + (along["kernel"] - 1) * along["dilations"]
