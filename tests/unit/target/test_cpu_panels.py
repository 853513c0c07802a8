"""The default for contractions by register tiles: legal for any shape, and what it aims at."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellrock.errors import SelectionError
from bellrock.target.base import Facts
from bellrock.target.cpu.panel_rule import default_panels, register_tile
from bellrock.target.cpu.panels import takes_panels
from support.contractions import FACTS, LAYOUTS, SIZES, SMALL, contraction


@given(SIZES, LAYOUTS, st.sampled_from(["f32", "bf16", "f16"]), st.sampled_from([FACTS, SMALL]))
def test_defaults_are_legal_for_any_shape(
    sizes: dict[str, int], layouts: tuple[str, str, str], dtype: str, facts: Facts
) -> None:
    motif = contraction(sizes, layouts, dtype)
    assert takes_panels(motif)
    choice = default_panels(motif, facts)
    choice.validate(motif, facts)
    for loop, tile in zip(motif.loops, choice.tile, strict=True):
        assert 0 <= tile <= loop


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_a_register_tile_fits_and_wastes_little(rows: int, columns: int) -> None:
    height, vectors = register_tile(rows, columns, 16, 32)
    assert height * vectors + vectors + 1 <= 32
    computed = math.ceil(rows / height) * height * math.ceil(columns / 16 / vectors) * vectors
    least = rows * math.ceil(columns / 16)
    assert computed <= 1.3 * least + 32


def test_large_products_are_shared_by_all_cores() -> None:
    motif = contraction({"b": 1, "m": 1024, "n": 1024, "k": 1024})
    choice = default_panels(motif, FACTS)
    blocks = math.prod(math.ceil(s / t) for s, t in zip(motif.loops, choice.tile, strict=True) if t)
    assert blocks >= FACTS.cores
    assert choice.pack


def test_few_rows_that_lie_along_k_are_not_packed() -> None:
    motif = contraction({"b": 1, "m": 3, "n": 4096, "k": 4096}, ("bmk", "bnk", "bmn"), "bf16")
    choice = default_panels(motif, FACTS)
    assert (choice.vector, choice.pack, choice.copy, choice.pairs) == ("k", False, False, True)


def test_what_only_some_operands_allow_is_refused() -> None:
    motif = contraction({"b": 1, "m": 64, "n": 64, "k": 64})
    choice = default_panels(motif, FACTS)
    with pytest.raises(SelectionError, match="k-side-by-side"):
        replace(choice, vector="k").validate(motif, FACTS)
    with pytest.raises(SelectionError, match="pairs-of-bf16"):
        replace(choice, pairs=True).validate(motif, FACTS)
    with pytest.raises(SelectionError, match="tile-in-registers"):
        replace(choice, rows=20, columns=4).validate(motif, FACTS)


def test_what_computes_more_or_sums_otherwise_is_not_taken() -> None:
    motif = contraction({"b": 1, "m": 8, "n": 8, "k": 8})
    assert not takes_panels(replace(motif, plain=False))
    assert not takes_panels(replace(motif, accumulator="f64"))
    assert not takes_panels(contraction({"b": 1, "m": 8, "n": 8, "k": 8}, dtype="i8"))


@pytest.mark.parametrize(
    ("ways", "k", "copied"),
    [(8, 1024, True), (8, 2048, True), (8, 1000, False), (8, 1040, False), (8, 512, False),
     (8, 256, False), (12, 1024, False), (12, 4096, False), (16, 4096, False)],
)  # fmt: skip
def test_rows_that_throw_each_other_out_of_the_cache_are_copied(
    ways: int, k: int, copied: bool
) -> None:
    """12 rows a multiple of 4 KiB apart are in one set; 2 KiB apart they are in two."""
    facts = replace(FACTS, cache_bytes={"L1d": ways * 4096, "L2": 1 << 20},
                    cache_ways={"L1d": ways})  # fmt: skip
    motif = contraction({"b": 1, "m": 1024, "n": 1024, "k": k})
    assert default_panels(motif, facts).copy is copied


def test_few_rows_fit_into_one_set() -> None:
    motif = contraction({"b": 1, "m": 8, "n": 8192, "k": 1024})
    facts = replace(FACTS, cache_ways={"L1d": 8})
    assert not default_panels(motif, facts).copy
