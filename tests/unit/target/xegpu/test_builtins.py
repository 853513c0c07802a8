"""2-d block accesses and matrix products: OpenCL's stand-ins and the interpreter's, beside numpy.

What each work-item holds is stated here a second time, element by element, so that both
implementations are checked and not only compared.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bellrock.errors import DeviceError
from bellrock.target.xegpu.builtins import BlockAccess, MatrixMad, parse_builtin
from bellrock.target.xegpu.loaders.base import Launch
from bellrock.target.xegpu.loaders.choosing import SharedDevice
from bellrock.target.xegpu.loaders.opencl.library import library_source, symbols_of
from bellrock.target.xegpu.loaders.opencl.messages import Source
from bellrock.target.xegpu.loaders.opencl.server import build_plan

LANES = 16
_DTYPES = {8: np.uint8, 16: np.uint16, 32: np.uint32}
_LETTERS = {8: "h", 16: "t", 32: "j"}
HEIGHT, WIDTH_BYTES, PITCH_BYTES = 29, 100, 128


def _symbol(name: str, parameters: str) -> str:
    return f"_Z{len(name)}{name}{parameters}"


def _access_kernel(symbol: str, access: BlockAccess, count: int) -> str:
    """A kernel that reads a block and stores what it holds, or loads that and writes a block."""
    bits = access.held_bits
    read = access.action == "read"
    move = f"""
    %v = llvm.load {"%q" if read else "%o"} : {"!llvm.ptr" if read else "!llvm.ptr<1>"} -> i{bits}
    llvm.store %v, {"%o" if read else "%q"} : i{bits}, {"!llvm.ptr<1>" if read else "!llvm.ptr"}"""
    call = (
        f"llvm.call spir_funccc @{symbol}(%m, %w, %h, %p, %at, %mine) : "
        "(!llvm.ptr<1>, i32, i32, i32, vector<2xi32>, !llvm.ptr) -> ()"
    )
    return f"""
  llvm.func spir_funccc @{symbol}(!llvm.ptr<1>, i32, i32, i32, vector<2xi32>, !llvm.ptr)
  llvm.func spir_kernelcc @move(%m: !llvm.ptr<1>, %out: !llvm.ptr<1>, %x: i32, %y: i32)
      attributes {{intel_reqd_sub_group_size = 16 : i32}} {{
    %zero = llvm.mlir.constant(0 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %w = llvm.mlir.constant({WIDTH_BYTES} : i32) : i32
    %h = llvm.mlir.constant({HEIGHT} : i32) : i32
    %p = llvm.mlir.constant({PITCH_BYTES} : i32) : i32
    %first = llvm.mlir.constant(0 : i64) : i64
    %step = llvm.mlir.constant(1 : i64) : i64
    %n = llvm.mlir.constant({count} : i64) : i64
    %i = llvm.call spir_funccc @_Z12get_local_idj(%zero) : (i32) -> i64
    %base = llvm.mul %i, %n : i64
    %mine = llvm.alloca %one x !llvm.array<{count} x i{bits}> : (i32) -> !llvm.ptr
    %u = llvm.mlir.poison : vector<2xi32>
    %u0 = llvm.insertelement %x, %u[%zero : i32] : vector<2xi32>
    %at = llvm.insertelement %y, %u0[%one : i32] : vector<2xi32>
    {call if read else ""}
    llvm.br ^loop(%first : i64)
  ^loop(%k: i64):
    %e = llvm.add %base, %k : i64
    %q = llvm.getelementptr %mine[%k] : (!llvm.ptr, i64) -> !llvm.ptr, i{bits}
    %o = llvm.getelementptr %out[%e] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i{bits}
    {move}
    %next = llvm.add %k, %step : i64
    %more = llvm.icmp "ult" %next, %n : i64
    llvm.cond_br %more, ^loop(%next : i64), ^end
  ^end:
    {"" if read else call}
    llvm.return
  }}"""


def _run(device: SharedDevice, samples: SimpleNamespace, body: str, name: str, *given: Any) -> None:
    kinds = ["pointer" if isinstance(a, np.ndarray) else "scalar" for a in given]
    entry = samples.entry(name, *kinds, sub_group=LANES)
    program = device.device.load([samples.module(body, entry)])
    with device.session(), device.memory.frame() as frame:
        blocks = {
            id(a): frame.filled(a.ctypes.data, a.nbytes) for a in given if isinstance(a, np.ndarray)
        }
        values = tuple(
            blocks[id(a)].address.to_bytes(8, "little")
            if isinstance(a, np.ndarray)
            else np.int32(a).tobytes()
            for a in given
        )
        try:
            program.run([Launch(name, (1, 1, 1), (LANES, 1, 1), values)])
        finally:
            program.close()
        for array in given:
            if isinstance(array, np.ndarray):
                device.memory.download(array.ctypes.data, blocks[id(array)])


def _held(access: BlockAccess, lane: int) -> list[tuple[int, int]]:
    """Row and column of each element of a work-item's part, in order; -1: it holds none."""
    rows, columns, packed = access.rows, access.columns, access.packed
    if access.form == "transpose":
        return [(lane if lane < rows else -1, c) for c in range(columns)]
    places = []
    for block in range(access.blocks):
        left = block * columns
        if access.form == "transform":
            places += [(r, left + lane) for r in range(rows)]
        elif columns == 8:
            places += [(2 * r + lane // 8, left + lane % 8) for r in range(rows // 2)]
        else:
            places += [(r, left + lane * packed + q) for r in range(rows) for q in range(packed)]
    return places


FORMS = [
    "read_16b_8r16x1c:16", "read_16b_32r16x2c:16", "read_16b_1r16x1c:16", "read_8b_8r32x1c:16",
    "read_8b_32r16x1c:8", "read_32b_8r16x1c:32", "read_32b_8r8x1c:32", "read_32b_16r8x2c:32",
    "read_transform_16b_16r16x1c:32", "read_transform_16b_32r16x2c:32",
    "read_transform_8b_32r16x1c:32", "read_transpose_32b_16r8x1c:32",
    "read_transpose_32b_8r8x1c:32", "write_16b_8r16x1c:16", "write_32b_8r16x1c:32",
    "write_8b_8r32x1c:16", "write_32b_4r16x1c:32",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_blocks_inside_and_across_the_borders(
    device: SharedDevice, samples: SimpleNamespace, form: str
) -> None:
    name, _, held_bits = form.partition(":")
    letter = _LETTERS[int(held_bits)]
    symbol = _symbol(f"intel_sub_group_2d_block_{name}", f"PU3AS1viiiDv2_iP{letter}")
    access = parse_builtin(symbol)
    assert isinstance(access, BlockAccess)
    dtype = np.dtype(_DTYPES[access.bits])
    columns, row_elements = WIDTH_BYTES // dtype.itemsize, PITCH_BYTES // dtype.itemsize
    per_lane = len(_held(access, 0)) * dtype.itemsize // (access.held_bits // 8)
    body = _access_kernel(symbol, access, per_lane)
    rng = np.random.default_rng(0)
    step = 4 // dtype.itemsize if dtype.itemsize < 4 else 1
    for x, y in [(0, 0), (-4 * step, -3), (columns // step * step - 2 * step, HEIGHT - 2)]:
        matrix = rng.integers(1, 200, (HEIGHT, row_elements)).astype(dtype)
        before = matrix.copy()
        out = rng.integers(0, 200, (LANES, len(_held(access, 0)))).astype(dtype)
        given = out.copy()
        _run(device, samples, body, "move", matrix, out, x, y)
        wanted, written = np.zeros_like(out), before.copy()
        for lane in range(LANES):
            for n, (row, column) in enumerate(_held(access, lane)):
                r, c = y + row, x + column
                if row >= 0 and 0 <= r < HEIGHT and 0 <= c < columns:
                    wanted[lane, n] = before[r, c]
                    written[r, c] = given[lane, n]
        if access.action == "read":
            assert (out == wanted).all()
            assert (matrix == before).all()
        else:
            assert (matrix == written).all()


MADS = [
    # name, type of A's elements and how many, of B's, of C's and how many
    ("f16_f16_matrix_mad_k16", "Dv8_sDv8_iDv8_f", ("i16", 8), "i32", ("f32", 8)),
    ("bf16_bf16_matrix_mad_k16", "Dv8_sDv8_iDv8_f", ("i16", 8), "i32", ("f32", 8)),
    ("f16_f16_matrix_mad_k16", "Dv4_sDv8_iDv4_f", ("i16", 4), "i32", ("f32", 4)),
    ("f16_f16_matrix_mad_k16", "sDv8_if", ("i16", 1), "i32", ("f32", 1)),
    ("f16_f16_matrix_mad_k16", "Dv8_sDv8_iDv8_Dh", ("i16", 8), "i32", ("f16", 8)),
    ("bf16_bf16_matrix_mad_k16", "Dv8_sDv8_iS_", ("i16", 8), "i32", ("i16", 8)),
    ("s8_s8_matrix_mad_k32", "Dv8_sDv8_iS0_", ("i16", 8), "i32", ("i32", 8)),
    ("u8_s8_matrix_mad_k32", "Dv8_sDv8_iS0_", ("i16", 8), "i32", ("i32", 8)),
    ("tf32_tf32_matrix_mad_k8", "Dv4_fDv8_fS0_", ("f32", 4), "f32", ("f32", 8)),
]  # fmt: skip


def _mad_kernel(symbol: str, a: tuple[str, int], b: str, c: tuple[str, int]) -> str:
    def vector(kind: str, count: int) -> str:
        return kind if count == 1 else f"vector<{count}x{kind}>"

    at, bt, ct = vector(*a), vector(b, 8), vector(*c)
    return f"""
  llvm.func spir_funccc @{symbol}({at}, {bt}, {ct}) -> {ct}
  llvm.func spir_kernelcc @product(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %c: !llvm.ptr<1>)
      attributes {{intel_reqd_sub_group_size = 16 : i32}} {{
    %zero = llvm.mlir.constant(0 : i32) : i32
    %i = llvm.call spir_funccc @_Z12get_local_idj(%zero) : (i32) -> i64
    %pa = llvm.getelementptr %a[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, {at}
    %pb = llvm.getelementptr %b[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, {bt}
    %pc = llvm.getelementptr %c[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, {ct}
    %x = llvm.load %pa : !llvm.ptr<1> -> {at}
    %y = llvm.load %pb : !llvm.ptr<1> -> {bt}
    %z = llvm.load %pc : !llvm.ptr<1> -> {ct}
    %r = llvm.call spir_funccc @{symbol}(%x, %y, %z) {{convergent}} : ({at}, {bt}, {ct}) -> {ct}
    llvm.store %r, %pc : {ct}, !llvm.ptr<1>
    llvm.return
  }}"""


def _raw(values: np.ndarray, kind: str) -> np.ndarray:
    """The bits of small integers in an element type."""
    if kind == "bf16":
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return values.astype(
        {"f16": np.float16, "tf32": np.float32, "s8": np.int8, "u8": np.uint8}[kind]
    )


@pytest.mark.parametrize(
    ("name", "parameters", "a", "b", "c"), MADS, ids=[f"{m[0]}-{m[1]}" for m in MADS]
)
def test_products(
    device: SharedDevice, samples: SimpleNamespace, name: str, parameters: str,
    a: tuple[str, int], b: str, c: tuple[str, int],
) -> None:  # fmt: skip
    symbol = _symbol(f"intel_sub_group_{name}", parameters)
    mad = parse_builtin(symbol)
    assert isinstance(mad, MatrixMad)
    rng = np.random.default_rng(1)
    low = 0 if mad.a == "u8" else -3
    left = rng.integers(low, 4, (mad.rows, mad.k))
    right = rng.integers(-3, 4, (mad.k, LANES))
    start = rng.integers(-3, 4, (mad.rows, LANES))
    if mad.a == "tf32":  # work-items 0 to 7 have even rows, the others odd ones
        held = left.reshape(4, 2, 8).transpose(1, 2, 0).reshape(LANES, 4)
    else:  # work-item w has columns w P to w P + P - 1 of each row
        held = left.reshape(mad.rows, LANES, -1).transpose(1, 0, 2).reshape(LANES, -1)
    raw_c = start.T.astype(np.float32 if mad.result in {"f", "s"} else np.float16)
    raw_c = start.T.astype(np.int32) if mad.result == "i" else raw_c
    raw_c = _raw(start.T, "bf16") if mad.result == "s" else raw_c
    raw_a, raw_b = _raw(held, mad.a), _raw(right.T, mad.b)
    arrays = [np.ascontiguousarray(v) for v in (raw_a, raw_b, raw_c)]
    _run(device, samples, _mad_kernel(symbol, a, b, c), "product", *arrays)
    found = arrays[2]
    if mad.result == "s":
        found = (found.astype(np.uint32) << 16).view(np.float32)
    assert (left @ right + start == found.T).all()


BROKEN = {
    "the width is 64 bytes": (f"constant({WIDTH_BYTES} ", "constant(48 "),
    "the width is a multiple of 4": (f"constant({WIDTH_BYTES} ", "constant(98 "),
    "the pitch is a multiple of 16": (f"constant({PITCH_BYTES} ", "constant(104 "),
    "the pitch is not below": (f"constant({WIDTH_BYTES} ", "constant(132 "),
}


@pytest.mark.parametrize("device", ["simt"], indirect=True)
@pytest.mark.parametrize("rule", [*BROKEN, "x is a multiple of 4"])
def test_rules_that_hardware_does_not_check(
    device: SharedDevice, samples: SimpleNamespace, rule: str
) -> None:
    symbol = _symbol("intel_sub_group_2d_block_read_16b_8r16x1c", "PU3AS1viiiDv2_iPt")
    access = parse_builtin(symbol)
    assert isinstance(access, BlockAccess)
    body = _access_kernel(symbol, access, 8).replace(*BROKEN.get(rule, ("", "")))
    matrix, out = np.zeros((HEIGHT, 80), np.uint16), np.zeros((LANES, 8), np.uint16)
    x = 1 if rule.startswith("x") else 0
    with pytest.raises(DeviceError, match=f"breaks a rule of the hardware: {rule}"):
        _run(device, samples, body, "move", matrix, out, x, 0)


def test_a_gpu_keeps_its_own_built_in_functions() -> None:
    symbol = _symbol("intel_sub_group_2d_block_read_16b_8r16x1c", "PU3AS1viiiDv2_iPt")
    source = Source("m", b"\0" + symbol.encode() + b"\0", (), registers=256)
    library, options = build_plan(source, is_gpu=False)
    assert "intel_sub_group_2d_block_read_16b_8r16x1c" in library
    assert options == []
    assert build_plan(source, is_gpu=True) == ("", ["-cl-intel-256-GRF-per-thread"])
    assert build_plan(replace(source, registers=0), is_gpu=True) == ("", [])


def test_names_that_are_none() -> None:
    assert parse_builtin("_Z13get_global_idj") is None
    assert parse_builtin("plain") is None
    with pytest.raises(DeviceError, match="form that is not known"):
        parse_builtin(_symbol("intel_sub_group_2d_block_read_16b_8r24x1c", "PU3AS1viiiDv2_iPt"))
    assert library_source(["_Z36intel_sub_group_block_read_ui8PU3AS1j"]) == ""
    assert symbols_of(b"\0_Z3expf\0_Z5intel_sub_group_x\0") == {"_Z5intel_sub_group_x"}
