"""What a problem costs at given sizes, and whether it runs there.

Flows in: a problem file and overrides of its module globals. Flows out: `Cost` (estimated on
fake tensors: nothing is allocated or computed) or `RealRun` (run for real, in this process).
Used by `make_suites.py` only; the caller puts limits of time and memory on the process.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from live_storage import LiveStorage
from torch._guards import detect_fake_mode
from torch._subclasses.fake_tensor import FakeTensor
from torch.func import functional_call
from torch.nn.modules.conv import _ConvNd
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from bellrock.ingress.problem import load_problem

logging.getLogger("torch._subclasses.fake_tensor").setLevel(logging.CRITICAL)  # sizes on trial

Value = int | tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Estimate of one eager run in float32."""

    flops: int
    """Of matrix products, convolutions and attention; other ops are not counted."""
    peak_bytes: int
    """Most tensor storage alive at once: inputs, parameters, results, intermediates."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RealRun:
    """Facts of one eager run in float32 on real tensors."""

    seconds: float
    """Of all cores together."""
    degenerate: tuple[str, ...]
    """Why the results can hardly tell right from wrong; empty where they can."""


Shape = Sequence[int]


def _attention_flops(query: Shape, key: Shape, value: Shape, *_: object, **__: object) -> int:
    batch, heads, rows, depth = query
    return 2 * batch * heads * rows * key[-2] * (depth + value[-1])


def _recurrent_layer_flops(sequence: Shape, *weights: Shape, **_: object) -> int:
    steps_times_batch = sequence[0] * sequence[1]
    return 2 * steps_times_batch * sum(math.prod(w) for w in weights[:2])


_DEEP = 6
_CPU_FLOPS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,  # noqa: SLF001
    torch.ops.aten.mkldnn_rnn_layer: _recurrent_layer_flops,
}
"""Ops that only the CPU has, and that torch's counter does not know."""


class InvalidSizesError(Exception):
    """The problem does not run at these sizes; carries the reason."""


def _counter() -> FlopCounterMode:
    return FlopCounterMode(display=False, custom_mapping=_CPU_FLOPS)


def probe(path: Path, overrides: Mapping[str, Value]) -> Cost:
    """Estimate what one run costs, on fake tensors.

    Args:
        path: problem file.
        overrides: module globals to replace.

    Raises:
        InvalidSizesError: the model cannot be built or run at these sizes.
    """
    try:
        instance = load_problem(path, overrides).build(fake=True)
        inputs = [leaf for leaf in tree_leaves(instance.inputs) if isinstance(leaf, torch.Tensor)]
        model, mode = instance.model, detect_fake_mode(inputs)
        assert mode is not None
        mode.allow_non_fake_inputs = True
        # A constructor that reads values makes a real model; count its tensors once, as fakes.
        state: dict[str, torch.Tensor] = {
            name: tensor if isinstance(tensor, FakeTensor) else mode.from_tensor(tensor)
            for name, tensor in (*model.named_parameters(), *model.named_buffers())
        }
        counter, live = _counter(), LiveStorage([*inputs, *state.values()])
        with torch.no_grad(), mode, live, counter:
            results = functional_call(model, state, tuple(instance.inputs))
    except Exception as error:  # whatever the model raises says that the sizes do not fit
        raise InvalidSizesError(f"{type(error).__name__}: {error}") from error
    for leaf in tree_leaves(results):
        if isinstance(leaf, torch.Tensor) and leaf.numel() == 0:
            raise InvalidSizesError("a result has no elements")
    return Cost(flops=counter.get_total_flops(), peak_bytes=live.peak_bytes)


def is_deep(path: Path) -> bool:
    """Whether the model has so many convolutions that it halves its images several times."""
    model = load_problem(path).build(fake=True).model
    convolutions = [m for m in model.modules() if isinstance(m, _ConvNd)]
    return len(convolutions) >= _DEEP


def run_for_real(path: Path, overrides: Mapping[str, Value]) -> RealRun:
    """Run the problem eagerly, twice with other inputs, and judge its results."""
    problem = load_problem(path, overrides)
    first, second = problem.build(seed=0), problem.build(seed=1)
    with torch.no_grad():
        first.model(*first.inputs)
        start = time.process_time()  # other work on the machine must not count
        results = first.model(*first.inputs)
        seconds = time.process_time() - start
        others = first.model(*second.inputs)
    reasons: list[str] = []
    for one, two in zip(tree_leaves(results), tree_leaves(others), strict=True):
        if isinstance(one, torch.Tensor) and (reason := _degenerate(one, two)) is not None:
            reasons.append(reason)
    return RealRun(seconds=seconds, degenerate=tuple(reasons))


def _degenerate(one: torch.Tensor, two: torch.Tensor) -> str | None:
    if not bool(torch.isfinite(one).all()):
        return "not-finite"
    if not bool(one.any()):
        return "zero"
    spread = one.max() - one.min() if one.numel() > 1 else one.abs().max()
    if float(spread) == 0:
        return "constant"
    if one.is_floating_point() and float((one - two).abs().max()) <= 1e-3 * float(spread):
        return "ignores-inputs"  # other inputs give the same results up to 0.1 %
    return None
