"""Every exception that Bellrock raises on purpose, under one root.

Flows in: what went wrong, in parts. Flows out: one paragraph that a user can act on:
what happened, what was got, what is allowed, where, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BellrockError(Exception):
    """Root of all of Bellrock's exceptions.

    Attributes:
        exit_code: process exit code when the command line ends on this error
            (1: something is wrong, slow or failed; 2: the caller's usage).
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        allowed: object = None,
        where: object = None,
        hint: str | None = None,
    ) -> None:
        """Build the message from its parts; parts left out are not printed.

        Args:
            what: one sentence without a full stop: what is wrong.
            got: the offending value.
            allowed: what would have been accepted (a string, or an iterable of names).
            where: file, file:line, op or argument that the problem is at.
            hint: what to do next, as a sentence without a full stop.
        """
        self.what, self.got, self.where, self.hint = what, got, where, hint
        if allowed is not None and not isinstance(allowed, str) and isinstance(allowed, Iterable):
            allowed = ", ".join(str(a) for a in allowed)
        self.allowed = allowed
        parts = [f"{where}: {what}" if where is not None else what]
        if got is not None:
            parts.append(f"got {got}")
        if allowed is not None:
            parts.append(f"allowed: {allowed}")
        if hint is not None:
            parts.append(hint)
        text = "; ".join(parts)
        super().__init__(text if text.endswith(("?", ".")) else text + ".")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as it is, so that it crosses from a worker process whole."""
        return _restore, (type(self), self.args, self.__dict__.copy())


def _restore(
    kind: type[BellrockError], args: tuple[object, ...], state: dict[str, object]
) -> BellrockError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UsageError(BellrockError):
    """The caller asked for something that does not exist or does not fit."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that no plug-in, file, variable or option has; suggests near ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: object = None) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        super().__init__(
            f"unknown {kind} {name!r}",
            allowed=known or "none are registered",
            where=where,
            hint=f"did you mean {near[0]!r}?" if near else None,
        )


class RegistryError(BellrockError):
    """A plug-in clashes with another, has the wrong type, or lacks a package."""


class ToolchainError(BellrockError):
    """The installed torch / torch-mlir pair is not the one Bellrock is built for."""


class ProblemError(UsageError):
    """A problem file is missing, is not in the format, or an override does not apply."""


class ImportFailedError(BellrockError):
    """A model could not be brought to MLIR; names the PyTorch op and the source line."""


class PayloadError(UsageError):
    """A payload (module, entry function, types) is not what Bellrock accepts."""


class PipelineError(UsageError):
    """A pipeline descriptor is malformed or names something unknown; carries file:line."""


class StageError(BellrockError):
    """A pipeline stage failed on a payload; carries the stage and the reproducer folder."""


class SelectionError(BellrockError):
    """No selector gave a legal choice, or a choice breaks a constraint (which is named)."""


class LockError(UsageError):
    """A lock file is malformed, or a row of it does not fit its op."""


class CompileError(BellrockError):
    """Code generation or linking failed."""


class DeviceError(BellrockError):
    """A device, its driver or what stands in for it is absent, or failed at a request."""


class ArtifactError(UsageError):
    """An artifact file is malformed, of another schema, or made for another machine."""


class CacheError(BellrockError):
    """The on-disk cache cannot be read or written."""


class CallError(UsageError):
    """A compiled program was called with arguments of the wrong number, shape or dtype."""


class VerifyError(BellrockError):
    """The reference could not be computed, or the checker met values it cannot judge."""


class BenchError(BellrockError):
    """A measurement could not be made."""


class RecordError(UsageError):
    """A record file is malformed or of another schema version."""
