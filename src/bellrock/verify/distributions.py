"""Inputs of several distributions, derived from the problem's own.

Flows in: the problem's inputs. Flows out: inputs of the same shapes and dtypes with other
values, where that makes sense: integers, labels, masks and probabilities stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils import _pytree as pytree

OWN = "own"
"""The problem's own inputs."""


def keeps_its_values(tensor: torch.Tensor) -> bool:
    """Return whether a tensor's values mean something, so that others may not stand in.

    So are integers, floats that are all whole numbers (labels, masks, signs), constants, and
    rows of probabilities (non-negative, of sum 1).
    """
    if not tensor.is_floating_point() or tensor.numel() < 2:
        return True
    sample = tensor.detach().reshape(-1, tensor.shape[-1])[:4096].float()
    if not bool(torch.isfinite(sample).all()) or bool((sample == sample.round()).all()):
        return True
    if bool((sample == sample.flatten()[0]).all()):
        return True
    rows = sample.sum(-1)
    tolerance = 8 * torch.finfo(tensor.dtype).eps
    return bool((sample >= 0).all()) and bool(((rows - 1).abs() < max(tolerance, 1e-3)).all())


def _normal(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Both signs, the same root mean square."""
    drawn = torch.randn(tensor.shape, generator=generator)
    return drawn * tensor.float().square().mean().sqrt()


def _shifted(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A mean of two deviations: cancellation in normalisations, saturation in activations."""
    return (torch.randn(tensor.shape, generator=generator) + 2.0) * tensor.float().std()


def _scaled(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Four times as large, each row by its own sign."""
    signs = torch.randint(0, 2, (tensor.shape[0], *[1] * (tensor.dim() - 1)), generator=generator)
    return tensor.float() * (8.0 * signs - 4.0)


VARIANTS: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "normal": _normal,
    "shifted": _shifted,
    "scaled": _scaled,
}
"""In the order in which they are tried."""


def vary(inputs: tuple[object, ...], name: str, seed: int) -> tuple[object, ...] | None:
    """Return inputs of another distribution, or None if no input may be changed.

    Zeros stay zeros, so that triangular and sparse inputs keep their form.
    """
    generator = torch.Generator().manual_seed(seed)
    leaves, structure = pytree.tree_flatten(inputs)
    changed = False
    for index, leaf in enumerate(leaves):
        if not isinstance(leaf, torch.Tensor) or keeps_its_values(leaf):
            continue
        values = VARIANTS[name](leaf, generator).to(leaf.dtype)
        leaves[index] = torch.where(leaf == 0, leaf, values)
        changed = True
    return tuple(pytree.tree_unflatten(leaves, structure)) if changed else None
