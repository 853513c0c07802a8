"""The cost model of attentions: terms by hand on a device of round numbers, and rankings."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellrock.params.knobs import Knobs
from bellrock.params.ranking import LIMIT, Ranking, rank
from bellrock.payload.motifs.base import Motif, MotifKind, Operand, Side
from bellrock.target.base import Facts
from bellrock.target.xegpu.attention import DpasAttentionKnobs, default_attention
from bellrock.target.xegpu.cost.attention import FMA, QUERY_OPERATIONS, SCORE_OPERATIONS
from bellrock.target.xegpu.cost.machine import LATENCY_CLOCKS, MESSAGE_CLOCKS
from bellrock.target.xegpu.cost.model import MODEL
from bellrock.target.xegpu.facts import device_facts
from bellrock.target.xegpu.target import XeGpuTarget

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
VECTOR = 32
"""Operations of an engine's vector unit in a clock."""


def attention(batch: int, queries: int, keys: int, depth: int, features: int) -> Motif:
    """Return the motif; as everywhere, its operands are those of the last product."""
    sizes = {"b": batch, "m": queries, "n": features, "k": keys}
    roles = ("batch", "m", "n", "k")
    return Motif(
        kind=MotifKind.ATTENTION, op="linalg.generic", loops=tuple(sizes.values()), roles=roles,
        iterators=("parallel",) * 3 + ("reduction",), accumulator="f32", plain=True,
        dims={"batch": batch, "queries": queries, "keys": keys, "depth": depth,
              "features": features},
        lists={}, operands=tuple(
            Operand(side=Side.OUTPUT if i == 2 else Side.INPUT, dtype="f32" if i == 2 else "f16",
                    layout=name, shape=tuple(sizes[c] for c in name))
            for i, name in enumerate(("bmk", "bkn", "bmn"))
        ),
        flops=2 * batch * queries * keys * features, bytes_read=0, bytes_written=0,
    )  # fmt: skip


def knobs(**values: object) -> DpasAttentionKnobs:
    given: dict[str, object] = {
        "queries": 16, "keys": 32, "features": 64, "sub_groups": 8, "held": True,
        "prefetch_depth": 0, "grf": 256, **values,
    }  # fmt: skip
    return DpasAttentionKnobs.from_mapping(given)


def terms(motif: Motif, choice: Knobs, facts: Facts = FACTS) -> dict[str, float]:
    """Return the terms in nanoseconds, which are clocks; absent ones are 0."""
    prediction = MODEL.predict(motif, choice, facts)
    assert prediction is not None
    assert prediction.seconds == NS(sum(prediction.terms_seconds.values()))
    found = {name: seconds * 1e9 for name, seconds in prediction.terms_seconds.items()}
    return dict.fromkeys(("waves", "dpas latency", "latency", "spills", "prefetch"), 0.0) | found


def test_both_products_are_multiplied() -> None:
    found = terms(attention(4, 256, 512, 64, 64), knobs())
    assert found["multiply"] == NS(2 * 2 * 4 * 256 * 512 * 64 / (2 * 2048))
    assert found["waves"] == NS(0)


def test_scores_are_made_again_for_other_features() -> None:
    motif = attention(4, 256, 512, 64, 128)
    whole, parts = (terms(motif, knobs(features=n))["multiply"] for n in (128, 64))
    scores, values = 4 * 256 * 512 * 64, 4 * 256 * 512 * 128
    assert parts / whole == NS((2 * scores + values) / (scores + values))


def test_sizes_beyond_the_last_count() -> None:
    whole = terms(attention(4, 128, 512, 64, 64), knobs())["multiply"]
    for queries, keys, depth, features in [(121, 512, 64, 64), (128, 481, 64, 64),
                                           (128, 512, 49, 64), (128, 512, 64, 57)]:  # fmt: skip
        motif = attention(4, queries, keys, depth, features)
        assert terms(motif, knobs())["multiply"] == NS(whole)


def test_one_thread_hides_no_softmax() -> None:
    # Eight sub-groups for eight engines of one core; the other core has none.
    found = terms(attention(1, 128, 512, 64, 64), knobs())
    operations = 32 * 16 * SCORE_OPERATIONS + 16 * QUERY_OPERATIONS + 16 * 64
    assert found["softmax"] == NS(512 / 32 * operations * FMA / VECTOR)
    products = 512 / 32 * (4 * 4 + 2 * 8) * INSTRUCTION
    assert found["multiply"] + found["waves"] == NS(products)


