"""What crosses the door of an exported program.

Flows in: a call of the model. Flows out: its tensors, checked; and results in the structure of the
model's output, with mutations written back.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.utils import _pytree as pytree

from bellrock.errors import CallError
from bellrock.payload.spec import DType, TensorSpec

DTYPES = {getattr(torch, dtype.torch_name): dtype for dtype in DType}


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
    if DTYPES.get(dtype) is not spec.dtype and (
        str(dtype).removeprefix("torch.") != spec.dtype.torch_name  # another library's
    ):
        raise CallError(
            f"input {spec.name!r} has the wrong dtype",
            got=str(dtype).removeprefix("torch."),
            allowed=spec.dtype.torch_name,
        )
