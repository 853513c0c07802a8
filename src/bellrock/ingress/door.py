"""What crosses the door of an exported program, read off its signature.

Flows in: an `ExportedProgram`. Flows out: a `Door`: specifications of arguments and results,
the lifted tensors, and the structure of the model's inputs and outputs.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from torch.utils import _pytree as pytree

from bellrock.errors import CallError, ImportFailedError
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
_DTYPES = {getattr(torch, dtype.torch_name): dtype for dtype in DType}


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaf:
    """One leaf of the model's inputs or outputs: a tensor, or a Python value that is fixed."""

    tensor: int | None
    """Index among the tensors of its side; None for a value."""
    value: object = None


@dataclass(frozen=True, kw_only=True)
class Door:
    """Arguments and results of the payload, and how they make up the model's call."""

    arguments: tuple[TensorSpec, ...]
    results: tuple[TensorSpec, ...]
    lifted: tuple[torch.Tensor, ...]
    """Tensors of the last arguments: parameters, buffers, constants."""
    folded: Mapping[str, torch.Tensor]
    """Constants of one element, which become literals in the module, by name."""
    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    input_structure: pytree.TreeSpec
    output_structure: pytree.TreeSpec
    mutated: tuple[torch.Tensor | int, ...]
    """For each result of role `MUTATION`: the tensor to write to, or an index of an input."""

    @functools.cached_property
    def _one_by_one(self) -> bool:
        positional, named = self.input_structure.children()
        return not named.num_children and all(child.is_leaf() for child in positional.children())

    def flatten(self, inputs: Sequence[object], keywords: Mapping[str, object]) -> list[object]:
        """Return the tensors among the inputs, in order.

        Raises:
            CallError: the inputs do not fit the example that the model was imported with.
        """
        leaves = self._leaves(inputs, keywords)
        tensors = []
        for position, (leaf, given) in enumerate(zip(self.inputs, leaves, strict=True)):
            if leaf.tensor is None:
                _check_value(leaf.value, given, position)
            else:
                _check_tensor(self.arguments[leaf.tensor], given)
                tensors.append(given)
        return tensors

    def unflatten(
        self, results: Sequence[torch.Tensor], arguments: Sequence[torch.Tensor]
    ) -> object:
        """Return results in the structure of the model's output; write mutations back.

        Raises:
            CallError: the number of results is wrong, or a written input was not given.
        """
        if len(results) != len(self.results):
            raise CallError(
                "the number of results does not fit the program",
                got=len(results),
                allowed=str(len(self.results)),
            )
        plain = len(results) - len(self.mutated)
        for target, new in zip(self.mutated, results[plain:], strict=True):
            if isinstance(target, int) and target >= len(arguments):
                raise CallError(
                    f"the model writes to its input {self.arguments[target].name!r}",
                    hint="pass the bound arguments to unflatten, too",
                )
            with torch.no_grad():  # by indexing, which numpy arrays know, too
                (arguments[target] if isinstance(target, int) else target)[...] = new
        values = [
            leaf.value if leaf.tensor is None else results[leaf.tensor] for leaf in self.outputs
        ]
        if self.output_structure.is_leaf():
            return values[0]
        return pytree.tree_unflatten(values, self.output_structure)

    def _leaves(self, inputs: Sequence[object], keywords: Mapping[str, object]) -> list[object]:
        expected = self.input_structure
        # Most models take tensors one by one; to walk the structure costs as much as a kernel.
        alone = self._one_by_one and not keywords and len(inputs) == len(self.inputs)
        if alone and all(isinstance(each, torch.Tensor) for each in inputs):
            return list(inputs)
        leaves, structure = pytree.tree_flatten((tuple(inputs), dict(keywords)))
        if structure == expected:
            return leaves
        names = expected.child(1).context or []
        if set(names) == set(keywords):
            ordered = {name: keywords[name] for name in names}
            leaves, structure = pytree.tree_flatten((tuple(inputs), ordered))
        if structure != expected:
            raise CallError(
                "the inputs are not structured like the example inputs",
                got=_describe(inputs, keywords),
                allowed=f"{expected.child(0).num_children} positional inputs"
                + (f" and the keywords {', '.join(map(str, names))}" if names else ""),
            )
        return leaves


def _describe(inputs: Sequence[object], keywords: Mapping[str, object]) -> str:
    kinds = [type(i).__name__ for i in inputs]
    kinds += [f"{name}={type(value).__name__}" for name, value in keywords.items()]
    return f"{len(inputs)} positional inputs ({', '.join(kinds)})"


def _check_value(expected: object, given: object, position: int) -> None:
    if type(expected) is not type(given) or expected != given:
        raise CallError(
            f"input {position} is fixed to the value it was imported with",
            got=repr(given),
            allowed=repr(expected),
            hint="import the model again for another value",
        )


def _check_tensor(spec: TensorSpec, given: object) -> None:
    shape, dtype = getattr(given, "shape", None), getattr(given, "dtype", None)
    if shape is None or dtype is None:
        raise CallError(
            f"input {spec.name!r} has to be a tensor", got=type(given).__name__, allowed=str(spec)
        )
    if tuple(shape) != spec.shape:
        raise CallError(
            f"input {spec.name!r} has the wrong shape",
            got=tuple(shape),
            allowed=str(spec.shape),
            hint="compile the model again for another shape",
        )
    if _DTYPES.get(dtype) is not spec.dtype and (
        str(dtype).removeprefix("torch.") != spec.dtype.torch_name  # another library's
    ):
        raise CallError(
            f"input {spec.name!r} has the wrong dtype",
            got=str(dtype).removeprefix("torch."),
            allowed=spec.dtype.torch_name,
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
    if dtype not in _DTYPES:
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
    return TensorSpec(name=name, shape=tuple(shape), dtype=_DTYPES[dtype], role=role)


def _unsupported(what: str, argument: object, node: Node | None = None) -> ImportFailedError:
    return ImportFailedError(
        f"{what} of the model is neither a tensor nor a fixed Python value",
        got=type(argument).__name__,
        where=where(node) if node is not None else None,
        hint="return tensors rather than Python numbers read off them",
    )
