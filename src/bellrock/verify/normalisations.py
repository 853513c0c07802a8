"""What normalisations may lose: softmax, layer, group and batch normalisation.

Flows in: a `Call`. Flows out: its `Rounding`. Their errors hang together: a row shares the
error of its sum, a group those of its mean and deviation; so signs are drawn per group.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from bellrock.verify.rounding import (
    ACCUMULATOR_ROUNDOFF,
    APPROXIMATION_ROUNDOFFS,
    COMPOUND_ROUNDOFFS,
    FUNCTION,
    SQRT3,
    Call,
    Elementwise,
    Rounding,
    chain,
)


def softmax(call: Call) -> Rounding:
    """exp(x - max) loses |x - max| roundoffs; the row's sum is an error the row shares."""
    x, dim = call.args[0], call.args[1]
    largest = x.amax(dim, keepdim=True)
    length = x.shape[dim] if x.dim() else 1
    row = torch.full_like(largest, ACCUMULATOR_ROUNDOFF)
    shared = row * chain(length) / SQRT3 * call.signs(row.shape)

    def error(x: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
        depth = largest - x
        depth = torch.where(torch.isfinite(depth), depth, 0.0)
        return depth * ACCUMULATOR_ROUNDOFF + FUNCTION

    return Rounding(
        relative=Elementwise(error, (x, largest)),
        parts=(Elementwise(torch.mul, (call.out, shared)),),
    )


def log_softmax(call: Call) -> Rounding:
    """Of log(sum(exp)): loses roundoffs of the largest |x| in the row."""
    x, dim = call.args[0], call.args[1]
    factor = chain(x.shape[dim] if x.dim() else 1) / SQRT3 + APPROXIMATION_ROUNDOFFS

    def error(x: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
        return (x.abs() + largest + factor) * ACCUMULATOR_ROUNDOFF

    return Rounding(absolute=Elementwise(error, (x, x.abs().amax(dim, keepdim=True))))


def log_sum(call: Call) -> Rounding:
    """The logarithm of a sum: what the sum loses is absolute."""
    factor = chain(call.ratio()) / SQRT3 + APPROXIMATION_ROUNDOFFS
    return Rounding(absolute=(call.out.abs() + factor) * ACCUMULATOR_ROUNDOFF)


def layer_norm(call: Call) -> Rounding:
    """Over the last dimensions."""
    x, shape, weight, bias = call.args[:4]
    dims = tuple(range(x.dim() - len(shape), x.dim()))
    shift, stretch = _normalisation(call, x, dims)
    return _normalised(call.out, shift, stretch, weight, bias)


def group_norm(call: Call) -> Rounding:
    """Over groups of channels."""
    x, weight, bias, batch, channels, _, groups = call.args[:7]
    shape = (batch, channels, *[1] * (x.dim() - 2))
    errors = _normalisation(call, x.reshape(batch, groups, -1), (2,))
    shift, stretch = (
        error.repeat_interleave(channels // groups, 1).reshape(shape) for error in errors
    )
    weight, bias = (v if v is None else v.view(1, *shape[1:]) for v in (weight, bias))
    return _normalised(call.out, shift, stretch, weight, bias)


def batch_norm(call: Call) -> Rounding:
    """By running statistics, or in training over a batch."""
    x, weight, bias, mean = call.args[:4]
    training = bool(call.args[5]) if "no_training" not in call.name else False
    shape = (1, -1, *[1] * (x.dim() - 2))
    weight, bias = (v if v is None else v.view(shape) for v in (weight, bias))
    if training:
        dims = (0, *range(2, x.dim()))
        shift, stretch = _normalisation(call, x, dims, stored=call.roundoff)
        return _normalised(call.out, shift, stretch, weight, bias)
    variance, eps = call.args[4].view(shape), call.args[-1]
    gain = torch.rsqrt(variance + eps) * (1.0 if weight is None else weight)
    # x * a + (b - mean * a), as well as (x - mean) * a + b, is right
    size = (gain * mean.view(shape)).abs() + (0.0 if bias is None else bias.abs())
    steps = 2 * COMPOUND_ROUNDOFFS * ACCUMULATOR_ROUNDOFF
    return Rounding(relative=steps, absolute=size * steps)


def _normalisation(
    call: Call, x: torch.Tensor, dims: tuple[int, ...], *, stored: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Errors of a group's mean (over its deviation) and of its deviation (relative).

    PyTorch keeps the statistics of a batch norm in the model's dtype (`stored`), those of
    the other normalisations in f32.
    """
    length = math.prod(x.shape[d] for d in dims)
    variance, mean = torch.var_mean(x, dims, correction=0, keepdim=True)
    step = ACCUMULATOR_ROUNDOFF * chain(length) / SQRT3
    off_centre = mean.square() / variance
    shift = (1.0 + off_centre).sqrt() * step + off_centre.sqrt() * stored
    stretch = (1.0 + off_centre).sqrt() * step + stored
    varies = variance > 0
    shift, stretch = (torch.where(varies, e, 0.0).clamp_max(1.0) for e in (shift, stretch))
    return shift * call.signs(shift.shape), stretch * call.signs(stretch.shape)


def _normalised(
    out: torch.Tensor, shift: torch.Tensor, stretch: torch.Tensor, weight: Any, bias: Any
) -> Rounding:
    def stretched(out: torch.Tensor, stretch: torch.Tensor, *bias: torch.Tensor) -> torch.Tensor:
        return (out - bias[0] if bias else out) * stretch

    moved = shift if weight is None else Elementwise(torch.mul, (shift, weight))
    given = () if bias is None else (bias,)
    return Rounding(
        relative=2 * COMPOUND_ROUNDOFFS * ACCUMULATOR_ROUNDOFF,
        parts=(moved, Elementwise(stretched, (out, stretch, *given))),
    )
