"""Products on matrix engines, in the interpreter, against the same in binary64.

Data are small integers, which every type here has exactly: results have to be equal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from types import ModuleType

import pytest
import torch
from torch_mlir import ir

from bellrock.api import CompiledModel
from bellrock.api import compile as compile_model
from bellrock.compiler import compile_payload
from bellrock.dialects.matrix_engine import operands, packing
from bellrock.dialects.matrix_engine import product as emission
from bellrock.dialects.vector_code import shuffle
from bellrock.payload.spec import DType
from bellrock.target.xegpu import product
from bellrock.target.xegpu.calls import builtin_calls, matrix_products
from bellrock.target.xegpu.container import unpack

SHAPES = [
    # batch, m, n, k, a transposed, b transposed
    (1, 1, 1, 1, False, False),
    (1, 1, 64, 128, False, True),
    (1, 7, 1, 13, False, False),
    (1, 2, 3, 500, False, False),
    (1, 13, 96, 32, False, False),
    (1, 31, 61, 5, False, False),
    (1, 65, 33, 96, True, False),
    (1, 17, 129, 48, True, True),
    (1, 37, 53, 41, False, True),
    (1, 64, 64, 64, True, True),
    (1, 64, 31, 64, False, True),
    (1, 9, 17, 300, False, True),
    (1, 97, 89, 83, False, False),
    (1, 72, 88, 104, True, False),
    (1, 40, 200, 24, False, False),
    (1, 33, 40, 8, True, False),
    (3, 33, 32, 33, False, False),
    (3, 33, 40, 40, False, False),
    (5, 33, 36, 36, False, True),
    (2, 5, 200, 64, True, False),
    (3, 24, 72, 40, True, True),
    (7, 3, 5, 15, True, False),
]
DTYPES = [torch.float16, torch.bfloat16]


class Products(torch.nn.Module):
    """One product for each pair of inputs."""

    def __init__(self, shapes: Sequence[tuple[int, int, int, int, bool, bool]]) -> None:
        super().__init__()
        self.shapes = shapes

    def forward(self, *pairs: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for i, (*_, turn_a, turn_b) in enumerate(self.shapes):
            a, b = pairs[2 * i], pairs[2 * i + 1]
            found.append(
                torch.matmul(
                    a.transpose(-1, -2) if turn_a else a, b.transpose(-1, -2) if turn_b else b
                )
            )
        return found


def integers(*shape: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    """Return small integers."""
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randint(-2, 3, shape, generator=generator).to(dtype)


def pairs_of(
    shapes: Sequence[tuple[int, int, int, int, bool, bool]], dtype: torch.dtype
) -> list[torch.Tensor]:
    """Return the inputs of `Products`."""
    found = []
    for batch, m, n, k, turn_a, turn_b in shapes:
        outer = (batch,) if batch > 1 else ()
        found.append(integers(*outer, *((k, m) if turn_a else (m, k)), dtype=dtype))
        found.append(integers(*outer, *((n, k) if turn_b else (k, n)), dtype=dtype, seed=1))
    return found


def compiled(model: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> CompiledModel:
    """Compile for the interpreter."""
    return compile_model(model, inputs, target="xegpu", use_cache=False, jobs=1)


def reference(model: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return the results in binary64, rounded once."""
    found = model.double()(*(x.double() for x in inputs))
    found = found if isinstance(found, list | tuple) else [found]
    return [r.to(inputs[0].dtype) for r in found]


def products_of(program: CompiledModel) -> list[int]:
    """Return the calls of matrix engines in each kernel of a program."""
    return [
        sum(matrix_products(module.spirv) for module in unpack(code).modules)
        for code in program.compiled.artifact.objects[1:]
    ]


@pytest.fixture(autouse=True)
def interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_shape_and_order(dtype: torch.dtype) -> None:
    model, inputs = Products(SHAPES), pairs_of(SHAPES, dtype)
    program = compiled(model, inputs)
    for shape, got, wanted in zip(SHAPES, program(*inputs), reference(model, inputs), strict=True):
        assert torch.equal(got, wanted), shape
    # Some have a kernel more, that rounds what has lost a dimension of size 1.
    assert sum(count > 0 for count in products_of(program)) == len(SHAPES)


