"""Blocks cover a tensor once, and group sums are what a plain sum over each group gives."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bellrock.verify import blocks
from bellrock.verify.blocks import (
    TILE,
    GroupSums,
    canonical_shape,
    expand_groups,
    group_counts,
    group_start,
    iterate_blocks,
)

shapes = st.lists(st.integers(1, 40), max_size=4).map(tuple)
canonical = st.tuples(st.integers(1, 6), st.integers(1, 70), st.integers(1, 70))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ELEMENTS", 300)


@given(shapes)
def test_canonical_shape_keeps_the_elements(shape: tuple[int, ...]) -> None:
    assert math.prod(canonical_shape(shape)) == math.prod(shape)


@settings(deadline=None)
@given(canonical)
def test_blocks_cover_each_element_once(shape: tuple[int, int, int]) -> None:
    seen = torch.zeros(shape)
    for where in iterate_blocks(shape):
        seen[where] += 1
        assert math.prod(part.stop - part.start for part in where) <= blocks.BLOCK_ELEMENTS
        assert where[1].start % TILE == 0 or where[1].start == 0 or seen.shape[1] <= 300
    assert bool((seen == 1).all())


@settings(deadline=None, max_examples=60)
@given(canonical, st.integers(0, 9))
def test_group_sums(shape: tuple[int, int, int], seed: int) -> None:
    values = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    sums = GroupSums(shape=shape)
    for where in iterate_blocks(shape):
        sums.add(where, values[where])
    counts = group_counts(shape)
    everywhere = slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2])
    for name, group in sums.sums.items():
        assert float(group.sum()) == pytest.approx(float(values.sum()))
        assert float(counts[name].sum()) == values.numel()
        # each element's group is the one whose sum it went into
        numbers = torch.arange(group.numel()).view(group.shape)
        mine = expand_groups(name, numbers, everywhere).expand(shape)
        for index in range(min(group.numel(), 20)):
            members = values[mine == index]
            assert float(members.sum()) == pytest.approx(float(group.flatten()[index]))
            place = torch.unravel_index(torch.tensor(index), group.shape)
            start = group_start(name, (int(place[0]), int(place[1]), int(place[2])))
            assert int(mine[start]) == index
