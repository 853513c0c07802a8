"""Blocks: aligned, given out again once nobody refers to them, and never before."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bellrock
from bellrock.runtime.memory import (
    ALIGNMENT_BYTES,
    LARGE_PAGE_BYTES,
    RESULTS,
    BlockPool,
    fresh_block,
)

MIB = 1 << 20


@pytest.mark.parametrize("size", [1, 63, 4096, LARGE_PAGE_BYTES, 3 * LARGE_PAGE_BYTES + 5])
def test_a_fresh_block_is_aligned_and_can_be_written(size: int) -> None:
    block = fresh_block(size)
    assert block.nbytes == size
    assert block.ctypes.data % ALIGNMENT_BYTES == 0
    block[:] = 7
    assert int(block.sum(dtype=np.int64)) == 7 * size


def test_memory_that_is_not_there_is_an_error() -> None:
    with pytest.raises(MemoryError, match="bytes"):
        fresh_block(1 << 60)


def test_what_came_back_is_given_out_again() -> None:
    pool = BlockPool(8 * MIB)
    first = pool.take(MIB)
    address = first.ctypes.data
    assert pool.idle_bytes == 0
    del first
    assert pool.idle_bytes == MIB
    assert pool.take(MIB).ctypes.data == address


def test_what_came_back_last_is_given_out_first() -> None:
    pool = BlockPool(8 * MIB)
    old, new = pool.take(MIB), pool.take(MIB)
    warm = new.ctypes.data
    del old
    del new
    for _ in range(3):  # one block serves a caller that drops its results
        assert pool.take(MIB).ctypes.data == warm


def test_what_is_held_through_a_view_is_not_given_out() -> None:
    pool = BlockPool(8 * MIB)
    view = pool.take(MIB).view(np.float32).reshape(512, 512)[3:, 4:]
    tensor = torch.from_numpy(pool.take(MIB)).view(torch.float32).view(512, 512).t()[5:]
    numbers = tensor.numpy()
    del tensor
    gc.collect()
    assert pool.idle_bytes == 0
    other = pool.take(MIB)
    assert not np.shares_memory(other, view)
    assert not np.shares_memory(other, numbers)
    del view, numbers
    assert pool.idle_bytes == 2 * MIB


def test_the_oldest_goes_first_beyond_the_limit() -> None:
    pool = BlockPool(3 * MIB)
    old, new = pool.take(2 * MIB), pool.take(MIB + 64)
    kept = new.ctypes.data
    del old
    del new
    assert pool.idle_bytes == MIB + 64
    assert pool.take(MIB + 64).ctypes.data == kept


def test_a_pool_may_keep_nothing_and_gives_all_back() -> None:
    nothing = BlockPool(0)
    nothing.take(MIB)
    assert nothing.idle_bytes == 0
    pool = BlockPool(MIB)
    pool.take(MIB)
    pool.release()
    assert pool.idle_bytes == 0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([MIB, 2 * MIB, 3 * MIB]), st.integers(0, 3)), max_size=30)
)
def test_blocks_that_are_held_never_overlap(steps: list[tuple[int, int]]) -> None:
    pool = BlockPool(4 * MIB)
    held: list[tuple[np.ndarray, int]] = []
    for number, (size, drop) in enumerate(steps):
        block = pool.take(size)
        block[::4096] = number % 251
        held.append((block, number % 251))
        del block
        del held[: min(drop, len(held))]
        assert pool.idle_bytes <= pool.limit_bytes
    for each, value in held:
        assert (each[::4096] == value).all()


def test_threads_get_blocks_of_their_own() -> None:
    pool = BlockPool(16 * MIB)
    wrong = []

    def work(value: int) -> None:
        for _ in range(50):
            block = pool.take(MIB)
            block[::4096] = value
            if not (block[::4096] == value).all():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(v,)) for v in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


class Twice(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


def test_results_of_calls_do_not_share_memory_until_dropped() -> None:
    x = torch.ones(1024, 1025)
    compiled = bellrock.compile(Twice(), (x,), use_cache=False)
    RESULTS.release()
    first, second = compiled(x), compiled(3 * x)
    assert first.data_ptr() != second.data_ptr()
    tail, address = first[1000:], first.data_ptr()
    del first
    third = compiled(5 * x)
    assert third.data_ptr() not in (address, second.data_ptr())
    torch.testing.assert_close(tail, torch.full_like(tail, 2))
    torch.testing.assert_close(second, 6 * x)
    del tail
    assert compiled(x).data_ptr() == address
    array = compiled(x.numpy())
    assert isinstance(array, np.ndarray)
    np.testing.assert_array_equal(array, 2 * x.numpy())
