"""Seconds of an attention in one pass on matrix engines (`DpasAttentionKnobs`).

Flows in: a motif, the knobs, the machine. Flows out: a prediction. Terms, of the busiest Xe-core:

* *multiply*: matrix instructions of both products, those beyond the sizes included, if all engines
  shared them evenly. Scores that sub-groups with other features make again count.
* *waves*: what they do not share evenly.
* *dpas latency*: waiting for sums, where an engine has few of them.
* *softmax*: what vector units do to scores and sums, as far as matrix units of the same engine do
  not hide it; one thread hides nothing.
* *latency*: waiting for keys and values that were neither prefetched nor waited for beside others.
* *spills*: registers that the tile is too large for.
* *loads*, *L1 traffic*, *L2 traffic*, *DRAM traffic*: messages, and keys and values (and queries
  that are not held) of each sub-group, each work-group, all; as far as not hidden.
* *prefetch*: messages that prefetch.
* *loop*, *results*: what a turn and a sub-group need besides; stores.

What a mask hides is not known to a motif: all keys count.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.attention_unnormalised import ELEMENTWISE
from bellrock.payload.motifs.base import Motif, element_bytes
from bellrock.target.xegpu.attention import LANES, ROWS, DpasAttentionKnobs
from bellrock.target.xegpu.cost.dpas import (
    DEPTH_ELEMENTS,
    DPAS_LATENCY_CLOCKS,
    LATENCY_CLOCKS,
    MESSAGE_CLOCKS,
    START_CLOCKS,
    TURN_CLOCKS,
)
from bellrock.target.xegpu.cost.machine import Machine
from bellrock.target.xegpu.cost.terms import ceil_div, overlapped, predicted, rounds
from bellrock.target.xegpu.product import product_of

SCORE_OPERATIONS = 16.0
"""Vector operations on one score: scale, mask, maximum, exponential, total, rounding. Assumed."""
STAGE_OPERATIONS = 6.0
"""The same where there is no softmax. Assumed."""
QUERY_OPERATIONS = 48.0
"""On one query in one turn: the tree of its maximum and total, the scale of its sums. Assumed."""
FMA = 2
"""Operations of one multiply-add, by which rates are stated."""
BLOCK_ELEMENTS = 256
"""Of one block load: 16 elements a lane."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """An attention cut by knobs, in counts."""

    turns: int
    """Of the loop over keys."""
    score_products: int
    """Matrix instructions of one turn of one sub-group that make scores."""
    value_products: int
    features: int
    """Of a sub-group."""
    blocked_keys: bool
    """Whether block loads take keys and queries."""
    blocked_values: bool
    key_elements: int
    """Of keys that one turn reads."""
    value_elements: int
    query_elements: int
    """Of queries that one sub-group reads."""
    element_bytes: int
    groups: int
    per_core: int
    resident: int

    @classmethod
    def of(cls, motif: Motif, knobs: DpasAttentionKnobs, machine: Machine) -> Work:
        """Count."""
        dims, element = motif.dims, product_of(motif).operand_bytes
        features = min(knobs.features, ceil_div(dims["features"], ROWS) * ROWS)
        keys = min(knobs.keys, ceil_div(dims["keys"], LANES) * LANES)
        columns, steps = knobs.queries // LANES, ceil_div(dims["depth"], DEPTH_ELEMENTS)
        parts = ceil_div(dims["features"], knobs.features)
        blocks = ceil_div(dims["queries"], knobs.queries * knobs.sub_groups)
        groups = dims["batch"] * parts * blocks
        per_core = ceil_div(groups, machine.cores)
        fitting = machine.core_threads(knobs.grf) // knobs.sub_groups
        rows = {name: dims[name] * element for name in ("depth", "features")}
        return cls(
            turns=ceil_div(dims["keys"], keys),
            score_products=keys // ROWS * columns * steps,
            value_products=keys // LANES * columns * (features // ROWS),
            features=features,
            blocked_keys=machine.blocks.takes(rows["depth"], rows["depth"]),
            blocked_values=machine.blocks.takes(rows["features"], rows["features"]),
            key_elements=keys * dims["depth"], value_elements=keys * features,
            query_elements=knobs.queries * dims["depth"], element_bytes=element,
            groups=groups, per_core=per_core, resident=max(1, min(fitting, per_core)),
        )  # fmt: skip

    @property
    def turn_bytes(self) -> int:
        """Bytes of keys and values that one turn reads."""
        return (self.key_elements + self.value_elements) * self.element_bytes

    @property
    def query_bytes(self) -> int:
        """Bytes of queries that one sub-group reads."""
        return self.query_elements * self.element_bytes

    @property
    def products(self) -> int:
        """Matrix instructions of one turn of one sub-group."""
        return self.score_products + self.value_products


def predict_attention(motif: Motif, knobs: DpasAttentionKnobs, machine: Machine) -> Prediction:
    """Return the time of an attention.

    Args:
        motif: the attention.
        knobs: its choice.
        machine: that it runs on.
    """
    work = Work.of(motif, knobs, machine)
    engines = _engines(motif, work, knobs, machine)
    spills = _spills(motif, work, knobs, machine)
    beside = overlapped(
        sum(engines.values()) + spills,
        {
            "loads": _loads(work, knobs),
            "L1 traffic": _each(work, knobs) * work.per_core / machine.l1_rate,
            "L2 traffic": _l2(work, knobs, machine),
            "DRAM traffic": _dram(motif, work, knobs, machine),
        },
    )
    stores = knobs.queries * work.features / (BLOCK_ELEMENTS // 2)
    clocks = {
        **engines,
        "spills": spills,
        **beside,
        "prefetch": _prefetch(work, knobs),
        "results": stores * knobs.sub_groups * work.per_core * MESSAGE_CLOCKS,
    }
    return predicted(machine, clocks, launches=1)


def _vector_clocks(motif: Motif, work: Work, knobs: DpasAttentionKnobs, machine: Machine) -> float:
    """Return the clocks of what one sub-group does to scores in one turn."""
    scores = knobs.keys * knobs.queries
    if motif.variant == ELEMENTWISE:
        return scores * STAGE_OPERATIONS * FMA / machine.vector_flops
    operations = (
        scores * SCORE_OPERATIONS
        + knobs.queries * QUERY_OPERATIONS
        + knobs.queries * work.features  # sums are scaled again
    )
    return operations * FMA / machine.vector_flops


def _engines(
    motif: Motif, work: Work, knobs: DpasAttentionKnobs, machine: Machine
) -> dict[str, float]:
    """Return the clocks of the busiest Xe-core's engines, by what they do."""
    instruction = ROWS * LANES * DEPTH_ELEMENTS * FMA / machine.matrix_flops
    own, vector = work.products * instruction, _vector_clocks(motif, work, knobs, machine)
    chain = DPAS_LATENCY_CLOCKS * (
        ceil_div(motif.dims["depth"], DEPTH_ELEMENTS) + knobs.keys // LANES
    )
    beyond = _supply(motif, work, knobs, machine)
    busy = stalls = shown = waits = loop = 0.0
    for count, groups in rounds(work.per_core, work.resident):
        threads = ceil_div(groups * knobs.sub_groups, machine.engines)
        turns = count * work.turns
        fed = max(threads * own, chain)
        # One thread makes scores, then weights, then sums; others multiply meanwhile.
        softmax = vector + max(0.0, (threads - 1) * vector - (threads - 1) * own)
        turn = max(fed + softmax, own + vector + beyond)
        busy += turns * threads * own
        stalls += turns * (fed - threads * own)
        shown += turns * softmax
        waits += turns * (turn - fed - softmax)
        loop += turns * threads * TURN_CLOCKS + count * START_CLOCKS
    even = own * work.turns * knobs.sub_groups * work.groups / (machine.cores * machine.engines)
    return {
        "multiply": even, "waves": busy - even, "dpas latency": stalls, "softmax": shown,
        "latency": waits, "loop": loop,
    }  # fmt: skip


