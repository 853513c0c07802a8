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
    modules = (
        "sympy.combinatorics",
        "sympy.tensor.tensor",
        "torch._dynamo.backends.*",
        "torch._dynamo.dce_extra_outputs",
        "torch._dynamo.repro.after_dynamo",
        "torch._higher_order_ops.passes.*",
        "torch._inductor.compile_fx",
        "torch._inductor.choices",
        "torch._inductor.fx_passes.*",
        "torch._inductor.codegen.common",
        "torch._inductor.codegen.cpp",
        "torch._inductor.codegen.cpp_wrapper_cpu_array_ref",
        "torch._inductor.codegen.cpu_device_op_overrides",
        "torch._inductor.codegen.cuda_combined_scheduling",
        "torch._inductor.codegen.halide",
        "torch._inductor.codegen.memory_planning",
        "torch._inductor.codegen.mps",
        "torch._inductor.codegen.pallas",
        "torch._inductor.codegen.python_wrapper_mtia",
        "torch._inductor.codegen.wrapper_fxir",
        "torch._inductor.codegen.xpu.xpu_combined_scheduling",
        "torch._inductor.extern_node_serializer",
        "torch._inductor.hooks",
        "torch._inductor.runtime.caching.*",
        "torch.distributed.tensor.experimental.*",
        "torch.utils.cpp_extension",
    )

    def prepare(
        self, model: torch.nn.Module, inputs: Sequence[object], *, folder: Path
    ) -> Prepared:
        """See `Baseline.prepare`.

        The cache is in `folder`, so that the compile time is a cold one; it is the time to
        the first result less that of a second call.
        """
        import torch
        from torch._dynamo.exc import Unsupported
        from torch._inductor.cpu_vec_isa import pick_vec_isa

        # What it finds out about this machine's compiler once is no part of compiling a model.
        pick_vec_isa()
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
