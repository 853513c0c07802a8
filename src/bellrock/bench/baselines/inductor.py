"""The baseline `inductor`: `torch.compile` with its default backend and a fresh cache."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.bench.baseline import Baseline, Prepared

if TYPE_CHECKING:
    import torch


class Inductor(Baseline):
    """Compiles the whole graph; falls back to several graphs where that is refused."""

    name = "inductor"

    def prepare(
        self, model: torch.nn.Module, inputs: Sequence[object], *, folder: Path
    ) -> Prepared:
        """See `Baseline.prepare`.

        The cache is in `folder`, so that the compile time is a cold one; it is the time to
        the first result less that of a second call.
        """
        import torch
        from torch._dynamo.exc import Unsupported

        # Inductor reads these when it compiles, not when it is imported.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "inductor")
        os.environ["TRITON_CACHE_DIR"] = str(folder / "triton")
        torch.compiler.reset()
        arguments = tuple(inputs)
        started = time.perf_counter()
        compiled = torch.compile(model, fullgraph=True, dynamic=False)
        try:
            compiled(*arguments)
        except Unsupported:
            torch.compiler.reset()
            started = time.perf_counter()
            compiled = torch.compile(model, dynamic=False)
            compiled(*arguments)
        first = time.perf_counter() - started
        started = time.perf_counter()
        compiled(*arguments)
        second = time.perf_counter() - started
        call = lambda: compiled(*arguments)  # noqa: E731
        return Prepared(call=call, compile_seconds=max(first - second, 0.0))


INDUCTOR = Inductor()
