"""Arguments for a program that was loaded from a file, and what can be said of its results.

Flows in: a `SavedProgram`, arrays by argument name, a seed for the rest. Flows out: torch
tensors in the program's order; for each result a `Summary`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellrock.errors import CallError, UnknownNameError
from bellrock.payload import TensorSpec
from bellrock.runtime.artifact import SavedProgram

if TYPE_CHECKING:
    import numpy as np
    import torch

_RANDOM_BELOW = 2
"""Random integers are below it: as indices they are then legal for any table of two rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What can be seen of a tensor at a glance."""

    spec: TensorSpec
    mean: float
    lowest: float
    highest: float
    not_finite: int
    """How many elements are infinite or not a number."""


def make_arguments(
    program: SavedProgram, *, given: Mapping[str, np.ndarray], seed: int
) -> list[torch.Tensor]:
    """Return one tensor for each argument: given, else stored in the file, else random.

    Args:
        program: as loaded.
        given: arrays by argument name; converted to the argument's dtype.
        seed: of the random ones (standard normal; integers are 0 or 1).

    Raises:
        UnknownNameError: a given name is no argument.
        CallError: a given array has another shape.
    """
    import torch

    names = [spec.name for spec in program.arguments]
    for name in given:
        if name not in names:
            raise UnknownNameError("argument", name, names)
    generator = torch.Generator().manual_seed(seed)
    arguments = []
    for index, spec in enumerate(program.arguments):
        if spec.name in given:
            arguments.append(_converted(given[spec.name], spec))
        elif index in program.values:
            arguments.append(_stored(program.values[index], spec))
        else:
            arguments.append(_random(spec, generator))
    return arguments


def contents_of(tensors: Sequence[torch.Tensor]) -> list[memoryview]:
    """Return the raw contents of tensors, row-major, as a file stores them."""
    import torch

    flat = (tensor.detach().contiguous().reshape(-1) for tensor in tensors)
    return [tensor.view(torch.uint8).numpy().data for tensor in flat]


def summarise(spec: TensorSpec, tensor: torch.Tensor) -> Summary:
    """Return what can be seen of a result at a glance; computed in float64."""
    import torch

    wide = tensor.to(torch.float64)
    finite = wide[torch.isfinite(wide)]
    nothing = finite.numel() == 0
    return Summary(
        spec=spec,
        mean=float("nan") if nothing else finite.mean().item(),
        lowest=float("nan") if nothing else finite.min().item(),
        highest=float("nan") if nothing else finite.max().item(),
        not_finite=wide.numel() - finite.numel(),
    )


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """Return a numpy array of a tensor; bfloat16, which numpy lacks, becomes float32."""
    import torch

    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _dtype(spec: TensorSpec) -> torch.dtype:
    import torch

    return getattr(torch, spec.dtype.torch_name)


def _converted(array: np.ndarray, spec: TensorSpec) -> torch.Tensor:
    import numpy as np
    import torch

    if array.shape != spec.shape:
        raise CallError(
            f"the array given for {spec.name!r} has another shape",
            got=list(array.shape),
            allowed=str(list(spec.shape)),
        )
    if array.dtype.kind not in "fiub":
        raise CallError(f"the array given for {spec.name!r} holds no numbers", got=array.dtype)
    return torch.from_numpy(np.array(array, order="C")).to(_dtype(spec))


def _stored(data: bytes | memoryview, spec: TensorSpec) -> torch.Tensor:
    import torch

    if not data:
        return torch.empty(spec.shape, dtype=_dtype(spec))
    return torch.frombuffer(bytearray(data), dtype=_dtype(spec)).reshape(spec.shape)


def _random(spec: TensorSpec, generator: torch.Generator) -> torch.Tensor:
    import torch

    if spec.dtype.is_float:
        return torch.randn(spec.shape, generator=generator).to(_dtype(spec))
    return torch.randint(0, _RANDOM_BELOW, spec.shape, generator=generator).to(_dtype(spec))
