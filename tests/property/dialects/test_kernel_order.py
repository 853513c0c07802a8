"""Orders of calls: whatever waits for whatever, nothing comes too early."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bellrock.dialects.kernel_order import Needs, call_order, peak_of


@st.composite
def needs(draw: st.DrawFn) -> Needs:
    count = draw(st.integers(1, 14))
    found = Needs(after=[set() for _ in range(count)])
    for call in range(count):
        earlier = draw(st.sets(st.integers(0, count - 1), max_size=3))
        found.after[call] = {e for e in earlier if e < call}
        found.users.append({call})
        found.size_bytes.append(draw(st.integers(0, 9)))
    for call, after in enumerate(found.after):
        for earlier in after:
            found.users[earlier].add(call)
    return found


@settings(max_examples=200, deadline=None)
@given(needs())
def test_each_call_comes_once_and_behind_what_it_needs(given_needs: Needs) -> None:
    order = call_order(given_needs)
    assert sorted(order) == list(range(len(given_needs.after)))
    place = {call: i for i, call in enumerate(order)}
    assert all(place[e] < place[c] for c, after in enumerate(given_needs.after) for e in after)


def test_a_row_is_made_as_soon_as_its_state_is_free() -> None:
    # Calls 0 to 2 make states, each from the one before; 3 to 5 a row of each.
    rows = Needs(
        after=[set(), {0}, {1}, {0}, {1, 3}, {2, 4}],
        users=[{0, 1, 3}, {1, 2, 4}, {2, 5}],
        size_bytes=[8, 8, 8],
    )
    order = call_order(rows)
    assert order == [0, 1, 3, 2, 4, 5]
    assert (peak_of(rows, range(6)), peak_of(rows, order)) == (24, 16)
