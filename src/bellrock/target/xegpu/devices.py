"""The devices of `devices.yaml`: numbers, each with where it is from.

Flows in: the file. Flows out: `Device`s by name, checked when they are read. Facts for the rest
of the project are made of them in `facts.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

FILE = Path(__file__).parent / "devices.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Stated(_Part):
    """Where a number is from."""

    source: str = ""
    """Key of the file's `sources`."""
    formula: str = ""
    """Arithmetic on other numbers of the same entry, where no source was found."""
    derived: str = ""
    """In words, where no source was found."""

    @model_validator(mode="after")
    def _is_stated(self) -> _Stated:
        if not (self.source or self.formula or self.derived):
            raise ValueError("a number needs a source, a formula or a derivation")
        return self


class Count(_Stated):
    """A whole number."""

    value: int = Field(gt=0)


class Rate(_Stated):
    """A number of something per second."""

    value: float = Field(gt=0)


class Ids(_Stated):
    """Numbers by which the system names a device."""

    value: tuple[int, ...]


class Architecture(_Part):
    """What all Xe-cores of one architecture have; rates are operations in one clock."""

    chip: str
    """As the offline compiler `ocloc` calls it."""
    mlir_chip: str
    """The chip of MLIR's XeVM dialect that has the same matrix and block instructions."""
    vector_engines: Count
    matrix_engines: Count
    vector_bits: Count
    register_bytes: Count
    threads: Count
    """Of one vector engine, with 128 registers each."""
    threads_large_grf: Count
    """Of one vector engine, with 256 registers each."""
    sub_group_size: Count
    """Work-items of a sub-group that matrix engines and block loads work for."""
    sub_group_most: Count
    """Of a sub-group of other code."""
    dpas_rows: Count
    """Most rows of A (and of the result) of one matrix instruction."""
    dpas_columns: Count
    dpas_k_bytes: Count
    """Bytes of a row of A of one matrix instruction."""
    f32_rate: Count
    """Of the vector engines."""
    f16_matrix_rate: Count
    """Of the matrix engines; half of it in tf32, twice as much in i8."""
    l1_bytes: Count
    """Shared by cache and local memory."""
    slm_bytes: Count
    """Most local memory of a work-group."""
    work_group_items: Count
    l1_bytes_per_clock: Count
    l2_bytes_per_clock: Count
    block_base_alignment: Count
    block_pitch_alignment: Count
    block_width_alignment: Count
    block_least_bytes: Count
    """Of a surface's width and pitch."""
    block_rows: Count
    """Most rows of one block load."""
    block_row_bytes: Count
    """Most bytes of a row of one block load."""


class Device(_Part):
    """One product."""

    name: str
    architecture: str
    aliases: tuple[str, ...] = ()
    pci_ids: Ids
    xe_cores: Count
    clock_hz: Rate
    l2_bytes: Count
    dram_bytes_per_s: Rate


class Devices(_Part):
    """The whole file."""

    schema_: int = Field(alias="schema")
    sources: Mapping[str, str]
    architectures: Mapping[str, Architecture]
    devices: Mapping[str, Device]

    @model_validator(mode="after")
    def _names_are_known(self) -> Devices:
        for name, device in self.devices.items():
            if device.architecture not in self.architectures:
                raise ValueError(f"{name}: no such architecture: {device.architecture}")
        for entry in (*self.devices.values(), *self.architectures.values()):
            for name, stated in numbers_of(entry):
                if stated.source and stated.source not in self.sources:
                    raise ValueError(f"{name}: no such source: {stated.source}")
        return self


def numbers_of(entry: Device | Architecture) -> Iterator[tuple[str, Count | Rate | Ids]]:
    """Yield the numbers of an entry by name."""
    for name in type(entry).model_fields:
        value = getattr(entry, name)
        if isinstance(value, Count | Rate | Ids):
            yield name, value


@cache
def all_devices() -> Devices:
    """Return what the file has, read once."""
    from ruamel.yaml import YAML

    return Devices.model_validate(YAML(typ="safe", pure=True).load(FILE.read_text("utf-8")))


def device_named(name: str) -> str | None:
    """Return the name in the file of a device or of its alias; None if there is no such."""
    wanted = name.lower()
    for key, device in all_devices().devices.items():
        if wanted == key or wanted in device.aliases:
            return key
    return None


def device_with_id(pci_id: int) -> str | None:
    """Return the name of the device that has a PCI id; None if no device of the file has."""
    for key, device in all_devices().devices.items():
        if pci_id in device.pci_ids.value:
            return key
    return None
