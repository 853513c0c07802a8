"""Compiling: the pipeline of a target on a payload, and the cache around it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bellrock.compiler.cache import Cache, Entry, folder_digest, key_of
from bellrock.compiler.compiled import Compiled, StageSeconds
from bellrock.compiler.host import function_named, host_entries
from bellrock.compiler.kernels import KernelCompiler
from bellrock.compiler.schedules import schedules_of
from bellrock.params.lock import Lock, LockRow
from bellrock.payload import Payload, Role
from bellrock.pipeline.environment import Environment, Snapshots
from bellrock.pipeline.load import load_pipeline
from bellrock.pipeline.show import canonical_text
from bellrock.pipeline.stage import Pipeline, SelectStage, Stage
from bellrock.schedule import schedule_names
from bellrock.target import TARGETS
from bellrock.target.base import Artifact, KernelInfo, Preparation, Target
from bellrock.toolchain import versions

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.params.select import Selection


@dataclass(slots=True)
class _Choices:
    """What selection stages chose, collected over a run."""

    rows: list[LockRow] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, selection: Selection) -> None:
        self.rows.extend(selection.rows)
        self.warnings.extend(selection.warnings)

    def revise(self, module: ir.Module, target: Target) -> None:
        """Take over what stages after selection had to change: the rows say what is done."""
        from bellrock.params.select import revised_rows

        self.rows = revised_rows(module, self.rows, target)


def pipeline_for(
    target_name: str,
    pipeline: str | Path | None = None,
    variables: Mapping[str, object] | None = None,
) -> Pipeline:
    """Load a pipeline as a target sees it.

    Args:
        target_name: whose pipelines, schedules and facts are meant.
        pipeline: name or path; None is the target's default.
        variables: values for its variables.

    Raises:
        UnknownNameError: no such target.
        PipelineError: the descriptor is malformed.
    """
    from bellrock.params.select import SELECTORS
    from bellrock.payload.motifs.base import MotifKind

    target = TARGETS.get(target_name)
    facts = target.facts()
    return load_pipeline(
        pipeline if pipeline is not None else target.default_pipeline(),
        search=(target.pipelines(),),
        variables=variables or {},
        target_facts={
            **facts.limits,
            "chip": facts.chip,
            "vector_bits": facts.vector_bits,
            "vector_registers": facts.vector_registers,
            "cores": facts.cores,
        },
        schedules=schedule_names(target.schedules()),
        selectors=SELECTORS.names(),
        motifs=[str(kind) for kind in MotifKind],
        choices=[knobs.name for knobs in target.all_knobs()],
        features=target.known_features(),
    )


def environment_for(
    target_name: str,
    *,
    lock: Lock | None = None,
    snapshots: Snapshots | None = None,
    cache: Cache | None = None,
    jobs: int | None = None,
) -> Environment:
    """Return what the stages of a pipeline need of a target (for `bellrock opt`)."""
    target = TARGETS.get(target_name)
    kernels = KernelCompiler(
        target=target, cache=cache, jobs=jobs or _cores(), snapshots=snapshots or Snapshots()
    )
    return _environment(target, kernels, _Choices(), lock)


def _environment(
    target: Target, kernels: KernelCompiler, choices: _Choices, lock: Lock | None
) -> Environment:
    def select(module: ir.Module, stage: SelectStage) -> None:
        from bellrock.params.select import select_all

        choices.add(
            select_all(
                module,
                by=stage.by,
                target=target,
                motifs="all" if stage.motifs is None else stage.motifs,
                lock=lock,
            )
        )

    def compile_kernels(module: ir.Module, stages: tuple[Stage, ...]) -> None:
        choices.revise(module, target)
        kernels.run(module, stages)

    return Environment(
        features=target.facts().features,
        schedule=schedules_of(target),
        select=select,
        kernels=compile_kernels,
        snapshots=kernels.snapshots,
        target=target.name,
        lock=lock.text() if lock is not None else None,
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def compile_payload(
    payload: Payload,
    *,
    target: str = "cpu",
    pipeline: str | Path | None = None,
    lock: Lock | None = None,
    variables: Mapping[str, object] | None = None,
    cache_dir: Path | None = None,
    use_cache: bool = True,
    jobs: int | None = None,
    snapshots: Snapshots | None = None,
) -> Compiled:
    """Compile a payload for a target.

    Args:
        payload: imported only if the cache does not have the program.
        target: name.
        pipeline: name or path of a descriptor; None is the target's default.
        lock: choices to use again.
        variables: values for the pipeline's variables.
        cache_dir: folder of the cache; None is the user's.
        use_cache: False compiles everything anew and stores nothing.
        jobs: processes that may compile at once; None is one for each core.
        snapshots: what to print and dump on the way; the program is then compiled anew.

    Raises:
        BellrockError: as the steps raise it: import, pipeline, selection, code generation.
    """
    start = time.perf_counter()
    plugin = TARGETS.get(target)
    cache = Cache(cache_dir) if use_cache else None
    given = dict(variables or {})
    loaded, about = _pipeline_and_key(plugin, pipeline, given)
    key = key_of(
        "program", payload.fingerprint, plugin.full_name, plugin.facts().key(), about,
        lock.text() if lock else "", repr(sorted(plugin.programs().items())),
    )  # fmt: skip
    if cache is not None and snapshots is None:
        entry = cache.get(key)
        if entry is not None:
            return _from_entry(entry, payload, plugin.full_name, start)
    loaded = loaded or pipeline_for(plugin.full_name, pipeline, given)
    compiled = _compile(payload, plugin, loaded, lock, cache, jobs, snapshots, start)
    if cache is not None:
        cache.put(key, _to_entry(compiled))
    return compiled


def _pipeline_and_key(
    target: Target, pipeline: str | Path | None, variables: Mapping[str, object]
) -> tuple[Pipeline | None, str]:
    """Return what tells one pipeline from another, and the pipeline if it had to be loaded.

    A target's own pipelines are told by their files, without parsing them: on a cache hit
    that is most of the time.
    """
    if pipeline is None:
        files = folder_digest(target.pipelines().resolve())
        return None, repr((files, target.default_pipeline(), sorted(variables.items())))
    loaded = pipeline_for(target.full_name, pipeline, variables)
    return loaded, canonical_text(loaded.stages)


def _compile(
    payload: Payload,
    target: Target,
    pipeline: Pipeline,
    lock: Lock | None,
    cache: Cache | None,
    jobs: int | None,
    snapshots: Snapshots | None,
    start: float,
) -> Compiled:
    from torch_mlir import ir

    from bellrock.dialects import register
    from bellrock.pipeline.driver import run_pipeline

    text = payload.text()
    imported = time.perf_counter()
    kernels = KernelCompiler(
        target=target, cache=cache, jobs=jobs or _cores(), snapshots=snapshots or Snapshots()
    )
    choices = _Choices()
    context = ir.Context()
    register(context)
    with context, ir.Location.unknown(context):
        module = ir.Module.parse(text)
        _mark_fixed(module, payload)
        result = run_pipeline(pipeline, module, _environment(target, kernels, choices, lock))
        lowered = time.perf_counter()
        host_functions = host_entries(module, payload.entry, target.entry_symbol())
        host = target.emit(module, entries=host_functions.symbols)
    done = time.perf_counter()
    stages = [StageSeconds(name="import", seconds=imported - start)]
    stages += [StageSeconds(name=s.name, seconds=s.seconds) for s in result.stages]
    stages.append(StageSeconds(name="host-code", seconds=done - lowered))
    return Compiled(
        payload=payload,
        target=target.full_name,
        artifact=Artifact(
            objects=(host.code, *kernels.code),
            entry=target.entry_symbol(),
            workspace_bytes=host_functions.workspace_bytes,
            preparation=host_functions.preparation,
            argument_bytes=tuple(spec.bytes for spec in payload.arguments),
            result_bytes=tuple(spec.bytes for spec in payload.results),
        ),
        choices=tuple(choices.rows),
        kernels=tuple(kernels.infos),
        stages=tuple(stages),
        compile_seconds=done - start,
        cached=False,
        warnings=tuple(choices.warnings),
        toolchain={**versions(), **target.programs()},
    )


def _mark_fixed(module: ir.Module, payload: Payload) -> None:
    """Mark the arguments that stay the same from call to call: parameters and the like.

    A buffer that the model writes changes with each call.
    """
    from bellrock.dialects.preparation import mark_fixed

    written = {spec.name for spec in payload.results if spec.role is Role.MUTATION}
    fixed = [
        i
        for i, spec in enumerate(payload.arguments)
        if spec.role in (Role.PARAMETER, Role.BUFFER, Role.CONSTANT) and spec.name not in written
    ]
    mark_fixed(function_named(module, payload.entry), fixed)


def _to_entry(compiled: Compiled) -> Entry:
    preparation = compiled.artifact.preparation
    return Entry(
        description={
            "workspace_bytes": compiled.artifact.workspace_bytes,
            "entry": compiled.artifact.entry,
            "preparation": None if preparation is None else asdict(preparation),
            "kernels": [asdict(k) for k in compiled.kernels],
            "choices": compiled.lock().text(),
            "warnings": list(compiled.warnings),
            "toolchain": dict(compiled.toolchain),
        },
        code=compiled.artifact.objects,
    )


def _from_entry(entry: Entry, payload: Payload, target: str, start: float) -> Compiled:
    from bellrock.params.lock import parse_lock

    about = entry.description
    seconds = time.perf_counter() - start
    return Compiled(
        payload=payload,
        target=target,
        artifact=Artifact(
            objects=entry.code,
            entry=str(about["entry"]),
            workspace_bytes=int(str(about["workspace_bytes"])),
            preparation=_preparation(about["preparation"]),
            argument_bytes=tuple(spec.bytes for spec in payload.arguments),
            result_bytes=tuple(spec.bytes for spec in payload.results),
        ),
        choices=parse_lock(str(about["choices"]), source="the compile cache").rows,
        kernels=tuple(KernelInfo(**{**k, "cached": True}) for k in about["kernels"]),
        stages=(StageSeconds(name="cache", seconds=seconds),),
        compile_seconds=seconds,
        cached=True,
        warnings=tuple(about["warnings"]),
        toolchain=dict(about["toolchain"]),
    )


def _preparation(about: Mapping[str, Any] | None) -> Preparation | None:
    if about is None:
        return None
    return Preparation(
        entry=about["entry"],
        arguments=tuple(about["arguments"]),
        value_bytes=tuple(about["value_bytes"]),
        workspace_bytes=about["workspace_bytes"],
    )
