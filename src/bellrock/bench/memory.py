"""How much memory a program needs at its peak, ours and eager's alike.

Flows in: a compiled model; a PyTorch model and its inputs. Flows out: bytes of the tensors that
are alive at once, arguments included, and of what operators allocate inside. Counted, not sampled:
in the resident set of a process several programs cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._pytree import tree_leaves

from bellrock.bench.record import MemoryInfo

if TYPE_CHECKING:
    from bellrock.api import CompiledModel

EXCESS = 1.1
"""Ours above eager's by more than this is a warning."""


def allocated_peak(call: Callable[[], object]) -> int:
    """Return the most bytes that PyTorch's allocator handed out at one time during a call.

    Tensors, and what operators take from that allocator inside themselves: oneDNN's copies in
    layouts of its own, workspaces of recurrences. What MKL takes from the C library is not seen.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = call()
    del result
    recorder: Any = profiler.profiler
    recorded = recorder.kineto_results.events()  # summaries have no order of events
    changes = sorted(
        (e.start_ns(), i, e.nbytes()) for i, e in enumerate(recorded) if e.name() == "[memory]"
    )
    return max(accumulate((change for _, _, change in changes), initial=0))


def memory_info(
    compiled: CompiledModel, model: torch.nn.Module, inputs: Sequence[object]
) -> MemoryInfo:
    """Count both peaks; the model is run once."""
    held = [leaf for leaf in tree_leaves(list(inputs)) if isinstance(leaf, torch.Tensor)]
    storages = (t.untyped_storage() for t in chain(held, model.parameters(), model.buffers()))
    given = {storage.data_ptr(): storage.nbytes() for storage in storages}
    eager = sum(given.values()) + allocated_peak(lambda: model(*inputs))
    payload, artifact = compiled.compiled.payload, compiled.compiled.artifact
    prepared = artifact.preparation.value_bytes if artifact.preparation else ()
    ours = sum(spec.bytes for spec in (*payload.arguments, *payload.results))
    return MemoryInfo(ours_bytes=ours + artifact.workspace_bytes + sum(prepared), eager_bytes=eager)


def memory_warnings(memory: MemoryInfo) -> tuple[str, ...]:
    """Say where ours needs notably more than eager."""
    ratio = memory.ours_bytes / max(memory.eager_bytes, 1)
    return (f"memory: {ratio:.2f} times eager's peak",) if ratio > EXCESS else ()
