"""Right answers spoilt: mutants that need no run of the model.

Flows in: the right answer, and the right answer to other inputs. Flows out: the right answer
with one output wrong in one way, or the reason why that output cannot be wrong so.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

import torch

from bellrock.verify.blocks import canonical_shape
from bellrock.verify.program import poison
from bellrock.verify.scale import scale_of

_EDGE = 16
"""Edge of the wrong tile."""
_STEP = 1 / 32
"""Fraction of a sum that the wrong tile lacks."""

Outputs = list[torch.Tensor]
Spoil = Callable[[list[torch.Tensor], list[torch.Tensor], int], torch.Tensor | str]


def zeros(right: Outputs, other: Outputs, number: int) -> torch.Tensor | str:
    """Nothing was computed."""
    return _everywhere(0, right[number])


def constant(right: Outputs, other: Outputs, number: int) -> torch.Tensor | str:
    """The mean everywhere (for integers, the first value)."""
    out = right[number]
    if not out.is_floating_point():
        return _everywhere(out.flatten()[0].item(), out)
    if out.numel() == 1:
        return "the output is a single element"
    mean = float(out.mean(dtype=torch.float64))
    if not math.isfinite(mean):
        finite = out[torch.isfinite(out)].double()
        mean = float(finite.mean()) if finite.numel() else 0.0
    return _everywhere(mean, out)


def _everywhere(value: float, out: torch.Tensor) -> torch.Tensor:
    """One value in all places, without memory of that size."""
    return torch.tensor(value, dtype=out.dtype).expand_as(out)


def unwritten_part(right: Outputs, other: Outputs, number: int) -> torch.Tensor | str:
    """The last eighth of the buffer was not written: still poisoned."""
    out = right[number].clone()
    poison(out.view(-1)[_last_part(out) :], number=number)
    return out


def stale_part(right: Outputs, other: Outputs, number: int) -> torch.Tensor | str:
    """The last eighth of the buffer holds what the call before left there."""
    out = right[number].clone()
    start = _last_part(out)
    out.view(-1)[start:] = other[number].reshape(-1)[start:]
    return out


def stale(right: Outputs, other: Outputs, number: int) -> torch.Tensor | str:
    """The whole buffer holds the last call's output."""
    return other[number]


def wrong_tile(right: Outputs, other: Outputs, number: int) -> torch.Tensor | str:
    """One tile holds another tile's values."""
    out = right[number].clone()
    view = out.view(canonical_shape(tuple(out.shape)))
    tiles = list(_tiles(view))
    if len(tiles) < 2:
        return "the output is a single element"
    chooser = random.Random(number)
    first, second = chooser.sample(tiles, 2)
    source = view[second].clone()
    view[first] = source
    return out


def missing_step(right: Outputs, other: Outputs, number: int) -> torch.Tensor | str:
    """One tile lacks the last of 32 steps of its sum.

    Of a sum y of equal random terms, a fraction f of them is y f, give or take the sum's
    deviation times sqrt(f (1 - f)).
    """
    out = right[number].clone()
    if not out.is_floating_point():
        return "the output is not a sum"
    view = out.view(canonical_shape(tuple(out.shape)))
    tile = random.Random(number).choice(list(_tiles(view)))
    part = view[tile].double()
    deviation = scale_of(out).spread * math.sqrt(_STEP * (1.0 - _STEP))
    noise = torch.randn(part.shape, generator=torch.Generator().manual_seed(number))
    view[tile] = (part - part * _STEP - noise * deviation).to(out.dtype)
    return out


def permuted_rows(right: Outputs, other: Outputs, number: int) -> torch.Tensor | str:
    """Results of a batch in the wrong order."""
    out = right[number]
    dim = next((d for d, size in enumerate(out.shape) if size > 1), None)
    return "the output is a single element" if dim is None else out.roll(1, dim).contiguous()


def _last_part(out: torch.Tensor) -> int:
    return out.numel() - max(1, out.numel() // 8)


def _tiles(view: torch.Tensor) -> Iterator[tuple[int, slice, slice]]:
    """Some whole tiles of equal size: halves and quarters where the output is small."""
    planes, rows, columns = view.shape
    high = min(_EDGE, max(1, rows // 2))
    wide = min(_EDGE, max(1, columns // 2))
    for plane in {0, planes // 2, planes - 1}:
        for row in {0, (rows - high) // high * high}:
            for column in {0, (columns - wide) // wide * wide}:
                yield plane, slice(row, row + high), slice(column, column + wide)


SIMPLE: dict[str, Spoil] = {
    "zeros": zeros,
    "constant": constant,
    "stale": stale,
}
"""The cheap ones that show whether a problem can tell anything at all."""
ARRANGED: dict[str, Spoil] = {
    **SIMPLE,
    "unwritten-part": unwritten_part,
    "stale-part": stale_part,
    "wrong-tile": wrong_tile,
    "missing-step": missing_step,
    "permuted-rows": permuted_rows,
}
"""All."""
