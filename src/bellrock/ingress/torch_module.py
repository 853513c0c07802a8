"""A model made ready for `torch.export`, without changing the user's.

Flows in: any `nn.Module`. Flows out: the same module where it can be exported as it is;
else a copy of its structure that shares parameters and buffers, in which tensors kept as
plain attributes are buffers and floating tensors have the wanted type.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from bellrock.errors import ImportFailedError
from bellrock.payload.spec import DType


def prepare_module(model: torch.nn.Module, dtype: DType | None) -> torch.nn.Module:
    """Return a module that can be exported and computes what `model` computes.

    Args:
        model: left as it is.
        dtype: floating type to convert to; None keeps types.

    Raises:
        ImportFailedError: the model has to be copied and cannot be.
    """
    wanted = None if dtype is None else getattr(torch, dtype.torch_name)
    convert = wanted is not None and any(
        t.is_floating_point() and t.dtype != wanted for t in _tensors(model)
    )
    if not convert and not any(_plain_tensors(module) for module in model.modules()):
        return model
    # Tensors are entered as their own copies: the structure is copied, storage is shared.
    memo: dict[int, Any] = {id(tensor): tensor for tensor in _tensors(model)}
    try:
        twin = copy.deepcopy(model, memo)
    except Exception as error:  # whatever an attribute's own copying raises
        raise ImportFailedError(
            f"the model {type(model).__name__} cannot be copied",
            got=f"{type(error).__name__}: {error}",
            hint="keep tensors in buffers (register_buffer), so that no copy is needed",
        ) from error
    for module in twin.modules():
        for name, tensor in _plain_tensors(module).items():
            delattr(module, name)
            module.register_buffer(name, tensor.detach(), persistent=True)
    if convert and dtype is not None:
        convert_module(twin, dtype)
    return twin


def _plain_tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in vars(module).items() if isinstance(value, torch.Tensor)}


def _tensors(model: torch.nn.Module) -> list[torch.Tensor]:
    plain = [t for module in model.modules() for t in _plain_tensors(module).values()]
    return [*model.parameters(), *model.buffers(), *plain]


def convert_module(model: torch.nn.Module, dtype: DType) -> None:
    """Replace a model's floating parameters, buffers and tensors in plain attributes.

    Like `model.to(dtype)`, but it works on fake tensors, too, and leaves no tensor behind that
    would meet the converted ones in an op. Tied tensors stay tied.
    """
    wanted = getattr(torch, dtype.torch_name)
    done: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}  # old ones are kept: ids stay theirs
    for module in model.modules():
        tables: list[dict[str, Any]] = [module._parameters, module._buffers, vars(module)]
        for table in tables:
            for name, tensor in table.items():
                if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
                    continue
                if tensor.dtype != wanted:
                    if id(tensor) not in done:
                        done[id(tensor)] = tensor, _as_dtype(tensor, wanted)
                    table[name] = done[id(tensor)][1]
        if isinstance(module, torch.nn.RNNBase):
            # It keeps a second list of its weights, which has to follow.
            module._flat_weights = [getattr(module, name) for name in module._flat_weights_names]


def _as_dtype(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    new = tensor.detach().to(dtype)
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(new, requires_grad=tensor.requires_grad)
    return new
