"""What the processor proposes: bounded, reproducible, and never without the default."""

from __future__ import annotations

import pytest

from bellrock.params.ranking import LIMIT, rank
from bellrock.payload import generate
from bellrock.payload.motif import Motif
from bellrock.target.cpu.params import BlockKnobs
from bellrock.target.cpu.proposals import RECORDED
from bellrock.target.cpu.target import CPU
from bellrock.testing.payloads import motifs_of

TEXTS = {
    "product": generate.matmul(1000, 777, 1531),
    "vector": generate.matmul(4093, 1, 17),
    "prime": generate.matmul(1, 13, 8191),
    "batched": generate.contraction({"b": 12, "m": 7, "n": 9, "k": 64}, ("bmk", "bnk", "bmn")),
    "pointwise": generate.convolution((5, 96, 19, 23), (160, 96, 1, 1)),
    "square": generate.convolution((3, 24, 39, 43), (28, 24, 3, 3)),
    "strided": generate.convolution((1, 3, 61, 67), (24, 3, 7, 7), stride=2),
    "depthwise": generate.convolution((2, 8, 49, 53), (8, 1, 5, 5), groups=8),
    "line": generate.convolution((4, 3, 1003), (5, 3, 9)),
    "volume": generate.convolution((1, 8, 11, 29, 31), (20, 8, 3, 3, 3)),
    "rows": generate.reduction((1009, 3001), [1]),
    "columns": generate.reduction((501, 4099), [0]),
    "chain": generate.elementwise((33, 1000), ["exp", "tanh"]),
}


@pytest.fixture(params=TEXTS)
def motif(request: pytest.FixtureRequest) -> Motif:
    found = motifs_of(TEXTS[request.param])
    return max((m for m in found if CPU.knobs(m)), key=lambda m: m.flops or 0)


def test_they_are_bounded_and_the_same_each_time(motif: Motif) -> None:
    default = CPU.default_choice(motif)
    assert default is not None
    first = list(CPU.proposals(motif, default))
    assert list(CPU.proposals(motif, default)) == first
    assert len(first) <= LIMIT
    assert {type(k) for k in first} <= set(CPU.knobs(motif))


def test_every_class_is_proposed_and_predicted(motif: Motif) -> None:
    default = CPU.default_choice(motif)
    assert default is not None
    proposed = {type(k) for k in CPU.proposals(motif, default)}
    # The generic path is compared where that was measured, or where there is nothing else.
    compared = motif.kind in RECORDED or isinstance(default, BlockKnobs)
    beyond = set() if compared else {BlockKnobs}
    assert proposed == set(CPU.knobs(motif)) - beyond
    ranking = rank(motif, CPU, top=LIMIT)
    assert ranking is not None
    assert {type(p.knobs) for p in (*ranking.legal, *ranking.refused)} == proposed
    assert default in [p.knobs for p in ranking.legal]


def test_what_is_ranked_is_legal(motif: Motif) -> None:
    ranking = rank(motif, CPU, top=20)
    assert ranking is not None
    for proposal in ranking.legal:
        CPU.check_choice(motif, proposal.knobs)
    assert all(p.refused for p in ranking.refused)
    seconds = [p.prediction.seconds for p in ranking.legal]
    assert seconds[:-1] == sorted(seconds[:-1]), "the default may come last"
