"""Properties of the memory plan: nothing live together overlaps, and the peak is not absurd."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bellrock.dialects.plan_memory import ALIGNMENT_BYTES, Buffer, assign_offsets


@st.composite
def buffers(draw: st.DrawFn) -> list[Buffer]:
    found = []
    for _ in range(draw(st.integers(0, 25))):
        first = draw(st.integers(0, 40))
        found.append(
            Buffer(
                op=None,  # type: ignore[arg-type]  # placement never looks at the op
                size_bytes=ALIGNMENT_BYTES * draw(st.integers(1, 50)),
                first=first,
                last=first + draw(st.integers(0, 15)),
            )
        )
    return found


@given(buffers())
def test_live_buffers_never_overlap(made: list[Buffer]) -> None:
    total = assign_offsets(made)
    for i, a in enumerate(made):
        assert a.offset_bytes % ALIGNMENT_BYTES == 0
        assert a.offset_bytes + a.size_bytes <= total
        for b in made[i + 1 :]:
            together = a.first <= b.last and b.first <= a.last
            apart = (
                a.offset_bytes + a.size_bytes <= b.offset_bytes
                or b.offset_bytes + b.size_bytes <= a.offset_bytes
            )
            assert apart or not together


@given(buffers())
def test_the_peak_is_between_what_is_live_and_the_sum(made: list[Buffer]) -> None:
    total = assign_offsets(made)
    live = [sum(b.size_bytes for b in made if b.first <= t <= b.last) for t in range(60)]
    assert max([ALIGNMENT_BYTES, *live]) <= total
    assert total <= max(ALIGNMENT_BYTES, sum(b.size_bytes for b in made))


def test_disjoint_lives_share_their_bytes() -> None:
    made = [Buffer(op=None, size_bytes=640, first=2 * i, last=2 * i + 1) for i in range(9)]  # type: ignore[arg-type]
    assert assign_offsets(made) == 640


def test_gaps_of_one_order_are_filled_by_another() -> None:
    """Largest first, the fourth lies below the third, and the first finds no place beside it."""
    sizes_and_spans = [(5, 9, 12), (6, 4, 8), (2, 9, 10), (2, 7, 11)]
    made = [
        Buffer(op=None, size_bytes=ALIGNMENT_BYTES * size, first=first, last=last)  # type: ignore[arg-type]
        for size, first, last in sizes_and_spans
    ]
    assert assign_offsets(made) == 9 * ALIGNMENT_BYTES
