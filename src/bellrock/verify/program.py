"""Running the candidate so that its mistakes show.

Flows in: a candidate and inputs. Flows out: its results, from buffers that were poisoned and
fenced; or a `Violation`: results of another structure, shape or dtype, a write outside the
buffers, or a change of what it should only read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch.utils import _pytree as pytree

from bellrock.payload import TensorSpec
from bellrock.verify.reference import Written, flat_tensors
from bellrock.verify.state import State, version_of
from bellrock.verify.verdict import Candidate, Subject

_FENCE = 64
"""Elements before and after each buffer: a cache line at least, so alignment stays."""
_PATTERN = 0x5A
"""Every byte of a poisoned integer."""


class Violation(Exception):  # noqa: N818 - it ends up in a verdict, not before the user
    """The candidate broke the contract of a call; the text says how."""


def poison(tensor: torch.Tensor, *, number: int) -> None:
    """Fill a buffer with values that no right answer has (for booleans: one of the two)."""
    if tensor.is_floating_point() or tensor.is_complex():
        tensor.fill_(math.nan)
    elif tensor.dtype == torch.bool:
        tensor.fill_(number % 2 == 0)
    else:
        tensor.view(torch.uint8).fill_(_PATTERN)


def checksum(tensors: list[torch.Tensor]) -> tuple[int, ...]:
    """Return a sum over the bits of each tensor; any one change alters it."""
    sums = []
    for tensor in tensors:
        flat = tensor.detach().contiguous().view(-1)
        kind = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
        bits = flat.view(kind.get(flat.element_size(), torch.uint8)) if flat.numel() else flat
        sums.append(int(bits.sum(dtype=torch.int64)))
    return tuple(sums)


def observe(
    call: Callable[..., object], model: torch.nn.Module, inputs: tuple[object, ...], *,
    written: Written, seed: int,
) -> tuple[object, list[torch.Tensor]]:  # fmt: skip
    """Call something that stands for a model, and put back what it wrote.

    Returns:
        Its output, and the values of what the model writes beside it.
    """
    if written.inputs:
        inputs = pytree.tree_map_only(torch.Tensor, torch.clone, inputs)
    state = State.of(model)
    torch.manual_seed(seed)
    try:
        with torch.no_grad():
            output = call(*inputs)
        values = [tensor.detach().clone() for tensor in written.values(model, inputs)]
        if written.state or written.inputs:  # the output may be what will be put back
            output = pytree.tree_map_only(torch.Tensor, torch.clone, output)
    finally:
        state.restore()
    return output, values


def discover(
    model: torch.nn.Module, inputs: tuple[object, ...], *, seed: int
) -> tuple[object, Written]:
    """Run a model once; return its output, and what it writes beside it."""
    tensors, state = flat_tensors(inputs), State.of(model)
    before = [version_of(tensor) for tensor in tensors]
    torch.manual_seed(seed)
    try:
        with torch.no_grad():
            output = model(*inputs)
        written = Written.since(state, tensors, before)
    finally:
        state.restore()
    return output, written


@dataclass(kw_only=True, slots=True)
class Program:
    """A candidate, with buffers for its results."""

    candidate: Candidate
    subject: Subject
    _whole: list[torch.Tensor] = field(default_factory=list)
    _runs: int = 0
    _kept: list[torch.Tensor] = field(default_factory=list)
    """What the last call without `out=` returned, and still belongs to its caller."""
    _kept_sums: tuple[int, ...] = ()

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The candidate's results."""
        return self.candidate.result_specs

    def run_into_buffers(
        self, inputs: tuple[object, ...], *, written: Written, seed: int
    ) -> list[torch.Tensor]:
        """Run with `out=`, and return views of the buffers, then what was written.

        Raises:
            Violation: the candidate wrote where it should not.
        """
        buffers = self._poisoned()
        before = checksum(flat_tensors(inputs))
        _, values = observe(
            lambda *given: self.candidate(*given, out=buffers),
            self.subject.model, inputs, written=written, seed=seed,
        )  # fmt: skip
        if before != checksum(flat_tensors(inputs)):
            raise Violation("it changed its inputs, and the model does not")
        for number, (whole, spec) in enumerate(zip(self._whole, self.specs, strict=True)):
            self._check_fence(whole, number, spec)
        return [*buffers, *values]

    def run_freely(
        self, inputs: tuple[object, ...], *, written: Written, seed: int, like: object
    ) -> list[torch.Tensor]:
        """Run without `out=`, check the structure of the output, and return its tensors.

        Raises:
            Violation: the structure is not that of `like`, the model's own output; or the
                results of the call before were overwritten.
        """
        output, values = observe(
            self.candidate, self.subject.model, inputs, written=written, seed=seed
        )
        mine, wanted = pytree.tree_structure(output), pytree.tree_structure(like)
        if mine != wanted:
            raise Violation(f"its output has the structure {mine}, the model's has {wanted}")
        for got, leaf in zip(pytree.tree_leaves(output), pytree.tree_leaves(like), strict=True):
            if not isinstance(leaf, torch.Tensor) and got != leaf:
                raise Violation(f"its output holds {got!r} where the model's holds {leaf!r}")
        if checksum(self._kept) != self._kept_sums:
            raise Violation("a call overwrote the results of the call before it")
        self._kept = flat_tensors(output)
        self._kept_sums = checksum(self._kept)
        return [*self._kept, *values]

    def _poisoned(self) -> list[torch.Tensor]:
        if not self._whole:
            self._whole = [
                torch.empty(spec.elements + 2 * _FENCE, dtype=getattr(torch, spec.dtype.torch_name))
                for spec in self.specs
            ]
        for whole in self._whole:
            poison(whole, number=self._runs)
        self._runs += 1
        return [
            whole[_FENCE : _FENCE + spec.elements].view(spec.shape)
            for whole, spec in zip(self._whole, self.specs, strict=True)
        ]

    def _check_fence(self, whole: torch.Tensor, number: int, spec: TensorSpec) -> None:
        fences = torch.cat([whole[:_FENCE], whole[_FENCE + spec.elements :]])
        wanted = torch.empty_like(fences)
        poison(wanted, number=self._runs - 1)
        if not torch.equal(fences.view(torch.uint8), wanted.view(torch.uint8)):
            raise Violation(f"it wrote outside the buffer of output {number}")


def check_types(
    results: list[torch.Tensor], references: list[torch.Tensor], dtypes: list[torch.dtype]
) -> None:
    """Check shapes and dtypes against the model's.

    Raises:
        Violation: one differs.
    """
    for number, (got, wanted, dtype) in enumerate(zip(results, references, dtypes, strict=True)):
        for what, mine, theirs in (
            ("shape", tuple(got.shape), tuple(wanted.shape)), ("dtype", got.dtype, dtype),
        ):  # fmt: skip
            if mine != theirs:
                raise Violation(f"its output {number} has the {what} {mine}, the model's {theirs}")
