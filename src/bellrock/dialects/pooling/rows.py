"""The code of a pooling: rows of the window into one row, then along that.

Flows in: `PoolingKernel`, the choice, buffers. Flows out: loops at the insertion point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch_mlir import ir
from torch_mlir.dialects import arith, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.epilogue import Epilogue
from bellrock.dialects.convolution.geometry import Axis
from bellrock.dialects.pooling.deinterleave import Strided, sums_each
from bellrock.dialects.pooling.reading import PoolingKernel
from bellrock.dialects.pooling.taken import NEUTRAL
from bellrock.dialects.vector_code import Index

_COMBINERS: dict[str, Callable[[ir.Value, ir.Value], ir.Value]] = {
    "add": arith.addf, "max": arith.maximumf, "min": arith.minimumf,
}  # fmt: skip
GROUP = 4
"""Vectors that go through the rows of a window together: as many chains of combinations."""
UNROLLED_TAPS = 24
"""Taps along a row that are written out; longer windows get a loop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The knobs of `windows`."""

    lanes: int
    rows: int
    columns: int
    parallel: bool


@dataclass(frozen=True, slots=True)
class _Span:
    """The columns of a block, and what they read."""

    first: Index
    """First output column."""
    count: Index
    """Output columns."""
    base: Index
    """Image column (it may lie outside) that is first in the row buffer."""
    low: Index
    """First image column that is read,"""
    high: Index
    """and the end of those."""


@dataclass(frozen=True)
class Rows:
    """Emits one kernel."""

    kernel: PoolingKernel
    choice: Choice
    arguments: Sequence[ir.Value]

    @property
    def _axis(self) -> Axis:
        return self.kernel.column.axis

    @cached_property
    def _columns(self) -> int:
        """Output columns of a block."""
        return min(self.choice.columns or self._axis.output, self._axis.output)

    @cached_property
    def _f32(self) -> ir.Type:
        return ir.F32Type.get()

    def _neutral(self) -> ir.Value:
        return code.splat(
            self.choice.lanes, self._f32, ir.FloatAttr.get(self._f32, NEUTRAL[self.kernel.combiner])
        )

    def _combine(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return _COMBINERS[self.kernel.combiner](a, b)

    def emit(self) -> None:
        """Emit the loop over blocks."""
        kernel = self.kernel
        outer = [kernel.sizes[loop] for loop in kernel.outer]
        leading = [s.axis.output for s in kernel.leading]
        rows = leading.pop() if leading else 1
        block_rows = min(self.choice.rows or rows, rows)
        blocks = [-(-rows // block_rows), -(-self._axis.output // self._columns)]
        with code.space([*outer, *leading, *blocks], parallel=self.choice.parallel) as point:
            position = dict(zip(kernel.outer, point[: len(outer)], strict=True))
            places = point[len(outer) : -2]
            for spatial, at in zip(kernel.leading[:-1], places, strict=True):
                if spatial.output is not None:
                    position[spatial.output] = at
            span = self._span(code.scaled(point[-1], self._columns))
            buffer = code.stack_buffer(self._buffer_elements(), self._f32)
            self._margins(buffer, span)
            start = code.scaled(point[-2], block_rows)
            with code.loop(0, code.extent(rows, block_rows, start)) as number:
                row = code.add(start, number)
                if kernel.row.output is not None:
                    position[kernel.row.output] = row
                at = [*places, row] if kernel.leading else []
                self._fold_rows(buffer, span, position, at)
                self._along(buffer, span, position)

    def _span(self, first: Index) -> _Span:
        axis = self._axis
        base = code.add(code.scaled(first, axis.stride), -axis.low)
        reach = (self._columns - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
        low = max(base, 0) if isinstance(base, int) else arith.maxsi(base, code.as_value(0))
        high = code.minimum(code.add(base, reach), axis.size)
        return _Span(first, code.extent(axis.output, self._columns, first), base, low, high)

    def _buffer_elements(self) -> int:
        """Return the size of the row buffer: whole vectors are read and written past its end."""
        axis, lanes = self._axis, self.choice.lanes
        whole = -(-self._columns // lanes) * lanes
        reach = whole * axis.stride + (axis.kernel - 1) * axis.dilation
        return -(-reach // lanes) * lanes + (axis.stride + 2) * lanes

    def _margins(self, buffer: ir.Value, span: _Span) -> None:
        """Fill what lies outside of the image with the neutral element."""
        lanes = self.choice.lanes
        neutral = self._neutral()
        left = code.subtract(span.low, span.base)
        right = code.subtract(span.high, span.base)
        if not isinstance(left, int) or left > 0:
            with code.loop(0, left, lanes) as at:
                code.store(neutral, buffer, at)
        with code.loop(right, self._buffer_elements() - lanes, lanes) as at:
            code.store(neutral, buffer, at)

    def _fold_rows(
        self, buffer: ir.Value, span: _Span, position: dict[int, Index], places: list[Index]
    ) -> None:
        """Combine the rows of the window that are in the image into the row buffer.

        Args:
            buffer: the row buffer.
            span: columns.
            position: of the loops that index image and result alike.
            places: output position along each leading axis.
        """
        lanes, kernel = self.choice.lanes, self.kernel
        terms = [code.scaled(position[k], kernel.image.stride(k)) for k in kernel.outer]
        base = code.add(kernel.image.offset, *terms)

        def group(column: Index, vectors: int, left: Index) -> None:
            counts = [code.subtract(left, v * lanes) for v in range(vectors)]
            masks = [code.prefix_mask(lanes, c) for c in counts]
            start = code.add(base, column)
            folded = self._taps(start, places, 0, masks, [self._neutral()] * vectors)
            at = code.subtract(column, span.base)
            for v, value in enumerate(folded):
                code.store(value, buffer, code.add(at, v * lanes), masks[v])

        total = code.subtract(span.high, span.low)
        wide = GROUP * lanes
        if isinstance(total, int) and total <= wide:
            group(span.low, -(-total // lanes), total)
            return
        groups, rest = code.quotient(total, wide)
        end = code.add(span.low, code.scaled(groups, wide))
        with code.loop(span.low, end, wide) as column:
            group(column, GROUP, wide)
        if isinstance(rest, int):
            if rest:
                group(end, -(-rest // lanes), rest)
            return
        with code.loop(end, span.high, lanes) as column:
            group(column, 1, code.subtract(span.high, column))

    def _taps(
        self,
        at: Index,
        places: list[Index],
        done: int,
        masks: list[ir.Value | None],
        folded: Sequence[ir.Value],
    ) -> Sequence[ir.Value]:
        """Combine vectors over the taps of the leading axes from number `done` on."""
        if done == len(self.kernel.leading):
            return [
                self._combine(f, self._image(code.add(at, v * self.choice.lanes), m))
                for v, (f, m) in enumerate(zip(folded, masks, strict=True))
            ]
        spatial = self.kernel.leading[done]
        axis = spatial.axis
        first = code.add(code.scaled(places[done], axis.stride), -axis.low)
        low, high = self._inside(axis, first)

        def body(tap: Index, carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
            place = code.add(first, code.scaled(tap, axis.dilation))
            inner = code.add(at, code.scaled(place, spatial.pitch))
            return self._taps(inner, places, done + 1, masks, carried)

        if (low, high) == (0, 1):
            return body(0, folded)
        return code.carried_range(low, high, folded, body)

    @staticmethod
    def _inside(axis: Axis, first: Index) -> tuple[Index, Index]:
        """Return the taps that are in the image, for a window that starts at `first`."""
        if not axis.padded:
            return 0, axis.kernel
        zero = code.as_value(0)
        low = code.ceil_quotient_signed(code.as_value(code.subtract(zero, first)), axis.dilation)
        left = code.as_value(code.subtract(code.as_value(axis.size), first))
        high = code.minimum(code.ceil_quotient_signed(left, axis.dilation), axis.kernel)
        return arith.maxsi(code.as_value(low), zero), high

    def _image(self, at: Index, mask: ir.Value | None) -> ir.Value:
        """Load a vector of the image, in f32; off the mask anything."""
        buffer = self.arguments[self.kernel.image.argument]
        return code.widened(code.load(buffer, at, self.choice.lanes, mask), self._f32)

    def _along(self, buffer: ir.Value, span: _Span, position: dict[int, Index]) -> None:
        """Combine along the row buffer and store the results of one row."""
        lanes, column = self.choice.lanes, self.kernel.column.output
        epilogue = Epilogue(self.kernel, self.arguments, lanes)
        known = epilogue.per_channel({k: v for k, v in position.items() if k != column})

        def emit(at: Index, count: Index) -> None:
            if column is not None:
                position[column] = code.add(span.first, at)
            inside = count if isinstance(count, int) else lanes
            value = self._narrowed(self._window(buffer, at, inside))
            epilogue.emit(value, position, count, known)

        if isinstance(span.count, int):
            code.chunks(span.count, lanes, emit)
            return
        with code.loop(0, span.count, lanes) as at:
            emit(at, code.minimum(code.subtract(span.count, at), lanes))

    def _window(self, buffer: ir.Value, at: Index, inside: int) -> ir.Value:
        """Combine the taps along the row for one vector of outputs, of some lanes."""
        axis, lanes = self._axis, self.choice.lanes
        row = Strided(buffer, code.scaled(at, axis.stride), axis.stride, lanes, inside)
        if sums_each(axis, inside, lanes):
            return self._one_by_one(row)
        if axis.kernel > UNROLLED_TAPS:

            def body(tap: Index, carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
                return [self._combine(carried[0], row.gather(code.scaled(tap, axis.dilation)))]

            return code.carried_range(0, axis.kernel, [self._neutral()], body)[0]
        values = [row.load(tap * axis.dilation) for tap in range(axis.kernel)]
        while len(values) > 1:  # a tree: fewer combinations wait for each other
            pairs = [self._combine(a, b) for a, b in zip(values[::2], values[1::2], strict=False)]
            values = [*pairs, *values[len(pairs) * 2 :]]
        return values[0]

    def _one_by_one(self, row: Strided) -> ir.Value:
        """Combine the window of each output by vectors along it, and their lanes."""
        lanes, taps = self.choice.lanes, self._axis.kernel
        whole, rest = divmod(taps, lanes)
        found = self._neutral()
        for number in range(row.inside):
            start = code.add(row.start, number * row.step)

            def body(
                part: Index, carried: Sequence[ir.Value], start: Index = start
            ) -> Sequence[ir.Value]:
                at = code.add(start, code.scaled(part, lanes))
                return [self._combine(carried[0], code.load(row.buffer, at, lanes))]

            total = code.carried_range(0, whole, [self._neutral()], body)[0]
            if rest:
                at, mask = code.add(start, whole * lanes), code.prefix_mask(lanes, rest)
                last = code.load(row.buffer, at, lanes, mask, self._neutral())
                total = self._combine(total, last)
            found = vector.insert(self._across(total), found, [], [number])
        return found

    def _across(self, value: ir.Value) -> ir.Value:
        """Combine the lanes of a vector, in whatever order."""
        kind = {"add": vector.CombiningKind.ADD, "max": vector.CombiningKind.MAXIMUMF,
                "min": vector.CombiningKind.MINIMUMF}[self.kernel.combiner]  # fmt: skip
        flags = ir.Attribute.parse("#arith.fastmath<reassoc>")
        return vector.reduction(self._f32, kind, value, fastmath=flags)

    def _narrowed(self, value: ir.Value) -> ir.Value:
        element = self.kernel.element
        if element == self._f32:
            return value
        return arith.truncf(ir.VectorType.get([self.choice.lanes], element), value)
