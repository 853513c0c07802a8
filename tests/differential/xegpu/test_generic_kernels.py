"""Kernels of the generic path, in the interpreter, against PyTorch; their SPIR-V is valid.

All cases of a type are one model with a result each: what takes long is compiling, and kernels
do not know of each other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bellrock.api import CompiledModel
from bellrock.api import compile as compile_model
from bellrock.target.xegpu.container import DeviceModule, unpack
from support.spirv import validate

Case = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
FLOATS: Mapping[str, Case] = {
    "elementwise": lambda x, w: torch.tanh(x) * torch.sigmoid(x) + x.abs().sqrt(),
    "functions-by-built-ins": lambda x, w: torch.sin(x) + torch.cos(x) + (x.abs() + 1) ** 1.7,
    "softmax-across": lambda x, w: torch.softmax(x, 0),
    "norm": lambda x, w: F.layer_norm(x, (13,)),
    "sum-to-scalar": lambda x, w: x.sum(),
    "scan-along": lambda x, w: torch.cumsum(x, 1),
    "scan-across": lambda x, w: torch.cumprod(x, 0),
    "product": lambda x, w: x @ w,
    "transposed": lambda x, w: (x.T + 1).contiguous(),
    "pool": lambda x, w: F.max_pool1d(x[None], 3, 2, 1)[0],
    "window": lambda x, w: F.conv1d(x[None, :, :], w.T[:, :11, None].contiguous(), padding=1),
    "joined": lambda x, w: F.pad(torch.cat([x, x * 2], 1), (1, 2)),
    "masked": lambda x, w: torch.where(x > 0.5, x, torch.zeros_like(x)),
    "attention": lambda x, w: F.scaled_dot_product_attention(x[None], x[None], x[None]),
    "sorted": lambda x, w: x.sort(1)[0],
    "half-turned": lambda x, w: torch.roll(x, 4, 1).flip(0),
}
INTEGERS: Mapping[str, Case] = {
    "argmax": lambda x, w: x.argmax(1),
    "comparison": lambda x, w: x > 0,
    "any": lambda x, w: (x > 1.5).any(1),
    "counted": lambda x, w: (x > 0).long().cumsum(1),
    "order": lambda x, w: x.round().argsort(stable=True, dim=0),
    "hashed": lambda x, w: (x * 100).int() * 2654435 >> 3,
}
SOME = {name: FLOATS[name] for name in ("elementwise", "norm", "scan-across", "product", "joined")}
FLOAT64 = 10
"""Number of the capability in the specification of SPIR-V."""


class Cases(nn.Module):
    """All cases on the same operands."""

    def __init__(self, cases: Mapping[str, Case]) -> None:
        super().__init__()
        self.cases = list(cases.values())

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> list[torch.Tensor]:
        return [case(x, w) for case in self.cases]


def operands(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, w = (torch.randn(shape, generator=generator) for shape in ((11, 13), (13, 17)))
    return x.to(dtype), w.to(dtype)


def compiled(cases: Mapping[str, Case], dtype: torch.dtype) -> CompiledModel:
    given = operands(dtype)
    return compile_model(Cases(cases), given, target="xegpu", use_cache=False, jobs=1)


def modules(program: CompiledModel) -> list[DeviceModule]:
    return [m for code in program.compiled.artifact.objects for m in unpack(code).modules]


def capabilities(spirv: bytes) -> set[int]:
    words = struct.unpack(f"<{len(spirv) // 4}I", spirv)
    found, at = set(), 5
    while words[at] & 0xFFFF == 17:
        found.add(words[at + 1])
        at += words[at] >> 16
    return found


@pytest.mark.parametrize(
    ("dtype", "cases"),
    [(torch.float32, FLOATS), (torch.bfloat16, FLOATS), (torch.float16, FLOATS),
     (torch.float64, SOME)],
)  # fmt: skip
def test_floats(
    dtype: torch.dtype,
    cases: Mapping[str, Case],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
    program = compiled(cases, dtype)
    given = operands(dtype)
    wanted = Cases(cases)(*(t.double() for t in given))
    # Constants of a model in binary64 are as exact as its operands; functions are not.
    rounding = max(torch.finfo(dtype).eps, 1e-12)
    for name, got, want in zip(cases, program(*given), wanted, strict=True):
        scale = want.abs().max()
        assert (got.double() - want).abs().max() <= 30 * rounding * scale, name
    for module in modules(program):
        validate(module.spirv)
        assert (FLOAT64 in capabilities(module.spirv)) <= (dtype == torch.float64), module.name


def test_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
    program = compiled(INTEGERS, torch.float32)
    given = operands(torch.float32)
    for name, got, want in zip(INTEGERS, program(*given), Cases(INTEGERS)(*given), strict=True):
        assert torch.equal(got, want), name
    for module in modules(program):
        validate(module.spirv)


def test_the_first_nan_is_the_extremum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
    x, w = operands(torch.float32)
    x[1, 5], x[1, 9], x[3, 0] = float("nan"), float("nan"), float("nan")
    cases: dict[str, Case] = {"max": lambda x, w: x.argmax(1), "min": lambda x, w: x.argmin()}
    program = compiled(cases, torch.float32)
    for name, got, want in zip(cases, program(x, w), Cases(cases)(x, w), strict=True):
        assert torch.equal(got, want), name


def test_a_broken_module_is_not_valid() -> None:
    spirv = modules(compiled({"sum": lambda x, w: x + 1}, torch.float32))[0].spirv
    with pytest.raises(AssertionError):
        validate(spirv[: len(spirv) // 2 // 4 * 4])
