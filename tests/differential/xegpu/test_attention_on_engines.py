"""Attention in one pass on matrix engines, in the interpreter, against the same in binary64."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch.nn import functional

from bellrock.api import CompiledModel
from bellrock.api import compile as compile_model
from bellrock.dialects import vector_code
from bellrock.dialects.engine_attention import lanes
from bellrock.target.xegpu.calls import matrix_products
from bellrock.target.xegpu.container import unpack
from support.spirv import validate

DTYPES = [torch.float16, torch.bfloat16]
TOLERANCES = {torch.float16: 4e-3, torch.bfloat16: 3e-2}
SHAPES = [
    # batch, heads, queries, keys, depth, features, causal
    (1, 2, 32, 32, 32, 32, False),
    (2, 2, 19, 53, 48, 40, False),
    (1, 2, 41, 41, 33, 33, True),
    (1, 1, 5, 70, 16, 7, False),
    (2, 1, 1, 1, 1, 1, False),
    (1, 1, 17, 16, 80, 136, False),
    (1, 3, 35, 35, 64, 64, True),
    (1, 1, 3, 37, 272, 5, False),
]


@pytest.fixture(autouse=True)
def interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")


class Attentions(torch.nn.Module):
    """One attention for each three inputs."""

    def __init__(self, causal: list[bool]) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, *given: torch.Tensor) -> list[torch.Tensor]:
        return [
            functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
            for q, k, v, causal in zip(
                given[::3], given[1::3], given[2::3], self.causal, strict=True
            )
        ]


class Written(torch.nn.Module):
    """As models write it: one projection for all, masks, and each step in the model's type."""

    def forward(
        self, x: torch.Tensor, hidden: torch.Tensor, bias: torch.Tensor
    ) -> list[torch.Tensor]:
        batch, length, width = x.shape
        q, k, v = (
            p.reshape(batch, length, 3, -1).transpose(1, 2) for p in x.split(width // 3, dim=-1)
        )
        scores = q @ k.transpose(-1, -2) * (1.0 / math.sqrt(q.shape[-1]))
        causal = torch.ones(length, length).tril().bool()
        found = []
        for masked in (scores.masked_fill(~causal, -math.inf), scores.masked_fill(hidden, -1e4)):
            found.append((torch.softmax(masked + bias, -1) @ v).transpose(1, 2).flatten(2))
        return found


def inputs_of(dtype: torch.dtype, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    """Return random tensors."""
    generator = torch.Generator().manual_seed(len(shapes))
    return [torch.randn(s, generator=generator).to(dtype) for s in shapes]


def attentions_of(program: CompiledModel) -> list[int]:
    """Return the calls of matrix engines in each kernel of attention."""
    codes = program.compiled.artifact.objects[1:]
    return [
        sum(matrix_products(module.spirv) for module in unpack(code).modules)
        for info, code in zip(program.compiled.kernels, codes, strict=True)
        if info.motif == "attention"
    ]


def validate_all(program: CompiledModel) -> None:
    """Have all modules of a program checked by SPIR-V's own rules."""
    for code in program.compiled.artifact.objects[1:]:
        for module in unpack(code).modules:
            validate(module.spirv)


def errors(
    model: torch.nn.Module, program: CompiledModel, inputs: list[torch.Tensor]
) -> list[float]:
    """Return how far each result is from that in binary64, for the size of that."""
    wanted = model.double()(*(x.double() if x.is_floating_point() else x for x in inputs))
    return [
        float((x.double() - y).abs().max() / y.abs().max())
        for x, y in zip(program(*inputs), wanted, strict=True)
    ]


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_shape(dtype: torch.dtype) -> None:
    shapes = [
        (b, h, *s)
        for b, h, q, k, d, f, _ in SHAPES
        for s in ((q, d), (k, d), (k, f))
    ]  # fmt: skip
    inputs = inputs_of(dtype, *shapes)
    model = Attentions([s[-1] for s in SHAPES])
    program = compile_model(model, inputs, target="xegpu", use_cache=False, jobs=1)
    for shape, error in zip(SHAPES, errors(model, program, inputs), strict=True):
        assert error < TOLERANCES[dtype], shape
    # A softmax of one key is known before: its attention is a copy.
    found = attentions_of(program)
    assert len(found) >= len(SHAPES) - 1
    assert min(found) > 0
    validate_all(program)


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_and_steps_of_models(dtype: torch.dtype) -> None:
    x, bias = inputs_of(dtype, (2, 37, 3 * 48), (37,))
    hidden = torch.zeros(2, 1, 1, 37, dtype=torch.bool)
    hidden[0, ..., 20:] = True
    inputs = [x, hidden, bias]
    program = compile_model(Written(), inputs, target="xegpu", use_cache=False, jobs=1)
    assert max(errors(Written(), program, inputs)) < TOLERANCES[dtype]


class Grouped(torch.nn.Module):
    """Heads of queries share keys and values; queries are rounded sums of a product, scaled."""

    def forward(
        self, x: torch.Tensor, w: torch.Tensor, k: torch.Tensor, v: torch.Tensor
    ) -> list[torch.Tensor]:
        q = (x @ w).reshape(2, 13, 6, 32).transpose(1, 2) * 0.2
        k, v = (y.repeat_interleave(3, dim=1) for y in (k, v))
        return [torch.softmax(q @ k.transpose(-1, -2), -1) @ v]


@pytest.mark.parametrize("dtype", DTYPES)
def test_heads_that_share_keys(dtype: torch.dtype) -> None:
    inputs = inputs_of(dtype, (2, 13, 24), (24, 192), (2, 2, 29, 32), (2, 2, 29, 32))
    program = compile_model(Grouped(), inputs, target="xegpu", use_cache=False, jobs=1)
    assert max(errors(Grouped(), program, inputs)) < TOLERANCES[dtype]
    assert min(attentions_of(program)) > 0


class Projected(torch.nn.Module):
    """Queries are made by a product, which with the scores looks like an attention of its own."""

    def forward(
        self, x: torch.Tensor, weight: torch.Tensor, keys: torch.Tensor
    ) -> list[torch.Tensor]:
        queries = functional.linear(x, weight).view(*x.shape[:2], 2, 4, keys.shape[-1])
        scores = torch.einsum("bqhsd,bkhd->bhsqk", queries, keys)
        return [torch.einsum("bhsqk,bkhd->bqhsd", torch.softmax(scores, dim=-1), keys)]


def test_made_queries_are_no_attention() -> None:
    inputs = inputs_of(torch.float16, (2, 19, 24), (128, 24), (2, 21, 2, 16))
    inputs[1] /= 8
    program = compile_model(Projected(), inputs, target="xegpu", use_cache=False, jobs=1)
    assert max(errors(Projected(), program, inputs)) < TOLERANCES[torch.float16]


def test_queries_that_see_no_key() -> None:
    inputs = inputs_of(torch.float16, *((1, 1, 21, 16),) * 3)
    mask = torch.ones(21, 21, dtype=torch.bool)
    mask[4] = False

    class Masked(torch.nn.Module):
        def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    program = compile_model(Masked(), inputs, target="xegpu", use_cache=False, jobs=1)
    got = program(*inputs)
    assert torch.equal(got[0, 0, 4], torch.zeros(16, dtype=torch.float16))
    assert bool(got.isfinite().all())


@pytest.mark.parametrize(
    "tile",
    [
        {
            "queries": 32,
            "keys": 32,
            "features": 32,
            "sub_groups": 2,
            "held": True,
            "prefetch_depth": 2,
        },
        {
            "queries": 16,
            "keys": 64,
            "features": 64,
            "sub_groups": 1,
            "held": False,
            "prefetch_depth": 0,
        },
        {
            "queries": 16,
            "keys": 16,
            "features": 56,
            "sub_groups": 4,
            "held": False,
            "prefetch_depth": 1,
        },
    ],
)
def test_other_tiles(tile: dict[str, int | bool]) -> None:
    inputs = inputs_of(torch.float16, (1, 2, 45, 48), (1, 2, 70, 48), (1, 2, 70, 56))
    model = Attentions([True])
    first = compile_model(model, inputs, target="xegpu", use_cache=False, jobs=1).compiled.lock()
    rows = [
        dataclasses.replace(row, parameters={**row.parameters, **tile})
        if row.knobs == "dpas-attention" else row for row in first.rows
    ]  # fmt: skip
    lock = dataclasses.replace(first, rows=tuple(rows))
    program = compile_model(model, inputs, target="xegpu", lock=lock, use_cache=False, jobs=1)
    (row,) = [r for r in program.compiled.choices if r.knobs == "dpas-attention"]
    assert row.parameters["keys"] == tile["keys"]
    assert max(errors(model, program, inputs)) < TOLERANCES[torch.float16]


def test_other_heads_stay_out() -> None:
    """Blocks beyond the keys of one head hold those of the next: here NaN."""
    inputs = inputs_of(torch.float16, *((1, 2, 40, 48),) * 3)
    for x in inputs:
        x[:, 1] = torch.nan
    model = Attentions([False])
    (got,) = compile_model(model, inputs, target="xegpu", use_cache=False, jobs=1)(*inputs)
    (wanted,) = model(*(x[:, :1].double() for x in inputs))
    assert float((got[:, :1].double() - wanted).abs().max()) < TOLERANCES[torch.float16]
    assert bool(got[:, 1].isnan().all())


def test_a_long_softmax_is_not_cut() -> None:
    shapes = [(1, 1, 16, 32), (1, 1, 2100, 32), (1, 1, 2100, 32)]
    inputs = inputs_of(torch.bfloat16, *shapes)
    model = Attentions([False])
    program = compile_model(model, inputs, target="xegpu", use_cache=False, jobs=1)
    assert len(program.compiled.kernels) == 1
    assert max(errors(model, program, inputs)) < TOLERANCES[torch.bfloat16]


def test_a_wrong_order_of_keys_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reversed:
        """The builders of code, one of which joins vectors the wrong way round."""

        def __getattr__(self, name: str) -> object:
            plain = getattr(vector_code, name)
            if name != "shuffle":
                return plain
            return lambda a, b, order: plain(a, b, order[::-1])

    inputs = inputs_of(torch.float16, *((1, 1, 32, 32),) * 3)
    model = Attentions([False])
    monkeypatch.setattr(lanes, "code", Reversed())
    program = compile_model(model, inputs, target="xegpu", use_cache=False, jobs=1)
    assert max(errors(model, program, inputs)) > TOLERANCES[torch.float16]
