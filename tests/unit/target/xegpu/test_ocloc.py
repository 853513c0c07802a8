"""Native code by `ocloc`: what is asked of it, and what is read off what it writes.

The real program is not installed where this runs. Another one of that name stands in for it: it
takes the same arguments, and writes files of the same names and formats.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from bellrock.cli.main import cli
from bellrock.compiler import Compiled, compile_payload
from bellrock.errors import BellrockError, CompileError
from bellrock.payload import generate
from bellrock.target.xegpu.container import DeviceModule, unpack
from bellrock.target.xegpu.facts import device_facts
from bellrock.target.xegpu.figures import ModuleCode
from bellrock.target.xegpu.lower import check_matrix_engines
from bellrock.target.xegpu.ocloc import (
    NativeCode,
    NativeKernel,
    counts_of,
    find_ocloc,
    native_code,
)
from bellrock.testing.payloads import payload_of

LISTING = """\
L0:
(W)     mov (8|M0)               r127.0<1>:ud  0x0:ud
// B002: Preds:{B001},  Succs:{B003}
        load_block2d.ugm.d16v.a64.ca.ca (1|M0)  r23:16 [r9:1]    {$4} // ex_desc:0x0; desc:0x28003
(W)     send.ugm (1|M0)  r34  r33  null:0 0x0 0x02400203 {I@1,$3} // rd:4; load_block2d.ugm.d16.a64
        load_block2d.ugm.d16.a64.ca.ca (1|M0)  null:0 [r11:1]    {I@2,$16} // ex_desc:0x0
        dpas.8x8 (16|M0)         r26:f         r26:f             r98:hf  r82.0:hf  {Atomic,$6}
        dpas.8x8 (16|M0)         r34:f         r34:f             r98:hf        r90.0:hf    {$6}
        dpas.8x1 (16|M0)         null:ud       null:ud           r0:ub         0xFADECAFE:ud
        store_block2d.ugm.d32.a64 (1|M0)  [r3:1] r26:8           {$7} // ex_desc:0x0
(W)     send.gtwy (1|M0)         null     r112    null:0  0x0  0x02000010   {EOT}
"""
INFO = """\
---
version:         '1.53'
kernels:
  - name:            {name}
    execution_env:
      grf_count:       {registers}
      has_dpas:        {dpas}
      simd_size:       16
      spill_size:      {spill}
      slm_size:        {slm}
    payload_arguments:
      - arg_type:        arg_bypointer
        offset:          32
        size:            8
  - name:            Intel_Symbol_Table_Void_Program
    execution_env:
      grf_count:       128
      simd_size:       8
kernels_misc_info:
  - name:            {name}
...
"""
PROGRAM = """\
#!{python}
import json, pathlib, re, sys
given = sys.argv[1:]
option = lambda name: given[given.index(name) + 1]
says = json.loads(pathlib.Path({says!r}).read_text())
with open({log!r}, "a") as log:
    log.write(json.dumps(given) + "\\n")
if says.get("fails") == given[0]:
    print("Build failed with error code: -11")
    sys.exit(245)
if given[0] == "compile":
    spirv = pathlib.Path(option("-file")).read_bytes()
    names = re.findall(rb"k_[a-z]+_[0-9a-f]{{8,}}[a-z_0-9]*", spirv)
    folder = pathlib.Path(option("-out_dir"))
    made = folder / (option("-output") + "_" + option("-device") + ".bin")
    made.write_bytes(b"ELF" + b"\\0".join(sorted(set(names))))
else:
    dump = pathlib.Path(option("-dump"))
    dump.mkdir()
    name = pathlib.Path(option("-file")).read_bytes()[3:].split(b"\\0")[0].decode()
    (dump / ".ze_info").write_text(says["info"].replace("NAME", name))
    (dump / "sections.txt").write_text("ElfType 64b\\nSection name, Section type\\n")
    if says["listing"] is None:
        (dump / (".text." + name)).write_bytes(b"binary")
    else:
        (dump / (".text." + name + ".asm")).write_text(says["listing"])
