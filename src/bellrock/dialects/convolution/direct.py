"""`transform.bellrock.lower_direct_convolution`: a convolution's kernel as vector code.

Missing upstream: a convolution on packed input, whose taps are constant offsets into it
whatever stride and dilation are, cannot be reached by tiling and vectorising linalg: its
pixels run across rows of the image, and its output is dropped at each row's end.

Rewrite (kernel of a function by itself):
    func @k(%x: tensor<..>, %w: tensor<..>, %out: tensor<..>) { linalg.generic (convolution), ... }
  ->
    func @k(%x: memref<..>, %w: memref<..>, %out: memref<..>) {
      scf.forall blocks of output { pack input; for panels of channels { for tiles of pixels
        { sums in registers }; rows of results } } }

Needs: static shapes; the innermost dimension of image and result is a spatial one; nothing
in the function but the convolution, its initial value, and elementwise ops after it.
A function that is otherwise is left alone.
"""

# No postponed annotations here: the dialect reads the field types from them.
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.epilogue import Epilogue
from bellrock.dialects.convolution.filters import Filters, filters_of, taps_by
from bellrock.dialects.convolution.flattening import flatten
from bellrock.dialects.convolution.geometry import Axis, Halo, phase_taps
from bellrock.dialects.convolution.operands import address
from bellrock.dialects.convolution.packing import Block, Packing, has_zeros_around, padding_of
from bellrock.dialects.convolution.reading import ConvolutionKernel, read_kernel
from bellrock.dialects.convolution.results import Panel, Results
from bellrock.dialects.convolution.tile import Inside, Range, Tile, cover
from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.replacing import lower_chosen
from bellrock.dialects.vector_code import Index

KNOBS = "direct-convolution"
PAGE_BYTES = 4096
"""Alignment of packed input and of sums. A load waits for an earlier store whose address is the
same but for whole pages; so aligned, stores of sums are at the place of pixels read before."""


@edits_in_place(lambda op: _lower_all(op))
class LowerDirectConvolutionOp(Bellrock.Operation, name="lower_direct_convolution"):
    """Lower the kernels of the handle's module whose choice is `direct-convolution`."""

    target: ext.Operand[transform.AnyOpType]


def _lower_all(root: ir.Operation) -> None:
    lower_chosen(root, KNOBS, _Choice, _read, _emit)


def _read(function: ir.Operation, anchor: ir.Operation) -> ConvolutionKernel | None:
    kernel = read_kernel(function, anchor)
    return kernel if kernel is not None and _widens(function, kernel) else None


def _emit(kernel: ConvolutionKernel, choice: "_Choice", arguments: list[ir.Value]) -> None:
    _Lowering.of(kernel, choice, arguments).emit()


