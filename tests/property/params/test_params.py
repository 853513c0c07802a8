"""Knob spaces hold what they promise; lock files give back what they were given."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from bellrock.params import Constraint, Knobs, knob
from bellrock.params.lock import Lock, LockRow, parse_lock
from bellrock.payload.motif import Motif, MotifKind
from bellrock.target.base import Facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Space(Knobs, name="space"):
    tile: tuple[int, ...] = knob(low=1, high=16)
    unroll: int = knob(default=1, low=1, high=8)
    packed: bool = knob(default=False)

    constraints = (
        Constraint("one-size-per-loop", "len(tile) == rank"),
        Constraint("tile-within-loops", "within(tile, loops)"),
        Constraint("tile-in-L1", "prod(tile) * element_bytes * (2 if packed else 1) <= L1d"),
        Constraint("registers", "unroll * ceildiv(tile[0], lanes) <= vector_registers"),
    )


motifs = st.lists(st.integers(1, 20), min_size=1, max_size=3).map(
    lambda loops: Motif(
        kind=MotifKind.ELEMENTWISE, op="linalg.generic", loops=tuple(loops), accumulator="f32"
    )
)
devices = st.builds(
    lambda l1, bits, registers: Facts(
        device="a machine",
        cores=1,
        vector_bits=bits,
        vector_registers=registers,
        cache_bytes={"L1d": l1},
        features=frozenset(),
    ),
    st.integers(4, 8192),
    st.sampled_from([128, 256, 512]),
    st.integers(1, 8),
)


@given(motifs, devices)
@settings(max_examples=50, deadline=None)
def test_every_candidate_meets_its_constraints(motif: Motif, facts: Facts) -> None:
    found = list(Space.candidates(motif, facts))
    assert len(found) == len(set(found))
    for knobs in found:
        knobs.validate(motif, facts)
        assert Space.from_mapping(knobs.to_mapping()) == knobs


@given(motifs, devices)
@settings(max_examples=50, deadline=None)
def test_no_legal_candidate_is_missed(motif: Motif, facts: Facts) -> None:
    smallest = Space(tile=(1,) * len(motif.loops))
    assert (smallest in Space.candidates(motif, facts)) == _legal(smallest, motif, facts)
    largest = Space(tile=tuple(1 << (n.bit_length() - 1) for n in motif.loops), unroll=8)
    assert (largest in Space.candidates(motif, facts)) == _legal(largest, motif, facts)


def _legal(knobs: Space, motif: Motif, facts: Facts) -> bool:
    """Judge without the machinery under test."""
    elements, lanes = 1, facts.vector_bits // 32
    for size, loop in zip(knobs.tile, motif.loops, strict=True):
        elements *= size
        if size > min(loop, 16):
            return False
    vectors = knobs.unroll * -(-knobs.tile[0] // lanes)
    fits = elements * 4 * (2 if knobs.packed else 1) <= facts.cache_bytes["L1d"]
    return fits and vectors <= facts.vector_registers


names = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=30)
values = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    names,
    st.lists(st.integers(0, 2**40), max_size=5).map(tuple),
)
seconds = st.none() | st.floats(0, 1e6, allow_nan=False, allow_infinity=False)
rows = st.builds(
    LockRow,
    motif=names,
    knobs=names,
    parameters=st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), values, max_size=4),
    by=names,
    predicted_seconds=seconds,
    measured_seconds=seconds,
)


@given(st.lists(rows, max_size=4, unique_by=lambda row: row.motif))
@settings(max_examples=80, deadline=None)
def test_lock_round_trip(given_rows: list[LockRow]) -> None:
    text = Lock(rows=tuple(given_rows), target="cpu").text()
    lock = parse_lock(text, source="f")
    assert lock.rows == tuple(sorted(given_rows, key=lambda row: row.motif))
    assert Lock(rows=lock.rows, target=lock.target).text() == text
