"""The matrix engine: what is chosen for it, and that LLVM makes its instructions."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellrock.errors import SelectionError
from bellrock.params.knobs import Knobs
from bellrock.target.base import Facts
from bellrock.target.cpu.cost.machine import Machine
from bellrock.target.cpu.cost.panels import predict_panels
from bellrock.target.cpu.engine_tile import engine_tile, step_cycles
from bellrock.target.cpu.panel_rule import default_panels
from bellrock.target.cpu.panels import PanelKnobs
from bellrock.target.cpu.proposals.panels import propose_panels
from bellrock.target.cpu.rate_kernels import flops_per_round, kernels_for
from bellrock.target.native.matrix_engine import ENGINE
from support.contractions import FACTS, LAYOUTS, SIZES, contraction

ENGINE_FACTS = replace(FACTS, features=FACTS.features | ENGINE)
SQUARE = contraction({"b": 1, "m": 1024, "n": 1024, "k": 1024}, dtype="bf16")


@given(SIZES, LAYOUTS, st.sampled_from(["f32", "bf16", "f16"]))
def test_defaults_are_legal_for_any_shape(
    sizes: dict[str, int], layouts: tuple[str, str, str], dtype: str
) -> None:
    motif = contraction(sizes, layouts, dtype)
    choice = default_panels(motif, ENGINE_FACTS)
    choice.validate(motif, ENGINE_FACTS)
    assert dtype == "bf16" or not choice.amx


def test_squares_are_four_tiles() -> None:
    choice = default_panels(SQUARE, ENGINE_FACTS)
    assert (choice.amx, choice.rows, choice.columns) == (True, 32, 2)
    assert not default_panels(SQUARE, FACTS).amx


@pytest.mark.parametrize(("m", "k", "amx"), [(1, 4096, False), (7, 4096, False), (8, 4096, True),
                                             (64, 31, False), (64, 32, True)])  # fmt: skip
def test_it_takes_rows_and_depth(m: int, k: int, amx: bool) -> None:
    motif = contraction({"b": 1, "m": m, "n": 1000, "k": k}, dtype="bf16")
    assert default_panels(motif, ENGINE_FACTS).amx is amx


@given(st.integers(8, 3000), st.integers(1, 3000))
def test_a_tile_fits_the_engine(rows: int, columns: int) -> None:
    height, vectors = engine_tile(rows, columns)
    assert -(-height // 16) * vectors + vectors + 1 <= 8
    assert height <= rows
    assert step_cycles(height, vectors) >= height * vectors


@pytest.mark.parametrize(
    ("change", "why"),
    [({"pairs": False}, "whole-tiles-of-pairs"), ({"copy": False}, "whole-tiles-of-pairs"),
     ({"pack": False}, "whole-tiles-of-pairs"), ({"depth": 40}, "whole-tiles-of-pairs"),
     ({"lanes": 8}, "whole-tiles-of-pairs"), ({"rows": 64}, "tile-in-engine"),
     ({"columns": 3}, "tile-in-engine")],
)  # fmt: skip
def test_what_it_cannot_take_is_refused(change: dict[str, object], why: str) -> None:
    choice = default_panels(SQUARE, ENGINE_FACTS)
    with pytest.raises(SelectionError, match=why):
        replace(choice, **change).validate(SQUARE, ENGINE_FACTS)


def test_it_is_refused_where_there_is_none() -> None:
    with pytest.raises(SelectionError, match="whole-tiles-of-pairs"):
        default_panels(SQUARE, ENGINE_FACTS).validate(SQUARE, FACTS)


def test_both_ways_are_predicted_and_the_engine_is_faster() -> None:
    found = list(propose_panels(SQUARE, default_panels(SQUARE, ENGINE_FACTS), ENGINE_FACTS))
    best = {amx: min(_seconds(k, ENGINE_FACTS) for k in found if k.amx is amx and _legal(k))
            for amx in (True, False)}  # fmt: skip
    assert best[True] < 0.5 * best[False]


def _legal(knobs: Knobs) -> bool:
    try:
        knobs.validate(SQUARE, ENGINE_FACTS)
    except SelectionError:
        return False
    return True


def _seconds(knobs: PanelKnobs, facts: Facts) -> float:
    return predict_panels(SQUARE, knobs, Machine.of(facts)).seconds


@pytest.mark.skipif(platform.machine() != "x86_64", reason="LLVM has the target of this machine")
def test_the_peak_is_of_its_instructions() -> None:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu="sapphirerapids", opt=3)
    features = ENGINE_FACTS.features
    module = llvm.parse_assembly(kernels_for(512, features)["bf16"])
    text = machine.emit_assembly(module)
    assert text.count("tdpbf16ps") == 4
    assert "ldtilecfg" in text
    assert flops_per_round("bf16", 512, features) == 4 * 2 * 16 * 16 * 32
