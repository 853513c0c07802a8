"""An exception as part of a record.

Flows in: what a step raised. Flows out: how the problem ended, and why.
"""

from __future__ import annotations

from bellrock.bench.ending import looks_like_memory
from bellrock.bench.record import (
    FailureInfo,
    Status,
)
from bellrock.errors import (
    BellrockError,
    CacheError,
    CallError,
    ImportFailedError,
    PipelineError,
    ProblemError,
    RegistryError,
    ToolchainError,
    UnknownNameError,
    VerifyError,
)

_STATUS_OF_STEP = {
    "load": Status.IMPORT_FAILED,
    "compile": Status.COMPILE_FAILED,
    "run": Status.RUN_FAILED,
    "verify": Status.VERIFY_FAILED,
}
"""Status of an exception by the step it came in; one that says more of itself goes before."""
EVERYWHERE = (PipelineError, CacheError, RegistryError, ToolchainError, UnknownNameError)
"""What is wrong with the run and not with a problem, when it comes before the first call."""


def status_of(error: Exception, step: str) -> Status:
    """Return how a problem ended that raised an exception.

    Args:
        error: what was raised.
        step: that the job was in.
    """
    if isinstance(error, MemoryError) or looks_like_memory(str(error)):
        return Status.OUT_OF_MEMORY
    if isinstance(error, (ProblemError, ImportFailedError)):
        return Status.IMPORT_FAILED
    if isinstance(error, VerifyError):
        return Status.VERIFY_FAILED
    if isinstance(error, CallError):
        return Status.RUN_FAILED
    return _STATUS_OF_STEP.get(step, Status.RUN_FAILED)


def failure_of(error: Exception, step: str) -> FailureInfo:
    """Return why a problem failed (see `status_of`)."""
    message = str(error) or repr(error)
    reproducer = getattr(error, "reproducer", None)
    diagnostics = getattr(error, "diagnostics", "")
    if not isinstance(error, BellrockError):
        import traceback

        diagnostics = "".join(traceback.format_exception(error))
    stage = getattr(error, "stage", "") or step
    return FailureInfo(
        stage=stage, exception=type(error).__name__, message=message,
        reproducer=str(reproducer) if reproducer else None, stderr_tail=diagnostics[-4000:],
    )  # fmt: skip
