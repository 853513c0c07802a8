"""Running the candidate so that its mistakes show.

Flows in: a candidate and inputs. Flows out: its results, from buffers that were poisoned and
fenced; or a `Violation`: results of another structure, shape or dtype, a write outside the
buffers, or a change of what it should only read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch.utils import _pytree as pytree

from bellrock.payload import TensorSpec
from bellrock.verify.reference import State, flat_tensors, ordered_results
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


@dataclass(kw_only=True, slots=True)
class Program:
    """A candidate, with buffers for its results."""

    candidate: Candidate
    subject: Subject
    dtypes: list[torch.dtype]
    """What the model's results have; the candidate's must equal them."""
    _whole: list[torch.Tensor] = field(default_factory=list)
    _runs: int = 0

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The candidate's results."""
        return self.candidate.result_specs

    def run_into_buffers(
        self, inputs: tuple[object, ...], *, seed: int, may_change_inputs: bool
    ) -> list[torch.Tensor]:
        """Run with `out=`, and return views of the buffers.

        Raises:
            Violation: the candidate wrote where it should not.
        """
        buffers = self._poisoned()
        before = checksum(flat_tensors(inputs))
        self._call(inputs, seed, buffers)
        if not may_change_inputs and before != checksum(flat_tensors(inputs)):
            raise Violation("it changed its inputs, and the model does not")
        for number, (whole, spec) in enumerate(zip(self._whole, self.specs, strict=True)):
            self._check_fence(whole, number, spec)
        return buffers

    def run_freely(
        self, inputs: tuple[object, ...], *, seed: int, like: object
    ) -> list[torch.Tensor]:
        """Run without `out=`, check the structure of the output, and return its tensors.

        Raises:
            Violation: the structure is not that of `like`, the model's own output.
        """
        state = State.of(self.subject.model)
        torch.manual_seed(seed)
        with torch.no_grad():
            output = self.candidate(*inputs)
        mine, wanted = pytree.tree_structure(output), pytree.tree_structure(like)
        if mine != wanted:
            raise Violation(f"its output has the structure {mine}, the model's has {wanted}")
        for got, leaf in zip(pytree.tree_leaves(output), pytree.tree_leaves(like), strict=True):
            if not isinstance(leaf, torch.Tensor) and got != leaf:
                raise Violation(f"its output holds {got!r} where the model's holds {leaf!r}")
        results = [t.clone() for t in ordered_results(output, self.subject.model, self.specs)]
        state.restore()
        return results

    def check_types(self, results: list[torch.Tensor], references: list[torch.Tensor]) -> None:
        """Check shapes and dtypes.

        Raises:
            Violation: one differs from the model's.
        """
        for number, (got, wanted) in enumerate(zip(results, references, strict=True)):
            if got.shape != wanted.shape:
                raise Violation(
                    f"its output {number} has the shape {tuple(got.shape)}, "
                    f"the model's has {tuple(wanted.shape)}"
                )
            if got.dtype != self.dtypes[number]:
                raise Violation(
                    f"its output {number} has the dtype {got.dtype}, "
                    f"the model's has {self.dtypes[number]}"
                )

    def _call(
        self, inputs: tuple[object, ...], seed: int, buffers: list[torch.Tensor]
    ) -> None:
        state = State.of(self.subject.model)
        torch.manual_seed(seed)
        with torch.no_grad():
            self.candidate(*inputs, out=buffers)
        state.restore()

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
