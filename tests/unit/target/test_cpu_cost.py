"""The processor's cost model: terms against formulas by hand, on a machine of round numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bellrock.params.cost import Prediction
from bellrock.params.knobs import Knobs
from bellrock.payload import generate
from bellrock.payload.motif import Motif, MotifKind, Operand, Side
from bellrock.target.base import Facts
from bellrock.target.cpu.convolution import DirectConvolutionKnobs
from bellrock.target.cpu.cost.machine import CLOCK_HZ, FORK_SECONDS, Machine
from bellrock.target.cpu.cost.model import MODEL, PREDICTIONS
from bellrock.target.cpu.flash_attention import FlashAttentionKnobs
from bellrock.target.cpu.panels import PanelKnobs
from bellrock.target.cpu.params import ALL_KNOBS, BlockKnobs
from bellrock.target.cpu.row_params import RowKnobs
from bellrock.target.cpu.windows import WindowKnobs
from bellrock.target.cpu.winograd import WinogradKnobs
from bellrock.testing.payloads import motifs_of

NS = pytest.approx
FACTS = Facts(
    device="a cycle is a nanosecond", cores=2, vector_bits=512, vector_registers=32,
    cache_bytes={"L1d": 1 << 15, "L2": 1 << 20, "L3": 1 << 24}, features=frozenset(),
    core_peak_flops_per_s={"f32": 64e9},
    core_bandwidth_bytes_per_s={"L1d": 128e9, "L2": 64e9, "L3": 32e9, "DRAM": 8e9},
    bandwidth_bytes_per_s={"DRAM": 12e9},
)  # fmt: skip
ALONE = replace(FACTS, cores=1)


def terms(motif: Motif, knobs: Knobs, facts: Facts = ALONE) -> dict[str, float]:
    """Return the terms in nanoseconds, which are cycles."""
    prediction = MODEL.predict(motif, knobs, facts)
    assert prediction is not None
    assert prediction.seconds == pytest.approx(sum(prediction.terms_seconds.values()))
    return {name: seconds * 1e9 for name, seconds in prediction.terms_seconds.items()}


def seconds(motif: Motif, knobs: Knobs, facts: Facts = ALONE) -> float:
    prediction = MODEL.predict(motif, knobs, facts)
    assert prediction is not None
    return prediction.seconds


def of_kind(text: str, kind: MotifKind) -> Motif:
    (motif,) = (m for m in motifs_of(text) if m.kind is kind)
    return motif


def product(m: int, n: int, k: int, layouts: tuple[str, str, str] = ("mk", "kn", "mn")) -> Motif:
    text = generate.contraction({"m": m, "n": n, "k": k}, layouts)
    return of_kind(text, MotifKind.CONTRACTION)


def panels(**values: object) -> PanelKnobs:
    defaults = {
        "tile": (0, 0, 0), "vector": "n", "lanes": 16, "rows": 8, "columns": 2, "depth": 4096,
        "copy": False, "pack": True,
    }  # fmt: skip
    return PanelKnobs.from_mapping({**defaults, **values})


def test_every_class_of_knobs_is_predicted() -> None:
    assert set(PREDICTIONS) == set(ALL_KNOBS)


def test_a_class_that_is_not_known_has_no_prediction() -> None:
    class Other(BlockKnobs, name="other"):
        pass

    assert MODEL.predict(product(8, 8, 8), Other(tile=(0, 0, 0)), FACTS) is None


def test_rates_are_assumed_where_none_were_measured() -> None:
    bare = replace(FACTS, core_peak_flops_per_s={}, core_bandwidth_bytes_per_s={})
    assert Machine.of(bare).clock_hz == CLOCK_HZ
    assert Machine.of(FACTS).clock_hz == 1e9
    assert Machine.of(FACTS).cycles(640, "L2") == 10
    # One core has 8 bytes a cycle, two that work at the same time 6 each.
    assert Machine.of(FACTS).cycles(480, "DRAM") == 60
    assert Machine.of(FACTS).cycles(480, "DRAM", busy=2) == 80


def test_a_pooling_costs_its_rows_and_then_its_columns() -> None:
    motif = of_kind(generate.pooling((1, 1, 17, 65), (3, 3), stride=2), MotifKind.POOLING)
    knobs = WindowKnobs(lanes=16, rows=8, columns=32, parallel=False)
    found = terms(motif, knobs)
    # 8 rows of 32 outputs: 65 columns are 5 vectors, 3 rows of the window each, 2 cycles;
    # 2 vectors of outputs, 3 taps each, a step of 2 and a combination.
    assert found["rows"] == NS(8 * 5 * 3 * 2.0)
    assert found["along"] == NS(8 * 2 * 3 * 3.5)


class TestPanels:
    def test_one_tile_costs_its_multiply_adds(self) -> None:
        # 16 accumulators, two multiply-adds a cycle: 8 cycles for each of 100 steps.
        assert terms(product(8, 32, 100), panels())["multiply"] == NS(800)

    def test_rows_and_lanes_past_the_border_are_computed(self) -> None:
        # 9 rows are two tiles, 33 columns are two.
        assert terms(product(9, 33, 100), panels())["multiply"] == NS(4 * 800)

    def test_few_accumulators_wait_for_themselves(self) -> None:
        # 4 cycles from one addition to the same register to the next.
        assert terms(product(1, 16, 100), panels(rows=1, columns=1))["multiply"] == NS(400)

    def test_loads_bound_a_flat_tile(self) -> None:
        # 14 scalars and one vector are 15 loads, for 14 multiply-adds.
        assert terms(product(14, 16, 100), panels(rows=14, columns=1))["multiply"] == NS(750)

    def test_too_large_a_tile_spills(self) -> None:
        # 14 x 2 with its two vectors and a scalar are 31 registers; 16 x 2 are 35.
        fits, spills = panels(rows=14), panels(rows=16)
        assert terms(product(14, 32, 100), fits)["multiply"] == NS(1400)
        assert terms(product(16, 32, 100), spills)["multiply"] == NS(1600 + 3 * 1.5 * 100)

    def test_packing_is_by_vectors_or_by_squares(self) -> None:
        # 64 columns x 100 are 400 vectors: 3 cycles each as they lie, 6 transposed.
        assert terms(product(80, 64, 100), panels())["pack"] == NS(1200)
        turned = product(80, 64, 100, ("mk", "nk", "mn"))
        assert terms(turned, panels())["pack"] == NS(2400)
        assert "pack" not in terms(product(80, 64, 100), panels(pack=False))

    def test_packing_a_large_operand_takes_as_long_as_reading_it(self) -> None:
        # 64 MiB from memory: 8 bytes a cycle, where rows are long enough for a prefetcher.
        motif = product(8, 4096, 4096)
        long = terms(motif, panels(depth=512, tile=(0, 512, 0)))
        assert long["pack"] == NS(4096 * 4096 * 4 / 8)
        short = terms(motif, panels(depth=512, tile=(0, 256, 0)))
        assert short["pack"] == NS(3 * long["pack"])

    def test_copying_is_by_vectors_of_each_row(self) -> None:
        # 16 rows of 7 vectors, the last one not full, 5 cycles each; again for the other block.
        motif = product(16, 64, 100)
        assert terms(motif, panels(copy=True))["copy"] == NS(16 * 7 * 5)
        assert terms(motif, panels(copy=True, tile=(0, 32, 0)))["copy"] == NS(2 * 16 * 7 * 5)

    def test_a_panel_in_l2_is_read_by_each_row_of_tiles(self) -> None:
        # 32 columns x 1000: 128000 bytes in L2, read for each of 10 tiles, mostly hidden.
        found = terms(product(80, 32, 1000), panels())["panel traffic"]
        assert found == NS(0.35 * 10 * 128000 / 64)
        assert "panel traffic" not in terms(product(80, 32, 100), panels())

    def test_blocks_are_shared_and_what_is_left_over_waits(self) -> None:
        motif = product(24, 32, 1000)
        alone = terms(motif, panels(tile=(8, 0, 0)))
        both = terms(motif, panels(tile=(8, 0, 0)), FACTS)
        assert both["multiply"] == NS(alone["multiply"] / 2)
        # Three blocks on two cores: one core has two, half a block is waited for.
        work = sum(alone.values()) - alone["call"]
        assert both["imbalance"] == pytest.approx(work / 3 / 2, rel=0.01)
        assert both["threads"] == NS(FORK_SECONDS * 1e9)
        assert "threads" not in alone

    def test_inner_products_read_the_large_operand_once(self) -> None:
        # 1 x 4096 by its 4096 rows: 64 MiB at 8 bytes a cycle is all that counts.
        motif = product(1, 4096, 4096, ("mk", "nk", "mn"))
        found = terms(motif, panels(vector="k", rows=1, columns=8, unroll=1))
        assert found["multiply"] + found["operand traffic"] == pytest.approx(2**26 / 8, rel=0.05)

    def test_vectors_along_m_turn_the_product_around(self) -> None:
        turned = product(33, 9, 100, ("mk", "kn", "nm"))
        assert terms(turned, panels(vector="m"))["multiply"] == NS(4 * 800)


class TestDirectConvolution:
    MOTIF = of_kind(generate.convolution((1, 10, 34, 18), (8, 10, 3, 3)), MotifKind.CONVOLUTION)

    def knobs(self, **values: object) -> DirectConvolutionKnobs:
        defaults = {
            "channels": 8, "vectors": 2, "lanes": 16, "rows": 0, "columns": 0, "channel_block": 0,
            "parallel": False,
        }  # fmt: skip
        return DirectConvolutionKnobs.from_mapping({**defaults, **values})

    def test_pixels_are_numbered_across_rows(self) -> None:
        # 32 rows at a pitch of 18, less the last row's end: 574 pixels, 18 tiles of 32.
        # Each: 90 terms, 16 multiply-adds and a tenth of 8 + 2 x 2 loads, two a cycle.
        assert terms(self.MOTIF, self.knobs())["multiply"] == NS(18 * 90 * 8.6)

    def test_the_last_block_has_fewer_rows(self) -> None:
        # 20 rows are 358 pixels, 11 tiles and one of a single vector; the other 12 are 7 tiles.
        # A single vector: 10 loads, and a tenth of 8 multiply-adds delays them.
        narrow = (10 + 0.1 * 8) / 2
        found = terms(self.MOTIF, self.knobs(rows=20))["multiply"]
        assert found == NS(90 * ((11 + 7) * 8.6 + narrow))

    def test_tiles_without_registers_to_spare_spill_between_taps(self) -> None:
        # 14 x 2 sums, 3 operands and 2 to spare are one too many; of single taps there is no next.
        motif = of_kind(
            generate.convolution((1, 10, 34, 18), (14, 10, 3, 3)), MotifKind.CONVOLUTION
        )
        step = (28 + 0.1 * 18) / 2 + 3.5
        assert terms(motif, self.knobs(channels=14))["multiply"] == NS(18 * 90 * step)
        single = of_kind(
            generate.convolution((1, 90, 1, 576), (14, 90, 1, 1)), MotifKind.CONVOLUTION
        )
        assert terms(single, self.knobs(channels=14))["multiply"] == NS(18 * 90 * (step - 3.5))

    def test_packing_comes_again_with_each_block_of_channels(self) -> None:
        # 10 channels x 34 rows x (two vectors of 2 cycles, and 5 to start a row).
        once = terms(self.MOTIF, self.knobs())["pack"]
        assert once == NS(10 * 34 * 9)
        assert terms(self.MOTIF, self.knobs(channels=4, channel_block=4))["pack"] == NS(2 * once)

    def test_blocks_of_rows_pack_their_halo(self) -> None:
        # 16 rows need 18.
        assert terms(self.MOTIF, self.knobs(rows=16))["pack"] == NS(2 * 10 * 18 * 9)

    def test_serial_blocks_use_one_core(self) -> None:
        serial = terms(self.MOTIF, self.knobs(rows=16), FACTS)
        shared = terms(self.MOTIF, self.knobs(rows=16, parallel=True), FACTS)
        assert shared["multiply"] == NS(serial["multiply"] / 2)
        assert "threads" in shared
        assert "threads" not in serial

    def test_transposed_ones_are_left_to_the_rule(self) -> None:
        transposed = replace(self.MOTIF, variant="transposed")
        assert MODEL.predict(transposed, self.knobs(), FACTS) is None

    def test_what_the_lowering_does_not_take_has_no_prediction(self) -> None:
        assert MODEL.predict(product(8, 8, 8), self.knobs(), FACTS) is None


class TestWinograd:
    MOTIF = of_kind(generate.convolution((2, 10, 34, 18), (8, 10, 3, 3)), MotifKind.CONVOLUTION)

    def knobs(self, **values: object) -> WinogradKnobs:
        defaults = {
            "channels": 8, "vectors": 2, "lanes": 16, "rows": 0, "columns": 0, "images": 1,
            "channel_group": 32, "channel_block": 0, "parallel": False,
        }  # fmt: skip
        return WinogradKnobs.from_mapping({**defaults, **values})

    def test_sixteen_products_of_each_tile(self) -> None:
        # 16 rows of 8 tiles at a pitch of 9: 143 tiles, 5 register tiles of 32 (10 vectors).
        # Two images, 16 products, 10 input channels, 8 cycles each.
        assert terms(self.MOTIF, self.knobs())["multiply"] == NS(2 * 16 * 5 * 10 * 8)

    def test_transforms_are_of_every_input_and_output_channel(self) -> None:
        # 9 vectors of tiles of 10 channels there, 10 of 8 channels back.
        assert terms(self.MOTIF, self.knobs())["transforms"] == NS(2 * 45 * (9 * 10 + 10 * 8))

    def test_images_of_one_block_share_the_last_tile(self) -> None:
        # 286 tiles are 9 register tiles of 32, not 2 x 5.
        found = terms(self.MOTIF, self.knobs(images=2))["multiply"]
        assert found == NS(16 * 9 * 10 * 8)

    def test_other_filters_have_no_prediction(self) -> None:
        wide = of_kind(generate.convolution((2, 4, 34, 18), (8, 4, 5, 5)), MotifKind.CONVOLUTION)
        assert MODEL.predict(wide, self.knobs(), FACTS) is None


class TestFlashAttention:
    MOTIF = Motif(
        kind=MotifKind.ATTENTION, op="linalg.generic", accumulator="f32",
        dims={"batch": 3, "queries": 128, "keys": 192, "depth": 64, "features": 32},
        loops=(3, 128, 32, 192), iterators=("parallel",) * 3 + ("reduction",),
        operands=tuple(
            Operand(side=Side.INPUT, dtype="f32", layout="", shape=()) for _ in range(3)
        ),
    )  # fmt: skip
    KNOBS = FlashAttentionKnobs(lanes=16, vectors=4, rows=6, keys=96, parallel=False)

    def test_both_products_are_register_tiles(self) -> None:
        # Of each of 6 blocks of 64 queries: 16 + 16 tiles of 6 keys x 64 deep, and for each of
        # 2 blocks of keys 6 tiles of features x 96 keys; 24 accumulators are 12 cycles.
        blocks = 3 * 2
        assert terms(self.MOTIF, self.KNOBS)["multiply"] == NS(
            blocks * (32 * 64 * 12 + 12 * 96 * 12)
        )

    def test_softmax_is_of_all_scores(self) -> None:
        narrow = replace(self.KNOBS, vectors=2)
        assert terms(self.MOTIF, narrow)["softmax"] == NS(terms(self.MOTIF, self.KNOBS)["softmax"])

    def test_narrow_blocks_read_keys_more_often(self) -> None:
        wide = replace(self.KNOBS, keys=48)
        narrow = replace(wide, vectors=1)
        once = terms(self.MOTIF, wide)["key traffic"]
        assert terms(self.MOTIF, narrow)["key traffic"] == NS(4 * once)

    def test_scores_that_leave_the_first_cache_are_read_from_the_next(self) -> None:
        # 64 queries x (48 + 64) floats fit 32 KiB, with 96 keys they do not.
        fits = terms(self.MOTIF, replace(self.KNOBS, keys=48))["key traffic"]
        assert terms(self.MOTIF, self.KNOBS)["key traffic"] > 2 * fits


class TestRowsAndBlocks:
    def test_rows_of_a_large_matrix_take_as_long_as_reading_it(self) -> None:
        motif = of_kind(generate.reduction((8192, 4096), [1]), MotifKind.REDUCTION)
        knobs = RowKnobs(cache_bytes=1 << 19, blocks=8)
        found = terms(motif, knobs)
        assert found["memory"] + found["combine"] == pytest.approx(2**27 / 8, rel=0.02)

    def test_blocks_of_rows_share_the_start(self) -> None:
        motif = of_kind(generate.reduction((8192, 16), [1]), MotifKind.REDUCTION)
        few, many = (
            seconds(motif, RowKnobs(cache_bytes=1 << 19, blocks=2, iterations=i))
            for i in (16384, 1024)
        )
        assert few < many

    def test_the_generic_path_takes_vectors_where_all_run_along_memory(self) -> None:
        # 1600 x 160 iterations of 2.5 + 0.5 for each vector of 16, or 2.5 each.
        straight = of_kind(generate.elementwise((1600, 160), ["exp"]), MotifKind.ELEMENTWISE)
        turned = of_kind(generate.transpose((160, 1600), [1, 0]), MotifKind.DATA_MOVEMENT)
        whole = BlockKnobs(tile=(0, 0))
        assert terms(straight, whole)["iterations"] == NS(1600 * 10 * 3)
        ragged = of_kind(generate.elementwise((1600, 163), ["exp"]), MotifKind.ELEMENTWISE)
        assert terms(ragged, whole)["iterations"] == NS(1600 * (10 * 3 + 3 * 2.5))
        assert terms(turned, whole)["iterations"] == NS(1600 * 160 * 2.5)

    def test_panels_beat_the_generic_path(self) -> None:
        motif = product(333, 517, 291)
        assert seconds(motif, panels()) < seconds(motif, BlockKnobs(tile=(32, 256, 0))) / 2


def test_predictions_are_pure() -> None:
    motif, knobs = product(17, 33, 65), panels()
    first = MODEL.predict(motif, knobs, FACTS)
    assert isinstance(first, Prediction)
    assert MODEL.predict(motif, knobs, FACTS) == first
