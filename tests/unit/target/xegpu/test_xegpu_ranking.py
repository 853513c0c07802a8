"""Rankings on Intel GPUs: one order, an answer for every shape, and what common sense says."""

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
from bellrock.target.xegpu.cost.model import MODEL
from bellrock.target.xegpu.dpas import DpasKnobs, default_dpas, takes_dpas
from bellrock.target.xegpu.facts import device_facts
from bellrock.target.xegpu.proposals import proposals
from bellrock.target.xegpu.simt import SimtKnobs
from bellrock.target.xegpu.target import XeGpuTarget

WAYS = (DpasKnobs, SimtKnobs)
LAYOUTS = ("mk kn mn", "km kn mn", "mk nk mn", "km nk nm")
SHAPES = [
    (1, 1, 1), (1, 4096, 4096), (17, 4096, 11008), (4096, 1, 4096), (7, 13, 5), (127, 257, 1021),
    (1000, 777, 1531), (8205, 2949, 5921), (8205, 5921, 2949), (3, 50257, 768), (16, 16, 100000),
]  # fmt: skip


def product(m: int, n: int, k: int, layouts: str = "mk kn mn", batch: int = 1) -> Motif:
    sizes = {"b": batch, "m": m, "n": n, "k": k}
    roles = ("batch", "m", "n", "k")
    return Motif(
        kind=MotifKind.CONTRACTION, op="linalg.generic", loops=tuple(sizes.values()), roles=roles,
        iterators=("parallel",) * 3 + ("reduction",), accumulator="f32",
        dims=dict(zip(roles, sizes.values(), strict=True)),
        lists={r: (s,) for r, s in zip(roles, sizes.values(), strict=True)},
        operands=tuple(
            Operand(side=Side.OUTPUT if i == 2 else Side.INPUT, dtype="f32" if i == 2 else "f16",
                    layout=f"b{name}", shape=tuple(sizes[c] for c in f"b{name}"))
            for i, name in enumerate(layouts.split())
        ),
        flops=2 * batch * m * n * k, bytes_read=2 * batch * (m * k + k * n),
        bytes_written=4 * batch * m * n,
    )  # fmt: skip


class Engines(XeGpuTarget):
    """Intel GPUs on which contractions may be computed both ways."""

    def knobs(self, motif: Motif) -> tuple[type[Knobs], ...]:
        return WAYS

    def default_choice(self, motif: Motif) -> Knobs | None:
        return default_dpas(motif, self.facts())


class Shuffled(Engines):
    """The same, which proposes in another order."""

    def proposals(self, motif: Motif, default: Knobs) -> Iterator[Knobs]:
        found = list(super().proposals(motif, default))
        random.Random(5).shuffle(found)
        yield from found


def ranked(motif: Motif, target: XeGpuTarget | None = None, *, top: int = 1) -> Ranking:
    ranking = rank(motif, target or Engines(device="b580"), top=top)
    assert ranking is not None
    return ranking


def best_seconds(motif: Motif, facts: Facts) -> float:
    """Return the time of the fastest legal proposal."""
    legal = (k for k in proposals(motif, WAYS, facts) if k.is_legal(motif, facts))
    predictions = (MODEL.predict(motif, knobs, facts) for knobs in legal)
    return min(p.seconds for p in predictions if p is not None)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("device", ["b580", "lnl", "max-1550"])
def test_every_shape_has_an_answer(shape: tuple[int, int, int], device: str) -> None:
    motif = product(*shape)
    ranking = ranked(motif, Engines(device=device))
    assert not ranking.truncated
    assert isinstance(ranking.pick.knobs, DpasKnobs)
    assert ranking.pick.knobs.is_legal(motif, device_facts(device))
    limit = motif.flops or 0
    assert ranking.pick.prediction.seconds > limit / device_facts(device).peak_flops_per_s["f16"]