def _supply(motif: Motif, work: Work, knobs: DpasAttentionKnobs, machine: Machine) -> float:
    """Return the clocks that a thread waits for the keys, then the values, of a turn."""
    total = motif.dims["batch"] * work.turns * work.turn_bytes
    level = "L2" if total <= machine.l2_bytes else "DRAM"
    ahead = knobs.prefetch_depth if _stays(work, knobs, machine) and work.turns > 1 else 0
    near = 2 * LATENCY_CLOCKS["L1"]
    # With prefetches a turn's data has as many turns to come as it was asked for ahead.
    return max(near, 2 * LATENCY_CLOCKS[level] / (2 * ahead)) if ahead else (
        2 * LATENCY_CLOCKS[level]
    )  # fmt: skip


def _stays(work: Work, knobs: DpasAttentionKnobs, machine: Machine) -> bool:
    """Whether what work-groups use and prefetch at the same time fits L1."""
    return work.resident * (knobs.prefetch_depth + 1) * work.turn_bytes <= machine.l1_bytes


def _each(work: Work, knobs: DpasAttentionKnobs) -> float:
    """Return the bytes that the sub-groups of one work-group read."""
    again = 1 if knobs.held else work.turns
    return knobs.sub_groups * (work.turn_bytes * work.turns + work.query_bytes * again)