def _widens(function: ir.Operation, kernel: ConvolutionKernel) -> bool:
    """Whether a filter that has to be widened is dense for each output channel."""
    argument = function.regions[0].blocks[0].arguments[kernel.weights.argument]
    taps = kernel.tap_weights()
    dense = kernel.size(kernel.in_channel) * len(taps) == kernel.filter_span
    return ir.RankedTensorType(argument.type).element_type == ir.F32Type.get() or dense


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choice:
    """The knobs of `direct-convolution`."""

    channels: int
    vectors: int
    lanes: int
    rows: int
    columns: int
    channel_block: int
    parallel: bool
    packed: bool = False
    """Whether the filter was to be packed: it is where the kernel has a packed one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lowering:
    """Emits one kernel."""

    kernel: ConvolutionKernel
    choice: _Choice
    arguments: list[ir.Value]
    halo: Halo
    panel: int
    """Output channels of a register tile."""
    vectors: int
    """Vectors of a register tile: no more than a block has."""
    channel_block: int
    """Output channels of a block: whole panels."""

    @classmethod
    def of(
        cls, kernel: ConvolutionKernel, choice: _Choice, arguments: list[ir.Value]
    ) -> "_Lowering":
        """Fit the choice to the kernel."""
        kernel, rows, columns = flatten(kernel, choice.rows, choice.columns)
        channels = kernel.size(kernel.out_channel)
        panel = min(choice.channels, channels)
        wanted = choice.channel_block or channels
        row, column = kernel.row.axis.dense, kernel.column.axis.dense
        halo = Halo(
            leading=tuple(s.axis.dense for s in kernel.leading),
            row=row,
            column=column,
            in_channels=kernel.size(kernel.in_channel),
            rows=min(rows, row.output),
            columns=-(-columns // kernel.column.axis.spread),
            lanes=choice.lanes,
        )
        return cls(
            kernel=kernel,
            choice=choice,
            arguments=arguments,
            halo=halo,
            panel=panel,
            vectors=min(choice.vectors, -(-halo.pixels(halo.rows) // choice.lanes)),
            channel_block=-(-min(wanted, channels) // panel) * panel,
        )

    @property
    def tile_pixels(self) -> int:
        """Pixels of a register tile."""
        return self.vectors * self.choice.lanes

    def emit(self) -> None:
        """Emit the loop over blocks."""
        kernel, halo = self.kernel, self.halo
        outer = [kernel.sizes[loop] for loop in kernel.outer]
        leading = [s.axis.output for s in kernel.leading]
        blocks = [
            -(-halo.row.output // halo.rows),
            -(-halo.column.output // halo.columns),
            -(-kernel.size(kernel.out_channel) // self.channel_block),
        ]
        with code.space([*outer, *leading, *blocks], parallel=self.choice.parallel) as point:
            position = dict(zip(kernel.outer, point[: len(outer)], strict=True))
            row, column, channels = point[-3:]
            places: list[Index] = []
            phase: Index = 0
            for spatial, at in zip(kernel.leading, point[len(outer) : -3], strict=True):
                if spatial.output is not None:
                    position[spatial.output] = at
                place, remainder = code.quotient(at, spatial.axis.spread)
                places.append(place)
                phase = code.add(code.scaled(phase, spatial.axis.spread), remainder)
            first = code.scaled(row, halo.rows)
            block = Block(
                leading=tuple(places),
                row=first,
                column=code.scaled(column, halo.columns),
                rows=code.extent(halo.row.output, halo.rows, first),
            )
            self._block(position, block, channels, phase)

    def _block(
        self, position: dict[int, Index], block: Block, channel_block: Index, phase: Index
    ) -> None:
        """Emit one block: pack its input, then panel after panel of output channels."""
        kernel, halo = self.kernel, self.halo
        packed = code.stack_buffer(halo.elements(self.tile_pixels), ir.F32Type.get(), PAGE_BYTES)
        image = self.arguments[kernel.image.argument]
        padding = padding_of(kernel, halo.lanes, ir.MemRefType(image.type).element_type)
        packing = Packing(kernel, halo, image, packed, padding)
        packing.emit(address(kernel.image, {k: position[k] for k in kernel.outer}), block)
        filters = filters_of(kernel, self.arguments, self.panel, halo.lanes)
        tile, results = self._tile_and_results(packed, filters)
        channels = kernel.size(kernel.out_channel)
        channels_at = code.scaled(channel_block, self.channel_block)
        panels_before = code.scaled(channel_block, self.channel_block // self.panel)
        count = code.extent(channels, self.channel_block, channels_at)
        with code.loop(0, code.ceil_quotient(count, self.panel)) as number:
            wanted = code.add(channels_at, code.scaled(number, self.panel))
            # The last panel starts early enough to be whole; what it computes again is
            # not stored again.
            start = code.minimum(wanted, channels - self.panel) if channels % self.panel else wanted
            panel = Panel(start=start, skipped=code.subtract(wanted, start), channels=self.panel)
            weights = filters.panel_at(position, code.add(panels_before, number), start)
            with code.loop(0, kernel.row.axis.spread) as row_phase:
                of_row = code.add(code.scaled(phase, kernel.row.axis.spread), row_phase)
                self._tiles(tile, weights, block, of_row)
                results.emit(position, block, panel, row_phase)

    def _tiles(self, tile: Tile, weights: Index, block: Block, phase: Index) -> None:
        """Emit the tiles of one panel."""
        spread, pitch = self.kernel.column.axis.spread, self.halo.pitch
        with code.loop(0, spread) as column_phase:
            of_column = code.add(code.scaled(phase, spread), column_phase)
            into = code.scaled(column_phase, self.panel * tile.sums_pitch)

            def emit(tile: Tile, pixel: Index, first: Index, last: Index) -> None:
                rows = self._inside(self.kernel.row.axis, first, last)
                inside = Inside(depths=self._depths(block), rows=rows)
                tile.emit(weights, pixel, of_column, into, inside)

            columns = code.extent(self.halo.column.output, self.halo.columns, block.column)
            if self.halo.by_rows(self.tile_pixels):
                # A tile that reaches into the next row leaves sums there that the next row's
                # own tile, which comes later, overwrites.
                with code.loop(0, block.rows) as row:
                    at = code.add(block.row, row)
                    for each, start in cover(tile, columns):
                        emit(each, code.add(code.scaled(row, pitch), start), at, at)
                return
            pixels = code.add(code.scaled(code.add(block.rows, -1), pitch), columns)
            for each, pixel in cover(tile, pixels):
                ends = (pixel, code.add(pixel, each.pixels - 1))
                first, last = (code.add(block.row, code.quotient(p, pitch)[0]) for p in ends)
                emit(each, pixel, first, last)

    def _depths(self, block: Block) -> Range | None:
        """Return which taps of the leading axis do not meet zeros alone; None: unknown."""
        if len(self.kernel.leading) != 1:
            return None
        return self._inside(self.kernel.leading[0].axis, block.leading[0], block.leading[0])

    def _inside(self, axis: Axis, first: Index, last: Index) -> Range | None:
        """Return the taps by which outputs `first` to `last` meet the image."""
        if axis.spread > 1 or not axis.padded or not has_zeros_around(self.kernel):
            return None
        first, last = (code.add(code.scaled(at, axis.stride), -axis.low) for at in (first, last))
        before = code.maximum(code.subtract(0, last), 0)
        after = code.maximum(code.subtract(axis.size, first), 0)
        low, high = (code.ceil_quotient(n, axis.dilation) for n in (before, after))
        return low, code.minimum(high, axis.kernel)

    def _tile_and_results(self, packed: ir.Value, filters: Filters) -> tuple[Tile, Results]:
        """Return what sums a tile and what writes the results, with the sums' buffer."""
        kernel, halo = self.kernel, self.halo
        pitch = halo.span(self.tile_pixels)
        part = self.panel * pitch
        sums = code.stack_buffer(kernel.column.axis.spread * part, ir.F32Type.get(), PAGE_BYTES)
        spatial = [*kernel.leading, kernel.row, kernel.column]
        transposed = any(s.axis.spread > 1 for s in spatial)
        steps = filters.steps
        moves = [(s.axis, step) for s, step in zip(spatial, steps.axes, strict=True)]
        tile = Tile(
            halo=halo,
            channels=self.panel,
            vectors=self.vectors,
            packed=packed,
            weights=filters.values,
            sums=sums,
            sums_pitch=pitch,
            tap_weights=tuple(taps_by(spatial, steps.axes)),
            phases=phase_taps(halo, moves) if transposed else None,
            in_channel_step=steps.in_channel,
            out_channel_step=steps.out_channel,
        )
        epilogue = Epilogue(kernel, self.arguments, halo.lanes)
        return tile, Results(
            kernel=kernel, halo=halo, sums=sums, pitch=pitch, part=part, epilogue=epilogue
        )


OPS = (LowerDirectConvolutionOp,)
