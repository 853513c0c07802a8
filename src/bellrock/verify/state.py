"""What a model holds beside its parameters: buffers and tensors that are plain attributes.

Flows in: a model. Flows out: its tensors by name and place, a copy that can be put back
after a run, and the names of those that a run has written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

_REGISTERED = frozenset({"_parameters", "_modules", "_buffers"})
_DEPTH = 2
"""How far tensors are looked for in lists and dicts that are attributes."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that holds a tensor."""

    name: str
    """As in the model's source, e.g. `layers.0.hidden`."""
    container: Any
    """A dict or a list."""
    key: Any

    @property
    def tensor(self) -> torch.Tensor:
        """What is there now."""
        return self.container[self.key]


def slots_of(model: torch.nn.Module) -> list[Slot]:
    """Return the places of all tensors that are not parameters; tuples cannot be written."""
    found = []
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        found += _slots(prefix, dict(module.named_buffers(recurse=False)), module, depth=0)
        plain = {k: v for k, v in vars(module).items() if k not in _REGISTERED}
        found += _slots(prefix, plain, module, depth=_DEPTH)
    return found


def _slots(prefix: str, items: dict[str, Any], owner: torch.nn.Module, *, depth: int) -> list[Slot]:
    found = []
    for name, value in items.items():
        if isinstance(value, torch.nn.Parameter):
            continue
        if isinstance(value, torch.Tensor):
            container = vars(owner) if name in vars(owner) else vars(owner)["_buffers"]
            found.append(Slot(f"{prefix}{name}", container, name))
        elif depth:
            found += _nested(f"{prefix}{name}.", value, depth)
    return found


def _nested(prefix: str, value: Any, depth: int) -> Iterator[Slot]:
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return
    for key, item in pairs:
        if isinstance(item, torch.Tensor):
            if not isinstance(item, torch.nn.Parameter):
                yield Slot(f"{prefix}{key}", value, key)
        elif depth > 1:
            yield from _nested(f"{prefix}{key}.", item, depth - 1)


def tensors_named(model: torch.nn.Module, names: tuple[str, ...]) -> list[torch.Tensor]:
    """Return the tensors that are at these names now."""
    if not names:
        return []
    slots = {slot.name: slot for slot in slots_of(model)}
    return [slots[name].tensor for name in names]


def version_of(tensor: torch.Tensor) -> int:
    """Return how often a tensor was written to."""
    return tensor._version  # noqa: SLF001 - there is no public name


@dataclass(kw_only=True, slots=True)
class State:
    """A model's tensors as they were, to be compared with and put back."""

    saved: list[tuple[Slot, torch.Tensor, torch.Tensor, int]] = field(default_factory=list)
    """Place, the tensor that was there, a copy of its values, its version."""

    @classmethod
    def of(cls, model: torch.nn.Module) -> State:
        """Save a model's state."""
        slots = slots_of(model)
        return cls(
            saved=[
                (slot, slot.tensor, slot.tensor.detach().clone(), version_of(slot.tensor))
                for slot in slots
            ]
        )

    def written(self) -> tuple[str, ...]:
        """Return the names of what was written or replaced since.

        Versions alone do not say: a batch norm in training writes without counting.
        """
        return tuple(
            slot.name
            for slot, tensor, value, version in self.saved
            if slot.tensor is not tensor
            or version_of(tensor) != version
            or not _same_bits(tensor, value)
        )

    def restore(self) -> None:
        """Put tensors and values back, writing only to what has changed."""
        with torch.no_grad():
            for slot, tensor, value, _ in self.saved:
                if slot.container[slot.key] is not tensor:
                    slot.container[slot.key] = tensor
                if not _same_bits(tensor, value):
                    tensor.copy_(value)


def _same_bits(tensor: torch.Tensor, value: torch.Tensor) -> bool:
    return torch.equal(tensor, value) or (
        tensor.is_floating_point() and torch.equal(tensor.isnan(), value.isnan())
        and torch.equal(tensor.nan_to_num(), value.nan_to_num())
    )  # fmt: skip
