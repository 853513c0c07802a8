"""The container of the target xegpu's code: what goes in comes out, byte for byte the same."""

import pytest

from bellrock.errors import ArtifactError
from bellrock.target.xegpu.container import DeviceModule, DeviceObject, KernelEntry, unpack


def _object() -> DeviceObject:
    kernel = KernelEntry(
        name="add_1f", arguments=("pointer", "scalar"), sub_group=16, slm_bytes=64, group=(64, 1, 1)
    )
    free = KernelEntry(name="fill_2e", arguments=(), sub_group=0, slm_bytes=0, group=None)
    module = DeviceModule(
        name="m", spirv=b"\x03\x02#\x07", llvm=b"ML", kernels=(kernel, free), registers=256
    )
    return DeviceObject(host=b"\x7fELF", modules=(module,))


def test_round_trip_and_determinism() -> None:
    made = _object()
    assert unpack(made.pack()) == made
    assert made.pack() == _object().pack()
    assert unpack(DeviceObject(host=b"").pack()) == DeviceObject(host=b"")


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_damage_is_named(cut: int) -> None:
    with pytest.raises(ArtifactError, match="not a code object of the target xegpu"):
        unpack(_object().pack()[:cut])
