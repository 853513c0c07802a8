"""Measured rates: plausible for any processor, kept, and measured again if the file is cut off."""

from __future__ import annotations

import ctypes
import gc
import weakref
from pathlib import Path

import pytest
from click.testing import CliRunner

from bellrock.cli.target import command
from bellrock.target.base import Facts
from bellrock.target.cpu import rates
from bellrock.target.cpu.facts import host_facts


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Facts, Path]:
    folder = tmp_path_factory.mktemp("cache")
    return rates.with_rates(host_facts(), folder=folder), folder


def test_rates_are_those_of_a_processor(measured: tuple[Facts, Path]) -> None:
    facts, _ = measured
    peaks, bandwidths = facts.peak_flops_per_s, facts.bandwidth_bytes_per_s
    assert {"f32", "f64", "bf16", "f16"} <= set(peaks)
    # From one scalar operation a cycle at 1 GHz to four vectors of them at 6 GHz.
    lanes = facts.vector_bits // 32
    assert 1e9 * facts.cores < peaks["f32"] < 8 * 6e9 * lanes * facts.cores
    assert 0.3 < peaks["f64"] / peaks["f32"] < 0.8
    assert 1e9 < bandwidths["DRAM"] < 1e12
    assert "measured" in facts.source


def test_nearer_levels_are_faster(measured: tuple[Facts, Path]) -> None:
    bandwidths = measured[0].bandwidth_bytes_per_s
    assert bandwidths.get("L1d", 1e15) > bandwidths["DRAM"]


def test_one_core_is_no_faster_than_all(measured: tuple[Facts, Path]) -> None:
    facts, _ = measured
    for every, one in [
        (facts.peak_flops_per_s, facts.core_peak_flops_per_s),
        (facts.bandwidth_bytes_per_s, facts.core_bandwidth_bytes_per_s),
    ]:
        assert set(one) == set(every)
        # A core alone may run at a higher clock, and what else runs disturbs both.
        assert all(0.3 / facts.cores * every[key] < one[key] < 2 * every[key] for key in every)


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "bf16"])
def test_the_peak_at_this_moment_is_near_the_best(measured: tuple[Facts, Path], dtype: str) -> None:
    facts, _ = measured
    program = rates.peak_program(facts, dtype)
    assert program is not None
    found = 0.0
    for _ in range(10):
        program.run()
        found = max(found, program.flops / program.seconds())
    assert 0.4 < found / facts.peak_flops_per_s[dtype] < 1.5


def test_the_memory_that_a_peak_writes_lives_as_long_as_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[weakref.ref[object]] = []
    make = ctypes.create_string_buffer

    def watched(size: int) -> object:
        buffer = make(size)
        made.append(weakref.ref(buffer))
        return buffer

    monkeypatch.setattr(ctypes, "create_string_buffer", watched)
    program = rates.peak_program(host_facts(), "f32")
    assert program is not None
    gc.collect()
    assert made
    assert all(buffer() is not None for buffer in made)
    program.run()


def test_integers_have_no_peak() -> None:
    assert rates.peak_program(host_facts(), "i64") is None


def test_they_are_measured_once(
    measured: tuple[Facts, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, folder = measured
    monkeypatch.setattr(rates, "measure", lambda _facts: pytest.fail("measured again"))
    assert rates.with_rates(host_facts(), folder=folder) == facts


def made_up() -> rates.Rates:
    return rates.Rates(
        peak_flops_per_s={"f32": 5.0},
        bandwidth_bytes_per_s={"DRAM": 7.0},
        core_peak_flops_per_s={"f32": 3.0},
        core_bandwidth_bytes_per_s={"DRAM": 6.0},
    )


@pytest.mark.parametrize("left", ["", "{", "{}", '{"peak_flops_per_s": {}}'])
def test_what_a_killed_run_left_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    found = made_up()
    monkeypatch.setattr(rates, "measure", lambda _facts: found)
    assert rates.with_rates(host_facts(), folder=tmp_path).peak_flops_per_s == {"f32": 5.0}
    (path,) = tmp_path.iterdir()
    path.write_text(left)
    assert rates.with_rates(host_facts(), folder=tmp_path).peak_flops_per_s == {"f32": 5.0}


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    found = made_up()
    monkeypatch.setattr(rates, "measure", lambda _facts: found)
    facts = rates.with_rates(host_facts(), folder=tmp_path / "file")
    assert facts.peak_flops_per_s == {"f32": 5.0}


def test_the_command_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(rates, "measure", lambda _facts: made_up())
    plain = CliRunner().invoke(command, ["show", "cpu"])
    assert plain.exit_code == 0
    assert "GB/s" not in plain.output
    assert not list(tmp_path.iterdir())
    shown = CliRunner().invoke(command, ["show", "cpu", "--measure"])
    assert shown.exit_code == 0
    assert "bandwidth   DRAM 7e-09 GB/s" in shown.output
    assert "one core  DRAM 6e-09 GB/s" in shown.output
