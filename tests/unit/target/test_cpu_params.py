"""Choices of the processor's target that need no measurement."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellrock.errors import SelectionError
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.base import Facts
from bellrock.target.cpu.params import BlockKnobs, default_blocks, even_size

FACTS = Facts(
    device="test", cores=4, vector_bits=512, vector_registers=32,
    cache_bytes={"L1d": 32768}, features=frozenset(),
)  # fmt: skip


def motif(loops: tuple[int, ...], iterators: tuple[str, ...]) -> Motif:
    roles = tuple("parallel" if i == "parallel" else "reduction" for i in iterators)
    return Motif(
        kind=MotifKind.REDUCTION, op="linalg.generic", loops=loops, iterators=iterators,
        roles=roles, accumulator="f32",
    )  # fmt: skip


@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.sampled_from(["parallel", "reduction"])),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_defaults_are_legal_for_any_shape(made: list[tuple[int, str]]) -> None:
    found = motif(tuple(s for s, _ in made), tuple(k for _, k in made))
    blocks = default_blocks(found, FACTS)
    assert blocks is not None
    blocks.validate(found, FACTS)
    for (size, _), tile in zip(made, blocks.tile, strict=True):
        assert 0 <= tile <= size


def test_large_parallel_work_is_shared_by_all_cores() -> None:
    found = motif((1024, 4096), ("parallel", "reduction"))
    blocks = default_blocks(found, FACTS)
    assert blocks is not None
    assert math.ceil(1024 / blocks.tile[0]) >= FACTS.cores


def test_small_work_stays_on_one_core() -> None:
    blocks = default_blocks(motif((8, 8), ("parallel", "parallel")), FACTS)
    assert blocks is not None
    assert not any(blocks.tile)


def test_a_block_of_a_reduction_is_refused() -> None:
    found = motif((64, 64), ("parallel", "reduction"))
    with pytest.raises(SelectionError, match=r"blocks-of-parallel-loops.*loop 1 is a reduction"):
        BlockKnobs(tile=(8, 8)).validate(found, FACTS)


def test_an_order_that_is_no_permutation_is_refused() -> None:
    found = motif((64, 64), ("parallel", "reduction"))
    with pytest.raises(SelectionError, match="order-is-a-permutation"):
        BlockKnobs(tile=(8, 0), order=(0, 0)).validate(found, FACTS)


@given(st.integers(1, 10000), st.integers(1, 500))
def test_even_size_is_near_its_target(size: int, target: int) -> None:
    found = even_size(size, min(size, target))
    assert min(size, target) / 2 <= found <= min(size, target)
