"""Native code by Intel's offline compiler `ocloc`, where it is on the PATH, and what is in it.

Flows in: a SPIR-V module, the chip that it is for. Flows out: `NativeCode`: the driver's own binary
(ELF), and for each kernel what the compiler says of it (`.ze_info`) and what its disassembly has.
Drivers are given SPIR-V all the same: native code runs on one chip only.

`ocloc disasm` writes a file for each section: `.ze_info` (YAML, the format of which is in the
sources of Intel's graphics compiler: IGC/ZEBinWriter/zebin/spec/zeinfo.md), and of each kernel
`.text.NAME.asm`, or `.text.NAME` in binary where it has no disassembler.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bellrock.errors import CompileError
from bellrock.target.base import Facts
from bellrock.target.xegpu.container import BUILD_FLAGS

NAME = "ocloc"
_SECONDS = 600
_TAIL = 600
"""Characters of what `ocloc` said that an error repeats."""
_DPAS = re.compile(r"\bdpasw?\.\d+x\d+\s*\([^)]*\)\s+(?!null)\S")
"""With a destination: compilers also emit one without, as a mark."""
_BLOCK = re.compile(r"\b(load|store)_block2d\b")
_NO_DATA = re.compile(r"\)\s+null\b")
_COMMENT = re.compile(r"^\s*(//.*)?$|^\s*\w+:\s*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeKernel:
    """What is known of a kernel's native code. Counts are of its text, None without one."""

    name: str
    registers: int
    """Of each thread."""
    simd: int
    """Work-items of a thread."""
    spill_bytes: int
    """Of each thread, for values that found no register."""
    private_bytes: int
    slm_bytes: int
    engine_threads: int
    """Threads of a vector engine as the compiler says; 0 where it does not."""
    has_dpas: bool
    dpas: int | None = None
    block_loads: int | None = None
    block_prefetches: int | None = None
    block_stores: int | None = None
    instructions: int | None = None

    @property
    def uses_matrix_engines(self) -> bool:
        """Whether there is a matrix instruction in it."""
        return self.has_dpas if self.dpas is None else self.dpas > 0

    def occupancy_percent(self, group: tuple[int, int, int], facts: Facts) -> int:
        """Return how many of an Xe-core's threads the kernel can keep at once, of 100.

        Args:
            group: work-items of a work-group, by dimension.
            facts: of the device; `limits` say what a core has.
        """
        limits = facts.limits
        most = limits["threads"]
        threads = self.engine_threads or (
            limits["threads_large_grf"] if self.registers > _SMALL else most
        )
        of_group = -(-math.prod(group) // self.simd)
        groups = limits["vector_engines"] * threads // of_group
        if self.slm_bytes:
            groups = min(groups, limits["slm_bytes"] // self.slm_bytes)
        return 100 * groups * of_group // (limits["vector_engines"] * most)


_SMALL = 128
"""Registers of a thread with which an engine has all its threads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeCode:
    """What `ocloc` made of one module."""

    binary: bytes
    kernels: tuple[NativeKernel, ...]


def find_ocloc() -> Path | None:
    """Return where the PATH has `ocloc`; None where it has none."""
    found = shutil.which(NAME)
    return Path(found) if found else None


def ocloc_version() -> Mapping[str, str]:
    """Return what tells this `ocloc` from another, by its name; nothing where there is none."""
    found = find_ocloc()
    if found is None:
        return {}
    file = found.resolve()
    about = file.stat()
    return {NAME: f"{file.name} ({about.st_size} bytes of {int(about.st_mtime)})"}


def native_code(ocloc: Path, spirv: bytes, *, chip: str, registers: int) -> NativeCode:
    """Compile a SPIR-V module for a chip, and look at what came out.

    Args:
        ocloc: the program.
        spirv: the module.
        chip: as `ocloc -device` has it.
        registers: that each thread has; 0 leaves it to the compiler.

    Raises:
        CompileError: it could not compile it, or what it wrote is not what it should write.
    """
    with tempfile.TemporaryDirectory(prefix="bellrock-ocloc-") as name:
        folder = Path(name)
        source = folder / "module.spv"
        source.write_bytes(spirv)
        flags = BUILD_FLAGS.get(registers)
        _run(
            ocloc, "compile", "-file", str(source), "-spirv_input", "-device", chip,
            "-output", "module", "-out_dir", str(folder),
            *(("-options", flags) if flags else ()),
        )  # fmt: skip
        made = sorted(folder.glob("module*.bin"))
        if len(made) != 1:
            raise CompileError(
                "ocloc wrote no binary", got=", ".join(p.name for p in folder.iterdir())
            )
        dump = folder / "sections"
        _run(ocloc, "disasm", "-file", str(made[0]), "-device", chip, "-dump", str(dump))
        return NativeCode(binary=made[0].read_bytes(), kernels=tuple(_kernels(dump)))


def _run(ocloc: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(
            [str(ocloc), *arguments], capture_output=True, text=True, timeout=_SECONDS,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompileError("ocloc does not run", got=str(error), where=ocloc) from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-_TAIL:]
        raise CompileError(
            f"`ocloc {arguments[0]}` failed",
            got=f"exit code {done.returncode}: {said}",
            where=ocloc,
            hint="take ocloc off the PATH to compile without native code",
        )


def _kernels(sections: Path) -> Iterator[NativeKernel]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    file = sections / ".ze_info"
    try:
        about = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
        described = [(str(k["name"]), k["execution_env"]) for k in about["kernels"]]
        for name, environment in described:
            listing = sections / f".text.{name}.asm"
            if listing.exists():
                yield _kernel(name, environment, listing.read_text("utf-8", errors="replace"))
            elif (sections / f".text.{name}").exists():
                yield _kernel(name, environment, None)
    except (OSError, YAMLError, KeyError, TypeError, ValueError) as error:
        raise CompileError(
            "what ocloc says of its code cannot be read", got=f"{type(error).__name__}: {error}",
            where=file.name,
        ) from error  # fmt: skip


def _kernel(name: str, about: Mapping[str, Any], listing: str | None) -> NativeKernel:
    return NativeKernel(
        name=name,
        registers=int(about["grf_count"]),
        simd=int(about["simd_size"]),
        spill_bytes=int(about.get("spill_size", 0)),
        private_bytes=int(about.get("private_size", 0)),
        slm_bytes=int(about.get("slm_size", 0)),
        engine_threads=int(about.get("eu_thread_count", 0)),
        has_dpas=bool(about.get("has_dpas", False)),
        **({} if listing is None else counts_of(listing)),
    )


def counts_of(listing: str) -> dict[str, int]:
    """Count instructions in a disassembled kernel.

    A block load is an instruction of that name, or a `send` with it in the comment; without a
    destination it is a prefetch.

    Args:
        listing: of one kernel.
    """
    names = ("dpas", "block_loads", "block_prefetches", "block_stores", "instructions")
    counts: dict[str, int] = dict.fromkeys(names, 0)
    for line in listing.splitlines():
        if _COMMENT.match(line):
            continue
        counts["instructions"] += 1
        counts["dpas"] += bool(_DPAS.search(line))
        block = _BLOCK.search(line)
        if block is None:
            continue
        if block[1] == "store":
            counts["block_stores"] += 1
        else:
            counts["block_prefetches" if _NO_DATA.search(line) else "block_loads"] += 1
    return counts
