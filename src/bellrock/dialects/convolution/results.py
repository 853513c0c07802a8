"""From a panel's sums to the rows of the result.

Flows in: sums by output channel, pixels numbered along the pitch of packed rows. Flows out: rows
of the result, after the epilogue. Sums of a transposed convolution come in one part for each
remainder of the column, and are interleaved on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.epilogue import Epilogue
from bellrock.dialects.convolution.geometry import Halo
from bellrock.dialects.convolution.interleaving import interleaved
from bellrock.dialects.convolution.packing import Block
from bellrock.dialects.convolution.reading import ConvolutionKernel
from bellrock.dialects.vector_code import Index


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """Output channels of a panel."""

    start: Index
    """First output channel."""
    skipped: Index
    """Channels at its start that another panel stores."""
    channels: Index


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """Emits the rows of a block; methods emit code."""

    kernel: ConvolutionKernel
    halo: Halo
    sums: ir.Value
    pitch: int
    """Of the sums, from channel to channel."""
    part: int
    """Of the sums, from one remainder of the column to the next."""
    epilogue: Epilogue
    shuffled: int = 2
    """Largest number of remainders, a power of two, that are shuffled into whole vectors; others
    are gathered."""

    def emit(
        self,
        position: Mapping[int, Index],
        block: Block,
        panel: Panel,
        row_phase: Index,
        base: Index = 0,
    ) -> None:
        """Emit the rows of one panel.

        Args:
            position: of the block, by loop, without channel, row and column.
            block: in dense rows and columns.
            panel: of channels.
            row_phase: remainder of the output rows, where sums come in several parts.
            base: where the sums start.
        """
        kernel, spread = self.kernel, self.kernel.row.axis.spread
        with code.loop(panel.skipped, panel.channels) as channel:
            at = dict(position)
            if kernel.out_channel is not None:
                at[kernel.out_channel] = code.add(panel.start, channel)
            known = self.epilogue.per_channel(at)
            with code.loop(0, block.rows) as row:
                line = code.add(base, code.scaled(channel, self.pitch),
                                code.scaled(row, self.halo.pitch))  # fmt: skip
                number = code.add(code.scaled(code.add(block.row, row), spread), row_phase)
                if kernel.row.output is not None:
                    at[kernel.row.output] = number
                if kernel.row.axis.output % spread == 0:
                    self._row(at, line, block.column, known)
                    return
                inside, _ = code.branch(code.below(number, kernel.row.axis.output))
                with inside:
                    self._row(at, line, block.column, known)

    def _row(
        self, at: dict[int, Index], line: Index, column: Index, known: Mapping[int, ir.Value]
    ) -> None:
        """Emit one row, vector by vector."""
        halo, axis = self.halo, self.kernel.column.axis
        first = code.scaled(column, axis.spread)
        left = code.extent(axis.output, axis.spread * halo.columns, first)

        def emit(dense: Index, inside: int) -> None:
            shuffled = self._shuffled(code.add(line, dense))
            for part in range(-(-axis.spread * inside // halo.lanes)):
                offset = code.add(code.scaled(dense, axis.spread), part * halo.lanes)
                count: Index = min(axis.spread * inside - part * halo.lanes, halo.lanes)
                if not isinstance(left, int) or left < axis.spread * halo.columns:
                    count = code.minimum(count, code.subtract(left, offset))
                if isinstance(count, int) and count <= 0:
                    continue
                if self.kernel.column.output is not None:
                    at[self.kernel.column.output] = code.add(first, offset)
                value = shuffled[part] if shuffled else self._load(code.add(line, dense), part)
                self.epilogue.emit(value, at, count, known)

        code.chunks(halo.columns, halo.lanes, emit)

    def _shuffled(self, at: Index) -> list[ir.Value]:
        """Load the sums of all remainders, as vectors of columns; nothing where one will do."""
        spread = self.kernel.column.axis.spread
        if spread <= 2 or spread != self.shuffled:
            return []
        parts = [code.add(at, p * self.part) for p in range(spread)]
        return interleaved([code.load(self.sums, p, self.halo.lanes) for p in parts])

    def _load(self, at: Index, part: int) -> ir.Value:
        """Load the sums of a vector of columns, interleaved from all remainders."""
        lanes, spread = self.halo.lanes, self.kernel.column.axis.spread
        if spread == 1:
            return code.load(self.sums, at, lanes)
        if spread == 2:
            even, odd = (code.load(self.sums, code.add(at, p * self.part), lanes) for p in (0, 1))
            half = part * lanes // 2
            return code.shuffle(even, odd, [half + i // 2 + (i % 2) * lanes for i in range(lanes)])
        wanted = [divmod(part * lanes + i, spread) for i in range(lanes)]
        return code.gather(self.sums, at, [phase * self.part + dense for dense, phase in wanted])
