"""The `kernels:` stage: every outlined kernel through its stages, apart, in parallel, cached.

Flows in: a module with kernel functions (`bellrock.kernel`) and the stages for them. Flows
out: code and a `KernelInfo` per distinct kernel; in the module, their bodies are replaced by
what they read and write, which is all that the host function's bufferisation needs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from bellrock.compiler.cache import Cache, Entry, key_of
from bellrock.compiler.pool import Job, compile_all
from bellrock.pipeline.environment import Snapshots
from bellrock.pipeline.show import canonical_text
from bellrock.target import TARGETS
from bellrock.target.base import KernelInfo, Target

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.pipeline.stage import Stage


@dataclass(slots=True)
class KernelCompiler:
    """Compiles the kernels of one program and keeps what came out."""

    target: Target
    cache: Cache | None
    jobs: int
    snapshots: Snapshots
    infos: list[KernelInfo] = field(default_factory=list)
    code: list[bytes] = field(default_factory=list)

    def run(self, module: ir.Module, stages: tuple[Stage, ...]) -> None:
        """Run the stage (see the module's docstring)."""
        from bellrock.dialects.kernel_loops import kernel_functions, stub_kernels

        functions = kernel_functions(module.operation)
        calls = _count_calls(module)
        jobs = [
            Job(name=name, text=text, motif=motif, calls=calls.get(name, 0))
            for name, text, motif in functions
        ]
        facts = self.target.facts()
        context = [
            TARGETS.identity(self.target.full_name),
            *sorted(facts.features),
            *(f"{name} {version}" for name, version in self.target.programs().items()),
            canonical_text(stages),
        ]
        keys = {job.name: key_of("kernel", job.text, context) for job in jobs}
        missing: list[Job] = []
        found: dict[str, tuple[KernelInfo, bytes]] = {}
        for job in jobs:
            entry = self.cache.get(keys[job.name]) if self.cache and self._may_skip() else None
            if entry is None:
                missing.append(job)
            else:
                info = KernelInfo(**entry.description)
                found[job.name] = (replace(info, cached=True, calls=job.calls), entry.code[0])
        for info, code in compile_all(
            missing, stages, target=self.target, workers=self.jobs, snapshots=self.snapshots
        ):
            found[info.name] = (info, code)
            if self.cache is not None:
                self.cache.put(keys[info.name], Entry(description=asdict(info), code=(code,)))
        for job in jobs:
            self.infos.append(found[job.name][0])
            self.code.append(found[job.name][1])
        stub_kernels(module.operation)

    def _may_skip(self) -> bool:
        """Whether a cached kernel will do: not where its stages are to be seen."""
        return self.snapshots.dump_dir is None and not self.snapshots.print_after


def _count_calls(module: ir.Module) -> dict[str, int]:
    from torch_mlir import ir

    from bellrock.dialects.extension import ops_named

    counts: dict[str, int] = {}
    for call in ops_named(module.operation, "func.call"):
        name = ir.FlatSymbolRefAttr(call.attributes["callee"]).value
        counts[name] = counts.get(name, 0) + 1
    return counts
