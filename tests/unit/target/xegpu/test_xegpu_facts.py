"""Intel GPUs as data: every number has an origin, and peaks agree with what is published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from bellrock.compiler import pipeline_for
from bellrock.pipeline.show import canonical_text
from bellrock.target.xegpu.devices import Count, all_devices, device_named, numbers_of
from bellrock.target.xegpu.facts import DEFAULT, LIMITS, chip_of, detected_device, device_facts

NAMES = sorted(all_devices().devices)
ARCHITECTURES = sorted(all_devices().architectures)


def test_a_number_without_origin_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs a source"):
        Count.model_validate({"value": 1})


def test_every_source_is_used() -> None:
    file = all_devices()
    entries = (*file.devices.values(), *file.architectures.values())
    used = {stated.source for entry in entries for _, stated in numbers_of(entry)}
    # Measurements that numbers were held against are cited in comments.
    assert set(file.sources) - used <= {"b390-measured"}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_formulas_give_their_values(name: str) -> None:
    core = all_devices().architectures[name]
    values = {n: stated.value for n, stated in numbers_of(core)}
    formulas = [(n, s) for n, s in numbers_of(core) if s.formula]
    assert formulas
    for number, stated in formulas:
        assert eval(stated.formula, {"__builtins__": {}}, values) == stated.value, number


@pytest.mark.parametrize(
    ("name", "dtype", "tera"),
    [
        ("b580", "i8", 233), ("b60", "i8", 197), ("b50", "i8", 170), ("b70", "i8", 367),
        ("lnl", "i8", 67), ("b70", "f32", 22.94), ("b60", "f32", 12.28), ("max-1100", "f32", 22.2),
    ],
)  # fmt: skip
def test_peaks_are_those_published(name: str, dtype: str, tera: float) -> None:
    assert device_facts(name).peak_flops_per_s[dtype] == pytest.approx(tera * 1e12, rel=4e-3)


@pytest.mark.parametrize("name", NAMES)
def test_each_number_of_a_device_says_where_it_is_from(name: str) -> None:
    facts = device_facts(name)
    assert set(LIMITS) == set(facts.limits) <= set(facts.sources)
    assert all(facts.sources.values())
    assert facts.bandwidth_bytes_per_s["L1"] > facts.bandwidth_bytes_per_s["L2"]
    assert facts.bandwidth_bytes_per_s["L2"] > facts.bandwidth_bytes_per_s["DRAM"]
    assert chip_of(name) in facts.features


@pytest.mark.parametrize(("name", "chip"), [("max-1100", "pvc"), ("b580", "bmg"), ("ptl", "bmg")])
def test_passes_are_told_the_chip_of_the_device(name: str, chip: str) -> None:
    """MLIR has no chip of its own for what has the matrix and block instructions of another."""
    text = canonical_text(pipeline_for(f"xegpu:{name}").stages)
    assert f'"xevm-attach-target", ["builtin.module"], {{"chip": "{chip}"}}' in text


def test_chips_and_aliases_name_devices_once() -> None:
    assert device_named(DEFAULT) == device_named("bmg") == device_named("BMG-G21") == "b580"
    assert device_named("pvc") == "max-1550"
    assert device_named("dg2") is None
    aliases = [alias for device in all_devices().devices.values() for alias in device.aliases]
    ids = [i for device in all_devices().devices.values() for i in device.pci_ids.value]
    assert len({*aliases, *NAMES}) == len(aliases) + len(NAMES)
    assert len(set(ids)) == len(ids)


def card(folder: Path, number: int, vendor: str, device: str) -> None:
    (folder / f"card{number}" / "device").mkdir(parents=True)
    (folder / f"card{number}" / "device" / "vendor").write_text(f"{vendor}\n")
    (folder / f"card{number}" / "device" / "device").write_text(f"{device}\n")


def test_a_device_is_detected_by_its_id(tmp_path: Path) -> None:
    card(tmp_path, 0, "0x1002", "0xe223")  # another maker's device of the same number
    card(tmp_path, 1, "0x8086", "0x4680")  # an Intel GPU that is not in the file
    (tmp_path / "card2" / "device").mkdir(parents=True)  # tells nothing
    assert detected_device(tmp_path) is None
    card(tmp_path, 3, "0x8086", "0xe223")
    detected_device.cache_clear()
    assert detected_device(tmp_path) == "b70"
    assert detected_device(tmp_path / "none") is None


def test_the_key_of_facts_tells_devices_apart_and_nothing_else() -> None:
    facts = device_facts("b580")
    assert facts.key() == replace(facts, source="elsewhere", sources={}).key()
    keys = {device_facts(name).key() for name in NAMES}
    assert len(keys) == len(NAMES)
    assert facts.key() != replace(facts, features=facts.features | {"another"}).key()
