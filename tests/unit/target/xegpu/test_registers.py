"""The register mode that was chosen for a kernel is in its code object, for drivers to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bellrock.compiler import compile_payload
from bellrock.params.lock import Lock, LockRow
from bellrock.payload import generate
from bellrock.target.xegpu.container import unpack
from bellrock.testing.payloads import payload_of


@pytest.mark.parametrize("grf", [128, 256])
def test_a_chosen_mode_reaches_the_container(grf: int, tmp_path: Path) -> None:
    text = generate.contraction({"m": 64, "n": 64, "k": 64}, dtype="f16", accumulator="f32")
    found = compile_payload(payload_of(text), target="xegpu", cache_dir=tmp_path / "a")
    (row,) = (r for r in found.choices if r.knobs == "dpas")
    asked = LockRow(
        motif=row.motif, knobs=row.knobs, parameters={**row.parameters, "grf": grf}, by="lock"
    )
    compiled = compile_payload(
        payload_of(text), target="xegpu", lock=Lock(rows=(asked,), target="xegpu"),
        cache_dir=tmp_path / "b",
    )  # fmt: skip
    modules = [m for code in compiled.artifact.objects for m in unpack(code).modules]
    assert [m.registers for m in modules] == [grf]


def test_other_kernels_leave_it_to_the_driver(tmp_path: Path) -> None:
    text = generate.elementwise((32, 32), ["exp"])
    compiled = compile_payload(payload_of(text), target="xegpu", cache_dir=tmp_path)
    modules = [m for code in compiled.artifact.objects for m in unpack(code).modules]
    assert {m.registers for m in modules} == {0}
