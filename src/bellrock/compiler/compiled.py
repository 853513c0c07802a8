"""What compiling gives: code, and everything that a record wants to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bellrock.params.lock import Lock, LockRow
from bellrock.payload import Payload
from bellrock.target.base import Artifact, KernelInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSeconds:
    """How long one stage took."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """A compiled program, not yet loaded."""

    payload: Payload
    target: str
    artifact: Artifact
    choices: tuple[LockRow, ...]
    """One for each distinct motif."""
    kernels: tuple[KernelInfo, ...]
    """One for each distinct kernel, in order of first call."""
    stages: tuple[StageSeconds, ...]
    """Stages that ran for this program; only `cache` where it came from the cache."""
    compile_seconds: float
    """From payload to code: import, pipeline, code generation. 0-based wall-clock time."""
    cached: bool
    """Whether the whole program came from the cache."""
    warnings: tuple[str, ...] = ()
    toolchain: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that made it."""

    def lock(self) -> Lock:
        """Return the choices as a lock, to be written or passed back in."""
        return Lock(rows=self.choices, target=self.target)
