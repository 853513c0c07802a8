"""The memory that a program would hold, as text and as JSON.

Flows in: a `MemoryPlan`. Flows out: lines for a terminal, plain data.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bellrock.compiler.planning import MemoryPlan

_MIB = 1 << 20
_MOST_BUFFERS = 12
_MOST_USERS = 4


def memory_lines(plan: MemoryPlan) -> list[str]:
    """Return what the plan holds in all, and the buffers needed where most are."""
    account = plan.account
    gaps = _mib(account.workspace_bytes - account.live_bytes)
    lines = [
        f"memory       {_mib(plan.total_bytes)}: inputs {_mib(plan.input_bytes)}, parameters and "
        f"buffers {_mib(plan.held_bytes)}, results {_mib(plan.result_bytes)}, prepared weights "
        f"{_mib(plan.prepared_bytes)}, workspace {_mib(account.workspace_bytes)} (gaps {gaps})",
    ]
    if not account.at_peak:
        return lines
    lines.append(
        f"             most is needed at call {account.peak_call} of {len(account.calls)}, "
        f"{account.calls[account.peak_call]}:"
    )
    for buffer in account.at_peak[:_MOST_BUFFERS]:
        users = [*dict.fromkeys(buffer.users)]
        more = ", ..." if len(users) > _MOST_USERS else ""
        lines.append(
            f"             {_mib(buffer.size_bytes):>12} {buffer.type}, calls {buffer.first_call} "
            f"to {buffer.last_call}: {', '.join(users[:_MOST_USERS])}{more}"
        )
    left = account.at_peak[_MOST_BUFFERS:]
    if left:
        lines.append(
            f"             {_mib(sum(b.size_bytes for b in left)):>12} in {len(left)} more"
        )
    return lines


def memory_json(plan: MemoryPlan) -> dict[str, object]:
    """Return all buffers of the plan."""
    return {**asdict(plan), "total_bytes": plan.total_bytes}


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:.2f} MiB"
