"""Bytes are computed with in 32 bits: torch-mlir takes `uint8` for signed in what it lowers to.

Flows in: a decomposed program. Flows out: the same program, changed in place: what computes with
`uint8` tensors does so with their `int32` copies, and its `uint8` results are cut to bytes again,
which is what arithmetic modulo 256 is. What only moves elements moves bytes, as before. The copies
are elementwise, so they become part of the kernels around them.

Found by comparing with PyTorch: remainders, sums and comparisons with numbers over 127 were wrong,
and extrema did not compile.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import Graph, GraphModule, Node, map_arg

aten = torch.ops.aten

_MOVING = frozenset("""
    _to_copy _unsafe_view alias as_strided cat clone copy detach diagonal embedding empty expand
    flip gather index index_select lift_fresh_copy permute repeat reshape roll select select_scatter
    slice slice_scatter split split_with_sizes squeeze stack t transpose unbind unfold unsqueeze
    view where""".split())  # fmt: skip
"""Ops whose results' elements are elements of their arguments, by the names of their families."""


def widen_bytes(program: ExportedProgram) -> None:
    """Compute with bytes in 32 bits, see the module."""
    for module in program.graph_module.modules():
        if not isinstance(module, GraphModule):
            continue
        for node in list(module.graph.nodes):
            if _computes_with_bytes(node):
                _widen(program, module.graph, node)


def _computes_with_bytes(node: Node) -> bool:
    if node.op != "call_function" or not isinstance(node.target, OpOverload):
        return False
    if node.meta.get("val") is None:  # an assertion about its argument
        return False
    name = node.target.overloadpacket.__name__
    return name not in _MOVING and any(_is_bytes(argument) for argument in node.all_input_nodes)


def _is_bytes(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype == torch.uint8


def _widen(program: ExportedProgram, graph: Graph, node: Node) -> None:
    with graph.inserting_before(node):
        wide = {
            argument: _cast(graph, argument, torch.int32)
            for argument in node.all_input_nodes
            if _is_bytes(argument)
        }
    node.args = map_arg(node.args, lambda a: wide.get(a, a))
    node.kwargs = map_arg(node.kwargs, lambda a: wide.get(a, a))
    if node.kwargs.get("dtype") is torch.uint8:
        node.kwargs = {**node.kwargs, "dtype": torch.int32}
    results = [node]
    if isinstance(node.meta.get("val"), (tuple, list)):
        results = [user for user in node.users if user.target is operator.getitem]
        node.meta = _about(node, type(node.meta["val"])(map(_wide, node.meta["val"])))
    for result in results:
        if _is_bytes(result):
            _cut(program, graph, result)


def _cut(program: ExportedProgram, graph: Graph, result: Node) -> None:
    """Let all that read a result of 32 bits read its lowest eight."""
    narrow = dict(result.meta)
    result.meta = _about(result, _wide(narrow["val"]))
    with graph.inserting_after(result):
        cut = _cast(graph, result, torch.uint8)
    cut.meta = narrow
    result.replace_all_uses_with(cut, delete_user_cb=lambda user: user is not cut)
    if graph is program.graph:
        program.graph_signature.replace_all_uses(result.name, cut.name)


def _cast(graph: Graph, node: Node, dtype: torch.dtype) -> Node:
    new = graph.call_function(aten._to_copy.default, (node,), {"dtype": dtype})
    new.meta = _about(node, node.meta["val"].to(dtype))
    return new


def _about(node: Node, value: Any) -> dict[str, Any]:
    """Return a node's meta data with another value; a tensor's own description is the old one's."""
    return {**{k: v for k, v in node.meta.items() if k != "tensor_meta"}, "val": value}


def _wide(value: Any) -> Any:
    is_bytes = isinstance(value, torch.Tensor) and value.dtype == torch.uint8
    return value.to(torch.int32) if is_bytes else value
