"""Any `nn.Module` into a `Payload`, by `torch.export` and torch-mlir.

Flows in: a model and example inputs, real or fake. Flows out: a `TorchProgram`: the payload
(parameters, buffers and random numbers are arguments after the inputs, never constants in
the module) with what is needed to call it as the model is called. Exporting happens at
once; decomposing, importing and lowering happen when the payload's text is asked for.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from bellrock.errors import BellrockError, ImportFailedError
from bellrock.ingress.door import Door
from bellrock.ingress.draws import Draw, take_draws
from bellrock.ingress.fingerprint import fingerprint_program
from bellrock.ingress.functional import functionalised
from bellrock.ingress.loops import KeepRecurrent
from bellrock.ingress.quiet import quiet
from bellrock.ingress.signature import read_door
from bellrock.ingress.source import raised_at
from bellrock.ingress.torch_module import prepare_module
from bellrock.payload.payload import Payload
from bellrock.payload.spec import DType
from bellrock.toolchain import check_toolchain


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchProgram:
    """A model as a payload, and how to call it the way the model is called.

    The payload's arguments are `bind(inputs)` followed by `parameters`. Thread safety: all
    methods may be called from several threads; `bind` draws from PyTorch's global generator
    if the model draws random numbers, `unflatten` writes to the model's mutated buffers.
    """

    payload: Payload
    parameters: tuple[torch.Tensor, ...]
    """Parameters, buffers and constants, in the order of the payload's arguments after the
    inputs and draws; the model's own tensors, so that later updates of them are seen."""
    draws: tuple[Draw, ...]
    """Random numbers that the model draws, in the order of the arguments of role `RANDOM`."""
    seconds: Mapping[str, float]
    """Seconds per step: `export`, and `decompose`, `import`, `lower` once the text is made."""
    _door: Door

    def bind(
        self,
        inputs: Sequence[object],
        keywords: Mapping[str, object] | None = None,
        *,
        draws: Sequence[torch.Tensor] | None = None,
    ) -> list[torch.Tensor]:
        """Flatten and check the model's inputs; append random numbers where it draws them.

        Args:
            inputs: positional arguments, structured like the example inputs.
            keywords: keyword arguments, likewise.
            draws: random numbers to use; drawn from PyTorch's generator if None.

        Returns:
            The payload's arguments up to, not including, `parameters`. Arrays of other
            libraries with a shape and a dtype are passed on as they are.

        Raises:
            CallError: structure, shape, dtype or a Python value differs from the example's.
        """
        tensors = self._door.flatten(inputs, keywords or {})
        if draws is None:
            draws = [draw.draw() for draw in self.draws]
        return [*tensors, *draws]  # pyright: ignore[reportReturnType]  # arrays pass through

    def unflatten(
        self, results: Sequence[torch.Tensor], *, arguments: Sequence[torch.Tensor] = ()
    ) -> object:
        """Return the results in the structure of the model's output; write mutations back.

        Args:
            results: of the payload's entry function, in order.
            arguments: what `bind` returned; needed only by a model that writes to its inputs.
        """
        return self._door.unflatten(results, arguments)


def import_module(
    model: torch.nn.Module,
    inputs: Sequence[object],
    *,
    name: str,
    dtype: DType | None = None,
    keywords: Mapping[str, object] | None = None,
) -> TorchProgram:
    """Export a model for inputs like these; the rest of the import is left for later.

    Args:
        model: called as `model(*inputs, **keywords)`; it is not changed. Usually in eval mode.
        inputs: example inputs; tensors give shapes and dtypes, other values are fixed.
        name: for people.
        dtype: floating type to convert the model (a copy) and the inputs to, and PyTorch's
            default type while the model runs; None leaves all as it is.
        keywords: example keyword arguments.

    Raises:
        ImportFailedError: `torch.export` cannot capture the model.
        ToolchainError: the installed torch and torch-mlir are not the supported pair.
    """
    check_toolchain()
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    example = pytree.tree_map_only(
        torch.Tensor, lambda t: _converted(t, dtype), (tuple(inputs), dict(keywords or {}))
    )
    program = _export(prepare_module(model, dtype), *example, name=name, dtype=dtype)
    draws = take_draws(program)  # first: functionalising spells random ops in other ways
    program = functionalised(program)
    door = read_door(program, draws)
    seconds["export"] = time.perf_counter() - started
    payload = Payload(
        name=name,
        arguments=door.arguments,
        results=door.results,
        fingerprint=fingerprint_program(program, door),
        build=lambda: _lower(program, door, seconds),
        import_seconds=seconds,
    )
    return TorchProgram(
        payload=payload,
        parameters=door.lifted,
        draws=draws,
        seconds=seconds,
        _door=door,
    )


def _lower(program: ExportedProgram, door: Door, seconds: dict[str, float]) -> str:
    # Imported here: a program found in the cache needs no MLIR at all.
    from bellrock.ingress.torch_lower import lower_program

    return lower_program(program, door, seconds)


def _export(
    model: torch.nn.Module,
    args: tuple[object, ...],
    kwargs: dict[str, object],
    *,
    name: str,
    dtype: DType | None,
) -> ExportedProgram:
    try:
        with torch.no_grad(), quiet(), default_dtype(dtype), KeepRecurrent():
            return torch.export.export(model, args, kwargs, strict=False)
    except BellrockError:
        raise
    except Exception as error:  # anything that the user's forward, or torch.export, raises
        raise ImportFailedError(
            f"torch.export could not capture the model {name!r}",
            got=f"{type(error).__name__}: {_first_paragraph(str(error))}",
            where=raised_at(error),
            hint="run the model on the same inputs in PyTorch first; data-dependent control "
            "flow has to be written with torch.cond or torch.while_loop",
        ) from error


@contextlib.contextmanager
def default_dtype(dtype: DType | None) -> Iterator[None]:
    """Make `dtype` PyTorch's default floating type inside; None changes nothing."""
    before = torch.get_default_dtype()
    if dtype is not None:
        torch.set_default_dtype(getattr(torch, dtype.torch_name))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _converted(tensor: torch.Tensor, dtype: DType | None) -> torch.Tensor:
    if dtype is None or not tensor.is_floating_point():
        return tensor
    return tensor.to(getattr(torch, dtype.torch_name))


def _first_paragraph(message: str) -> str:
    return " ".join(message.strip().split("\n\n")[0].split())
