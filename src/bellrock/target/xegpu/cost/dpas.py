"""Seconds of a contraction on matrix engines (`DpasKnobs`).

Flows in: a motif, the knobs, the machine. Flows out: a prediction. Terms, of the busiest Xe-core:

* *multiply*: matrix instructions, those for rows and columns beyond the sizes included, if all
  engines shared them evenly.
* *waves*: what they do not share evenly: work-groups do not divide by Xe-cores, nor sub-groups by
  engines.
* *dpas latency*: waiting for sums, where an engine has few of them.
* *latency*: waiting for data that was neither prefetched far enough ahead nor waited for beside
  other threads.
* *spills*: registers that a sub-group's tile is too large for.
* *loads*: messages to the load unit: one for each block, or one for each row of a fragment where a
  2-d block cannot be loaded.
* *L1 traffic*, *L2 traffic*, *DRAM traffic*: operands of each sub-group, each work-group, all of
  them. These and the loads count as far as what came before does not hide them.
* *prefetch*: messages that prefetch.
* *loop*: what a turn of the loop over k, and a sub-group, need besides.
* *results*: stores; with parts of k, the sums of the parts.
* *copies*: of operands that are multiplied often and that block loads refuse as they lie.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif, element_bytes
from bellrock.target.xegpu.cost.machine import (
    DPAS_LATENCY_CLOCKS,
    LATENCY_CLOCKS,
    MESSAGE_CLOCKS,
    Machine,
)
from bellrock.target.xegpu.cost.terms import ceil_div, overlapped, predicted, rounds
from bellrock.target.xegpu.dpas import RESERVED_REGISTERS, DpasKnobs
from bellrock.target.xegpu.product import (
    Access,
    BlockLimits,
    Product,
    access_of,
    copied_elements,
    product_of,
    side_access,
)

TURN_CLOCKS = 8.0
"""Of one engine, for one turn of a thread's loop over k; assumed."""
START_CLOCKS = 200.0
"""Of a work-group that starts: addresses, and the loads that the first turn waits for; assumed."""
DEPTH_ELEMENTS = 16
"""Of k in an instruction in f16, by which rates are stated; it takes as long in every type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A contraction cut by knobs, in counts."""

    product: Product
    operand_bytes: int
    """Of an element."""
    result_bytes: int
    groups: int
    """Work-groups."""
    sub_groups: int
    """Of one work-group."""
    steps: int
    """Turns of the loop over k."""
    per_core: int
    """Work-groups of the busiest Xe-core."""
    resident: int
    """Work-groups that it runs at the same time."""

    @classmethod
    def of(cls, motif: Motif, knobs: DpasKnobs, machine: Machine) -> Work:
        """Count."""
        product = product_of(motif)
        tall, wide = knobs.work_group
        tiles = ceil_div(product.rows, tall) * ceil_div(product.columns, wide)
        groups = product.batch * tiles * knobs.split_k
        per_core = ceil_div(groups, machine.cores)
        fitting = machine.core_threads(knobs.grf) // knobs.sub_groups
        return cls(
            product=product,
            operand_bytes=product.operand_bytes,
            result_bytes=element_bytes(product.result.dtype),
            groups=groups, sub_groups=knobs.sub_groups,
            steps=ceil_div(ceil_div(product.k, knobs.split_k), knobs.k_step),
            per_core=per_core, resident=max(1, min(fitting, per_core)),
        )  # fmt: skip


def predict_dpas(motif: Motif, knobs: DpasKnobs, machine: Machine) -> Prediction:
    """Return the time of a contraction.

    Args:
        motif: the contraction.
        knobs: its choice.
        machine: that it runs on.
    """
    work = Work.of(motif, knobs, machine)
    engines = _engines(work, knobs, machine)
    spills = _spills(work, knobs, machine)
    beside = overlapped(
        sum(engines.values()) + spills,
        {
            "loads": _loads(work, knobs, machine.blocks),
            "L1 traffic": _l1(work, knobs, machine),
            "L2 traffic": _l2(work, knobs, machine),
            "DRAM traffic": _dram(work, knobs, machine),
        },
    )
    clocks = {
        **engines,
        "spills": spills,
        **beside,
        "prefetch": _prefetch(work, knobs),
        "results": _results(work, knobs, machine),
    }
    launches = 1 if knobs.split_k == 1 else 2
    copied = copied_elements(work.product, machine.blocks)
    if copied:
        clocks["copies"] = 2 * copied * work.operand_bytes / machine.dram_rate
        launches += 1
    return predicted(machine, clocks, launches=launches)


