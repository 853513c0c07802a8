"""Scatters along one dimension, as parallel loops over what does not meet.

Flows in: `bellrock::scatter_along`, which decompositions produce. Flows out: an `scf.forall` over
the other dimensions; a block copies its part of the tensor, and then goes through its updates in
their order. torch-mlir writes a table of all coordinates instead, and one loop over it.

A negative index counts from the end; one that is out of range means the nearest element
(the rule of `tidy`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_mlir import ir
from torch_mlir.dialects import arith, scf, tensor

PIECES = 8
"""Blocks that the dimensions behind the scattered one are cut into at most,"""
SHORTEST_PIECE = 32
"""of so many elements at least: two cache lines of f32."""
FEW_BLOCKS = 8
"""Fewer outer positions than these are copied beforehand, whole rows at a time: pieces of rows
would be scattered over memory."""
COPIED = 4096
"""Elements of a block of such a copy at least, where the sizes divide."""


@torch.library.custom_op("bellrock::scatter_along", mutates_args=())
def scatter_along(x: Tensor, index: Tensor, updates: Tensor, combine: str) -> Tensor:
    """`x[o, index[o, k, i], i]` combined with `updates[o, k, i]`, for each k in turn.

    Index and updates may have the size 1 where `x` has another; `combine` is "set", "add", "mul",
    "max" or "min".
    """
    size = x.shape[1]
    place = torch.where(index < 0, index + size, index).clamp(0, size - 1)
    shape = [x.shape[0], max(index.shape[1], updates.shape[1]), x.shape[2]]
    place, updates = place.expand(shape), updates.expand(shape)
    if combine == "set":
        return x.scatter(1, place, updates)
    reductions = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
    return x.scatter_reduce(1, place, updates, reductions[combine])


@scatter_along.register_fake
def _(x: Tensor, index: Tensor, updates: Tensor, combine: str) -> Tensor:
    return x.new_empty(x.shape)


def emit_scatter_along(x: ir.Value, index: ir.Value, updates: ir.Value, combine: str) -> ir.Value:
    """Emit the loops; returns the new tensor."""
    kind = ir.RankedTensorType(x.type)
    outer, size, inner = kind.shape
    piece = inner // _pieces(inner)
    whole = outer >= FEW_BLOCKS or piece == inner
    empty = tensor.EmptyOp(list(kind.shape), kind.element_type).result
    start = empty if whole else _copied(x, empty)
    forall = scf.ForallOp([0, 0], [outer, inner], [1, piece], [start])
    with ir.InsertionPoint(forall.body):
        at = list(forall.induction_variables)
        shared = forall.inner_iter_args[0]
        block = _Block(size, piece, at)
        part = block.part(shared)
        if whole:
            part = block.copied(block.part(x), part)
        part = block.updated(part, block.part(index), block.part(updates), combine)
        ending = scf.InParallelOp()
        with ir.InsertionPoint(ending.regions[0].blocks[0]):
            tensor.ParallelInsertSliceOp(
                part, shared, at, [], [], *block.place(size, outer=True, inner=True)
            )
    return forall.results[0]


def _copied(x: ir.Value, into: ir.Value) -> ir.Value:
    """Emit a copy, in blocks of whole rows."""
    outer, size, inner = ir.RankedTensorType(x.type).shape
    rows = next(
        n for n in range(1, size + 1) if size % n == 0 and (n == size or n * inner >= COPIED)
    )
    forall = scf.ForallOp([0, 0], [outer, size], [1, rows], [into])
    dynamic = ir.ShapedType.get_dynamic_size()
    place = ([dynamic, dynamic, 0], [1, rows, inner], [1, 1, 1])
    kind = ir.RankedTensorType.get([rows, inner], ir.RankedTensorType(x.type).element_type)
    with ir.InsertionPoint(forall.body):
        at, shared = list(forall.induction_variables), forall.inner_iter_args[0]
        source, part = (
            tensor.ExtractSliceOp(kind, v, at, [], [], *place).result for v in (x, shared)
        )
        part = _Block(rows, inner, at).copied(source, part)
        ending = scf.InParallelOp()
        with ir.InsertionPoint(ending.regions[0].blocks[0]):
            tensor.ParallelInsertSliceOp(part, shared, at, [], [], *place)
    return forall.results[0]


def _pieces(inner: int) -> int:
    """Return into how many equal pieces the innermost dimension is cut."""
    fitting = (n for n in range(PIECES, 0, -1) if inner % n == 0 and inner // n >= SHORTEST_PIECE)
    return next(fitting, 1)


class _Block:
    """One position of the outer dimension and a piece of the inner one."""

    def __init__(self, size: int, piece: int, at: Sequence[ir.Value]) -> None:
        self._size, self._piece, self._at = size, piece, list(at)

    def place(
        self, length: int, *, outer: bool, inner: bool
    ) -> tuple[list[int], list[int], list[int]]:
        """Return static offsets, sizes and strides of a slice; `outer`, `inner`: not broadcast."""
        dynamic = ir.ShapedType.get_dynamic_size()
        offsets = [dynamic if outer else 0, 0, dynamic if inner else 0]
        return offsets, [1, length, self._piece if inner else 1], [1, 1, 1]

    def part(self, value: ir.Value) -> ir.Value:
        """Slice a tensor, or one that has the size 1 where the block has a position."""
        kind = ir.RankedTensorType(value.type)
        outer, length, inner = kind.shape
        whole = self._piece if inner > 1 else 1
        moving = [self._at[0]] * (outer > 1) + [self._at[1]] * (inner > 1)
        offsets, sizes, strides = self.place(length, outer=outer > 1, inner=inner > 1)
        shape = [length, whole] if self._piece > 1 else [length]
        result = ir.RankedTensorType.get(shape, kind.element_type)
        return tensor.ExtractSliceOp(result, value, moving, [], [], offsets, sizes, strides).result

    def copied(self, source: ir.Value, into: ir.Value) -> ir.Value:
        """Copy the block's part of the tensor."""

        def element(at: list[ir.Value], out: ir.Value) -> ir.Value:
            return tensor.InsertOp(tensor.ExtractOp(source, at).result, out, at).result

        return self._over(self._size, into, lambda k, out: self._across(k, out, element))

    def updated(self, part: ir.Value, index: ir.Value, updates: ir.Value, combine: str) -> ir.Value:
        """Go through the updates in their order."""
        count = max(ir.RankedTensorType(v.type).shape[0] for v in (index, updates))

        def update(k: ir.Value, out: ir.Value) -> ir.Value:
            shared = self._is_shared(index)
            common = self._position(index, [k, _constant(0)]) if shared else None

            def element(at: list[ir.Value], current: ir.Value) -> ir.Value:
                where = common if common is not None else self._position(index, at)
                target = [where, *at[1:]]
                value = self._read(updates, at)
                if combine != "set":
                    old = tensor.ExtractOp(current, target).result
                    value = _combined(old, value, combine)
                return tensor.InsertOp(value, current, target).result

            return self._across(k, out, element)

        return self._over(count, part, update)

    def _is_shared(self, value: ir.Value) -> bool:
        """Whether a part is the same for all of the piece."""
        shape = ir.RankedTensorType(value.type).shape
        return len(shape) == 2 and shape[1] == 1

    def _read(self, value: ir.Value, at: Sequence[ir.Value]) -> ir.Value:
        shape = ir.RankedTensorType(value.type).shape
        zero = _constant(0)
        where = [zero if n == 1 else a for n, a in zip(shape, at, strict=False)]
        return tensor.ExtractOp(value, where).result

    def _position(self, index: ir.Value, at: Sequence[ir.Value]) -> ir.Value:
        """Read an index, count a negative one from the end, and bring it into range."""
        number = arith.IndexCastOp(ir.IndexType.get(), self._read(index, at)).result
        zero = _constant(0)
        negative = arith.cmpi(arith.CmpIPredicate.slt, number, zero)
        number = arith.select(negative, arith.addi(number, _constant(self._size)), number)
        return arith.minsi(arith.maxsi(number, zero), _constant(self._size - 1))

    def _across(
        self, k: ir.Value, out: ir.Value, element: Callable[[list[ir.Value], ir.Value], ir.Value]
    ) -> ir.Value:
        """Emit code for each element of the piece."""
        if self._piece == 1:
            return element([k], out)
        return self._over(self._piece, out, lambda i, inner: element([k, i], inner))

    def _over(
        self, count: int, out: ir.Value, body: Callable[[ir.Value, ir.Value], ir.Value]
    ) -> ir.Value:
        """Emit a loop that carries a tensor."""
        loop = scf.ForOp(_constant(0), _constant(count), _constant(1), [out])
        with ir.InsertionPoint(loop.body):
            scf.YieldOp([body(loop.induction_variable, loop.inner_iter_args[0])])
        return loop.results[0]


def _constant(value: int) -> ir.Value:
    return arith.ConstantOp(ir.IndexType.get(), value).result


def _combined(old: ir.Value, new: ir.Value, combine: str) -> ir.Value:
    of_floats: dict[str, Any] = {
        "add": arith.addf, "mul": arith.mulf, "max": arith.maximumf, "min": arith.minimumf,
    }  # fmt: skip
    of_integers: dict[str, Any] = {
        "add": arith.addi, "mul": arith.muli, "max": arith.maxsi, "min": arith.minsi,
    }  # fmt: skip
    known = of_floats if isinstance(old.type, ir.FloatType) else of_integers
    return known[combine](old, new)
