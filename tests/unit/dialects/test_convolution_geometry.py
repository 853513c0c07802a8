"""The packed input of a block: every tap finds the element that the convolution reads."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bellrock.dialects.convolution.geometry import Axis, Halo, cut_taps, phase_taps


def packed(halo: Halo, low: int = 0) -> dict[int, tuple[int, int]]:
    """Return which input element each position of one channel's buffer holds."""
    found: dict[int, tuple[int, int]] = {}
    row, column = halo.row, halo.column
    for (a, row_phase), (b, column_phase) in itertools.product(
        enumerate(row.phases), enumerate(column.phases)
    ):
        for r, q in itertools.product(range(halo.packed_rows), range(halo.pitch)):
            at = halo.plane_at(0, a, b) + r * halo.pitch + q
            assert at not in found
            found[at] = (
                r * row.stride + row_phase - low,
                q * column.stride + column_phase - low,
            )
    return found


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 5])
def test_taps_find_their_elements(kernel: int, stride: int, dilation: int) -> None:
    row = Axis(output=4, kernel=kernel, stride=stride, dilation=dilation, size=99)
    column = Axis(output=6, kernel=3, stride=stride, dilation=dilation, size=99)
    halo = Halo((), row, column, in_channels=2, rows=4, columns=6, lanes=4)
    held = packed(halo)
    assert max(held) < halo.channel
    taps = halo.taps()
    for (h, w), tap in zip(itertools.product(range(kernel), range(3)), taps, strict=True):
        for y, x in itertools.product(range(4), range(6)):
            wanted = (y * stride + h * dilation, x * stride + w * dilation)
            assert held[tap + y * halo.pitch + x] == wanted


@pytest.mark.parametrize("largest", [1, 2, 3, 4, 9, 20])
def test_taps_are_cut_into_like_blocks(largest: int) -> None:
    halo = Halo(
        (),
        Axis(output=4, kernel=3, stride=2, size=9),
        Axis(output=4, kernel=4, stride=2, size=10),
        1,
        4,
        4,
        4,
    )
    offsets, weights = halo.taps(), list(range(12))
    blocks = cut_taps(offsets, weights, largest)
    assert len(blocks.offsets) <= largest
    rebuilt = [start + o for start in blocks.starts for o in blocks.offsets]
    assert rebuilt == offsets
    assert [start + w for start in blocks.weight_starts for w in blocks.weights] == weights


def test_equal_distances_need_no_table() -> None:
    assert cut_taps([0, 1, 10, 11, 20, 21], [0, 1, 2, 3, 4, 5], 2).step == (10, 2)
    assert cut_taps([0, 1, 10, 11, 30, 31], [0, 1, 2, 3, 4, 5], 2).step is None


def test_padding_is_told_from_sizes() -> None:
    assert not Axis(output=5, kernel=3, size=7).padded
    assert Axis(output=5, kernel=3, size=6).padded
    assert Axis(output=5, kernel=3, size=7, low=1).padded


