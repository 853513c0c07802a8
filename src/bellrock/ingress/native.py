"""Ops of ours that become builtin MLIR ops directly, and the importer that emits them.

Flows in: graph nodes of the `bellrock::` ops that decompositions produce. Flows out: tensor
and linalg ops between casts from and to torch's tensor types, which torch-mlir's pipelines
leave alone. Worth it where the way through torch dialect ends in worse code:

* `take_row`, `put_row`: one slice at a position known only at run time;
* `extremum`: a maximum or minimum over dimensions, without an argmax beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import Node
from torch_mlir import ir
from torch_mlir.dialects import arith, linalg, tensor

from bellrock.ingress.loop_import import LoopImporter


@torch.library.custom_op("bellrock::take_row", mutates_args=())
def take_row(x: Tensor, step: Tensor, dim: int, reverse: bool) -> Tensor:
    """Slice `step` of dimension `dim` (counted from its end if `reverse`)."""
    return x.select(dim, _position(x, step, dim, reverse)).clone()


@take_row.register_fake
def _(x: Tensor, step: Tensor, dim: int, reverse: bool) -> Tensor:
    return x.new_empty([*x.shape[:dim], *x.shape[dim + 1 :]])


@torch.library.custom_op("bellrock::put_row", mutates_args=())
def put_row(x: Tensor, step: Tensor, row: Tensor, dim: int, reverse: bool) -> Tensor:
    """`x` with slice `step` of dimension `dim` replaced by `row`."""
    return torch.select_scatter(x, row, dim, _position(x, step, dim, reverse))


@put_row.register_fake
def _(x: Tensor, step: Tensor, row: Tensor, dim: int, reverse: bool) -> Tensor:
    return x.new_empty(x.shape)


@torch.library.custom_op("bellrock::extremum", mutates_args=())
def extremum(x: Tensor, dims: list[int], largest: bool) -> Tensor:
    """Maximum (or minimum) over some dimensions, which the result lacks; NaN wins."""
    return torch.amax(x, dims) if largest else torch.amin(x, dims)


@extremum.register_fake
def _(x: Tensor, dims: list[int], largest: bool) -> Tensor:
    return x.new_empty([size for i, size in enumerate(x.shape) if i not in dims])


def _position(x: Tensor, step: Tensor, dim: int, reverse: bool) -> int:
    return x.shape[dim] - 1 - int(step) if reverse else int(step)


class Importer(LoopImporter):
    """Imports one graph: loops right, ops of ours as builtin ops, all else as torch-mlir does."""

    def _import_torch_op_overload(
        self, loc: ir.Location, node: Node, concrete_target: Any = None
    ) -> None:
        emit = _EMITTERS.get(node.target)
        if emit is None:
            super()._import_torch_op_overload(loc, node, concrete_target)
            return
        with loc:
            arguments = [
                _to_builtin(self._import_argument(loc, a)) if isinstance(a, Node) else a
                for a in node.args
            ]
            result = ir.Operation.create(
                "torch_c.from_builtin_tensor",
                results=[self._value_type(node.meta["val"])],
                operands=[emit(*arguments)],
            ).result
            self.bind_node_value(node, result)


def _to_builtin(value: ir.Value) -> ir.Value:
    """Cast from torch's tensor type to MLIR's."""
    match = re.fullmatch(r"!torch.vtensor<\[([\d,]*)\],(\w+)>", str(value.type))
    assert match is not None, f"every type here is ranked and static, got {value.type}"
    sizes = [int(size) for size in match[1].split(",") if size]
    # Builtin tensors have no signs: torch's si64 is i64.
    kind = ir.RankedTensorType.get(sizes, ir.Type.parse(match[2].removeprefix("s")))
    return ir.Operation.create("torch_c.to_builtin_tensor", results=[kind], operands=[value]).result


def _shape(value: ir.Value) -> list[int]:
    return list(ir.RankedTensorType(value.type).shape)


def _emit_take_row(x: ir.Value, step: ir.Value, dim: int, reverse: bool) -> ir.Value:
    shape = _shape(x)
    row = ir.RankedTensorType.get(
        [*shape[:dim], *shape[dim + 1 :]], ir.RankedTensorType(x.type).element_type
    )
    index = _index(step, shape[dim], reverse)
    return tensor.ExtractSliceOp(row, x, [index], [], [], *_one_slice(shape, dim)).result


def _emit_put_row(x: ir.Value, step: ir.Value, row: ir.Value, dim: int, reverse: bool) -> ir.Value:
    shape = _shape(x)
    index = _index(step, shape[dim], reverse)
    return tensor.InsertSliceOp(row, x, [index], [], [], *_one_slice(shape, dim)).result


def _index(step: ir.Value, size: int, reverse: bool) -> ir.Value:
    number = tensor.ExtractOp(step, []).result
    index = arith.IndexCastOp(ir.IndexType.get(), number).result
    if not reverse:
        return index
    return arith.SubIOp(arith.ConstantOp(ir.IndexType.get(), size - 1).result, index).result


def _one_slice(shape: Sequence[int], dim: int) -> tuple[list[int], list[int], list[int]]:
    """Return static offsets, sizes and strides of one slice of `dim`; its offset is dynamic."""
    dynamic = ir.ShapedType.get_dynamic_stride_or_offset()
    offsets = [dynamic if i == dim else 0 for i in range(len(shape))]
    sizes = [1 if i == dim else size for i, size in enumerate(shape)]
    return offsets, sizes, [1] * len(shape)


def _emit_extremum(x: ir.Value, dims: Sequence[int], largest: bool) -> ir.Value:
    shape, element = _shape(x), ir.RankedTensorType(x.type).element_type
    rank = len(shape)
    kept = [i for i in range(rank) if i not in dims]
    empty = tensor.EmptyOp([shape[i] for i in kept], element).result
    worst = arith.ConstantOp(element, _worst(element, largest)).result
    start = linalg.fill(worst, outs=[empty])
    maps = [
        ir.AffineMap.get_identity(rank),
        ir.AffineMap.get(rank, 0, [ir.AffineDimExpr.get(i) for i in kept]),
    ]
    kinds = ["reduction" if i in dims else "parallel" for i in range(rank)]
    reduce = linalg.GenericOp(
        result_tensors=[start.type],
        inputs=[x],
        outputs=[start],
        indexing_maps=ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        iterator_types=ir.ArrayAttr.get(
            [ir.Attribute.parse(f"#linalg.iterator_type<{kind}>") for kind in kinds]
        ),
    )
    block = reduce.regions[0].blocks.append(element, element)
    with ir.InsertionPoint(block):
        combine = _combine(element, largest)
        linalg.YieldOp([combine(*block.arguments).result])
    return reduce.result


def _worst(element: ir.Type, largest: bool) -> ir.Attribute:
    if isinstance(element, ir.IntegerType):
        top = 2 ** (element.width - 1)
        signless = -top if largest else top - 1
        return ir.IntegerAttr.get(element, signless if element.width > 1 else int(not largest))
    return ir.FloatAttr.get(element, float("-inf") if largest else float("inf"))


def _combine(element: ir.Type, largest: bool) -> Callable[..., Any]:
    if isinstance(element, ir.IntegerType):
        if element.width == 1:
            return arith.OrIOp if largest else arith.AndIOp
        return arith.MaxSIOp if largest else arith.MinSIOp
    return arith.MaximumFOp if largest else arith.MinimumFOp


_EMITTERS: Mapping[OpOverload, Callable[..., ir.Value]] = {
    torch.ops.bellrock.take_row.default: _emit_take_row,
    torch.ops.bellrock.put_row.default: _emit_put_row,
    torch.ops.bellrock.extremum.default: _emit_extremum,
}
