"""What other rooms found out, in the record's form.

Flows in: facts, kernels, a verdict, a payload. Flows out: parts of the record.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bellrock.bench.record import (
    ErrorInfo,
    FactsInfo,
    MutantInfo,
    PreparationInfo,
    TargetInfo,
    VerdictInfo,
)
from bellrock.bench.roofline import Work
from bellrock.target.base import Facts

if TYPE_CHECKING:
    from bellrock.api import CompiledModel
    from bellrock.payload import Payload
    from bellrock.verify.verdict import Verdict


PREPARATIONS = 3
"""Preparations to take the median of."""


def target_info(name: str, facts: Facts) -> TargetInfo:
    """Return a target and its device."""
    return TargetInfo(
        name=name,
        device=facts.device,
        facts=FactsInfo(
            device=facts.device, cores=facts.cores, vector_bits=facts.vector_bits,
            cache_bytes=dict(facts.cache_bytes), features=tuple(sorted(facts.features)),
            peak_flops_per_s=dict(facts.peak_flops_per_s),
            bandwidth_bytes_per_s=dict(facts.bandwidth_bytes_per_s), source=facts.source,
        ),
    )  # fmt: skip


def error_info(verdict: Verdict) -> ErrorInfo:
    """Return the error that came nearest its budget."""
    return ErrorInfo(
        metric=verdict.metric, value=verdict.value, budget=verdict.budget,
        worst_index=verdict.worst_index, trials=verdict.trials,
    )  # fmt: skip


def verdict_info(verdict: Verdict) -> VerdictInfo:
    """Return how it was judged."""
    return VerdictInfo(
        reference=verdict.reference, distributions=verdict.distributions,
        randomised=verdict.randomised, eager_value=verdict.eager_value,
        insensitive=verdict.insensitive, notes=verdict.notes, message=verdict.message,
        seconds=verdict.seconds,
        mutants=tuple(
            MutantInfo(
                name=m.name, rejected=m.rejected, able=m.able, value=m.value,
                eager_ratio=m.eager_ratio, reason=m.reason,
            )
            for m in verdict.mutants
        ),
    )  # fmt: skip


def work_of(payload: Payload) -> Work:
    """Return what one call of a payload has to do; imports it if that has not been done."""
    from bellrock.payload.inspect import inspect_payload

    inspection = inspect_payload(payload)
    return Work(
        flops_by_dtype=inspection.flops_by_dtype,
        compulsory_bytes=inspection.compulsory_bytes,
        result_bytes=sum(spec.bytes for spec in inspection.results),
    )


def preparation_info(compiled: CompiledModel, inputs: Sequence[object]) -> PreparationInfo | None:
    """Measure what a program prepares; None where it prepares nothing."""
    preparer = compiled.preparer
    if preparer is None:
        return None
    seconds: list[float] = []
    for _ in range(PREPARATIONS):
        preparer.forget()
        compiled(*inputs)
        seconds.append(preparer.seconds)
    return PreparationInfo(seconds=statistics.median(seconds), bytes=preparer.value_bytes)
