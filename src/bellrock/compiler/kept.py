"""Compiled programs in the cache on disk.

Flows in: a `Compiled`. Flows out: an `Entry` of the cache, and from it a `Compiled` again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bellrock.compiler.cache import Entry
from bellrock.compiler.compiled import Compiled, StageSeconds
from bellrock.params.lock import parse_lock
from bellrock.payload import Payload
from bellrock.target.base import Artifact, KernelInfo, Preparation


def to_entry(compiled: Compiled) -> Entry:
    """Return what the cache keeps of a program."""
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


def from_entry(entry: Entry, payload: Payload, target: str, start: float) -> Compiled:
    """Return the program that an entry holds.

    Args:
        entry: as `to_entry` made it.
        payload: that was to be compiled.
        target: full name.
        start: of the look-up, on the clock of `time.perf_counter`, in seconds.
    """
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
