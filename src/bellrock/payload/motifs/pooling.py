"""Poolings: a windowed reduction of one operand, without weights.

Flows in: `Structured`. Flows out: a `Motif` with the window, or None. The second operand of the
named poolings only gives the window's size and is not read.
"""

from __future__ import annotations

from bellrock.payload.motifs.base import Motif, MotifKind, product
from bellrock.payload.motifs.body import Combiner
from bellrock.payload.motifs.structured import PARALLEL, Structured
from bellrock.payload.motifs.window import Window, read_window


def match(op: Structured) -> Motif | None:
    """Return the motif if the op is a pooling."""
    if all(i == PARALLEL for i in op.iterators):
        return None
    combiner = op.body.combiner(0, op.input_count)
    if combiner.update is None:
        return None
    windows = {
        i: read_window(op, op.accesses[i], op.shapes[i])
        for i in sorted(op.body.leaves(combiner.update))
        if i < op.input_count
    }
    found = [w for w in windows.values() if w is not None]
    if len(windows) != 1 or not found or all(d.kernel is None for d in found[0].dims):
        return None
    return _motif(op, found[0], combiner)


def _motif(op: Structured, window: Window, combiner: Combiner) -> Motif:
    assert combiner.update is not None
    letters = window.letters()
    free = [i for i in range(len(op.loops)) if i not in letters]
    names = {i: f"{op.iterators[i][0]}{n}" for n, i in enumerate(free)}
    roles = ["kernel" if d in _kernels(window) else "output" for d in range(len(op.loops))]
    for i in free:
        roles[i] = op.iterators[i]
    parallel = op.sizes([i for i in free if op.iterators[i] == PARALLEL])
    return op.motif(
        MotifKind.POOLING,
        variant=combiner.name,
        dims={"parallel": product(parallel)},
        lists={"parallel": parallel, **window.lists(op)},
        roles=roles,
        letters=[letters.get(i) or names[i] for i in range(len(op.loops))],
        accumulator=combiner.dtype,
        plain=op.body.is_argument(combiner.update),
    )


def _kernels(window: Window) -> set[int | None]:
    return {d.kernel for d in window.dims}
