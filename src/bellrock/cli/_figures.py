"""What was counted in kernels' code, as `compile` and `run --describe` print it.

Flows in: kernels. Flows out: lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bellrock.target.base import KernelInfo


def figure_lines(kernels: Sequence[KernelInfo]) -> tuple[str, ...]:
    """Return a line for each kernel that has figures.

    Args:
        kernels: of a program.
    """
    return tuple(
        f"  {k.name} ({k.motif}): {', '.join(f'{name} {n}' for name, n in k.figures.items())}"
        for k in kernels
        if k.figures
    )
