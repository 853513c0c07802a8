"""Fingerprints of exported programs: equal ones promise equal modules.

Flows in: an exported program and its door. Flows out: a digest of everything that decides
what the import makes of it: ops, constants, shapes, dtypes, the order of arguments and
results, values folded into the module, the toolchain, and the code of this room.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, GraphModule, Node

from bellrock.ingress.door import Door
from bellrock.payload.payload import fingerprint_of
from bellrock.toolchain import versions


def fingerprint_program(program: ExportedProgram, door: Door) -> str:
    """Return the digest of a program (see the module's docstring)."""
    graphs = [
        f"{path}:\n{_graph_text(module.graph)}"
        for path, module in program.graph_module.named_modules()
        if isinstance(module, GraphModule)
    ]
    return fingerprint_of(
        *graphs,
        *(_constant_text(name, value) for name, value in _tensor_attributes(program)),
        *(_constant_text(name, value) for name, value in door.folded.items()),
        repr(program.graph_signature.input_specs),
        repr(program.graph_signature.output_specs),
        repr([(s.name, str(s), s.role) for s in (*door.arguments, *door.results)]),
        repr(dict(versions())),
        _sources(),
    )


def _graph_text(graph: Graph) -> str:
    return "\n".join(
        f"{n.op} {n.name} {n.target} {n.args} {n.kwargs} {_value_text(n)}" for n in graph.nodes
    )


def _value_text(node: Node) -> str:
    value = node.meta.get("val")
    values = value if isinstance(value, (tuple, list)) else (value,)
    return " ".join(
        f"{v.dtype}{tuple(v.shape)}{v.stride()}" if isinstance(v, torch.Tensor) else repr(v)
        for v in values
    )


def _tensor_attributes(program: ExportedProgram) -> list[tuple[str, torch.Tensor]]:
    """Return tensors that graphs fetch by name, and which the import makes literals of."""
    found = []
    for path, module in program.graph_module.named_modules():
        if not isinstance(module, GraphModule):
            continue
        for node in module.graph.find_nodes(op="get_attr"):
            value = getattr(module, str(node.target), None)
            if isinstance(value, torch.Tensor):
                found.append((f"{path}.{node.target}", value))
    return found


def _constant_text(name: str, tensor: torch.Tensor) -> str:
    data = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
    digest = hashlib.sha256(data.numpy().tobytes()).hexdigest()
    return f"{name} {tensor.dtype} {tuple(tensor.shape)} {digest}"


@functools.cache
def _sources() -> str:
    """Return the digest of this room's code: what the import means is written there."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return fingerprint_of(*(file.read_text(encoding="utf-8") for file in files))
