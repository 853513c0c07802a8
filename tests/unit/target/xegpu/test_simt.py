"""The interpreter: branches that part work-items, barriers, faults, arithmetic."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from bellrock.errors import DeviceError
from bellrock.target.xegpu.loaders.base import Launch
from bellrock.target.xegpu.loaders.choosing import SharedDevice

Run = Callable[..., None]


@pytest.fixture
def run(device: SharedDevice, samples: SimpleNamespace) -> Run:
    """Runs one kernel; arrays are copied in and back out."""
    return _runner(device, samples)


@pytest.fixture(scope="module")
def simt(samples: SimpleNamespace) -> Iterator[SharedDevice]:
    from bellrock.target.xegpu.loaders.simt.device import SimtDevice

    device = samples.shared(SimtDevice())
    yield device
    device.close()


@pytest.fixture
def interpret(simt: SharedDevice, samples: SimpleNamespace) -> Run:
    return _runner(simt, samples)


def _runner(device: SharedDevice, samples: SimpleNamespace) -> Run:
    def run(body: str, name: str, *arguments: object, groups: int = 1, items: int = 16) -> None:
        arrays = [a for a in arguments if isinstance(a, np.ndarray)]
        kinds = ["pointer" if isinstance(a, np.ndarray) else "scalar" for a in arguments]
        program = device.device.load([samples.module(body, samples.entry(name, *kinds))])
        with device.session(), device.memory.frame() as frame:
            blocks = {id(a): frame.filled(a.ctypes.data, a.nbytes) for a in arrays}
            values = tuple(
                blocks[id(a)].address.to_bytes(8, "little")
                if isinstance(a, np.ndarray)
                else np.asarray(a).tobytes()
                for a in arguments
            )
            try:
                program.run([Launch(name, (groups, 1, 1), (items, 1, 1), values)])
            finally:
                program.close()
            for array in arrays:
                device.memory.download(array.ctypes.data, blocks[id(array)])

    return run


COLLATZ = """
  llvm.func spir_kernelcc @collatz(%out: !llvm.ptr<1>) {
    %zero32 = llvm.mlir.constant(0 : i32) : i32
    %zero = llvm.mlir.constant(0 : i64) : i64
    %one = llvm.mlir.constant(1 : i64) : i64
    %two = llvm.mlir.constant(2 : i64) : i64
    %three = llvm.mlir.constant(3 : i64) : i64
    %i = llvm.call spir_funccc @_Z13get_global_idj(%zero32) : (i32) -> i64
    %start = llvm.add %i, %one : i64
    llvm.br ^loop(%start, %zero : i64, i64)
  ^loop(%n: i64, %steps: i64):
    %done = llvm.icmp "eq" %n, %one : i64
    llvm.cond_br %done, ^end, ^body
  ^body:
    %next = llvm.add %steps, %one : i64
    %bit = llvm.and %n, %one : i64
    %odd = llvm.icmp "eq" %bit, %one : i64
    llvm.cond_br %odd, ^up, ^down
  ^up:
    %m = llvm.mul %n, %three : i64
    %k = llvm.add %m, %one : i64
    llvm.br ^loop(%k, %next : i64, i64)
  ^down:
    %h = llvm.udiv %n, %two : i64
    llvm.br ^loop(%h, %next : i64, i64)
  ^end:
    %p = llvm.getelementptr %out[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i64
    llvm.store %steps, %p : i64, !llvm.ptr<1>
    llvm.return
  }"""


def test_each_work_item_goes_its_own_way(run: Run) -> None:
    """Loops of different lengths with branches in them, over more than one batch."""
    count = 16 * 640
    found = np.zeros(count, np.int64)
    run(COLLATZ, "collatz", found, groups=640)

    def steps(n: int) -> int:
        taken = 0
        while n != 1:
            n, taken = (3 * n + 1 if n % 2 else n // 2), taken + 1
        return taken

    assert found.tolist() == [steps(i + 1) for i in range(count)]


SWAP = """
  llvm.func spir_kernelcc @swap(%out: !llvm.ptr<1>) {
    %zero32 = llvm.mlir.constant(0 : i32) : i32
    %zero = llvm.mlir.constant(0 : i64) : i64
    %one = llvm.mlir.constant(1 : i64) : i64
    %ten = llvm.mlir.constant(10 : i64) : i64
    %i = llvm.call spir_funccc @_Z13get_global_idj(%zero32) : (i32) -> i64
    llvm.br ^loop(%zero, %i, %ten : i64, i64, i64)
  ^loop(%k: i64, %a: i64, %b: i64):
    %next = llvm.add %k, %one : i64
    %more = llvm.icmp "ult" %next, %i : i64
    llvm.cond_br %more, ^loop(%next, %b, %a : i64, i64, i64), ^end(%a : i64)
  ^end(%c: i64):
    %d = llvm.add %c, %k : i64
    %p = llvm.getelementptr %out[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i64
    llvm.store %d, %p : i64, !llvm.ptr<1>
    llvm.return
  }"""


def test_values_outlive_the_work_items_that_go_on(run: Run) -> None:
    """Arguments swap places, and one of the loop is used after it by those who left early."""
    found = np.zeros(32, np.int64)
    run(SWAP, "swap", found, groups=2)
    last = [max(i - 1, 0) for i in range(32)]
    assert found.tolist() == [(i if k % 2 == 0 else 10) + k for i, k in enumerate(last)]


def _reversal(*, first_barrier: bool = True, second_barrier: bool = True) -> str:
    """Two rounds of: write to local memory, read what the opposite work-item wrote."""
    barrier = "llvm.call spir_funccc @_Z7barrierj(%fence) {convergent} : (i32) -> ()"
    return f"""
  llvm.mlir.global internal @shared() {{addr_space = 3 : i32}} : !llvm.array<64 x i32>
  llvm.func spir_kernelcc @reverse(%data: !llvm.ptr<1>) {{
    %zero32 = llvm.mlir.constant(0 : i32) : i32
    %fence = llvm.mlir.constant(1 : i32) : i32
    %zero = llvm.mlir.constant(0 : i64) : i64
    %one = llvm.mlir.constant(1 : i64) : i64
    %two = llvm.mlir.constant(2 : i64) : i64
    %last = llvm.mlir.constant(63 : i64) : i64
    %g = llvm.call spir_funccc @_Z13get_global_idj(%zero32) : (i32) -> i64
    %i = llvm.call spir_funccc @_Z12get_local_idj(%zero32) : (i32) -> i64
    %slm = llvm.mlir.addressof @shared : !llvm.ptr<3>
    %mine = llvm.getelementptr %slm[%i] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i32
    %j = llvm.sub %last, %i : i64
    %other = llvm.getelementptr %slm[%j] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i32
    %p = llvm.getelementptr %data[%g] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
    llvm.br ^loop(%zero : i64)
  ^loop(%k: i64):
    %x = llvm.load %p : !llvm.ptr<1> -> i32
    llvm.store %x, %mine : i32, !llvm.ptr<3>
    {barrier if first_barrier else ""}
    %y = llvm.load %other : !llvm.ptr<3> -> i32
    %z = llvm.add %y, %fence : i32
    llvm.store %z, %p : i32, !llvm.ptr<1>
    {barrier if second_barrier else ""}
    %next = llvm.add %k, %one : i64
    %more = llvm.icmp "ult" %next, %two : i64
    llvm.cond_br %more, ^loop(%next : i64), ^end
  ^end:
    llvm.return
  }}"""


def test_barriers_order_local_memory(run: Run) -> None:
    data = np.arange(128 * 64, dtype=np.int32)  # the interpreter has two batches of groups
    run(_reversal(), "reverse", data, groups=128, items=64)
    assert (data == np.arange(128 * 64) + 2).all()


@pytest.mark.parametrize(
    ("dropped", "message"),
    [
        ("first_barrier", "read that another work-item wrote"),
        ("second_barrier", "written that another work-item read"),
    ],
)
def test_a_dropped_barrier_is_an_error(interpret: Run, dropped: str, message: str) -> None:
    data = np.arange(64, dtype=np.int32)
    with pytest.raises(DeviceError, match=message) as caught:
        interpret(_reversal(**{dropped: False}), "reverse", data, items=64)
    assert "kernel 'reverse'" in str(caught.value)
    assert "llvm." in str(caught.value)


HALF_BARRIER = """
  llvm.func spir_kernelcc @half(%data: !llvm.ptr<1>) {
    %zero32 = llvm.mlir.constant(0 : i32) : i32
    %fence = llvm.mlir.constant(1 : i32) : i32
    %eight = llvm.mlir.constant(8 : i64) : i64
    %i = llvm.call spir_funccc @_Z12get_local_idj(%zero32) : (i32) -> i64
    %low = llvm.icmp "ult" %i, %eight : i64
    llvm.cond_br %low, ^wait, ^end
  ^wait:
    llvm.call spir_funccc @_Z7barrierj(%fence) {convergent} : (i32) -> ()
    llvm.br ^end
  ^end:
    llvm.return
  }"""


def test_a_barrier_that_not_all_reach_is_an_error(interpret: Run) -> None:
    with pytest.raises(DeviceError, match="disagree about a barrier"):
        interpret(HALF_BARRIER, "half", np.zeros(16, np.int32))
    interpret(HALF_BARRIER, "half", np.zeros(16, np.int32), items=8)


def test_an_access_out_of_bounds_names_kernel_and_op(
    interpret: Run, samples: SimpleNamespace
) -> None:
    given, got = np.ones(20, np.float32), np.zeros(19, np.float32)
    with pytest.raises(DeviceError, match="outside of all global memory") as caught:
        interpret(samples.scale, "scale", given, got, np.int64(20), np.float32(2), groups=2)
    assert "kernel 'scale'" in str(caught.value)
    assert "llvm.store" in str(caught.value)
    interpret(samples.scale, "scale", given, got, np.int64(19), np.float32(2), groups=2)
    assert (got == 2).all()


def test_freed_memory_is_out_of_bounds(simt: SharedDevice, samples: SimpleNamespace) -> None:
    device = simt.device
    program = device.load([samples.module(samples.scale, samples.scale_entry)])
    gone, kept = device.allocate(64), device.allocate(64)
    device.free(gone)
    arguments = (gone, kept)
    values = tuple(a.to_bytes(8, "little") for a in arguments)
    launch = Launch("scale", (1, 1, 1), (16, 1, 1), (*values, b"\1" + b"\0" * 7, b"\0" * 4))
    with pytest.raises(DeviceError, match="outside of all global memory"):
        program.run([launch])
    with pytest.raises(DeviceError, match="freed that is not allocated"):
        device.free(gone)
    device.free(kept)


PRIVATE = """
  llvm.func spir_kernelcc @private(%out: !llvm.ptr<1>, %at: i64) {
    %zero32 = llvm.mlir.constant(0 : i32) : i32
    %single = llvm.mlir.constant(1 : i32) : i32
    %one = llvm.mlir.constant(1 : i64) : i64
    %i = llvm.call spir_funccc @_Z13get_global_idj(%zero32) : (i32) -> i64
    %mine = llvm.alloca %single x !llvm.array<4 x i64> : (i32) -> !llvm.ptr
    %q = llvm.getelementptr %mine[%at] : (!llvm.ptr, i64) -> !llvm.ptr, i64
    llvm.store %i, %q : i64, !llvm.ptr
    %r = llvm.getelementptr %mine[%one] : (!llvm.ptr, i64) -> !llvm.ptr, i64
    %x = llvm.load %r : !llvm.ptr -> i64
    %p = llvm.getelementptr %out[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i64
    llvm.store %x, %p : i64, !llvm.ptr<1>
    llvm.return
  }"""


def test_private_memory_is_each_work_items_own(run: Run) -> None:
    found = np.zeros(32, np.int64)
    run(PRIVATE, "private", found, np.int64(1), groups=2)
    assert (found == np.arange(32)).all()


def test_private_memory_has_bounds(interpret: Run) -> None:
    with pytest.raises(DeviceError, match="outside of a work-item's"):
        interpret(PRIVATE, "private", np.zeros(16, np.int64), np.int64(100))


def _compare(predicate: str) -> str:
    return f"""
  llvm.func spir_kernelcc @compare(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %out: !llvm.ptr<1>) {{
    %zero32 = llvm.mlir.constant(0 : i32) : i32
    %i = llvm.call spir_funccc @_Z13get_global_idj(%zero32) : (i32) -> i64
    %p = llvm.getelementptr %a[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %q = llvm.getelementptr %b[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %x = llvm.load %p : !llvm.ptr<1> -> f32
    %y = llvm.load %q : !llvm.ptr<1> -> f32
    %c = llvm.fcmp "{predicate}" %x, %y : f32
    %d = llvm.zext %c : i1 to i8
    %r = llvm.getelementptr %out[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    llvm.store %d, %r : i8, !llvm.ptr<1>
    llvm.return
  }}"""


@pytest.mark.parametrize(
    "predicate", "oeq ogt oge olt ole one ord ueq ugt uge ult ule une uno".split()
)
def test_comparisons_of_numbers_and_nan(interpret: Run, predicate: str) -> None:
    values = np.array([1, 2, np.nan, np.inf], np.float32)
    a, b = (v.ravel().copy() for v in np.meshgrid(values, values))
    found = np.zeros(16, np.int8)
    interpret(_compare(predicate), "compare", a, b, found)
    nan = np.isnan(a) | np.isnan(b)
    relations = {
        "eq": a == b, "gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b,
        "ne": (a != b) & ~nan,
    }  # fmt: skip
    wanted = {"ord": ~nan, "uno": nan}.get(predicate)
    if wanted is None:
        wanted = relations[predicate[1:]] | (nan & (predicate[0] == "u"))
    assert (found == wanted).all()


def _integer(op: str) -> str:
    return f"""
  llvm.func spir_kernelcc @integer(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %out: !llvm.ptr<1>) {{
    %zero32 = llvm.mlir.constant(0 : i32) : i32
    %i = llvm.call spir_funccc @_Z13get_global_idj(%zero32) : (i32) -> i64
    %p = llvm.getelementptr %a[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
    %q = llvm.getelementptr %b[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
    %x = llvm.load %p : !llvm.ptr<1> -> i32
    %y = llvm.load %q : !llvm.ptr<1> -> i32
    %z = {op}
    %r = llvm.getelementptr %out[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
    llvm.store %z, %r : i32, !llvm.ptr<1>
    llvm.return
  }}"""


@pytest.mark.parametrize(
    "op",
    [
        *(f"llvm.{n} %x, %y : i32" for n in "add sub mul and or xor".split()),
        *(f"llvm.{n} %x, %y : i32" for n in "sdiv srem udiv urem".split()),
        *(f"llvm.{n} %x, %y : i32" for n in "shl lshr ashr".split()),
        *(f"llvm.intr.{n}(%x, %y) : (i32, i32) -> i32" for n in "smax smin umax umin".split()),
        "llvm.intr.ctpop(%x) : (i32) -> i32",
        '"llvm.intr.ctlz"(%x) <{is_zero_poison = false}> : (i32) -> i32',
        '"llvm.intr.abs"(%x) <{is_int_min_poison = false}> : (i32) -> i32',
    ],
)
def test_integers_are_those_of_the_runtime(
    interpret: Run, samples: SimpleNamespace, opencl_only: SharedDevice, op: str
) -> None:
    values = [7, -7, 1, -1, 3, 30, -(2**31) + 1, 2**31 - 1]
    a = np.repeat(np.array(values, np.int32), 8)
    b = np.tile(np.array([1, 2, 3, 5, 7, 11, 30, 31], np.int32), 8)
    if "sh" not in op:
        b *= np.resize(np.array([1, -1, 1], np.int32), 64)
    here, there = np.zeros(64, np.int32), np.zeros(64, np.int32)
    interpret(_integer(op), "integer", a, b, here, groups=4)
    _runner(opencl_only, samples)(_integer(op), "integer", a, b, there, groups=4)
    assert (here == there).all()


@pytest.fixture(scope="module")
def opencl_only(samples: SimpleNamespace, opencl_here: None) -> Iterator[SharedDevice]:
    from bellrock.target.xegpu.loaders.opencl.device import OpenClDevice

    device = samples.shared(OpenClDevice(allow_gpu=False))
    yield device
    device.close()


def test_what_is_not_known_is_named(interpret: Run) -> None:
    with pytest.raises(DeviceError, match="knows no function of a name; got _Z7mysteryv"):
        interpret(
            """
  llvm.func spir_funccc @_Z7mysteryv()
  llvm.func spir_kernelcc @odd(%data: !llvm.ptr<1>) {
    llvm.call spir_funccc @_Z7mysteryv() : () -> ()
    llvm.return
  }""",
            "odd",
            np.zeros(4, np.int32),
        )