"""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a stand-in on the PATH, alone; returns the log of what it was asked."""

    def put(
        listing: str | None = LISTING, *, dpas: bool = True, spill: int = 0, fails: str = "",
        info: str = "",
    ) -> Path:  # fmt: skip
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        says, log = folder / "says.json", folder / "log"
        about = info or INFO.format(
            name="NAME", registers=256, dpas=str(dpas).lower(), spill=spill, slm=0
        )
        says.write_text(json.dumps({"info": about, "listing": listing, "fails": fails}))
        program = folder / "ocloc"
        program.write_text(
            PROGRAM.format(python=sys.executable, says=str(says), log=str(log)), "utf-8"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return log

    return put


def _asked(log: Path) -> list[list[str]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def _compiled(folder: Path, target: str = "xegpu", dtype: str = "f16") -> Compiled:
    text = generate.contraction({"m": 64, "n": 64, "k": 64}, dtype=dtype, accumulator="f32")
    return compile_payload(payload_of(text), target=target, cache_dir=folder, jobs=1)


def _modules(compiled: Compiled) -> Sequence[DeviceModule]:
    return [m for code in compiled.artifact.objects for m in unpack(code).modules]


def test_instructions_are_counted_by_what_they_do() -> None:
    """Not counted: comments, labels, a DPAS without a destination."""
    assert counts_of(LISTING) == {
        "dpas": 2, "block_loads": 2, "block_prefetches": 1, "block_stores": 1, "instructions": 9,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("registers", "slm", "group", "percent"),
    [
        (128, 0, (256, 1, 1), 100),
        (256, 0, (256, 1, 1), 50),
        (128, 0, (16, 1, 1), 100),
        (128, 0, (48 * 16, 1, 1), 75),  # one group of 48 threads; 64 has a core
        (128, 65536, (256, 1, 1), 50),  # two groups of 16 threads share the local memory
        (256, 0, (1024, 1, 1), 0),  # 64 threads do not fit
    ],
)
def test_occupancy(registers: int, slm: int, group: tuple[int, int, int], percent: int) -> None:
    kernel = NativeKernel(
        name="k", registers=registers, simd=16, spill_bytes=0, private_bytes=0, slm_bytes=slm,
        engine_threads=0, has_dpas=False,
    )  # fmt: skip
    assert kernel.occupancy_percent(group, device_facts("b580")) == percent


def test_a_program_has_native_code_and_a_report(install: Install, tmp_path: Path) -> None:
    log = install(spill=192)
    compiled = _compiled(tmp_path / "cache")
    (module,) = _modules(compiled)
    assert module.native.startswith(b"ELF")
    (kernel,) = (k for k in compiled.kernels if k.motif == "contraction")
    figures = kernel.figures
    assert {n: figures[n] for n in ("dpas", "block_loads", "spill_bytes", "registers")} == {
        "dpas": 2, "block_loads": 2, "spill_bytes": 192, "registers": 256
    }  # fmt: skip
    assert figures["matrix_calls"] > 0
    assert figures["block_load_calls"] > 0
    assert 0 < figures["occupancy_percent"] <= 50
    build, look = _asked(log)
    assert build[0] == "compile"
    assert build[build.index("-device") + 1] == look[look.index("-device") + 1] == "bmg"
    large = module.registers == 256
    assert ("-ze-opt-large-register-file" in build) == large
    assert compiled.toolchain["ocloc"].startswith("ocloc (")


def test_the_chip_is_the_devices(install: Install, tmp_path: Path) -> None:
    log = install()
    _compiled(tmp_path / "cache", target="xegpu:lnl")
    build, _ = _asked(log)
    assert build[build.index("-device") + 1] == "lnl-m"


def test_a_program_without_it_is_compiled_again_with_it(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert find_ocloc() is None
    before = _compiled(tmp_path / "cache")
    assert not any(m.native for m in _modules(before))
    assert "ocloc" not in before.toolchain
    install()
    assert any(m.native for m in _modules(_compiled(tmp_path / "cache")))


@pytest.mark.parametrize("listing", ["        mov (1|M0) r1:d r2:d\n", None])
def test_no_dpas_is_an_error(install: Install, tmp_path: Path, listing: str | None) -> None:
    """Also where it cannot disassemble: the compiler says itself whether there is one."""
    install(listing, dpas=False)
    with pytest.raises(BellrockError, match="native code has no DPAS instruction"):
        _compiled(tmp_path / "cache")
    _compiled(tmp_path / "cache", dtype="f32")  # which was not to have one


def test_no_call_in_spirv_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs no `ocloc`: the module of another kernel stands for one that lost its products."""
    monkeypatch.setenv("PATH", "")
    (right,) = _modules(_compiled(tmp_path / "cache"))
    (wrong,) = _modules(_compiled(tmp_path / "cache", dtype="f32"))
    check_matrix_engines([ModuleCode(module=wrong), ModuleCode(module=right)])
    with pytest.raises(CompileError, match="its SPIR-V has no call of them"):
        check_matrix_engines([ModuleCode(module=wrong)])


def test_without_a_disassembler_nothing_is_counted(install: Install, tmp_path: Path) -> None:
    install(None)
    figures = next(k.figures for k in _compiled(tmp_path / "c").kernels if k.figures)
    assert "dpas" not in figures
    assert figures["registers"] == 256


@pytest.mark.parametrize("step", ["compile", "disasm"])
def test_a_failure_is_told(install: Install, step: str) -> None:
    install(fails=step)
    ocloc = find_ocloc()
    assert ocloc is not None
    with pytest.raises(CompileError, match=rf"`ocloc {step}` failed.*error code: -11"):
        native_code(ocloc, b"", chip="bmg", registers=0)


@pytest.mark.parametrize("info", ["kernels:\n- name: k\n", "{", "3"])
def test_a_strange_answer_is_told(install: Install, info: str) -> None:
    install(info=info)
    ocloc = find_ocloc()
    assert ocloc is not None
    with pytest.raises(CompileError, match="what ocloc says of its code cannot be read"):
        native_code(ocloc, b"", chip="bmg", registers=0)


def test_compile_and_describe_print_the_report(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BELLROCK_CACHE_DIR", str(tmp_path / "cache"))
    text = generate.contraction({"m": 32, "n": 32, "k": 32}, dtype="f16", accumulator="f32")
    Path("product.mlir").write_text(text)
    said = CliRunner().invoke(cli, ["compile", "product.mlir", "--target", "xegpu"])
    assert said.exit_code == 0, said.output
    assert "(contraction): launches 1, matrix_calls " in said.output
    assert "dpas 2, block_loads 2, block_prefetches 1, " in said.output
    again = CliRunner().invoke(cli, ["run", "product.bellrock", "--describe"])
    assert "dpas 2, block_loads 2" in again.output
    assert os.environ["PATH"].endswith("bin")


def test_native_code_is_kept_in_the_container() -> None:
    native = NativeCode(binary=b"ELF", kernels=())
    from bellrock.target.xegpu.container import DeviceObject

    module = DeviceModule(name="m", spirv=b"s", llvm=b"l", kernels=(), native=native.binary)
    plain = DeviceModule(name="n", spirv=b"s", llvm=b"l", kernels=())
    whole = DeviceObject(host=b"h", modules=(module, plain))
    assert unpack(whole.pack()) == whole
