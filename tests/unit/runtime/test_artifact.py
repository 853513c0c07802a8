"""Artifact files: what goes in comes out, and what is not one is refused with its reason."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellrock.errors import ArtifactError
from bellrock.payload import DType, Role, TensorSpec
from bellrock.runtime.artifact import SavedProgram, check_machine, load_program, save_program
from bellrock.target.base import Artifact, KernelInfo, Preparation

WEIGHT = TensorSpec(name="linear.weight", shape=(3, 5), dtype=DType.BF16, role=Role.PARAMETER)
PROGRAM = SavedProgram(
    name="linear",
    fingerprint="f" * 64,
    target="cpu",
    features=frozenset({"avx2", "fma"}),
    arguments=(TensorSpec(name="x", shape=(2, 3), dtype=DType.BF16), WEIGHT),
    results=(TensorSpec(name="y", shape=(2, 5), dtype=DType.BF16, role=Role.RESULT),),
    artifact=Artifact(
        objects=(b"\x7fELF host", b"\x7fELF kernel"), entry="main", workspace_bytes=64,
        preparation=Preparation(
            entry="main_prepare", arguments=(1,), value_bytes=(64,), workspace_bytes=128
        ),
        argument_bytes=(12, 30), result_bytes=(20,),
    ),
    kernels=(
        KernelInfo(
            name="k_0", motif="contraction", calls=2, path="vector", vectorised=True,
            parallel=False, compile_seconds=0.25, cached=False,
        ),
    ),
    choices="schema: 1\n",
    toolchain={"torch": "2.13.0"},
    values={1: bytes(range(30))},
)  # fmt: skip


def _rewritten(path: Path, change: dict[str, object], drop: str = "") -> Path:
    """A copy of an artifact file with other values in its manifest, or without a member."""
    copy = path.with_name("changed.bellrock")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "manifest.json":
                data = json.dumps(json.loads(data) | change).encode()
            if name != drop:
                new.writestr(name, data)
    return copy


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "linear.bellrock"
    save_program(PROGRAM, path)
    return path


def test_what_goes_in_comes_out(saved: Path) -> None:
    assert load_program(saved) == PROGRAM


@given(
    shape=st.lists(st.integers(0, 3), max_size=3),
    dtype=st.sampled_from(DType),
    objects=st.lists(st.binary(max_size=20), max_size=3),
    name=st.text(max_size=8),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    shape: list[int],
    dtype: DType,
    objects: list[bytes],
    name: str,
) -> None:
    spec = TensorSpec(name=name, shape=tuple(shape), dtype=dtype)
    program = dataclasses.replace(
        PROGRAM,
        name=name,
        arguments=(spec,),
        artifact=Artifact(
            objects=tuple(objects), entry="main", workspace_bytes=0,
            argument_bytes=(spec.bytes,), result_bytes=PROGRAM.artifact.result_bytes,
        ),
        values={0: bytes(spec.bytes)},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("artifact") / "p.bellrock"
    save_program(program, path)
    assert load_program(path) == program


def test_equal_programs_give_equal_files(saved: Path, tmp_path: Path) -> None:
    save_program(PROGRAM, tmp_path / "again.bellrock")
    assert (tmp_path / "again.bellrock").read_bytes() == saved.read_bytes()


def test_an_unwritable_place_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "p.bellrock"
    with pytest.raises(OSError, match="No such file") as caught:
        save_program(PROGRAM, path)
    assert caught.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named() -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("this system has no device that is always full")
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_program(PROGRAM, full)
    assert caught.value.filename == str(full)
    assert full.is_char_device()


def test_a_failed_write_keeps_the_old_file(saved: Path) -> None:
    before = saved.read_bytes()
    broken = dataclasses.replace(PROGRAM, values={1: "not bytes"})
    with pytest.raises(TypeError):
        save_program(broken, saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(ArtifactError, match="not an artifact file"):
        load_program(path)


def test_a_truncated_file_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-40])
    with pytest.raises(ArtifactError, match="not an artifact file, or a damaged one"):
        load_program(saved)


def test_a_flipped_bit_in_the_code_is_refused(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[data.index(b"ELF kernel")] ^= 1
    saved.write_bytes(data)
    with pytest.raises(ArtifactError, match="Bad CRC-32"):
        load_program(saved)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 1}, "schema: Input should be 2; allowed: schema 2"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"platform": "linux-vax"}, "its code is for another platform; got linux-vax"),
        ({"values": [7]}, "There is no item named"),
    ],
)
def test_manifests_that_are_refused(saved: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        load_program(_rewritten(saved, change))
    assert said in str(caught.value)


def test_a_missing_object_is_refused(saved: Path) -> None:
    with pytest.raises(ArtifactError, match="code/1"):
        load_program(_rewritten(saved, {}, drop="code/1"))


def test_a_value_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.bellrock"
    save_program(dataclasses.replace(PROGRAM, values={1: b"short"}), path)
    with pytest.raises(ArtifactError, match=r"'linear.weight' has the wrong size; got 5 bytes"):
        load_program(path)


def test_the_machine_must_have_every_feature() -> None:
    check_machine(PROGRAM, features=frozenset({"avx2", "fma", "avx512f"}))
    with pytest.raises(ArtifactError, match=r"lacks features.*got fma"):
        check_machine(PROGRAM, features=frozenset({"avx2"}))