def _engines(work: Work, knobs: DpasKnobs, machine: Machine) -> dict[str, float]:
    """Return the clocks of the busiest Xe-core's engines, by what they do."""
    rows, columns, depth = knobs.dpas
    instruction = rows * columns * DEPTH_ELEMENTS * 2 / machine.matrix_flops
    sums = (knobs.sub_group[0] // rows) * (knobs.sub_group[1] // columns)
    parts = knobs.k_step // depth
    own = parts * sums * instruction
    even = own * work.steps * work.sub_groups * work.groups / (machine.cores * machine.engines)
    near, ahead, beyond = _supply(work, knobs, machine)
    busy = stalls = waits = loop = 0.0
    for count, groups in rounds(work.per_core, work.resident):
        threads = ceil_div(groups * work.sub_groups, machine.engines)
        turns = count * work.steps
        fed = parts * max(threads * sums * instruction, DPAS_LATENCY_CLOCKS)
        # A thread waits for the operands of each part of its turn; others multiply meanwhile.
        far = beyond / ahead if ahead else own + parts * beyond
        turn = max(fed, own + parts * near, far)
        busy += turns * threads * own
        stalls += turns * (fed - threads * own)
        waits += turns * (turn - fed)
        loop += turns * threads * TURN_CLOCKS + count * START_CLOCKS
    return {
        "multiply": even, "waves": busy - even, "dpas latency": stalls, "latency": waits,
        "loop": loop,
    }  # fmt: skip


def _supply(work: Work, knobs: DpasKnobs, machine: Machine) -> tuple[float, int, float]:
    """Return the latency of L1, the turns that data is prefetched ahead, and its latency."""
    product = work.product
    total = product.batch * (product.rows + product.columns) * product.k * work.operand_bytes
    beyond = LATENCY_CLOCKS["L2" if total <= machine.l2_bytes else "DRAM"]
    ahead = knobs.prefetch_depth if _stays(work, knobs, machine) else 0
    return LATENCY_CLOCKS["L1"], ahead, beyond


def _stays(work: Work, knobs: DpasKnobs, machine: Machine) -> bool:
    """Whether what work-groups use and prefetch at the same time fits L1."""
    turns = knobs.prefetch_depth + 1
    held = work.resident * turns * _tile_bytes(knobs.work_group, work, knobs)
    return held <= machine.l1_bytes


def _spills(work: Work, knobs: DpasKnobs, machine: Machine) -> float:
    """Return what storing and loading the registers that are missing costs, each turn."""
    taken = knobs.registers(work.operand_bytes, machine.register_bytes) + RESERVED_REGISTERS
    missing = max(0, taken - knobs.grf)
    per_turn = 2 * missing * machine.register_bytes * work.sub_groups / machine.l1_rate
    return per_turn * work.steps * work.per_core


def _tile_bytes(tile: tuple[int, ...], work: Work, knobs: DpasKnobs) -> int:
    """Return the bytes of both operands of a tile, in one turn."""
    return sum(tile) * knobs.k_step * work.operand_bytes


def _l1(work: Work, knobs: DpasKnobs, machine: Machine) -> float:
    """Return the clocks of reading each sub-group's operands from L1."""
    of_group = work.sub_groups * _tile_bytes(knobs.sub_group, work, knobs) * work.steps
    return of_group * work.per_core / machine.l1_rate


def _l2(work: Work, knobs: DpasKnobs, machine: Machine) -> float:
    """Return the clocks of reading operands from L2.

    Each work-group's come once where they stay in L1; else each sub-group's do.
    """
    once = _tile_bytes(knobs.work_group, work, knobs)
    each = work.sub_groups * _tile_bytes(knobs.sub_group, work, knobs)
    moved = (once if _stays(work, knobs, machine) else each) * work.steps
    return moved * work.per_core * machine.cores / machine.l2_rate


def _dram(work: Work, knobs: DpasKnobs, machine: Machine) -> float:
    """Return the clocks of reading operands and writing the result.

    Work-groups run along columns: B comes again for each wave of them, unless L2 holds it beside
    a wave's rows of A.
    """
    tall, wide = knobs.work_group
    product = work.product
    left = product.rows * product.k * work.operand_bytes
    right = product.columns * product.k * work.operand_bytes
    running = machine.cores * work.resident
    strips = max(1, running // ceil_div(product.columns, wide))
    waves = ceil_div(ceil_div(product.rows, tall), strips)
    held = min(left, strips * tall * product.k * work.operand_bytes)
    times = 1 if right + held <= machine.l2_bytes else waves
    result = product.rows * product.columns * work.result_bytes
    return product.batch * (left + times * right + result) / machine.dram_rate


def _loads(work: Work, knobs: DpasKnobs, limits: BlockLimits) -> float:
    """Return the clocks of the load unit's messages."""
    product = work.product
    (rows, columns), step = knobs.sub_group, knobs.k_step
    a = _messages(side_access(product, "a", limits), rows * step, knobs.load_a)
    b = _messages(side_access(product, "b", limits), columns * step, knobs.load_b)
    return (a + b) * work.steps * work.sub_groups * work.per_core * MESSAGE_CLOCKS


def _messages(access: Access, elements: int, load: tuple[int, ...]) -> float:
    """Return the messages that load elements; one of lanes in different lines counts for each."""
    if access in (Access.BLOCK, Access.COPIED):
        return elements / (load[0] * load[1])
    return elements / DEPTH_ELEMENTS if access is Access.GATHERED else float(elements)


def _prefetch(work: Work, knobs: DpasKnobs) -> float:
    """Return the clocks of messages that prefetch; they return nothing, and take half."""
    if not knobs.prefetch_depth:
        return 0.0
    a = knobs.work_group[0] * knobs.k_step / (knobs.prefetch_a[0] * knobs.prefetch_a[1])
    b = knobs.work_group[1] * knobs.k_step / (knobs.prefetch_b[0] * knobs.prefetch_b[1])
    return (a + b) * work.steps * work.per_core * MESSAGE_CLOCKS / 2


def _results(work: Work, knobs: DpasKnobs, machine: Machine) -> float:
    """Return the clocks of stores, and of adding up parts of k.

    A store takes the sums of an instruction, or one of their rows.
    """
    rows, columns, _ = knobs.dpas
    product, tile = work.product, (rows, columns)
    elements = knobs.sub_group[0] * knobs.sub_group[1]
    access = access_of(product.result, product.column_letter, machine.blocks)
    stores = _messages(access, elements, tile)
    clocks = stores * work.sub_groups * work.per_core * MESSAGE_CLOCKS
    if knobs.split_k == 1:
        return clocks
    parts = 4 * product.batch * product.rows * product.columns * knobs.split_k
    level = machine.l2_rate if parts <= machine.l2_bytes else machine.dram_rate
    return clocks + 2 * parts / level
