"""Compiling: the pipeline of a target on a payload, and the cache around it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.compiler.cache import Cache, folder_digest, key_of
from bellrock.compiler.compiled import Compiled, StageSeconds
from bellrock.compiler.host import function_named, host_entries
from bellrock.compiler.kept import from_entry, to_entry
from bellrock.compiler.kernels import KernelCompiler
from bellrock.compiler.staging import Choices, cores, environment_of, pipeline_for
from bellrock.params.lock import Lock
from bellrock.payload import Payload, Role
from bellrock.pipeline.environment import Snapshots
from bellrock.pipeline.show import canonical_text
from bellrock.pipeline.stage import Pipeline
from bellrock.target import TARGETS
from bellrock.target.base import Artifact, Target
from bellrock.toolchain import versions

if TYPE_CHECKING:
    from torch_mlir import ir


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
            return from_entry(entry, payload, plugin.full_name, start)
    loaded = loaded or pipeline_for(plugin.full_name, pipeline, given)
    compiled = _compile(payload, plugin, loaded, lock, cache, jobs, snapshots, start)
    if cache is not None:
        cache.put(key, to_entry(compiled))
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
        target=target, cache=cache, jobs=jobs or cores(), snapshots=snapshots or Snapshots()
    )
    choices = Choices()
    context = ir.Context()
    register(context)
    with context, ir.Location.unknown(context):
        module = ir.Module.parse(text)
        mark_fixed_arguments(module, payload)
        result = run_pipeline(pipeline, module, environment_of(target, kernels, choices, lock))
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


def mark_fixed_arguments(module: ir.Module, payload: Payload) -> None:
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
