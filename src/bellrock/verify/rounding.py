"""How each PyTorch op rounds: which are exact, which jump, and what the others may lose.

Flows in: an op that has just run. Flows out: a `Rounding`: how large the op's own error is
beside the storage of its result. The formulas are in `rules` and are derived in
docs/verification.md, "What one op may lose".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch

ACCUMULATOR_ROUNDOFF = 2.0**-24
"""Unit roundoff of f32, in which every right answer accumulates."""
APPROXIMATION_ROUNDOFFS = 8.0
"""Allowance for exp, tanh, erf ...: 4 ulp of f32, 1 ulp being 2 unit roundoffs."""
COMPOUND_ROUNDOFFS = 2.0
"""Allowance for an op of a few arithmetic steps, such as `lerp` or `addcmul`."""

FUNCTION = APPROXIMATION_ROUNDOFFS * ACCUMULATOR_ROUNDOFF
"""What a function by polynomial or table may lose, relative."""
LONGEST_CHAIN = 1 << 16
"""Terms that a right answer may add one to the next. The square root of it is 256: a longer
chain loses more than 8 of f32's 24 bits, and there is no reason not to add in blocks."""
SQRT3 = math.sqrt(3.0)

EXACT = frozenset(
    """abs alias amax amin aminmax arange as_strided argmax argmin argsort bitwise_and
    bitwise_not bitwise_or bitwise_xor cat ceil channel_shuffle clamp clamp_max clamp_min
    clone constant_pad_nd copy copy_ copysign cummax cummin detach diag diag_embed diagonal
    diagonal_copy diagonal_scatter embedding empty empty_like empty_permuted empty_strided eq
    expand expand_copy eye fill flip floor fmax fmin full full_like gather ge gt hardtanh
    im2col index index_copy index_fill index_put index_select isfinite isinf isnan kthvalue le
    lift lift_fresh_copy logical_and logical_not logical_or logical_xor lt masked_fill
    masked_scatter masked_select max max_pool2d_with_indices max_pool3d_with_indices max_unpool2d
    max_unpool3d maximum median min minimum mode narrow_copy ne neg new_empty
    new_empty_strided new_full new_ones new_zeros nan_to_num nonzero ones ones_like permute
    permute_copy pixel_shuffle pixel_unshuffle reflection_pad1d reflection_pad2d
    reflection_pad3d relu repeat repeat_interleave replication_pad1d replication_pad2d
    replication_pad3d resize roll rot90 round scalar_tensor scatter select select_copy
    select_scatter set sgn sign slice slice_copy slice_scatter sort split split_with_sizes
    squeeze squeeze_copy stack t t_copy take threshold topk transpose transpose_copy tril triu
    trunc unbind unfold unfold_copy unsafe_split unsafe_split_with_sizes unsqueeze
    unsqueeze_copy upsample_nearest1d upsample_nearest2d upsample_nearest3d view view_as_complex
    view_as_real view_copy where zero zeros zeros_like _reshape_alias _unsafe_view
    _unsafe_index _to_copy _local_scalar_dense adaptive_max_pool2d adaptive_max_pool3d
    fractional_max_pool2d fractional_max_pool3d heaviside""".split()
)
"""Ops that only move, choose or negate values: no rounding of their own."""

CORRECTLY_ROUNDED = frozenset(
    "add sub mul div rsub sqrt square reciprocal true_divide floor_divide fmod remainder "
    "lift_fresh leaky_relu _prelu_kernel linspace".split()
)
"""One rounding, that of the result."""

JUMPS = frozenset(
    """bucketize ceil eq floor floor_divide fmod frac ge gt heaviside le lt ne nonzero remainder
    round searchsorted sgn sign trunc""".split()
)
"""Ops by which an arbitrarily small change of a float makes a jump."""

INDICES = frozenset(
    """argmax argmin argsort max max_pool2d_with_indices max_pool3d_with_indices min sort topk
    kthvalue median mode cummax cummin""".split()
)
"""Ops whose integer results jump; their float results do not."""

INDEXING = frozenset(
    """gather index index_add index_copy index_fill index_put index_select embedding scatter
    scatter_add scatter_reduce take max_unpool2d max_unpool3d""".split()
)
"""Ops by which a jump of an index becomes one of a float."""

