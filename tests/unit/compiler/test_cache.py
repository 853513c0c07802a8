"""The compile cache: what goes in comes out, damage is absence, and errors say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellrock.compiler.cache import Cache, Entry, _decode, _encode, key_of
from bellrock.errors import CacheError


def entry(*code: bytes) -> Entry:
    return Entry(description={"name": "k", "seconds": 0.25}, code=code)


def test_an_entry_is_read_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "made" / "on-demand")
    assert cache.get("ab" * 32) is None
    cache.put("ab" * 32, entry(b"one", b"", b"three"))
    assert cache.get("ab" * 32) == entry(b"one", b"", b"three")


@given(st.lists(st.binary(max_size=50), max_size=4))
def test_coding_is_lossless(code: list[bytes]) -> None:
    assert _decode(_encode(entry(*code))) == entry(*code)


@given(st.integers(0, 10**6))
def test_a_damaged_entry_counts_as_absent(where: int) -> None:
    data = bytearray(_encode(entry(b"some code")))
    data[where % len(data)] ^= 0x55
    assert _decode(bytes(data)) is None


def test_a_cut_entry_counts_as_absent() -> None:
    data = _encode(entry(b"some code"))
    for size in range(len(data)):
        assert _decode(data[:size]) is None


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file" / "cache")
    assert cache.get("cd" * 32) is None
    with pytest.raises(CacheError, match=r"cannot be written.*BELLROCK_CACHE_DIR"):
        cache.put("cd" * 32, entry(b"x"))


def test_keys_tell_parts_apart() -> None:
    assert key_of("a", "bc") != key_of("ab", "c")
    assert key_of("a", ["b", "c"]) != key_of("a", ["bc"])
    assert key_of("a", "b") == key_of("a", "b")
