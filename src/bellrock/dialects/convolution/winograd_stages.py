"""The stages of a block by minimal filtering: into products, their sums, and back.

Flows in: a plan, buffers, the position of a block. Flows out: code that fills the buffers in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.minimal_filtering import on_both_axes
from bellrock.dialects.convolution.operands import address
from bellrock.dialects.convolution.packing import Block, Packing, padding_of
from bellrock.dialects.convolution.winograd_plan import Plan
from bellrock.dialects.vector_code import Index

LARGEST_UNROLLED = 100
"""Multiply-adds of an unrolled block of input channels."""


LINE = 16
"""Elements of a line of the cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Buffers:
    """Buffers of a thread; the transformed ones have a plane for each product."""

    packed: ir.Value
    """One channel of one image."""
    image: ir.Value
    products: ir.Value
    results: ir.Value


@dataclass(frozen=True, slots=True)
class Stages:
    """Emits the stages of a block; `filters` is the transformed filter."""

    plan: Plan
    image: ir.Value
    filters: ir.Value
    buffers: Buffers

    def transform_images(self, position: Mapping[int, Index], images: Index, block: Block) -> None:
        plan = self.plan
        kernel, halo, lanes = plan.kernel, plan.halo, plan.choice.lanes
        padding = padding_of(kernel, lanes, ir.MemRefType(self.image.type).element_type)
        packing = Packing(
            kernel, halo, self.image, self.buffers.packed, padding, plan.algorithm.outputs
        )
        base = address(kernel.image, {k: position[k] for k in kernel.outer})
        step = kernel.image.stride(kernel.in_channel)
        pixels = code.add(code.scaled(code.add(block.rows, -1), halo.pitch), halo.columns)
        with code.loop(0, kernel.size(kernel.in_channel)) as channel, \
                code.loop(0, images) as number:  # fmt: skip
            source = code.add(base, code.scaled(channel, step),
                              code.scaled(number, kernel.image.stride(plan.imaged)))  # fmt: skip
            packing.emit_channel(source, 0, block)
            with code.loop(0, halo.depths) as depth, \
                    code.loop(0, code.ceil_quotient(pixels, lanes)) as part:  # fmt: skip
                pixel = code.scaled(part, lanes)
                summed = code.add(code.scaled(channel, halo.depths), depth)
                into = code.add(code.scaled(summed, plan.pitch), code.scaled(number, plan.pixels))
                read = code.add(code.scaled(depth, halo.plane_at(1, 0, 0)), pixel)
                self._transform_vector(read, code.add(into, pixel))

    def _transform_vector(self, read: Index, into: Index) -> None:
        """Emit the transform of a vector of tiles of one input channel."""
        plan = self.plan
        size, lanes = plan.algorithm.inputs, plan.choice.lanes
        taps = plan.halo.taps()
        tile = [
            [code.load(self.buffers.packed, code.add(read, taps[r * size + c]), lanes)
             for c in range(size)]
            for r in range(size)
        ]  # fmt: skip
        for number, value in enumerate(on_both_axes(plan.algorithm.image, tile)):
            code.store(value, self.buffers.image, code.add(into, number * plan.image_plane))

    def multiply(self, start: Index, count: Index, used: Index) -> None:
        """Emit the sums of a group of output channels, product by product."""
        plan = self.plan
        panel, unit = plan.choice.channels, plan.vectors * plan.choice.lanes
        total = plan.kernel.size(plan.kernel.out_channel)
        first, _ = code.quotient(start, panel)
        with code.loop(0, plan.algorithm.products) as product, \
                code.loop(0, code.ceil_quotient(count, panel)) as number, \
                code.loop(0, code.ceil_quotient(used, unit)) as tile:  # fmt: skip
            at = code.add(code.scaled(product, total // panel), first, number)
            weights = code.scaled(at, plan.reduced * panel)
            pixel = code.scaled(tile, unit)
            image = code.add(code.scaled(product, plan.image_plane), pixel)
            sums = self._sums(weights, image)
            into = code.add(code.scaled(product, plan.product_plane),
                            code.scaled(number, panel * plan.pitch), pixel)  # fmt: skip
            for i, value in enumerate(sums):
                channel, part = divmod(i, plan.vectors)
                place = channel * plan.pitch + part * plan.choice.lanes
                code.store(value, self.buffers.products, code.add(into, place))

    def _sums(self, weights: Index, image: Index) -> Sequence[ir.Value]:
        """Emit one register tile: panel x vectors, summed over what is reduced."""
        plan = self.plan
        longest = plan.algorithm.longest_sum or plan.reduced
        if plan.reduced <= longest:
            return self._partial_sums(weights, image, 0, plan.reduced)
        whole, rest = divmod(plan.reduced, longest)

        def body(number: Index, carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
            part = self._partial_sums(weights, image, code.scaled(number, longest), longest)
            return [arith.addf(total, value) for total, value in zip(carried, part, strict=True)]

        zero = code.zeros(plan.choice.lanes, ir.F32Type.get())
        rows = plan.choice.channels * plan.vectors
        part = self._partial_sums(weights, image, whole * longest, rest) if rest else [zero] * rows
        return code.carried_loop(whole, 1, part, body)

    def _partial_sums(
        self, weights: Index, image: Index, start: Index, count: int
    ) -> Sequence[ir.Value]:
        """Emit one register tile, summed over a part of what is reduced."""
        plan = self.plan
        panel, lanes, vectors = plan.choice.channels, plan.choice.lanes, plan.vectors
        zero = code.zeros(lanes, ir.F32Type.get())
        limit = max(1, LARGEST_UNROLLED // (panel * vectors))
        unrolled = max(d for d in range(1, limit + 1) if count % d == 0)

        def body(first: Index, carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
            found = list(carried)
            for i in range(unrolled):
                each = code.add(start, first, i)
                row = code.add(image, code.scaled(each, plan.pitch))
                pixels = [code.load(self.buffers.image, code.add(row, v * lanes), lanes)
                          for v in range(vectors)]  # fmt: skip
                ahead = code.add(weights, code.scaled(each, panel), plan.reduced * panel)
                if i * panel % LINE == 0:
                    code.prefetch(self.filters, ahead)
                for channel in range(panel):
                    at = code.add(weights, code.scaled(each, panel), channel)
                    scalar = memref.load(self.filters, [code.as_value(at)])
                    factor = code.broadcast(scalar, lanes)
                    for v, pixel in enumerate(pixels):
                        n = channel * vectors + v
                        found[n] = vector.fma(factor, pixel, found[n])
            return found

        return code.carried_loop(count, unrolled, [zero] * (panel * vectors), body)

    def transform_back(self, count: Index, used: Index) -> None:
        plan = self.plan
        size, lanes = plan.algorithm.inputs, plan.choice.lanes
        part = plan.group * plan.pitch
        with code.loop(0, count) as channel, \
                code.loop(0, code.ceil_quotient(used, lanes)) as number:  # fmt: skip
            at = code.add(code.scaled(channel, plan.pitch), code.scaled(number, lanes))
            tile = [
                [code.load(self.buffers.products, code.add(at, (r * size + c) * plan.product_plane),
                           lanes)
                 for c in range(size)]
                for r in range(size)
            ]  # fmt: skip
            for i, value in enumerate(on_both_axes(plan.algorithm.result, tile)):
                code.store(value, self.buffers.results, code.add(at, i * part))