def _l2(work: Work, knobs: DpasAttentionKnobs, machine: Machine) -> float:
    """Return the clocks of reading from L2: once a work-group where keys stay in L1."""
    once = work.turn_bytes * work.turns + knobs.sub_groups * work.query_bytes
    moved = once if _stays(work, knobs, machine) else _each(work, knobs)
    return moved * work.per_core * machine.cores / machine.l2_rate


def _dram(motif: Motif, work: Work, knobs: DpasAttentionKnobs, machine: Machine) -> float:
    """Return the clocks of reading all, and writing results.

    Keys and values come once where L2 holds those of the batches that run, else with each wave.
    """
    dims, element = motif.dims, product_of(motif).operand_bytes
    blocks = ceil_div(dims["queries"], knobs.queries * knobs.sub_groups)
    kept = work.turns * work.turn_bytes
    running = machine.cores * work.resident
    batches = max(1, min(dims["batch"], running // blocks))
    times = 1 if batches * kept <= machine.l2_bytes else ceil_div(blocks, running)
    queries = dims["queries"] * dims["depth"] * element
    results = dims["queries"] * dims["features"] * element_bytes(motif.outputs[0].dtype)
    return dims["batch"] * (times * kept + queries + results) / machine.dram_rate


def _loads(work: Work, knobs: DpasAttentionKnobs) -> float:
    """Return the clocks of the load unit's messages; elements come one for each lane."""
    sizes = {True: BLOCK_ELEMENTS, False: LANES}
    keys, values = sizes[work.blocked_keys], sizes[work.blocked_values]
    of_turn = work.key_elements / keys + work.value_elements / values
    queries = work.query_elements / keys * (1 if knobs.held else work.turns)
    messages = of_turn * work.turns + queries
    return messages * knobs.sub_groups * work.per_core * MESSAGE_CLOCKS


def _prefetch(work: Work, knobs: DpasAttentionKnobs) -> float:
    """Return the clocks of messages that prefetch; they return nothing, and take half."""
    if not knobs.prefetch_depth or work.turns == 1:
        return 0.0
    pieces = (work.key_elements + work.value_elements) / (2 * BLOCK_ELEMENTS)
    return pieces * work.turns * work.per_core * MESSAGE_CLOCKS / 2


def _spills(motif: Motif, work: Work, knobs: DpasAttentionKnobs, machine: Machine) -> float:
    """Return what storing and loading the registers that are missing costs, each turn."""
    taken = knobs.registers(
        work.features, motif.dims["depth"], product_of(motif).operand_bytes, machine.register_bytes
    )
    missing = max(0, taken - knobs.grf)
    per_turn = 2 * missing * machine.register_bytes * knobs.sub_groups / machine.l1_rate
    return per_turn * work.turns * work.per_core
