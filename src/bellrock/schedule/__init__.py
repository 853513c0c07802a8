"""Schedules: target-neutral building blocks of transform ops, one verb a file.

A schedule named `tile-kernels` is the module `bellrock.schedule.tile_kernels` (or one of the
same name in a target's own package) with a function `sequence(**options) -> str` that gives
the body of a named sequence on the handle `%module`. Its docstring says what it rewrites.
"""

from bellrock.schedule.load import describe_schedule, schedule_names, schedule_text

__all__ = ["describe_schedule", "schedule_names", "schedule_text"]
