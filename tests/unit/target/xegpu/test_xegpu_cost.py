"""The cost model of Intel GPUs: terms against formulas by hand, on a device of round numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif, MotifKind, Operand, Side
from bellrock.target.base import Facts
from bellrock.target.xegpu.cost.dpas import START_CLOCKS, TURN_CLOCKS
from bellrock.target.xegpu.cost.machine import (
    DPAS_LATENCY_CLOCKS,
    LATENCY_CLOCKS,
    LAUNCH_SECONDS,
    MESSAGE_CLOCKS,
)
from bellrock.target.xegpu.cost.model import MODEL
from bellrock.target.xegpu.cost.terms import HIDDEN
from bellrock.target.xegpu.dpas import RESERVED_REGISTERS, DpasKnobs
from bellrock.target.xegpu.facts import device_facts
from bellrock.target.xegpu.simt import SimtKnobs

NS = pytest.approx
FAST = 1e18
"""Bandwidth that no term notices."""
FACTS = Facts(
    device="a clock is a nanosecond", cores=2, vector_bits=512, vector_registers=256,
    cache_bytes={"L1": 1 << 18, "L2": 1 << 24}, core_caches=frozenset({"L1"}),
    features=frozenset(), clock_hz=1e9, limits=device_facts("b580").limits,
    peak_flops_per_s={"f32": 2 * 8 * 32e9}, bandwidth_bytes_per_s=dict.fromkeys(
        ("L1", "L2", "DRAM"), FAST
    ),
)  # fmt: skip
INSTRUCTION = 16
"""Clocks of one matrix instruction: 8 x 16 x 16 multiply-adds at 256 operations."""


def product(m: int, n: int, k: int, *, layouts: str = "mk kn mn", batch: int = 1) -> Motif:
    sizes = {"b": batch, "m": m, "n": n, "k": k}
    names = [f"b{layout}" if batch > 1 else layout for layout in layouts.split()]
    roles = ("batch", "m", "n", "k")
    return Motif(
        kind=MotifKind.CONTRACTION, op="linalg.generic", loops=tuple(sizes.values()), roles=roles,
        iterators=("parallel",) * 3 + ("reduction",), accumulator="f32",
        dims=dict(zip(roles, sizes.values(), strict=True)),
        lists={r: (s,) for r, s in zip(roles, sizes.values(), strict=True)},
        operands=tuple(
            Operand(side=Side.OUTPUT if i == 2 else Side.INPUT, dtype="f32" if i == 2 else "f16",
                    layout=name, shape=tuple(sizes[c] for c in name))
            for i, name in enumerate(names)
        ),
        flops=2 * batch * m * n * k, bytes_read=2 * batch * (m * k + k * n),
        bytes_written=4 * batch * m * n,
    )  # fmt: skip


def dpas(**values: object) -> DpasKnobs:
    given: dict[str, object] = {
        "work_group": (64, 64), "sub_group": (32, 16), "k_step": 32, "load_a": (16, 16),
        "load_b": (16, 16), "prefetch_a": (32, 16), "prefetch_b": (32, 16), "prefetch_depth": 0,
        **values,
    }  # fmt: skip
    return DpasKnobs.from_mapping(given)


def terms(motif: Motif, knobs: Knobs, facts: Facts = FACTS) -> dict[str, float]:
    """Return the terms in nanoseconds, which are clocks; absent ones are 0."""
    prediction = MODEL.predict(motif, knobs, facts)
    assert prediction is not None
    assert prediction.seconds == NS(sum(prediction.terms_seconds.values()))
    found = {name: seconds * 1e9 for name, seconds in prediction.terms_seconds.items()}
    return {
        **dict.fromkeys(("waves", "dpas latency", "latency", "spills", "prefetch"), 0.0)
    } | found


def with_rate(level: str, bytes_per_clock: float, facts: Facts = FACTS) -> Facts:
    """Return facts with one slow level."""
    rates = {**facts.bandwidth_bytes_per_s, level: bytes_per_clock * 1e9}
    return replace(facts, bandwidth_bytes_per_s=rates)


def shown(spent: float, one: float) -> float:
    """Return what a part adds to the time of what it runs beside."""
    return max(0.0, one - spent) + (1 - HIDDEN) * min(one, spent)


def engines(found: dict[str, float]) -> float:
    """Return the clocks of the engines."""
    return sum(found[n] for n in ("multiply", "waves", "dpas latency", "latency", "loop", "spills"))


def test_multiply_is_operations_over_the_peak() -> None:
    found = terms(product(256, 256, 64), dpas())
    assert found["multiply"] == NS(2 * 256 * 256 * 64 / (2 * 2048))
    assert found["waves"] == NS(0)
    assert found["launch"] == NS(LAUNCH_SECONDS * 1e9)


def test_rows_and_columns_beyond_the_sizes_are_multiplied_too() -> None:
    knobs = dpas(work_group=(8, 16), sub_group=(8, 16), load_a=(8, 16))
    whole = terms(product(8, 16, 64), knobs)
    for m, n, k in [(1, 16, 64), (8, 1, 64), (8, 16, 33), (3, 5, 40)]:
        assert terms(product(m, n, k), knobs)["multiply"] == NS(whole["multiply"])
    assert terms(product(9, 16, 64), knobs)["multiply"] == NS(2 * whole["multiply"])


def test_three_work_groups_on_two_cores_take_two_rounds() -> None:
    knobs = dpas()
    assert knobs.sub_groups == 8
    found = terms(product(192, 64, 64), knobs)
    # The busiest core has 2 groups of 8 sub-groups on 8 engines, each of 4 x 1 x 2 instructions.
    busiest = 2 * 2 * (4 * 2) * INSTRUCTION
    assert found["multiply"] == NS(busiest * 3 / 4)
    assert found["waves"] == NS(busiest / 4)


def test_engines_without_a_sub_group_are_a_wave_too() -> None:
    knobs = dpas(work_group=(64, 32), grf=128)
    found = terms(product(64, 64, 64), knobs)
    assert found["waves"] == NS(found["multiply"])


def test_a_single_sum_waits_for_itself() -> None:
    knobs = dpas(work_group=(8, 16), sub_group=(8, 16), load_a=(8, 16), k_step=16)
    found = terms(product(8, 16, 1600), knobs)
    assert found["dpas latency"] == NS(100 * (DPAS_LATENCY_CLOCKS - INSTRUCTION))
    assert terms(product(256, 256, 1600), dpas())["dpas latency"] == NS(0)


def test_what_is_not_prefetched_is_waited_for() -> None:
    motif, own = product(128, 64, 320), 4 * 2 * INSTRUCTION  # 10 turns of 2 parts, from L2
    found = terms(motif, dpas())
    assert found["latency"] == NS(10 * 2 * LATENCY_CLOCKS["L2"])
    # A prefetch ahead leaves what L1 needs, or what the turns until then do not last.
    one = terms(motif, dpas(prefetch_depth=1))
    turn = max(own + 2 * LATENCY_CLOCKS["L1"], LATENCY_CLOCKS["L2"])
    assert one["latency"] == NS(10 * (turn - own))
    assert one["prefetch"] == NS(10 * 2 * (64 * 32 / (32 * 16)) * MESSAGE_CLOCKS / 2)


def test_other_threads_hide_latency() -> None:
    # 8 groups on each core: as many as fit with 256 registers are 4 threads on each engine.
    found = terms(product(1024, 64, 320), dpas())
    own = 4 * 2 * INSTRUCTION
    assert found["latency"] == NS(2 * 10 * max(0.0, own + 2 * LATENCY_CLOCKS["L2"] - 4 * own))


def test_data_beyond_l2_comes_later() -> None:
    small = replace(FACTS, cache_bytes={"L1": 1 << 18, "L2": 1 << 10})
    found = terms(product(128, 64, 320), dpas(), small)
    assert found["latency"] == NS(10 * 2 * LATENCY_CLOCKS["DRAM"])


def test_prefetches_that_l1_does_not_keep_are_in_vain() -> None:
    tiny = replace(FACTS, cache_bytes={"L1": 1 << 13, "L2": 1 << 24})
    motif = product(128, 64, 320)
    found = terms(motif, dpas(prefetch_depth=1), tiny)
    assert found["latency"] == NS(terms(motif, dpas(), tiny)["latency"])
    assert found["prefetch"] > 0


def test_l1_serves_each_sub_group() -> None:
    motif = product(128, 64, 320)
    found = terms(motif, dpas(), with_rate("L1", 2 * 1.0))
    moved = 8 * (32 + 16) * 320 * 2
    assert found["L1 traffic"] == NS(shown(engines(found), moved))


def test_l2_serves_each_work_group() -> None:
    motif = product(128, 64, 320)
    slow = with_rate("L2", 2 * 1.0)
    moved = (64 + 64) * 320 * 2
    found = terms(motif, dpas(), slow)
    assert found["L2 traffic"] == NS(shown(engines(found), moved))
    # Where L1 does not keep the tile, each sub-group asks for itself.
    tiny = replace(slow, cache_bytes={"L1": 1 << 10, "L2": 1 << 24})
    found = terms(motif, dpas(), tiny)
    assert found["L2 traffic"] == NS(shown(engines(found), 8 * (32 + 16) * 320 * 2))


def test_dram_serves_all_once_or_b_for_each_wave() -> None:
    m, n, k = 1024, 1024, 64
    motif, slow = product(m, n, k), with_rate("DRAM", 0.01)
    a, b, c = 2 * m * k, 2 * n * k, 4 * m * n
    found = terms(motif, dpas(), slow)
    assert found["DRAM traffic"] == NS(shown(engines(found), (a + b + c) * 100))
    # 16 x 16 tiles; both cores run 8 at a time, which is less than a strip: 16 waves.
    tiny = replace(slow, cache_bytes={"L1": 1 << 18, "L2": 1 << 10})
    found = terms(motif, dpas(), tiny)
    assert found["DRAM traffic"] == NS(shown(engines(found), (a + 16 * b + c) * 100))


def test_a_tile_beyond_the_registers_spills() -> None:
    knobs = dpas(work_group=(64, 64), sub_group=(64, 64), load_a=(16, 16))
    missing = 64 * 64 * 4 // 64 + (64 + 64) * 32 // 64 + RESERVED_REGISTERS - 256
    found = terms(product(128, 64, 320), knobs, with_rate("L1", 2 * 64.0))
    assert found["spills"] == NS(2 * missing * 10)
    assert knobs.broken_constraint(product(128, 64, 320), FACTS) == "tile-in-registers"
    fits = dpas(work_group=(64, 64), sub_group=(32, 64))
    assert terms(product(128, 64, 320), fits)["spills"] == 0


def test_elements_that_no_block_holds_are_loaded_row_by_row() -> None:
    knobs = dpas()
    blocks = terms(product(128, 64, 320), knobs)
    a, b = 32 * 32 / 256, 32 * 16 / 256
    clocks = (a + b) * 10 * 8 * MESSAGE_CLOCKS
    assert blocks["loads"] == NS(shown(engines(blocks), clocks))
    # A pitch of 319 elements is no multiple of 16 bytes: 16 elements of a row with one message.
    rows = terms(product(128, 64, 319), knobs)
    clocks = (16 * a + b) * 10 * 8 * MESSAGE_CLOCKS
    assert rows["loads"] == NS(shown(engines(rows), clocks))
    # Transposed, each lane's element is in a row of its own.
    lanes = terms(product(129, 64, 320, layouts="km kn mn"), dpas(work_group=(256, 64)))
    clocks = (256 * a + b) * 10 * 32 * MESSAGE_CLOCKS
    assert lanes["loads"] == NS(shown(engines(lanes), clocks))


def test_transposed_operands_that_blocks_hold_are_blocks() -> None:
    straight = terms(product(128, 64, 320), dpas())
    turned = terms(product(128, 64, 320, layouts="km nk mn"), dpas())
    assert turned == straight


def test_a_transposed_result_swaps_rows_and_columns() -> None:
    knobs = dpas(work_group=(64, 128))
    turned = terms(product(512, 64, 320, layouts="mk kn nm"), knobs)
    assert turned == NS(terms(product(64, 512, 320), knobs))
    assert turned != NS(terms(product(512, 64, 320), knobs))


def test_results_are_stored_by_blocks_or_rows() -> None:
    groups, sums = 1, 8 * 4  # per core; instructions' sums of a group
    found = terms(product(128, 64, 320), dpas())
    assert found["results"] == NS(groups * sums * MESSAGE_CLOCKS)
    odd = terms(product(128, 63, 320), dpas())
    assert odd["results"] == NS(groups * sums * 8 * MESSAGE_CLOCKS)


def test_parts_of_k_are_added_up_afterwards() -> None:
    slow = with_rate("L2", 4.0)
    whole, parts = (terms(product(64, 64, 4096), dpas(split_k=s), slow) for s in (1, 4))
    assert parts["launch"] == NS(2 * whole["launch"])
    # Two groups on each core instead of one, and the parts written and read.
    assert parts["results"] == NS(2 * whole["results"] + 2 * 4 * 64 * 64 * 4 / 4.0)
    assert parts["loop"] == NS(2 * 32 * TURN_CLOCKS + START_CLOCKS)


def test_one_work_item_for_each_result() -> None:
    motif, knobs = product(64, 64, 32), SimtKnobs(group_size=256, items=1)
    found = terms(motif, knobs)
    # 16 groups on 2 cores, two operations and two besides, 32 of them a clock on each engine.
    assert found["arithmetic"] == NS(64 * 64 * 32 * 4 / (2 * 8 * 32))
    messages = 8 * 16 * (2 * 32 + 1) * MESSAGE_CLOCKS
    assert found["loads"] == NS(shown(found["arithmetic"], messages))


def test_an_unknown_class_has_no_prediction() -> None:
    class Other(Knobs, name="other"):
        pass

    assert MODEL.predict(product(8, 8, 8), Other(), FACTS) is None
