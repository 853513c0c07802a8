"""What an exported program takes and gives, read off its signature.

Flows in: an `ExportedProgram`. Flows out: a `Door`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import (
    ConstantArgument,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.fx import Node

from bellrock.errors import ImportFailedError
from bellrock.ingress.door import DTYPES, Door, Leaf
from bellrock.ingress.draws import Draw
from bellrock.ingress.source import where
from bellrock.payload.spec import DType, Role, TensorSpec

_ROLES: Mapping[InputKind, Role] = {
    InputKind.PARAMETER: Role.PARAMETER,
    InputKind.BUFFER: Role.BUFFER,
    InputKind.CONSTANT_TENSOR: Role.CONSTANT,
}
_MUTATIONS = frozenset(
    {OutputKind.BUFFER_MUTATION, OutputKind.PARAMETER_MUTATION, OutputKind.USER_INPUT_MUTATION}
)


def read_door(program: ExportedProgram, draws: Sequence[Draw]) -> Door:
    """Read specifications and structure off a functional program.

    Raises:
        ImportFailedError: an argument or result is of a kind that Bellrock does not take.
    """
    nodes = {node.name: node for node in program.graph.nodes}
    inputs, arguments = _read_inputs(program, nodes)
    arguments += [_spec(d.name, d.shape, d.dtype, Role.RANDOM) for d in draws]
    lifted, folded = [], {}
    for spec in program.graph_signature.input_specs:
        if spec.kind not in _ROLES or not _used(nodes[spec.arg.name]):
            continue
        tensor = tensor_of(program, spec)
        if spec.kind is InputKind.CONSTANT_TENSOR and _foldable(tensor):
            folded[str(spec.target)] = tensor
            continue
        lifted.append(tensor)
        arguments.append(_spec(str(spec.target), tensor.shape, tensor.dtype, _ROLES[spec.kind]))
    outputs, results, mutated = _read_outputs(program, nodes, arguments)
    call = program.call_spec
    assert call.in_spec is not None, "torch.export sets it"
    assert call.out_spec is not None, "torch.export sets it"
    return Door(
        arguments=tuple(arguments),
        results=tuple(results),
        lifted=tuple(lifted),
        folded=folded,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        input_structure=call.in_spec,
        output_structure=call.out_spec,
        mutated=tuple(mutated),
    )


def tensor_of(program: ExportedProgram, spec: InputSpec | OutputSpec) -> torch.Tensor:
    """Return the tensor behind a parameter, buffer or constant."""
    name = str(spec.target)
    tensor = program.state_dict[name] if name in program.state_dict else program.constants[name]
    assert isinstance(tensor, torch.Tensor), f"{name} is lifted, so it is a tensor"
    return tensor


def _read_inputs(
    program: ExportedProgram, nodes: Mapping[str, Node]
) -> tuple[list[Leaf], list[TensorSpec]]:
    leaves: list[Leaf] = []
    arguments: list[TensorSpec] = []
    for spec in program.graph_signature.input_specs:
        if spec.kind is not InputKind.USER_INPUT:
            continue
        if isinstance(spec.arg, TensorArgument):
            leaves.append(Leaf(tensor=len(arguments)))
            node = nodes[spec.arg.name]
            value = node.meta["val"]
            # Its target is what `forward` calls it; the node may have had to be renamed.
            arguments.append(_spec(str(node.target), value.shape, value.dtype, Role.INPUT))
        elif isinstance(spec.arg, ConstantArgument):
            leaves.append(Leaf(tensor=None, value=spec.arg.value))
        else:
            raise _unsupported("an input", spec.arg)
    return leaves, arguments


def _read_outputs(
    program: ExportedProgram, nodes: Mapping[str, Node], arguments: Sequence[TensorSpec]
) -> tuple[list[Leaf], list[TensorSpec], list[torch.Tensor | int]]:
    leaves: list[Leaf] = []
    results: list[TensorSpec] = []
    for spec in program.graph_signature.output_specs:
        if spec.kind is not OutputKind.USER_OUTPUT:
            continue
        if isinstance(spec.arg, TensorArgument):
            leaves.append(Leaf(tensor=len(results)))
            value = nodes[spec.arg.name].meta["val"]
            results.append(_spec(spec.arg.name, value.shape, value.dtype, Role.RESULT))
        elif isinstance(spec.arg, ConstantArgument):
            leaves.append(Leaf(tensor=None, value=spec.arg.value))
        else:
            raise _unsupported("an output", spec.arg, nodes.get(spec.arg.name))
    mutated: list[torch.Tensor | int] = []
    inputs = [s.arg for s in program.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
    tensors = [arg.name for arg in inputs if isinstance(arg, TensorArgument)]
    for spec in mutations(program):
        name, value = str(spec.target), nodes[spec.arg.name].meta["val"]
        if spec.kind is OutputKind.USER_INPUT_MUTATION:
            position = tensors.index(name)
            name = arguments[position].name
            mutated.append(position)
        else:
            mutated.append(tensor_of(program, spec))
        results.append(_spec(name, value.shape, value.dtype, Role.MUTATION))
    return leaves, results, mutated


def mutations(program: ExportedProgram) -> list[OutputSpec]:
    """Return the outputs that are written back to a buffer, parameter or input."""
    return [s for s in program.graph_signature.output_specs if s.kind in _MUTATIONS]


def _used(node: Node) -> bool:
    return bool(node.users)


def _foldable(tensor: torch.Tensor) -> bool:
    from torch._subclasses.fake_tensor import FakeTensor

    return tensor.numel() == 1 and not isinstance(tensor, FakeTensor)


def _spec(name: str, shape: Sequence[int], dtype: torch.dtype, role: Role) -> TensorSpec:
    if dtype not in DTYPES:
        raise ImportFailedError(
            f"the {role} {name!r} has an element type that Bellrock does not take",
            got=str(dtype).removeprefix("torch."),
            allowed=[d.torch_name for d in DType],
        )
    if not all(isinstance(size, int) for size in shape):
        raise ImportFailedError(
            f"the {role} {name!r} has a shape that depends on data",
            got=tuple(str(size) for size in shape),
            allowed="static shapes",
        )
    return TensorSpec(name=name, shape=tuple(shape), dtype=DTYPES[dtype], role=role)


def _unsupported(what: str, argument: object, node: Node | None = None) -> ImportFailedError:
    return ImportFailedError(
        f"{what} of the model is neither a tensor nor a fixed Python value",
        got=type(argument).__name__,
        where=where(node) if node is not None else None,
        hint="return tensors rather than Python numbers read off them",
    )
