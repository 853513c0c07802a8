"""From cycles by name to a `Prediction` in seconds.

Flows in: what one core does in a block, in cycles, by name, and how many blocks there are. Flows
out: seconds, with the parallel balance and the overheads as terms of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from bellrock.params.cost import Prediction
from bellrock.target.cpu.cost.machine import CALL_SECONDS, FORK_SECONDS, Machine


def ceil_div(a: int, b: int) -> int:
    """Return a divided by b, rounded up."""
    return -(-a // b)


def units(size: int, block: int, unit: int) -> float:
    """Return the units of an average block, where a loop is cut into blocks and these into units.

    Args:
        size: of the loop.
        block: iterations of a block; the last may have fewer.
        unit: iterations of a unit; the last of each block may have fewer.
    """
    whole, rest = divmod(size, block)
    return (whole * ceil_div(block, unit) + ceil_div(rest, unit)) / (whole + (rest > 0))


def predicted(
    machine: Machine, block_cycles: Mapping[str, float], blocks: int, *, parallel: bool
) -> Prediction:
    """Return the time of all blocks.

    Args:
        machine: that they run on.
        block_cycles: of an average block on one core, by name; they add up.
        blocks: that there are.
        parallel: whether the cores share them.
    """
    shared = parallel and blocks > 1 and machine.cores > 1
    busy = machine.busy(blocks) if shared else 1
    rounds = machine.rounds(blocks) if shared else float(blocks)
    second = 1 / machine.clock_hz
    terms = {name: c * blocks / busy * second for name, c in block_cycles.items() if c > 0}
    idle = (rounds - blocks / busy) * sum(block_cycles.values()) * second
    terms |= {"imbalance": idle} if idle > 0 else {}
    terms |= {"threads": FORK_SECONDS} if shared else {}
    terms["call"] = CALL_SECONDS
    return Prediction(seconds=sum(terms.values()), terms_seconds=terms)
