"""The record: all that is known of one (problem, target, dtype), as one JSON object.

Flows in: what a job found out, or a line of a file. Flows out: frozen, validated models
that reports, comparisons and tuners read, and the line that is written to the file.
Names of fields are names of JSON keys; units end the names (`_s`: seconds).
"""

from __future__ import annotations

import json
from collections import Counter
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bellrock.bench.suite_file import OverrideValue
from bellrock.params.constraint import Value
from bellrock.target.program import KernelInfo

SCHEMA = 1
"""Version of the record; a file of another version is refused, not guessed at."""


class Status(StrEnum):
    """How a problem ended; everything but `OK` is a failure."""

    OK = "ok"
    WRONG = "wrong"
    IMPORT_FAILED = "import-failed"
    COMPILE_FAILED = "compile-failed"
    RUN_FAILED = "run-failed"
    VERIFY_FAILED = "verify-failed"
    """The reference could not be computed, so nothing is known of the answer."""
    IMPLAUSIBLE = "implausible"
    """Measured faster than the machine can be: the measurement or the program is broken."""
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out-of-memory"


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, ser_json_inf_nan="strings"
    )


class ProblemInfo(_Part):
    """Which problem, to the byte."""

    name: str
    source: str
    """Path of the file as the caller named it."""
    sha256: str
    overrides: dict[str, OverrideValue] = {}
    tags: tuple[str, ...] = ()


class FactsInfo(_Part):
    """Facts of the device, as the target states them."""

    device: str
    cores: int
    vector_bits: int
    cache_bytes: dict[str, int] = {}
    features: tuple[str, ...] = ()
    peak_flops_per_s: dict[str, float] = {}
    bandwidth_bytes_per_s: dict[str, float] = {}
    source: str = ""


class TargetInfo(_Part):
    """What was compiled for."""

    name: str
    device: str = ""
    facts: FactsInfo | None = None


class StageTime(_Part):
    """Wall-clock time of one stage of the pipeline."""

    name: str
    seconds: float


class FailureInfo(_Part):
    """Why a problem did not end `ok`."""

    stage: str
    """Step it was in: load, export, compile, run, verify, baseline, measure."""
    exception: str
    """Class of the exception, or e.g. `signal SIGSEGV`."""
    message: str
    reproducer: str | None = None
    stderr_tail: str = ""


class ErrorInfo(_Part):
    """Distance from the float64 reference, on the worst output of the worst trial."""

    metric: str
    value: float
    budget: float
    worst_index: tuple[int, ...] = ()
    trials: int


class MutantInfo(_Part):
    """What the checker said of one wrong answer made on purpose."""

    name: str
    rejected: bool
    able: bool
    """False: the problem itself cannot tell this mutant apart, for the reason given."""
    value: float
    """Its error over the budget; NaN where it could not be made."""
    eager_ratio: float
    reason: str = ""


class VerdictInfo(_Part):
    """How the answer was judged, and what the checker says of itself on this problem."""

    reference: str
    """Width of the reference, e.g. `f64`."""
    distributions: tuple[str, ...] = ()
    randomised: bool = False
    """Whether statistics were randomised because outputs collapsed."""
    eager_value: float
    """PyTorch's own error in the tested dtype, over the same budget."""
    insensitive: tuple[str, ...] = ()
    """What this problem cannot tell apart, each with its reason."""
    mutants: tuple[MutantInfo, ...] = ()
    notes: tuple[str, ...] = ()
    message: str = ""
    seconds: float

    @property
    def accepted_mutants(self) -> tuple[str, ...]:
        """Mutants that could have been rejected and were not: a defect of the checker."""
        return tuple(m.name for m in self.mutants if m.able and not m.rejected)


class TimeInfo(_Part):
    """One distribution of times of one call."""

    median_s: float
    p05_s: float
    p95_s: float
    ci95_s: tuple[float, float]
    runs: int
    repetitions: int = 1
    """Calls in each run; a run's time is divided by it."""
    mode: Literal["hot", "cold"]
    warnings: tuple[str, ...] = ()


class BaselineInfo(_Part):
    """What a user would run instead; `failure` is set where it could not be run."""

    time: TimeInfo | None = None
    compile_seconds: float | None = None
    failure: FailureInfo | None = None


