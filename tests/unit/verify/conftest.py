"""Fake candidates: PyTorch itself behind the door of a compiled program, right or spoilt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from bellrock.payload import DType, TensorSpec
from bellrock.verify import Subject

_NAMES = {getattr(torch, d.torch_name): d for d in DType}
Change = Callable[..., object]


def tensors_of(value: object) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


class FakeCandidate:
    """Computes with a callable, and copies its results into `out`."""

    def __init__(self, compute: Callable[..., object], like: Sequence[torch.Tensor]) -> None:
        self.compute = compute
        self.result_specs = tuple(
            TensorSpec(name=f"result{n}", shape=tuple(t.shape), dtype=_NAMES[t.dtype])
            for n, t in enumerate(like)
        )

    def __call__(self, *inputs: object, out: Sequence[torch.Tensor] | None = None) -> object:
        result = self.compute(*inputs)
        if out is not None:
            for buffer, tensor in zip(out, tensors_of(result), strict=True):
                buffer.copy_(tensor)
        return result


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model with inputs, in one dtype."""

    subject: Subject
    dtype: DType
    like: list[torch.Tensor]

    def candidate(self, compute: Callable[..., object] | None = None) -> FakeCandidate:
        return FakeCandidate(compute or self.subject.model, self.like)

    def spoilt(self, change: Change) -> FakeCandidate:
        """A candidate whose output is changed."""
        return FakeCandidate(lambda *xs: change(self.subject.model(*xs)), self.like)


def make_case(
    model: nn.Module, inputs: Callable[[], tuple[object, ...]], dtype: DType = DType.F32
) -> Case:
    wanted = getattr(torch, dtype.torch_name)
    model = model.eval().to(wanted)

    def make(seed: int) -> tuple[object, ...]:
        torch.manual_seed(1000 + seed)
        return pytree.tree_map_only(
            torch.Tensor, lambda t: t.to(wanted) if t.is_floating_point() else t, inputs()
        )

    torch.manual_seed(0)
    with torch.no_grad():
        like = tensors_of(model(*make(0)))
    return Case(
        subject=Subject(name=type(model).__name__, model=model, make_inputs=make),
        dtype=dtype, like=[t.clone() for t in like],
    )  # fmt: skip


@pytest.fixture
def case() -> Callable[..., Case]:
    torch.manual_seed(0)
    return make_case


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
