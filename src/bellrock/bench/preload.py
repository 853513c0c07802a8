"""What every problem's process needs, loaded once before it is forked.

Flows in: nothing. Flows out: modules in memory; nothing is run, so that no thread exists
when a process forks. Besides saving seconds for each problem, this keeps Python's imports
out of compile times, ours and the baselines' alike.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType

from bellrock.runtime.threads import share_openmp

IN_TIME = share_openmp()
"""Whether the OpenMP runtime that all share came before torch, which is imported below."""

import torch_mlir.fx  # noqa: E402, F401

from bellrock.bench.baseline import BASELINES  # noqa: E402
from bellrock.errors import RegistryError  # noqa: E402
from bellrock.target import TARGETS  # noqa: E402

ROOMS = (
    "api", "bench", "compiler", "dialects", "ingress", "params", "payload", "pipeline",
    "runtime", "schedule", "verify",
)  # fmt: skip
LATE = (
    "scipy.stats",
    "torch._dynamo",
    "torch._export.db.logging",
    "torch._export.passes.*",
    "torch._inductor.compiler_bisector",
    "torch.export._trace",
    "torch.export._unlift",
    "torch.fx.experimental.validator",
    "torch._subclasses.schema_check_mode",
    "torch_mlir.dialects.bufferization",
    "torch_mlir.dialects.builtin",
    "torch_mlir.dialects.irdl",
    "torch_mlir.dialects.llvm",
    "torch_mlir.dialects.memref",
    "torch_mlir.dialects.scf",
    "torch_mlir.dialects.tensor",
    "torch_mlir.dialects.transform.interpreter",
)
"""What other packages would import on first use."""


def load_all(names: Iterable[str]) -> None:
    """Import modules; a name that ends in `.*` stands for a package with all inside it.

    A module that is not there is passed over: what needs it says so better.
    """
    for name in names:
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name.removesuffix(".*"))
            if name.endswith(".*"):
                load_all(_inside(module))


def _inside(package: ModuleType) -> Iterable[str]:
    for found in pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}."):
        if found.name not in _NOT_TO_LOAD:
            yield f"{found.name}.*" if found.ispkg else found.name


def load_baselines(names: str) -> None:
    """Let baselines load what they need.

    Args:
        names: separated by commas.
    """
    for name in names.split(","):
        with contextlib.suppress(RegistryError):
            load_all(BASELINES.get(name).modules)


_NOT_TO_LOAD = {__name__, "bellrock.bench.zygote", "bellrock.compiler.worker"}

load_all(LATE)
load_all(f"bellrock.{room}.*" for room in ROOMS)
for _target in TARGETS.names():
    with contextlib.suppress(RegistryError):
        load_all([type(TARGETS.get(_target)).__module__.rpartition(".")[0] + ".*"])
