"""Schedules as a target sees them: its own first, then ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bellrock.schedule import schedule_text
from bellrock.target.base import Target

if TYPE_CHECKING:
    from torch_mlir import ir


def schedules_of(target: Target) -> Callable[[str, Mapping[str, object], ir.Context], str]:
    """Return what gives a schedule's text to the pipeline driver."""

    def text(name: str, options: Mapping[str, object], context: ir.Context) -> str:
        return schedule_text(name, options, target.schedules())

    return text
