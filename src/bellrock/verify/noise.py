"""Rounding noise: a forward pass in which every op loses as much as it may.

Flows in: a model (through `Reference.run_with`) and a seed. Flows out: results that differ
from the reference as those of a right computation in the tested dtype would. Values are in
the wide format and the noise is at its true size, so nothing has to be linear: kinks,
ties and overflow happen as they would.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import torch

from bellrock.payload import DType
from bellrock.verify.reference import WideMode, op_name, schema_of
from bellrock.verify.rounding import ACCUMULATOR_ROUNDOFF, ILL_CONDITIONED, Call, Rounding, made
from bellrock.verify.rules import RULES, rounding_of

_PERIOD = 1 << 20
_CHUNK = 1 << 18
_OP_SECONDS, _ELEMENT_SECONDS = 1e-4, 2e-8
"""Rough cost of one op and of one element of its result (or 32 terms of a product)."""
_ATTENTION = frozenset(
    "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_fused_attention_overrideable "
    "_scaled_dot_product_efficient_attention _scaled_dot_product_flash_attention".split()
)


@functools.cache
def _sequence(dtype: torch.dtype) -> torch.Tensor:
    """Draw the sequence that all windows are of, twice over."""
    once = torch.randint(0, 2, (_PERIOD,), generator=torch.Generator().manual_seed(0))
    return once.mul_(2).sub_(1).to(dtype).repeat(2)


class Signs:
    """+1 and -1 by chance, fast: random windows of one long random sequence."""

    def __init__(self, seed: int, dtype: torch.dtype) -> None:
        """Take the seed of the windows."""
        self._generator = torch.Generator().manual_seed(seed)
        self._sequence = _sequence(dtype)

    def flat(self, length: int) -> torch.Tensor:
        """Return `length` signs; not to be written to."""
        pieces = []
        while length > 0:
            size = min(length, _PERIOD)
            start = int(torch.randint(0, _PERIOD, (1,), generator=self._generator))
            pieces.append(self._sequence[start : start + size])
            length -= size
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces or [self._sequence[:0]])

    def shaped(self, shape: torch.Size) -> torch.Tensor:
        """Return signs of a shape; not to be written to."""
        return self.flat(math.prod(shape)).view(shape)


class NoiseMode(WideMode):
    """Runs each op and adds the error that it may make in the tested dtype.

    Attributes:
        names: ops that ran on floats.
        seconds: what the run should have taken, estimated from sizes alone, so that
            decisions taken on it do not depend on how busy the machine is.
    """

    def __init__(
        self, *, width: torch.dtype, dtype: DType, seed: int, amplify: float = 1.0,
        store_constants: bool = False,
    ) -> None:  # fmt: skip
        """Set up one run.

        Args:
            width: format to compute in.
            dtype: the tested one.
            seed: of the signs.
            amplify: factor on every error.
            store_constants: round all constants to the tested dtype, not each by chance.
        """
        super().__init__(width=width, dtype=getattr(torch, dtype.torch_name))
        self.roundoff = dtype.unit_roundoff
        self.tiny = float(torch.finfo(self.dtype).smallest_normal)
        self.largest = float(torch.finfo(self.dtype).max)
        self.amplify = amplify
        self.store_constants = store_constants
        self.signs = Signs(seed, width)
        self.names: set[str] = set()
        self.seconds = 0.0

    def execute(
        self, func: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run one op on slightly wrong scalars, and make its result slightly wrong."""
        name = op_name(func)
        if any(isinstance(v, torch.Tensor) and v.is_floating_point() for v in args):
            self.names.add(name)
        if name in _ATTENTION:
            with self:  # scores and probabilities round as ops of their own
                return _attention(func, args, kwargs)
        if torch.Tag.pointwise in func.tags:
            args = tuple(self._shaken_scalar(value) for value in args)
        if name.startswith(ILL_CONDITIONED) and name not in RULES:
            args = tuple(self._shaken_input(value) for value in args)
        out = func(*args, **kwargs)
        if not _is_view(func) or name == "lift_fresh":
            self._shake_results(name, func, args, kwargs, out)
        if name == "native_batch_norm" and args[5]:  # in training
            self._shake_statistics(args[3:5])
        return out

    def _shake_statistics(self, statistics: tuple[torch.Tensor | None, ...]) -> None:
        """Running statistics are written beside the results, and the schema hides it."""
        for written in statistics:
            if written is not None and written.numel():
                self._shake(written, Rounding())

    def _shaken_scalar(self, value: Any) -> Any:
        """A constant may be rounded to the tested dtype, or not; the same for all elements."""
        if not isinstance(value, float) or not math.isfinite(value) or value == 0.0:
            return value
        stored = torch.tensor(value, dtype=self.dtype).item()
        if stored == value or not math.isfinite(stored):
            return value
        if not self.store_constants and float(self.signs.flat(1)) < 0:
            return value
        return value + self.amplify * (stored - value)

    def _shaken_input(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        size = ACCUMULATOR_ROUNDOFF * math.sqrt(value.shape[-1] if value.dim() else 1)
        return value + value * self.signs.shaped(value.shape) * (size * self.amplify)

    def _shake_results(
        self, name: str, func: torch._ops.OpOverload, args: Any, kwargs: Any, out: Any
    ) -> None:
        results = [out] if isinstance(out, torch.Tensor) else out
        if not isinstance(results, (tuple, list)):
            return
        for number, result in enumerate(results):
            if not isinstance(result, torch.Tensor) or not result.is_floating_point():
                continue
            if not result.numel():
                continue
            call = Call(
                name=name, func=func, args=args, kwargs=kwargs, out=result,
                signs=self.signs.shaped, roundoff=self.roundoff,
            )  # fmt: skip
            self.seconds += _OP_SECONDS + _ELEMENT_SECONDS * result.numel() * call.terms()
            if number > 0 and name in RULES:  # a saved mean, variance or log-sum
                self._shake(result, Rounding())
                continue
            rounding = rounding_of(call)
            if rounding is not None:
                self._shake(result, rounding)

    def _shake(self, out: torch.Tensor, rounding: Rounding) -> None:
        """Add a rounding to a result in place, large results piece by piece."""
        if rounding.chained is not None:
            parts = (*rounding.parts, self._chain(out, *rounding.chained))
            rounding = dataclasses.replace(rounding, parts=parts, chained=None)
        if out.numel() <= _CHUNK or out.dim() == 0:
            self._shake_piece(out, rounding)
            return
        step = max(1, _CHUNK * out.shape[0] // out.numel())
        for start in range(0, out.shape[0], step):
            where = slice(start, start + step)
            self._shake(out[where] if step > 1 else out[start], rounding.part(out, where))

    def _shake_piece(self, out: torch.Tensor, rounding: Rounding) -> None:
        relative, absolute = made(rounding.relative), made(rounding.absolute)
        magnitude = out.abs()
        stored = magnitude
        if rounding.stored is not None:
            stored = torch.maximum(magnitude, made(rounding.stored).abs())
        error = stored.clamp_min(self.tiny).mul_(self.roundoff)
        error *= self.signs.shaped(out.shape)
        if not (isinstance(relative, float) and relative == 0.0):
            error += magnitude.mul(relative).mul_(self.signs.shaped(out.shape))
        if not (isinstance(absolute, float) and absolute == 0.0):
            error += self.signs.shaped(out.shape) * absolute
        for part in rounding.parts:
            error += made(part)
        error *= self.amplify
        error.masked_fill_(self._representable(out), 0.0)
        out += error
        if not float(out.abs().amax()) <= self.largest:
            # beyond the largest finite value a result of the tested dtype is infinite
            narrow = out.to(self.dtype)
            out.copy_(torch.where(torch.isinf(narrow), narrow.to(out.dtype), out))

    def _representable(self, out: torch.Tensor) -> torch.Tensor:
        """Mark values that the tested dtype holds exactly: exact arithmetic stays exact."""
        if self.width == self.dtype:
            return torch.isinf(out) | (out == 0)
        return out.to(self.dtype).to(out.dtype) == out

    def _chain(self, out: torch.Tensor, kind: str, dim: int) -> torch.Tensor:
        """Errors of a scan add up along it."""
        if out.dim() == 0:
            return torch.zeros_like(out)
        signs = self.signs.shaped(out.shape) * ACCUMULATOR_ROUNDOFF
        if kind == "sum":
            return torch.cumsum(out * signs, dim)
        return torch.cumsum(signs, dim) * (out.abs() if kind == "product" else 1.0)


def _is_view(func: torch._ops.OpOverload) -> bool:
    infos = [result.alias_info for result in schema_of(func).returns]
    return any(info is not None and not info.is_write for info in infos)


def _attention(func: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Fused attention in its parts; only the first result is what a model sees."""
    names = [argument.name for argument in schema_of(func).arguments]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    query, key, value = given["query"], given["key"], given["value"]
    if key.shape[1] != query.shape[1]:
        copies = query.shape[1] // key.shape[1]
        key, value = (t.repeat_interleave(copies, 1) for t in (key, value))
    scale = given.get("scale") or 1.0 / math.sqrt(query.shape[-1])
    scores = torch.matmul(query, key.transpose(-2, -1)) * scale
    mask = given.get("attn_mask", given.get("attn_bias"))
    if given.get("is_causal"):
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, -math.inf)
    elif mask is not None:
        scores = scores + mask
    out = torch.matmul(torch.softmax(scores, -1), value)
    rest = len(schema_of(func).returns) - 1
    return (out, *[torch.logsumexp(scores, -1)] * rest)