class Outcome(StrEnum):
    """A comparison of two times, once noise is taken off."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"


class SpeedupInfo(_Part):
    """Baseline's median over ours; above one, ours is faster."""

    ratio: float
    ci95: tuple[float, float]
    outcome: Outcome


class RooflineInfo(_Part):
    """The nearest limit of the machine."""

    bound: Literal["compute", "memory"]
    peak_fraction: float
    """Time at the limit over the median measured."""
    limit_s: float
    intensity_flops_per_byte: float
    achieved_flops_per_s: float
    peak_beside_flops_per_s: float | None = None
    """Median of the device's peak, of the dtype of most operations, measured between the programs'
    runs; None where the limit is made of the target's facts."""


class PreparationInfo(_Part):
    """What the program computes once per set of weights; not part of `time`."""

    seconds: float
    """Median of a few preparations: added to the time, it gives that of a call which prepares."""
    bytes: int
    """Memory that the values take as long as the program is kept."""


class MemoryInfo(_Part):
    """Most bytes in use at once in one call, arguments and results included."""

    ours_bytes: int
    """With the workspace and prepared values, but without threads' buffers inside kernels."""
    eager_bytes: int
    """With what operators take from PyTorch's allocator inside; not what MKL takes elsewhere."""


class ChoiceRow(_Part):
    """One choice, as in a lock file (see `bellrock.params.lock.LockRow`)."""

    motif: str
    by: str
    knobs: str
    parameters: dict[str, Value] = {}
    predicted_seconds: float | None = None
    measured_seconds: float | None = None


class MachineInfo(_Part):
    """Where it was measured."""

    cpu: str
    cores: int
    logical_cpus: int
    memory_bytes: int
    governor: str | None
    load_average: float | None
    """One-minute load when the run began."""
    kernel: str
    python: str
    host_hash: str
    """Tells machines apart without naming them."""


class Record(_Part):
    """One (problem, target, dtype). What is not known is None or empty, never made up."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    problem: ProblemInfo
    target: TargetInfo
    dtype: str
    seed: int = 0
    threads: int | None = None
    status: Status
    failure: FailureInfo | None = None
    check_only: bool = False
    import_seconds: dict[str, float] = {}
    stages: tuple[StageTime, ...] = ()
    compile_seconds: float | None = None
    """Ours, after `torch.export`; see `cached`."""
    cached: bool | None = None
    """Whether every kernel came from the cache."""
    peak_memory_bytes: int | None = None
    """Largest resident set of the problem's process, reference and baselines included."""
    wall_seconds: float | None = None
    correct: bool | None = None
    error: ErrorInfo | None = None
    verdict: VerdictInfo | None = None
    time: TimeInfo | None = None
    preparation: PreparationInfo | None = None
    """None where nothing is prepared, or nothing was measured."""
    memory: MemoryInfo | None = None
    baselines: dict[str, BaselineInfo] = {}
    speedup: dict[str, SpeedupInfo] = {}
    noise_floor: float | None = None
    """Relative difference that a program shows against itself; less is no difference."""
    flops: int | None = None
    bytes: int | None = None
    """Arguments and results, each once."""
    roofline: RooflineInfo | None = None
    kernels: tuple[KernelInfo, ...] = ()
    choices: tuple[ChoiceRow, ...] = ()
    warnings: tuple[str, ...] = ()
    toolchain: dict[str, str] = {}
    machine: MachineInfo | None = None

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What makes it the same measurement: name, sha256, overrides, target, dtype."""
        overrides = json.dumps(self.problem.overrides, sort_keys=True)
        return self.problem.name, self.problem.sha256, overrides, self.target.name, self.dtype

    def line(self) -> str:
        """Return the record as one line of JSON, without the newline."""
        return self.model_dump_json(by_alias=True)


def kernel_warnings(kernels: tuple[KernelInfo, ...]) -> tuple[str, ...]:
    """Return a warning if there are kernels that are neither vectorised nor parallel."""
    found = Counter(k.motif for k in kernels if not k.vectorised and not k.parallel)
    if not found:
        return ()
    kinds = ", ".join(f"{count} {motif}" for motif, count in found.most_common())
    return (f"{found.total()} of {len(kernels)} kernels are scalar and serial: {kinds}",)