def test_many_threads_hide_what_waits() -> None:
    one, many = (terms(attention(n, 128, 512, 64, 64), knobs()) for n in (2, 16))
    assert one["latency"] > 0
    assert many["latency"] == 0
    assert many["softmax"] < 8 * one["softmax"]


def test_prefetches_bring_what_is_waited_for_nearer() -> None:
    motif = attention(1, 128, 512, 64, 64)
    without, ahead = (terms(motif, knobs(prefetch_depth=n)) for n in (0, 2))
    saved = 512 / 32 * 2 * (LATENCY_CLOCKS["L2"] - LATENCY_CLOCKS["L1"])
    assert without["latency"] - ahead["latency"] == NS(saved)
    assert without["prefetch"] == 0
    assert ahead["prefetch"] == NS(512 * 128 / 512 * MESSAGE_CLOCKS / 2)


def test_queries_that_are_not_held_are_read_each_turn() -> None:
    facts = replace(FACTS, bandwidth_bytes_per_s={**FACTS.bandwidth_bytes_per_s, "L1": 2e6})
    motif = attention(1, 128, 512, 64, 64)
    held, read = (terms(motif, knobs(held=h), facts)["L1 traffic"] for h in (True, False))
    kept, turns, queries = 512 * 128 * 2, 512 // 32, 16 * 64 * 2
    clocks = 2e6 / 2 / 1e9  # bytes of a core in a clock
    assert read - held == NS(8 * queries * (turns - 1) / clocks)
    assert held == NS(8 * (kept + queries) / clocks, rel=1e-3)


def test_tiles_beyond_the_registers_spill() -> None:
    motif = attention(1, 128, 512, 64, 64)
    assert knobs(grf=128).is_legal(motif, FACTS) is False
    slow = replace(FACTS, bandwidth_bytes_per_s={**FACTS.bandwidth_bytes_per_s, "L1": 1e12})
    assert terms(motif, knobs(grf=128), slow)["spills"] > 0
    assert terms(motif, knobs(), slow)["spills"] == 0


SHAPES = [(8, 2048, 2048, 64, 64), (1, 1, 4096, 128, 128), (3, 77, 53, 33, 40), (1, 1, 1, 1, 1),
          (128, 49, 49, 32, 32), (2, 512, 4096, 256, 256), (12, 1024, 1021, 64, 64)]  # fmt: skip


class Shuffled(XeGpuTarget):
    """Intel GPUs, for which tiles are proposed in another order."""

    def proposals(self, motif: Motif, default: Knobs) -> Iterator[Knobs]:
        found = list(super().proposals(motif, default))
        random.Random(5).shuffle(found)
        yield from found


def ranked(motif: Motif, target: XeGpuTarget) -> Ranking:
    ranking = rank(motif, target, top=LIMIT)
    assert ranking is not None
    return ranking


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_one_order(shape: tuple[int, int, int, int, int]) -> None:
    motif = attention(*shape)
    one, other = (ranked(motif, kind(device="b580")) for kind in (XeGpuTarget, Shuffled))
    assert not one.truncated
    assert [p.knobs for p in one.legal] == [p.knobs for p in other.legal]
    assert len({p.order for p in one.legal}) == len(one.legal) > 3
    assert isinstance(one.pick.knobs, DpasAttentionKnobs)
    assert one.pick.knobs.is_legal(motif, device_facts("b580"))


def test_few_queries_get_small_work_groups() -> None:
    few, many = (
        ranked(attention(8, n, 2048, 64, 64), XeGpuTarget(device="b580")).legal[0].knobs
        for n in (32, 4096)
    )
    assert isinstance(few, DpasAttentionKnobs)
    assert isinstance(many, DpasAttentionKnobs)
    assert few.sub_groups <= 2 < many.sub_groups


SIZES = st.integers(1, 32).map(lambda n: 32 * n)


@given(st.tuples(*[SIZES] * 4), st.integers(0, 3), st.sampled_from(["b580", "lnl"]), st.data())
@settings(max_examples=60, deadline=None)
def test_more_work_is_never_faster(
    sizes: tuple[int, ...], grown: int, device: str, data: st.DataObject
) -> None:
    small = (data.draw(st.integers(1, 40)), *sizes)
    large = tuple(n + data.draw(SIZES) * (i == grown + 1) for i, n in enumerate(small))
    facts = device_facts(device)
    motif = attention(*small)
    choice = data.draw(st.sampled_from(list(XeGpuTarget(device=device).proposals(
        motif, default_attention(motif, facts)
    ))))  # fmt: skip
    before, after = (MODEL.predict(attention(*s), choice, facts) for s in (small, large))
    assert before is not None
    assert after is not None
    assert before.seconds <= after.seconds * (1 + 1e-9)
