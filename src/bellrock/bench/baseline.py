"""Baselines: what a user would run instead of Bellrock, as plug-ins.

A baseline is one file with a `Baseline` subclass and an instance of it, named by an entry
point:

    [project.entry-points."bellrock.baselines"]
    eager = "bellrock.bench.baselines.eager:EAGER"

Flows in: a model and its inputs. Flows out: a call that computes the same outputs.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.registry import Registry

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A baseline, ready to be timed on the inputs it was prepared with."""

    call: Callable[[], object]
    """Runs once and returns the outputs; allocates them, as ours does."""
    compile_seconds: float
    """From the model to its first result, less one plain run; 0 if nothing is compiled."""


class Baseline(abc.ABC):
    """A way to run a model. Stateless; used in the process of one problem.

    The caller has chosen the threads, moved model and inputs to the dtype tested, put the
    model in evaluation mode and switched gradients off. Any exception is recorded as the
    baseline's failure and the problem goes on without it.
    """

    name: str
    """As in `--against`, and the name of the entry point."""
    modules: tuple[str, ...] = ()
    """What `prepare` imports; `package.*` is a package with all inside it. Loaded before
    problems' processes are forked, so that Python's imports are not counted as compile time."""

    @abc.abstractmethod
    def prepare(
        self, model: torch.nn.Module, inputs: Sequence[object], *, folder: Path
    ) -> Prepared:
        """Compile the model for these inputs.

        Args:
            model: not to be modified.
            inputs: positional arguments; their contents stay the same while timed.
            folder: empty scratch folder, removed when the problem ends.
        """


BASELINES: Registry[Baseline] = Registry("baseline", "bellrock.baselines", Baseline)
