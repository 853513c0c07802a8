"""The memory that a program would need, without compiling its kernels.

Flows in: a payload and the name of a target. Flows out: `MemoryPlan`: what arguments, results and
prepared values take, and the account of the workspace. The target's pipeline is run up to
`plan-memory`; kernels are outlined and left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.compiler.compiling import mark_fixed_arguments
from bellrock.compiler.host import function_named, host_entries
from bellrock.compiler.staging import environment_for, pipeline_for
from bellrock.payload import Payload, Role
from bellrock.pipeline.environment import Snapshots

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.dialects.memory_account import MemoryAccount
    from bellrock.pipeline.stage import Stage

_LAST_STAGE = "schedule-plan-memory"


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPlan:
    """What a program holds while it runs; `total_bytes` is what records compare with eager's."""

    input_bytes: int
    held_bytes: int
    """Of parameters, buffers and the like."""
    result_bytes: int
    prepared_bytes: int
    """Of what is made of weights once, and kept beside them."""
    account: MemoryAccount
    """Of the workspace."""

    @property
    def total_bytes(self) -> int:
        """All of it together."""
        kept = self.input_bytes + self.held_bytes + self.result_bytes + self.prepared_bytes
        return kept + self.account.workspace_bytes


def plan_payload(
    payload: Payload,
    *,
    target: str = "cpu",
    pipeline: str | Path | None = None,
    variables: Mapping[str, object] | None = None,
) -> MemoryPlan:
    """Plan a program's memory as compiling it would.

    Args:
        payload: imported here.
        target: name.
        pipeline: name or path of a descriptor that plans memory; None is the target's default.
        variables: values for the pipeline's variables.

    Raises:
        BellrockError: as the stages raise it, or the pipeline plans no memory.
    """
    from torch_mlir import ir

    from bellrock.dialects import register
    from bellrock.dialects.memory_account import account_of
    from bellrock.pipeline.driver import run_pipeline

    loaded = pipeline_for(target, pipeline, variables)
    environment = environment_for(target, snapshots=Snapshots(stop_after=_LAST_STAGE))
    context = ir.Context()
    register(context)
    with context, ir.Location.unknown(context):
        module = ir.Module.parse(payload.text())
        mark_fixed_arguments(module, payload)
        run_pipeline(loaded, module, replace(environment, kernels=_leave_kernels))
        preparation = host_entries(module, payload.entry, "main").preparation
        account = account_of(function_named(module, payload.entry))
    given = sum(s.bytes for s in payload.arguments if s.role is Role.INPUT)
    return MemoryPlan(
        input_bytes=given,
        held_bytes=sum(s.bytes for s in payload.arguments) - given,
        result_bytes=sum(s.bytes for s in payload.results),
        prepared_bytes=sum(preparation.value_bytes) if preparation else 0,
        account=account,
    )


def _leave_kernels(module: ir.Module, stages: tuple[Stage, ...]) -> None:
    """Do what the stage leaves behind in the module, and compile nothing."""
    from bellrock.dialects.kernel_loops import stub_kernels

    stub_kernels(module.operation)