class Fused(torch.nn.Module):
    """Elementwise ops, reshapes and a transposition before and after products."""

    def forward(
        self, x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, other: torch.Tensor
    ) -> list[torch.Tensor]:
        heads = torch.relu(x @ w + bias).reshape(21, 4, 11).transpose(0, 1)
        late = torch.relu(x - 1) @ w * 2 + other
        scaled = torch.where(other > 0, (x * 2) @ w, other)
        return [heads, late, scaled]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_fused(dtype: torch.dtype) -> None:
    shapes = ((21, 40), (40, 44), (44,), (21, 44))
    inputs = [integers(*s, dtype=dtype) for s in shapes]
    model = Fused()
    program = compiled(model, inputs)
    for got, wanted in zip(program(*inputs), reference(model, inputs), strict=True):
        assert torch.equal(got, wanted)
    assert sum(count > 0 for count in products_of(program)) == 3


def test_block_loads_where_memory_allows_them() -> None:
    shapes = [(1, 64, 64, 64, False, False), (1, 64, 63, 62, False, False)]
    program = compiled(Products(shapes), pairs_of(shapes, torch.float16))
    loads = []
    for code in program.compiled.artifact.objects[1:]:
        names = sum(
            (builtin_calls(m.spirv) for m in unpack(code).modules), start=builtin_calls(b"")
        )
        loads.append(sum(n for name, n in names.items() if "2d_block_read" in name))
    assert sorted(count > 0 for count in loads) == [False, True]


