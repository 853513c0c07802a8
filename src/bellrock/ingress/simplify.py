"""Graph clean-up between decomposition and import.

Flows in: a decomposed program. Flows out: the same program, changed in place, in which ops
that compute values and their positions compute values only where nobody reads the positions,
and tensors without elements are not computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, Node

aten = torch.ops.aten


def drop_unused_positions(program: ExportedProgram) -> None:
    """Replace `max.dim` and the like by plain extrema and pools, see the module."""
    for node in list(program.graph.nodes):
        replace = _VALUES_ONLY.get(node.target)
        if replace is None or any(user.args[1] != 0 for user in node.users if user.users):
            continue
        for user in list(node.users):
            if user.users:
                with program.graph.inserting_before(user):
                    new = replace(program.graph, node, user.meta)
                user.replace_all_uses_with(new)
                program.graph_signature.replace_all_uses(user.name, new.name)
            program.graph.erase_node(user)
        program.graph.erase_node(node)


def fill_empty_results(program: ExportedProgram) -> None:
    """Replace ops whose result has no elements: there is nothing to compute.

    Lowerings of reshapes, products and softmaxes divide by sizes, and a size of 0 would end
    the process.
    """
    graph = program.graph
    for node in list(graph.nodes):
        value = node.meta.get("val")
        if node.op != "call_function" or not isinstance(value, torch.Tensor) or value.numel():
            continue
        with graph.inserting_before(node):
            new = _call(graph, aten.empty.memory_format, (list(value.shape),), node.meta)
        new.kwargs = {"dtype": value.dtype, "pin_memory": False}
        node.replace_all_uses_with(new)
        program.graph_signature.replace_all_uses(node.name, new.name)
        graph.erase_node(node)


def _extremum(graph: Graph, node: Node, meta: dict[str, Any], *, largest: bool) -> Node:
    arguments: Any = (*node.args, False)  # of `max.dim`: tensor, dim, keepdim
    x, dim, keepdim = arguments[:3]
    value = x.meta["val"]
    if value.dim() == 0:
        return _call(graph, aten.clone.default, (x,), meta)
    at = dim % value.dim()
    removed = value.new_empty([s for i, s in enumerate(value.shape) if i != at])
    op = torch.ops.bellrock.extremum.default
    result = _call(graph, op, (x, [at], largest), {**meta, "val": removed})
    return _call(graph, aten.unsqueeze.default, (result, at), meta) if keepdim else result


def _pool(graph: Graph, node: Node, meta: dict[str, Any], *, op: Callable[..., Any]) -> Node:
    return _call(graph, op, tuple(node.args), meta)


def _call(graph: Graph, op: Callable[..., Any], args: Any, meta: dict[str, Any]) -> Node:
    node = graph.call_function(op, args)
    # The tensor's own description would be the old one's.
    node.meta = {key: value for key, value in meta.items() if key != "tensor_meta"}
    return node


_VALUES_ONLY: dict[Any, Callable[[Graph, Node, dict[str, Any]], Node]] = {
    aten.max.dim: lambda g, n, m: _extremum(g, n, m, largest=True),
    aten.min.dim: lambda g, n, m: _extremum(g, n, m, largest=False),
    aten.max_pool2d_with_indices.default: lambda g, n, m: _pool(
        g, n, m, op=aten.max_pool2d.default
    ),
    aten.max_pool3d_with_indices.default: lambda g, n, m: _pool(
        g, n, m, op=aten.max_pool3d.default
    ),
}
