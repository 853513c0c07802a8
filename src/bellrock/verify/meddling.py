"""Dispatch modes that make a model compute something else, for mutants.

Flows in: a model run by `Reference.run_with`. Flows out: what it would return with one op
left out, or with every result rounded to the next lower precision.
"""

from __future__ import annotations

import random
from typing import Any

import torch

from bellrock.payload import DType
from bellrock.verify.reference import WideMode, op_name, schema_of
from bellrock.verify.rounding import EXACT

_LOWER_BITS = {DType.F64: 24, DType.F32: 11, DType.F16: 8, DType.BF16: 5}
"""Significant bits of the next lower precision: f32, f16, bf16, and 4 stored bits."""
_MATTERS = 1e-2
"""An op counts if leaving it out changes its result by this fraction (root mean square)."""
_ACTIVATIONS = frozenset("relu clamp clamp_min clamp_max hardtanh abs neg masked_fill".split())
"""Ops without rounding that still are steps of a computation."""


class NarrowMode(WideMode):
    """Rounds every op's float result to the next lower precision."""

    def __init__(self, *, width: torch.dtype, dtype: DType) -> None:
        """Take the tested dtype."""
        super().__init__(width=width, dtype=getattr(torch, dtype.torch_name))
        self.bits = _LOWER_BITS[dtype]

    def execute(
        self, func: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run one op and round what it returns."""
        out = func(*args, **kwargs)
        if op_name(func) not in EXACT:
            for result in [out] if isinstance(out, torch.Tensor) else out or ():
                if isinstance(result, torch.Tensor) and result.is_floating_point():
                    result.copy_(self.narrowed(result))
        return out

    def narrowed(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor rounded to so many significant bits."""
        if not tensor.is_floating_point():
            return tensor
        mantissa, exponent = torch.frexp(tensor)
        scale = 2.0**self.bits
        return torch.ldexp((mantissa * scale).round() / scale, exponent).to(tensor.dtype)


class DropMode(WideMode):
    """Leaves one op out: its result is its first input of the same shape.

    Attributes:
        found: with `drop=None`: numbers of the ops that could be left out and matter.
    """

    def __init__(self, *, width: torch.dtype, dtype: torch.dtype, drop: int | None) -> None:
        """Take the number of the op to leave out, or None to only record."""
        super().__init__(width=width, dtype=dtype)
        self.drop = drop
        self.found: list[int] = []
        self._count = -1

    def execute(
        self, func: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run one op, or leave it out."""
        self._count += 1
        name = op_name(func)
        in_place = torch.Tag.inplace in func.tags
        source = _first_tensor(args)
        step = name not in EXACT or name in _ACTIVATIONS
        if source is None or not step or self.drop not in (None, self._count):
            return func(*args, **kwargs)
        before = source.clone() if in_place else source
        if self.drop is not None:
            return self._identity(func, args, kwargs, source, in_place=in_place)
        out = func(*args, **kwargs)
        main = out if isinstance(out, torch.Tensor) else out[0]
        if main.shape == before.shape and main.dtype == before.dtype and _differ(main, before):
            self.found.append(self._count)
        return out

    def _identity(
        self, func: torch._ops.OpOverload, args: Any, kwargs: Any, source: torch.Tensor, *,
        in_place: bool,
    ) -> Any:  # fmt: skip
        if in_place:
            return source
        if len(schema_of(func).returns) == 1:
            return source.clone()
        out = func(*args, **kwargs)
        return type(out)([source.clone(), *out[1:]]) if isinstance(out, (tuple, list)) else out


def _first_tensor(args: tuple[Any, ...]) -> torch.Tensor | None:
    floats = [a for a in args if isinstance(a, torch.Tensor) and a.is_floating_point()]
    return floats[0] if floats and floats[0].numel() else None


def _differ(after: torch.Tensor, before: torch.Tensor) -> bool:
    change, size = (after - before).square().mean(), after.square().mean()
    return not bool(change <= _MATTERS**2 * size)


def dropped_candidates(recorder: DropMode, chooser: random.Random) -> tuple[int | None, int | None]:
    """Return the last op that matters, and another one by chance."""
    if not recorder.found:
        return None, None
    others = recorder.found[:-1]
    return recorder.found[-1], chooser.choice(others) if others else None