class Residual(torch.nn.Module):
    """A product of few rows and columns, with ops after it that read more."""

    def forward(self, a: torch.Tensor, b: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return torch.relu(a @ b.transpose(-1, -2) + other)


@pytest.mark.parametrize("parts", [3, 4])
def test_parts_of_a_long_depth_are_added_up(parts: int) -> None:
    sizes = ((2, 11, 520), (2, 37, 520), (11, 37))
    inputs = [integers(*s, dtype=torch.float16, seed=i) for i, s in enumerate(sizes)]
    model = Residual()
    first = compiled(model, inputs).compiled.lock()
    rows = [
        dataclasses.replace(row, parameters={**row.parameters, "split_k": parts, "k_step": 32})
        if row.knobs == "dpas" else row for row in first.rows
    ]  # fmt: skip
    lock = dataclasses.replace(first, rows=tuple(rows))
    program = compile_model(model, inputs, target="xegpu", lock=lock, use_cache=False, jobs=1)
    codes = program.compiled.artifact.objects[1:]
    kernels = [len(module.kernels) for code in codes for module in unpack(code).modules]
    assert max(kernels) == 2
    (wanted,) = reference(model, inputs)
    assert torch.equal(program(*inputs), wanted)


def test_a_long_depth_of_few_columns_is_cut_into_parts() -> None:
    shapes = [(1, 16, 32, 4096, False, True)]
    model, inputs = Products(shapes), pairs_of(shapes, torch.bfloat16)
    program = compiled(model, inputs)
    (row,) = [r for r in program.compiled.choices if r.knobs == "dpas"]
    assert row.parameters["split_k"] in (2, 4, 8, 16)
    assert torch.equal(program(*inputs)[0], reference(model, inputs)[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("deep", [16, 32])
def test_loads_are_as_deep_as_chosen(dtype: torch.dtype, deep: int) -> None:
    """Three steps of 32, of which the last is cut, in two matrices that lie behind each other."""
    shapes = [(2, 24, 48, 88, False, False)]
    model, inputs = Products(shapes), pairs_of(shapes, dtype)
    first = compiled(model, inputs).compiled.lock()
    rows = [
        dataclasses.replace(
            row, parameters={**row.parameters, "load_b": (deep, 16), "k_step": 32, "split_k": 1}
        )
        if row.knobs == "dpas" else row for row in first.rows
    ]  # fmt: skip
    lock = dataclasses.replace(first, rows=tuple(rows))
    program = compile_model(model, inputs, target="xegpu", lock=lock, use_cache=False, jobs=1)
    assert torch.equal(program(*inputs)[0], reference(model, inputs)[0])
    names: set[str] = set()
    for code in program.compiled.artifact.objects[1:]:
        names |= {n for m in unpack(code).modules for n in builtin_calls(m.spirv)}
    of_b = [n for n in names if "2d_block_read_transform" in n]
    assert of_b
    assert all(f"16b_{deep}r16x1c" in n for n in of_b)


def test_f32_is_not_rounded_for_the_engine() -> None:
    model, shapes = Products([(1, 40, 48, 64, False, False)]), (40, 64)
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(*s, generator=generator) for s in ((1, *shapes), (1, 64, 48))]
    program = compiled(model, inputs)
    codes = program.compiled.artifact.objects[1:]
    assert not any(matrix_products(m.spirv) for code in codes for m in unpack(code).modules)
    wanted = inputs[0].double() @ inputs[1].double()
    # As tf32, with 10 bits of fraction, it would be about 1e-3.
    error = (program(*inputs)[0].double() - wanted).abs().max() / wanted.abs().max()
    assert float(error) < 2e-6


def test_what_block_loads_refuse_is_copied_where_it_is_used_often() -> None:
    assert packing.USES == product.USES  # the lowering and the cost model agree
    shapes = [(1, 257, 259, 37, True, False), (2, 258, 19, 35, False, True)]
    model, inputs = Products(shapes), pairs_of(shapes, torch.bfloat16)
    program = compiled(model, inputs)
    for got, wanted in zip(program(*inputs), reference(model, inputs), strict=True):
        assert torch.equal(got, wanted)
    kernels = [unpack(code).modules[0].kernels for code in program.compiled.artifact.objects[1:]]
    assert sorted(len(k) for k in kernels) == [2, 3]


def test_other_matrices_of_a_batch_stay_out() -> None:
    """Blocks beyond the depth of one matrix hold elements of the next: here NaN."""
    shapes = [(2, 24, 40, 40, True, False)]
    inputs = pairs_of(shapes, torch.float16)
    for x in inputs:
        x[1] = torch.nan
    (got,) = compiled(Products(shapes), inputs)(*inputs)
    a, b = (x[0].double() for x in inputs)
    assert torch.equal(got[0], (a.T @ b).half())
    assert bool(got[1].isnan().all())


def swapped(plain: Callable) -> Callable:
    """Return a product that takes B with the halves of each 32 bits the wrong way round."""

    def multiply(a: ir.Value, b: ir.Value, sums: ir.Value) -> ir.Value:
        (size,) = ir.VectorType(b.type).shape
        return plain(a, shuffle(b, b, [i ^ 1 for i in range(size)]), sums)

    return multiply


def untransposed(plain: Callable) -> Callable:
    """Return a load that takes a transposed block for a packed one."""

    def load(*given: object, form: str = "") -> object:
        return plain(*given, form="packed" if form == "transposed" else form)

    return load


@pytest.mark.parametrize(
    ("room", "name", "mutant", "turned"),
    [(emission, "multiply", swapped, False), (operands, "load_block", untransposed, True)],
)
def test_a_wrong_layout_is_seen(
    room: ModuleType, name: str, mutant: Callable, *, turned: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shapes = [(1, 64, 64, 64, False, turned)]
    model, inputs = Products(shapes), pairs_of(shapes, torch.float16)
    (wanted,) = reference(model, inputs)
    assert torch.equal(compiled(model, inputs)(*inputs)[0], wanted)
    monkeypatch.setattr(room, name, mutant(getattr(room, name)))
    assert not torch.equal(compiled(model, inputs)(*inputs)[0], wanted)


def test_the_choice_of_registers_reaches_the_code() -> None:
    shapes = [(1, 64, 64, 64, False, False)]
    program = compiled(Products(shapes), pairs_of(shapes, torch.float16))
    (row,) = [r for r in program.compiled.choices if r.knobs == "dpas"]
    (module,) = unpack(program.compiled.artifact.objects[1]).modules
    assert module.registers == row.parameters["grf"]


def test_a_large_odd_product_compiles() -> None:
    from bellrock.ingress.torch_export import import_module

    shapes = [(1, 8205, 2949, 5921, False, False)]
    with torch.device("meta"):
        inputs = (torch.empty(8205, 5921), torch.empty(5921, 2949))
    payload = import_module(
        Products(shapes), tuple(x.half() for x in inputs), name="large", dtype=DType.F16
    ).payload
    found = compile_payload(payload, target="xegpu", use_cache=False, jobs=1)
    modules = [m for code in found.artifact.objects[1:] for m in unpack(code).modules]
    assert sum(matrix_products(m.spirv) for m in modules) > 0