@given(
    st.tuples(*[st.integers(1, 9000)] * 3), st.sampled_from(LAYOUTS), st.integers(1, 64),
    st.sampled_from(["b580", "lnl", "ptl", "max-1100"]),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_the_default_is_legal_for_any_shape(
    shape: tuple[int, int, int], layouts: str, batch: int, device: str
) -> None:
    motif, facts = product(*shape, layouts, batch), device_facts(device)
    assert takes_dpas(motif)
    default_dpas(motif, facts).validate(motif, facts)


@pytest.mark.parametrize("shape", [(512, 768, 640), (8205, 2949, 5921), (1, 4096, 4096)])
def test_the_order_does_not_depend_on_how_proposals_come(shape: tuple[int, int, int]) -> None:
    motif = product(*shape)
    one = ranked(motif, top=LIMIT)
    other = ranked(motif, Shuffled(device="b580"), top=LIMIT)
    assert [p.knobs for p in one.legal] == [p.knobs for p in other.legal]
    assert len({p.order for p in one.legal}) == len(one.legal) > 150
    assert one.considered <= LIMIT


SIZES = st.integers(1, 64).map(lambda n: 32 * n)
"""Multiples of what makes rows whole, so that a larger matrix is not laid out better."""


@given(st.tuples(SIZES, SIZES, SIZES), st.sampled_from(["m", "n", "k", "batch"]), st.data())
@settings(max_examples=60, deadline=None)
def test_more_work_is_never_faster(
    shape: tuple[int, int, int], grown: str, data: st.DataObject
) -> None:
    facts = device_facts("b580")
    sizes = dict(zip(("m", "n", "k"), shape, strict=True)) | {"batch": 1}
    larger = {**sizes, grown: sizes[grown] + data.draw(SIZES)}
    small, large = (product(layouts=LAYOUTS[0], **s) for s in (sizes, larger))
    knobs = data.draw(st.sampled_from(list(proposals(small, WAYS, facts))))
    times = [MODEL.predict(motif, knobs, facts) for motif in (small, large)]
    assert times[0] is not None
    assert times[1] is not None
    assert times[0].seconds <= times[1].seconds * (1 + 1e-9)


@given(st.tuples(SIZES, SIZES, SIZES), st.sampled_from(["cores", "clock", "L2", "DRAM"]), st.data())
@settings(max_examples=60, deadline=None)
def test_a_bigger_device_is_never_slower(
    shape: tuple[int, int, int], grown: str, data: st.DataObject
) -> None:
    motif, small = product(*shape), device_facts("b580")
    large = enlarged(small, grown)
    knobs = data.draw(st.sampled_from(list(proposals(motif, WAYS, small))))
    times = [MODEL.predict(motif, knobs, facts) for facts in (small, large)]
    assert times[0] is not None
    assert times[1] is not None
    assert times[1].seconds <= times[0].seconds * (1 + 1e-9)


def enlarged(facts: Facts, what: str) -> Facts:
    """Return a device with more of something, and the rates that come with it."""
    rates, peaks = dict(facts.bandwidth_bytes_per_s), dict(facts.peak_flops_per_s)
    if what == "DRAM":
        return replace(facts, bandwidth_bytes_per_s={**rates, "DRAM": 2 * rates["DRAM"]})
    if what == "L2":
        caches = {**facts.cache_bytes, "L2": 2 * facts.cache_bytes["L2"]}
        return replace(facts, cache_bytes=caches)
    more = {"cores": {"cores": 2 * facts.cores}, "clock": {"clock_hz": 2 * facts.clock_hz}}[what]
    faster = {level: 2 * rate for level, rate in rates.items() if level != "DRAM"}
    return replace(
        facts, bandwidth_bytes_per_s={**rates, **faster},
        peak_flops_per_s={dtype: 2 * rate for dtype, rate in peaks.items()}, **more,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(4096, 4096, 4096), (1000, 777, 1531), (17, 4096, 11008)])
def test_devices_are_in_the_order_of_their_numbers(shape: tuple[int, int, int]) -> None:
    motif = product(*shape)
    seconds = [best_seconds(motif, device_facts(d)) for d in ("lnl", "b60", "b580", "max-1550")]
    assert seconds == sorted(seconds, reverse=True)
    assert best_seconds(motif, device_facts("b70")) < best_seconds(motif, device_facts("b60"))


def test_engines_win_where_there_is_much_to_multiply() -> None:
    ranking = ranked(product(4096, 4096, 4096), top=LIMIT)
    first = next(i for i, p in enumerate(ranking.legal) if isinstance(p.knobs, SimtKnobs))
    assert all(isinstance(p.knobs, DpasKnobs) for p in ranking.legal[:first])
    assert first > 500
    slower = ranking.legal[first].prediction.seconds / ranking.pick.prediction.seconds
    assert slower > 20


def test_large_matrices_get_large_tiles_and_small_ones_many() -> None:
    facts = device_facts("b580")
    large, small = (ranked(product(n, n, n)).legal[0].knobs for n in (8192, 256))
    assert isinstance(large, DpasKnobs)
    assert isinstance(small, DpasKnobs)
    assert sorted(large.sub_group) == [32, 64]
    assert large.sub_groups >= 16
    groups = (256 // small.work_group[0]) * (256 // small.work_group[1])
    assert groups * small.sub_groups >= facts.cores


def test_what_keeps_a_faster_tile_out_is_named() -> None:
    motif, facts = product(4096, 4096, 4096), device_facts("b580")
    ranking = ranked(motif, top=LIMIT)
    assert {p.refused for p in ranking.refused} == {"tile-in-registers"}
    wide = replace(default_dpas(motif, facts), sub_group=(64, 64), work_group=(256, 256))
    assert wide.broken_constraint(motif, facts) == "tile-in-registers"
    crowd = replace(default_dpas(motif, facts), sub_group=(8, 16), work_group=(128, 128),
                    load_a=(8, 16))  # fmt: skip
    assert crowd.broken_constraint(motif, facts) == "work-group-on-one-core"