@pytest.mark.parametrize("spread", [2, 3])
@pytest.mark.parametrize("low", [-1, 0, 2])
def test_taps_of_a_transposed_convolution_meet_no_zero(spread: int, low: int) -> None:
    """Every tap that meets an input element is found once, and at that element."""
    row = Axis(output=7, kernel=4, size=5, low=low, spread=spread)
    column = Axis(output=8, kernel=3, dilation=2, size=5, low=low, spread=spread)
    halo = Halo((), row.dense, column.dense, 1, 3, 4, 4)
    held = {at: (r, q) for at, (r, q) in packed(halo).items()}
    taps = phase_taps(halo, [(row, 10), (column, 1)])
    for y, x in itertools.product(range(spread * 3), range(spread * 4)):
        phase = y % spread * spread + x % spread
        found = {
            taps.weights[i]: held[taps.offsets[i] + y // spread * halo.pitch + x // spread]
            for i in range(taps.starts[phase], taps.starts[phase + 1])
        }
        wanted = {}
        for h, w in itertools.product(range(4), range(3)):
            at = (y + h - low, x + 2 * w - low)
            if at[0] % spread == at[1] % spread == 0:
                place = (at[0] // spread + halo.row.low, at[1] // spread + halo.column.low)
                wanted[10 * h + w] = place
        assert found == wanted


@pytest.mark.parametrize("columns", [1, 16, 31, 47, 48, 49])
@pytest.mark.parametrize("kernel", [1, 3, 30])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_tiles_hold_every_pixel_of_a_block(rows: int, kernel: int, columns: int) -> None:
    tile = 32
    row = Axis(output=rows, kernel=1, size=rows)
    column = Axis(output=columns, kernel=kernel, size=columns + kernel - 1)
    halo = Halo((), row, column, in_channels=1, rows=rows, columns=columns, lanes=16)
    if halo.by_rows(tile):
        steps = range(halo.row_tiles(tile))
        starts = [r * halo.pitch + s * tile for r in range(rows) for s in steps]
    else:
        starts = [s * tile for s in range(halo.tiles(rows, tile))]
    assert len(starts) == halo.tiles(rows, tile)
    held = {start + i for start in starts for i in range(tile)}
    assert held >= {r * halo.pitch + q for r in range(rows) for q in range(columns)}
    assert max(held) < halo.span(tile)
    # Neither way takes more tiles than the other would.
    across, apart = -(-halo.pixels(rows) // tile), rows * halo.row_tiles(tile)
    assert halo.tiles(rows, tile) == min(across, apart)


@st.composite
def padded_axes(draw: st.DrawFn) -> Axis:
    """Draw an axis with any padding around it."""
    kernel, size = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    low, high = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    room = low + size + high - (kernel - 1) * dilation - 1
    assume(room >= 0)
    return Axis(
        output=room // stride + 1,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        size=size,
        low=low,
    )


@given(row=padded_axes(), column=padded_axes(), part=st.integers(1, 3))
def test_rows_that_share_their_padding_hold_every_element(
    row: Axis, column: Axis, part: int
) -> None:
    """Rows are written one after the other, in whole vectors; None is padding."""
    columns = -(-column.output // part)
    halo = Halo((), row, column, in_channels=1, rows=row.output, columns=columns, lanes=4)

    def element(y: int, x: int) -> tuple[int, int] | None:
        return (y, x) if 0 <= y < row.size and 0 <= x < column.size else None

    held: dict[int, tuple[int, int] | None] = {}
    for (a, row_phase), (b, column_phase) in itertools.product(
        enumerate(row.phases), enumerate(column.phases)
    ):
        for r, q in itertools.product(range(halo.packed_rows), range(-(-halo.width // 4) * 4)):
            held[halo.plane_at(0, a, b) + r * halo.pitch + q] = element(
                r * row.stride + row_phase - row.low,
                q * column.stride + column_phase - column.low,
            )
    assert max(held) < halo.elements(4)
    taps = itertools.product(range(row.kernel), range(column.kernel))
    for (h, w), tap in zip(taps, halo.taps(), strict=True):
        for y, x in itertools.product(range(row.output), range(columns)):
            assert held[tap + y * halo.pitch + x] == element(
                y * row.stride + h * row.dilation - row.low,
                x * column.stride + w * column.dilation - column.low,
            )


def test_padding_on_both_sides_costs_no_pixels() -> None:
    column = Axis(output=36, kernel=5, size=32, low=4)
    whole = Halo((), Axis(output=9, size=9), column, 1, rows=9, columns=36, lanes=16)
    assert (whole.width, whole.pitch) == (40, 36)
    assert Halo((), Axis(output=9, size=9), column, 1, rows=9, columns=18, lanes=16).pitch == 22
    same = Axis(output=14, kernel=3, size=14, low=1)
    assert Halo((), same, same, 1, rows=14, columns=14, lanes=16).pitch == 15
