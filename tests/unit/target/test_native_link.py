"""Linking into this process, wherever the memory for code and for its constants is found."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from bellrock.errors import CompileError
from bellrock.target.native.link import link

TABLE = """
@table = private constant [64 x double] [TERMS]
declare double @fmod(double, double)
declare double @provided(double)
define double @entry(i64 %at) {
  %place = getelementptr [64 x double], ptr @table, i64 0, i64 %at
  %value = load double, ptr %place
  %rest = call double @fmod(double %value, double 3.0)
  %sum = call double @provided(double %rest)
  ret double %sum
}
""".replace("TERMS", ", ".join(f"double {number}.5" for number in range(64)))

_DOUBLE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
_ENTRY = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64)
_PROVIDED = _DOUBLE(lambda value: value + 100)
_AT = ctypes.cast(_PROVIDED, ctypes.c_void_p).value or 0


def table_object() -> bytes:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        reloc="pic", codemodel="small"
    )
    return machine.emit_object(llvm.parse_assembly(TABLE))


def check_table() -> None:
    linked = link([table_object()], symbols=["entry"], provided={"provided": _AT})
    entry = _ENTRY(linked.address("entry"))
    assert [entry(at) for at in range(64)] == [(at + 0.5) % 3 + 100 for at in range(64)]


def fill_memory_but(hole: int) -> None:
    """Leave a hole of so many bytes; the next free memory is more than 4 GiB below it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    reserve = 0x4022  # private, of no file, not accounted for

    def take(size: int) -> int:
        address = libc.mmap(None, size, 0, reserve, -1, 0)
        assert address != ctypes.c_void_p(-1).value
        return address

    edge = take(1 << 16)
    far = take(4 << 30)
    for size in (1 << power for power in range(30, 11, -2)):
        while (address := take(size)) > far:
            pass
        libc.munmap(address, size)
    libc.munmap(edge, hole)


@pytest.mark.parametrize("pages", [1, 2, 3, 4])
def test_code_and_constants_may_be_far_from_free_memory(pages: int) -> None:
    """Sections that were placed one by one, over 2 GiB apart, ended the process in LLVM."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_native_link as t\n"
        f"t.check_table(); t.fill_memory_but({pages * 4096}); t.check_table(); print('linked')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "linked\n"


def test_code_is_freed_with_the_object() -> None:
    def mappings() -> int:
        gc.collect()
        return len(Path("/proc/self/maps").read_text().splitlines())

    check_table()
    before = mappings()
    for _ in range(20):
        check_table()
    assert mappings() <= before + 4


def test_a_missing_symbol_is_an_error() -> None:
    with pytest.raises(CompileError, match="cannot be linked"):
        link([table_object()], symbols=["entry"])


def test_a_damaged_object_is_an_error() -> None:
    with pytest.raises(CompileError, match="cannot be linked"):
        link([table_object()[:200]], symbols=["entry"], provided={"provided": _AT})
