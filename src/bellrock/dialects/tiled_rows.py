"""One block of the ops of a kernel that is cut along its rows.

Flows in: ops, their `RowSpace`, the results wanted. Flows out, for offsets and sizes of a
block: clones of the ops on slices, at the insertion point, and where each result's
block belongs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, bufferization, linalg, tensor

from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.outlining import ANCHOR, CHOICE, destination_of
from bellrock.dialects.row_space import RESHAPES, RowSpace

_DYNAMIC = ir.ShapedType.get_dynamic_size()

Labels = tuple[int | None, ...]
"""The shared loop that each dimension of a tensor runs along."""


@dataclass(frozen=True, slots=True)
class Place:
    """A unit-stride slice of a tensor."""

    offsets: tuple[int | ir.Value, ...]
    sizes: list[int]

    @property
    def static_offsets(self) -> list[int]:
        """The offsets with a mark where they are values."""
        return [o if isinstance(o, int) else _DYNAMIC for o in self.offsets]


class TiledRows:
    """Makes blocks; one object serves all foralls of a kernel."""

    def __init__(
        self, ops: Sequence[ir.Operation], space: RowSpace, results: Sequence[ir.Value], *,
        numbers_apart: bool = False,
    ) -> None:  # fmt: skip
        """Prepare for the results wanted, which are made by `ops`.

        Args:
            ops: of a kernel.
            space: the loops that they share.
            results: that are wanted of them.
            numbers_apart: whether what has one element in a block is reduced in a buffer of its
                own, and then copied to where it belongs.
        """
        self._numbers_apart = numbers_apart
        self._ops = ops
        self._made = {r for op in ops for r in op.results}
        self._space = space
        self._results = results
        self.destinations = [self._bottom(v) for v in results]
        self._offsets: Sequence[ir.Value] = ()
        self._steps: Sequence[int] = ()
        self._tiles: dict[tuple[ir.Value, Labels, bool], ir.Value] = {}
        self._shared: dict[ir.Value, ir.Value] = {}

    def _bottom(self, value: ir.Value) -> ir.Value:
        """Follow a result down to the tensor that it is written into."""
        while not isinstance(value.owner, ir.Block):
            owner = value.owner.operation
            if owner.name in ("tensor.empty", "tensor.extract_slice"):
                break
            value = destination_of(owner, value)
        return value

    def block(
        self, offsets: Sequence[ir.Value], steps: Sequence[int], shared: Sequence[ir.Value]
    ) -> tuple[list[ir.Value], list[Place]]:
        """Clone all ops for one block.

        Args:
            offsets: where the block starts along each shared loop.
            steps: its size along each.
            shared: the forall's own form of `destinations`.

        Returns:
            Each result's block, and its place in the destination.
        """
        self._offsets, self._steps = offsets, steps
        self._tiles = {}
        self._shared = dict(zip(self.destinations, shared, strict=True))
        for op in self._ops:
            self._clone(op)
        blocks, places = [], []
        for value in self._results:
            labels = self._labels(value)
            blocks.append(self._tiles[value, labels, False])
            places.append(self._place(list(value.type.shape), labels))
        return blocks, places

    def _labels(self, value: ir.Value) -> Labels:
        """Return the labels of a result of one of the ops."""
        op = value.owner.operation
        if op.name in RESHAPES:
            return self._space.dims[op]
        number = ir.OpResult(value).result_number
        return self._space.along(op, maps_of(op)[len(op.operands) - len(op.results) + number])

    def _place(self, shape: list[int], labels: Labels) -> Place:
        offsets = tuple(0 if s is None else self._offsets[s] for s in labels)
        return Place(offsets, self._shape(shape, labels))

    def _shape(self, shape: list[int], labels: Labels) -> list[int]:
        return [n if s is None else self._steps[s] for n, s in zip(shape, labels, strict=True)]

    def _tile(self, value: ir.Value, labels: Labels, *, written: bool = False) -> ir.Value:
        """Return the block's part of a tensor that is read, or written into."""
        if not isinstance(value.type, ir.RankedTensorType):
            return value
        key = (value, labels, written and value not in self._made)
        if key not in self._tiles:
            assert value not in self._made, "a result is read along other loops than it is made"
            self._tiles[key] = self._new_tile(value, labels, written=written)
        return self._tiles[key]

    def _new_tile(self, value: ir.Value, labels: Labels, *, written: bool) -> ir.Value:
        owner = None if isinstance(value.owner, ir.Block) else value.owner.operation
        if owner is not None and owner.name == "linalg.fill":
            into = self._filled(owner.operands[1], labels)
            return linalg.fill(owner.operands[0], outs=[into])
        source = self._shared.get(value, value) if written else value
        if owner is not None and owner.name == "tensor.empty" and source == value:
            shape = self._shape(list(value.type.shape), labels)
            return tensor.EmptyOp(shape, value.type.element_type).result
        if all(s is None for s in labels):
            return source
        place = self._place(list(value.type.shape), labels)
        dynamic = [o for o in place.offsets if not isinstance(o, int)]
        kind = ir.RankedTensorType.get(place.sizes, value.type.element_type)
        return tensor.ExtractSliceOp(
            kind, source, dynamic, [], [], place.static_offsets, place.sizes,
            [1] * len(place.sizes),
        ).result  # fmt: skip

    def _filled(self, value: ir.Value, labels: Labels) -> ir.Value:
        """Return what a fill of a block's part is to write into."""
        shape = self._shape(list(value.type.shape), labels)
        if self._numbers_apart and math.prod(shape) == 1:
            kind = ir.RankedTensorType.get(shape, value.type.element_type)
            return bufferization.AllocTensorOp(kind, []).result
        return self._tile(value, labels, written=True)

    def _clone(self, op: ir.Operation) -> None:
        if op.name in RESHAPES:
            self._clone_reshape(op)
            return
        labels = [self._space.along(op, m) for m in maps_of(op)]
        first_init = len(op.operands) - len(op.results)
        operands = [
            self._tile(v, s, written=i >= first_init)
            for i, (v, s) in enumerate(zip(op.operands, labels, strict=True))
        ]
        clone = op.clone()
        for i, operand in enumerate(operands):
            clone.operands[i] = operand
        for name in (ANCHOR, CHOICE):
            if name in clone.attributes:
                del clone.attributes[name]
        for i, result in enumerate(op.results):
            clone.results[i].set_type(operands[first_init + i].type)
            self._tiles[result, labels[first_init + i], False] = clone.results[i]
        self._shift_indices(op, clone)

    def _clone_reshape(self, op: ir.Operation) -> None:
        source, result = op.operands[0], op.results[0]
        labels = self._labels(result)
        tile = self._tile(source, self._labels(source))
        sizes = self._shape(list(result.type.shape), labels)
        kind = ir.RankedTensorType.get(sizes, result.type.element_type)
        groups = [[ir.IntegerAttr(i).value for i in ir.ArrayAttr(g)]
                  for g in ir.ArrayAttr(op.attributes["reassociation"])]  # fmt: skip
        if op.name == "tensor.expand_shape":
            new = tensor.ExpandShapeOp(kind, tile, groups, [], sizes)
        else:
            new = tensor.CollapseShapeOp(kind, tile, groups)
        self._tiles[result, labels, False] = new.result

    def _shift_indices(self, op: ir.Operation, clone: ir.Operation) -> None:
        """Let indices of the cut loops count from the start of the loop, not of the block."""
        for index in [o.operation for o in clone.regions[0].blocks[0].operations]:
            if index.name != "linalg.index":
                continue
            shared = self._space.loops[op].get(ir.IntegerAttr(index.attributes["dim"]).value)
            if shared is None:
                continue
            with ir.InsertionPoint.after(index), op.location:
                total = arith.AddIOp(index.results[0], self._offsets[shared])
            index.results[0].replace_all_uses_except(total.result, total.operation)
