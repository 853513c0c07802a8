"""Ops of ours that become builtin MLIR ops directly, and the importer that emits them.

Flows in: graph nodes of the `bellrock::` ops that decompositions produce. Flows out: tensor
and linalg ops between casts from and to torch's tensor types, which torch-mlir's pipelines
leave alone. Worth it where the way through torch dialect ends in worse code:

* `take_row`, `put_row`: one slice at a position known only at run time;
* `depthwise`: a convolution of each channel by itself, in any number of dimensions;
* `extremum`: a maximum or minimum over dimensions, without an argmax beside it;
* `sum_windows`: a pooling in any number of dimensions, channels where they are;
* `scatter_along`: all scatters (see `scatter_import`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node
from torch_mlir import ir
from torch_mlir.dialects import arith, linalg, tensor

from bellrock.ingress.loop_import import LoopImporter, from_builtin, to_builtin
from bellrock.ingress.scatter_import import emit_scatter_along


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


@torch.library.custom_op("bellrock::depthwise", mutates_args=())
def depthwise(x: Tensor, weight: Tensor, stride: list[int], dilation: list[int]) -> Tensor:
    """Convolve each channel `x[:, c]` with `weight[c]`; the result is f32 or wider."""
    wide = torch.promote_types(x.dtype, torch.float32)
    zeros = [0] * len(stride)
    return torch.convolution(
        x.to(wide), weight.to(wide).unsqueeze(1), None, stride, zeros, dilation, False, zeros,
        x.shape[1],
    )  # fmt: skip


@depthwise.register_fake
def _(x: Tensor, weight: Tensor, stride: list[int], dilation: list[int]) -> Tensor:
    sizes = [
        (x.shape[2 + i] - dilation[i] * (weight.shape[1 + i] - 1) - 1) // stride[i] + 1
        for i in range(len(stride))
    ]
    wide = torch.promote_types(x.dtype, torch.float32)
    return x.new_empty([*x.shape[:2], *sizes], dtype=wide)


@torch.library.custom_op("bellrock::sum_windows", mutates_args=())
def sum_windows(x: Tensor, window: list[int], stride: list[int]) -> Tensor:
    """Sum over windows of the last dimensions."""
    for i, (size, step) in enumerate(zip(window, stride, strict=True)):
        x = x.unfold(x.dim() - len(window) + i, size, step).sum(-1)
    return x


@sum_windows.register_fake
def _(x: Tensor, window: list[int], stride: list[int]) -> Tensor:
    before = x.dim() - len(window)
    sizes = [(size - window[i]) // stride[i] + 1 for i, size in enumerate(x.shape[before:])]
    return x.new_empty([*x.shape[:before], *sizes])


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
                to_builtin(self._import_argument(loc, a)) if isinstance(a, Node) else a
                for a in node.args
            ]
            result = emit(*arguments)
            self.bind_node_value(node, from_builtin(result, self._value_type(node.meta["val"])))


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
    d = [ir.AffineDimExpr.get(i) for i in range(rank)]
    combine = _combine(element, largest)
    return _accumulate(
        inputs=[x],
        start=_filled([shape[i] for i in kept], _worst(element, largest)),
        maps=[ir.AffineMap.get(rank, 0, d), ir.AffineMap.get(rank, 0, [d[i] for i in kept])],
        reduced=dims,
        body=lambda values: combine(*values).result,
    )


def _emit_depthwise(
    x: ir.Value, weight: ir.Value, stride: Sequence[int], dilation: Sequence[int]
) -> ir.Value:
    shape, taps = _shape(x), _shape(weight)[1:]
    count = len(taps)
    sizes = [
        (shape[2 + i] - dilation[i] * (taps[i] - 1) - 1) // stride[i] + 1 for i in range(count)
    ]
    rank = 2 + 2 * count
    d = [ir.AffineDimExpr.get(i) for i in range(rank)]
    window = [d[2 + i] * stride[i] + d[2 + count + i] * dilation[i] for i in range(count)]
    wide = _wide(ir.RankedTensorType(x.type).element_type)
    return _accumulate(
        inputs=[x, weight],
        start=_filled([*shape[:2], *sizes], ir.FloatAttr.get(wide, 0.0)),
        maps=[
            ir.AffineMap.get(rank, 0, [*d[:2], *window]),
            ir.AffineMap.get(rank, 0, [d[1], *d[2 + count :]]),
            ir.AffineMap.get(rank, 0, d[: 2 + count]),
        ],
        reduced=range(2 + count, rank),
        body=lambda v: (
            arith.AddFOp(
                arith.MulFOp(_widened(v[0], wide), _widened(v[1], wide)).result, v[2]
            ).result
        ),
    )


def _emit_sum_windows(x: ir.Value, window: Sequence[int], stride: Sequence[int]) -> ir.Value:
    shape, count = _shape(x), len(window)
    before = len(shape) - count
    rank = before + 2 * count
    sizes = [(shape[before + i] - window[i]) // stride[i] + 1 for i in range(count)]
    d = [ir.AffineDimExpr.get(i) for i in range(rank)]
    at = [d[before + i] * stride[i] + d[before + count + i] for i in range(count)]
    window_map = ir.AffineMap.get(rank, 0, d[before + count :])
    element = ir.RankedTensorType(x.type).element_type
    return _accumulate(
        inputs=[x, tensor.EmptyOp(list(window), element).result],
        start=_filled([*shape[:before], *sizes], ir.FloatAttr.get(element, 0.0)),
        maps=[
            ir.AffineMap.get(rank, 0, [*d[:before], *at]),
            window_map,
            ir.AffineMap.get(rank, 0, d[: before + count]),
        ],
        reduced=range(before + count, rank),
        body=lambda v: arith.AddFOp(v[2], v[0]).result,
    )


def _accumulate(
    *,
    inputs: Sequence[ir.Value],
    start: ir.Value,
    maps: Sequence[ir.AffineMap],
    reduced: Sequence[int],
    body: Callable[[Sequence[ir.Value]], ir.Value],
) -> ir.Value:
    """Emit a `linalg.generic` that folds its inputs into `start`."""
    kinds = ["reduction" if i in reduced else "parallel" for i in range(maps[0].n_dims)]
    generic = linalg.GenericOp(
        result_tensors=[start.type],
        inputs=inputs,
        outputs=[start],
        indexing_maps=ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        iterator_types=ir.ArrayAttr.get(
            [ir.Attribute.parse(f"#linalg.iterator_type<{kind}>") for kind in kinds]
        ),
    )
    elements = [ir.RankedTensorType(v.type).element_type for v in (*inputs, start)]
    block = generic.regions[0].blocks.append(*elements)
    with ir.InsertionPoint(block):
        linalg.YieldOp([body(list(block.arguments))])
    return generic.result


def _filled(sizes: Sequence[int], value: ir.IntegerAttr | ir.FloatAttr) -> ir.Value:
    element = value.type
    empty = tensor.EmptyOp(sizes, element).result
    return linalg.fill(arith.ConstantOp(element, value).result, outs=[empty])


def _wide(element: ir.Type) -> ir.Type:
    return ir.F32Type.get() if isinstance(element, ir.BF16Type | ir.F16Type) else element


def _widened(value: ir.Value, wide: ir.Type) -> ir.Value:
    return value if value.type == wide else arith.ExtFOp(wide, value).result


def _worst(element: ir.Type, largest: bool) -> ir.IntegerAttr | ir.FloatAttr:
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


_EMITTERS: Mapping[object, Callable[..., ir.Value]] = {
    torch.ops.bellrock.take_row.default: _emit_take_row,
    torch.ops.bellrock.put_row.default: _emit_put_row,
    torch.ops.bellrock.extremum.default: _emit_extremum,
    torch.ops.bellrock.depthwise.default: _emit_depthwise,
    torch.ops.bellrock.sum_windows.default: _emit_sum_windows,
    torch.ops.bellrock.scatter_along.default: emit_scatter_along,
}
