"""Attentions of other forms than a plain softmax of scores: in one kernel each, and right."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from bellrock.api import CompiledModel
from bellrock.api import compile as compile_model
from bellrock.target.xegpu.calls import matrix_products
from bellrock.target.xegpu.container import unpack

DTYPES = [torch.float16, torch.bfloat16]
TOLERANCES = {torch.float16: 4e-3, torch.bfloat16: 4e-2}


@pytest.fixture(autouse=True)
def interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")


class Windows(torch.nn.Module):
    """Windows of an image, with a table of biases; masked where the image was shifted."""

    def forward(
        self, x: torch.Tensor, y: torch.Tensor, table: torch.Tensor, hidden: torch.Tensor
    ) -> list[torch.Tensor]:
        return [self.attention(x, table, None), self.attention(y, table, hidden)]

    def attention(
        self, x: torch.Tensor, table: torch.Tensor, hidden: torch.Tensor | None
    ) -> torch.Tensor:
        batch, rows, columns, heads, width = 2, 6, 9, 2, 16
        tall, wide = 3, 3
        down, across = rows // tall, columns // wide
        windows = x.reshape(batch, down, tall, across, wide, 3 * heads * width)
        windows = windows.permute(0, 1, 3, 2, 4, 5).reshape(-1, tall * wide, 3, heads, width)
        q, k, v = windows.permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-1, -2) * 0.3 + table
        if hidden is not None:
            split = scores.reshape(batch, down * across, heads, tall * wide, tall * wide)
            scores = (split + hidden[:, None]).reshape(scores.shape)
        seen = torch.softmax(scores, -1) @ v
        seen = seen.transpose(1, 2).reshape(batch, down, across, tall, wide, heads * width)
        return seen.permute(0, 1, 3, 2, 4, 5).reshape(batch, rows, columns, -1)


class Rectified(torch.nn.Module):
    """No softmax: what a mask hides is zero after the rectifier, or not."""

    def forward(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, seen: torch.Tensor
    ) -> list[torch.Tensor]:
        scale = 1.0 / math.sqrt(q.shape[-1])
        causal = torch.ones(q.shape[-2], k.shape[-2]).tril().bool()
        scores = q[:1] @ k[:1].transpose(-1, -2) * scale
        others = q[1:] @ k[1:].transpose(-1, -2) * scale
        return [
            functional.relu(scores.masked_fill(seen == 0, -math.inf)) @ v[:1],
            torch.sigmoid(others.masked_fill(~causal, 1.0)) @ v[1:],
        ]


class Layers(torch.nn.Module):
    """Two layers of a network, whose matrices all rows share: no attention."""

    def forward(self, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
        return [functional.relu(x @ a) @ b]


def random(dtype: torch.dtype, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(len(shapes))
    return [torch.randn(s, generator=generator).to(dtype) for s in shapes]


def kernels_of(program: CompiledModel) -> list[tuple[str, int]]:
    """Return each kernel's motif, and the calls of matrix engines in it."""
    codes = program.compiled.artifact.objects[1:]
    return [
        (info.motif, sum(matrix_products(m.spirv) for m in unpack(code).modules))
        for info, code in zip(program.compiled.kernels, codes, strict=True)
    ]


def error(model: torch.nn.Module, program: CompiledModel, inputs: list[torch.Tensor]) -> float:
    wanted = model(*(x.double() if x.is_floating_point() else x for x in inputs))
    return max(
        float((x.double() - y).abs().max() / y.abs().max())
        for x, y in zip(program(*inputs), wanted, strict=True)
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_windows(dtype: torch.dtype) -> None:
    x, y, table = random(dtype, (2, 6, 9, 96), (2, 6, 9, 96), (2, 9, 9))
    hidden = torch.zeros(6, 9, 9, dtype=dtype)
    hidden[3:, 4:, :4] = -100.0
    inputs = [x, y, table, hidden]
    program = compile_model(Windows(), inputs, target="xegpu", use_cache=False, jobs=1)
    assert error(Windows(), program, inputs) < TOLERANCES[dtype]
    found = kernels_of(program)
    assert sum(motif == "attention" and calls > 0 for motif, calls in found) == 2
    assert not any(calls for motif, calls in found if motif != "attention")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(2, 3, 37, 37, 33, 29), (3, 2, 5, 70, 16, 8), (2, 2, 48, 64, 64, 130)]
)
def test_without_a_softmax(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    b, h, queries, keys, depth, features = shape
    q, k, v = random(dtype, (b, h, queries, depth), (b, h, keys, depth), (b, h, keys, features))
    seen = (torch.arange(queries)[:, None] >= torch.arange(keys)).to(dtype)
    inputs = [q, k, v, seen]
    program = compile_model(Rectified(), inputs, target="xegpu", use_cache=False, jobs=1)
    assert error(Rectified(), program, inputs) < TOLERANCES[dtype]
    found = kernels_of(program)
    assert [motif for motif, calls in found if calls] == ["attention"] * 2


def test_layers_of_a_network_stay_products() -> None:
    inputs = random(torch.float16, (2, 33, 48), (48, 64), (64, 32))
    program = compile_model(Layers(), inputs, target="xegpu", use_cache=False, jobs=1)
    assert error(Layers(), program, inputs) < TOLERANCES[torch.float16]
    assert [motif for motif, calls in kernels_of(program) if calls] == ["contraction"] * 2
