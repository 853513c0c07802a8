"""Programs without side effects.

Flows in: an exported program, in which in-place ops may write to buffers, parameters or
inputs. Flows out: the same program with such writes as results (PyTorch's
functionalisation), so that its door can be read off its signature.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind
from torch.fx import Node

from bellrock.ingress.quiet import quiet

_aten = torch.ops.aten
_HIDDEN = frozenset({_aten.batch_norm.default, _aten.instance_norm.default})
"""Ops that write running statistics in training, which their schemas do not say. Arguments 3
to 5 are the running mean and variance, and whether this is training."""


def functionalised(program: ExportedProgram) -> ExportedProgram:
    """Return a program whose writes are results.

    A program that writes nothing is returned as it is: functionalising traces it again.
    """
    if not _writes(program):
        return program
    with torch.no_grad(), quiet():
        # Only functionalises, and shows hidden writes: every other op stays what it is.
        program = program.run_decompositions({_aten.instance_norm.default: _instance_norm})
    _settle_names(program)
    return program


def _instance_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, training: bool, momentum: float, eps: float, cudnn: bool,
) -> Tensor:  # fmt: skip
    """Show what an instance norm in training writes; PyTorch shows it for a batch norm."""
    if not training or running_mean is None or running_var is None:
        return NotImplemented
    variance, mean = torch.var_mean(x, list(range(2, x.dim())), correction=1)
    running_mean.copy_(torch.lerp(running_mean, mean.mean(0), momentum))
    running_var.copy_(torch.lerp(running_var, variance.mean(0), momentum))
    return _aten.instance_norm.default(x, weight, bias, None, None, True, momentum, eps, cudnn)


def _settle_names(program: ExportedProgram) -> None:
    """Rename placeholders whose names a copy of the graph would not keep.

    `torch.fx` gives no node the name of a Python builtin, but `torch.export` names inputs
    after the arguments of `forward`, and looks written inputs up by name in a copy: a model
    that writes to an argument called `input` could not be traced again.
    """
    for node in program.graph.find_nodes(op="placeholder"):
        kept = torch.fx.Graph().placeholder(node.name).name
        if kept == node.name:
            continue
        old = node.name
        node._rename(kept)
        program.graph_signature.replace_all_uses(old, node.name)
        for spec in program.graph_signature.output_specs:
            if spec.kind is OutputKind.USER_INPUT_MUTATION and spec.target == old:
                spec.target = node.name


def _writes(program: ExportedProgram) -> bool:
    """Whether an in-place op may reach a tensor that lives outside the program."""
    outside: set[Node] = {n for n in program.graph.nodes if n.op == "placeholder"}
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        schema = getattr(node.target, "_schema", None)
        if schema is None:  # getitem of a multi-result view, or a higher-order op
            if node.target is not torch.ops.higher_order.while_loop and outside & set(
                node.all_input_nodes
            ):
                outside.add(node)
            continue
        if _writes_statistics(node, outside):
            return True
        for formal, actual in zip(schema.arguments, node.args, strict=False):
            if formal.alias_info is None or not outside & set(_nodes(actual)):
                continue
            if formal.alias_info.is_write and node.target is not torch.ops.aten.detach_.default:
                return True
            outside.add(node)
        if node.target is torch.ops.aten.dropout.default and node.args[0] in outside:
            outside.add(node)  # inactive, it returns its input
    return False


def _writes_statistics(node: Node, outside: set[Node]) -> bool:
    if node.target not in _HIDDEN:
        return False
    *statistics, training = node.args[3:6]
    return bool(training) and bool(outside & set(_nodes(statistics)))


def _nodes(argument: object) -> list[Node]:
    if isinstance(argument, Node):
        return [argument]
    if isinstance(argument, (list, tuple)):
        return [a for a in argument if isinstance(a, Node)]
    return []