ILL_CONDITIONED = "linalg_"
"""Ops of this prefix (solve, inv, svd, ...) are judged by their backward error: their input
is what is changed. `linalg_vector_norm` has a rule and is not meant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """An op that has run on wide values."""

    name: str
    func: torch._ops.OpOverload
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: torch.Tensor
    """Its (first) float result."""
    signs: Callable[[torch.Size], torch.Tensor]
    """Draws +1 or -1 for each element of a shape."""
    roundoff: float
    """Unit roundoff of the tested dtype."""

    @property
    def in_place(self) -> bool:
        """Whether the first argument was overwritten by the result."""
        return bool(self.args) and self.args[0] is self.out

    def terms(self) -> float:
        """Return the cost of one element of the result, 1 for elementwise ops."""
        if self.name in ("mm", "bmm", "mv"):
            return 1.0 + self.args[0].shape[-1] / 32
        if self.name in ("addmm", "baddbmm", "addmv"):
            return 1.0 + self.args[1].shape[-1] / 32
        if self.name == "convolution":
            return 1.0 + self.args[1][0].numel() / 32
        return max(1.0, self.ratio() / 8)

    def ratio(self) -> float:
        """Return how many elements of the largest argument make one of the result."""
        sizes = [value.numel() for value in self.args if isinstance(value, torch.Tensor)]
        return max(1.0, max(sizes, default=1) / max(1, self.out.numel()))


@dataclass(frozen=True, slots=True)
class Elementwise:
    """A function of tensors, element by element, that is made for a part of a result at a time.

    Made whole, its intermediates are several tensors of the result's size in the wide format,
    which is most of what checking a large result takes.
    """

    function: Callable[..., torch.Tensor]
    operands: tuple[torch.Tensor, ...]
    """Broadcast to the result."""

    def value(self) -> torch.Tensor:
        """Return the function of the operands."""
        return self.function(*self.operands)

    def part(self, out: torch.Tensor, where: slice) -> Elementwise:
        """Return the same for a part of the result, see `part_of`."""
        return Elementwise(self.function, tuple(part_of(t, out, where) for t in self.operands))


Size = float | torch.Tensor | Elementwise
_Value = TypeVar("_Value")


def made(value: _Value | Elementwise) -> _Value | torch.Tensor:
    """Return a function of tensors made, anything else as it is."""
    return value.value() if isinstance(value, Elementwise) else value


def part_of(value: torch.Tensor, out: torch.Tensor, where: slice) -> torch.Tensor:
    """Return a slice of what is broadcast to `out`, along the first dimension (dropped if one)."""
    if value.dim() == 0:
        return value
    whole = value.expand_as(out)
    return whole[where.start] if where.stop - where.start == 1 else whole[where]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounding:
    """The error of one op's result beside its storage, at its largest."""

    relative: Size = 0.0
    """Times the result's magnitude; the sign is drawn for each element."""
    absolute: Size = 0.0
    """Added to that; broadcast to the result."""
    parts: tuple[torch.Tensor | Elementwise, ...] = ()
    """Further errors whose signs are drawn already, e.g. one per row."""
    stored: torch.Tensor | Elementwise | None = None
    """An intermediate that a right answer may store in the tested dtype on the way."""
    chained: tuple[Literal["sum", "product", "log"], int] | None = None
    """For scans: how errors add up, and along which dimension."""

    def part(self, out: torch.Tensor, where: slice) -> Rounding:
        """Return the rounding of a slice of the result along its first dimension."""

        def cut(value: Any) -> Any:
            if isinstance(value, Elementwise):
                return value.part(out, where)
            return part_of(value, out, where) if isinstance(value, torch.Tensor) else value

        return Rounding(
            relative=cut(self.relative),
            absolute=cut(self.absolute),
            parts=tuple(cut(part) for part in self.parts),
            stored=cut(self.stored),
        )


Rule = Callable[[Call], Rounding]


def chain(length: float) -> float:
    """Return the square root of the number of steps in which `length` terms are added."""
    return math.sqrt(min(length, LONGEST_CHAIN))


def accumulated(result: torch.Tensor, squares: torch.Tensor, length: float) -> torch.Tensor:
    """Return the error of a sum of `length` terms in any order, in f32.

    Args:
        result: the sum, s.
        squares: sum of the squared terms, q (broadcastable to the result).
        length: number of terms, K.

    Returns:
        u sqrt(K) sqrt(s^2 / 3 + q / 2).
    """
    factor = ACCUMULATOR_ROUNDOFF * chain(length)
    return result.square().div_(3).add_(squares, alpha=0.5).sqrt_().mul_(factor)
