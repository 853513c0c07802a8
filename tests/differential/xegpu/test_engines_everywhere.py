"""Contractions, convolutions and attention in f16 and bf16 are on engines, whatever follows.

Reductions, softmaxes, normalisations, slices in loops: what the lowering of products does not take
is a kernel of its own, and never takes a product with it to the generic path.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch.nn import functional

from bellrock.api import CompiledModel
from bellrock.api import compile as compile_model
from bellrock.target.xegpu.calls import matrix_products
from bellrock.target.xegpu.container import unpack

DTYPES = [torch.float16, torch.bfloat16]
ON_ENGINES = ("contraction", "convolution", "attention")
TOLERANCES = {torch.float16: 4e-3, torch.bfloat16: 3e-2}


@pytest.fixture(autouse=True)
def interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")


def engine_kernels(program: CompiledModel) -> tuple[int, list[str]]:
    """Return how often products are called, and whose kernels have no matrix instruction."""
    count, without = 0, []
    kernels, codes = program.compiled.kernels, program.compiled.artifact.objects[1:]
    for info, code in zip(kernels, codes, strict=True):
        if info.motif not in ON_ENGINES:
            continue
        count += info.calls
        if not sum(matrix_products(module.spirv) for module in unpack(code).modules):
            without.append(info.name)
    return count, without


def check(model: torch.nn.Module, inputs: Sequence[torch.Tensor], *, products: int) -> None:
    """Compile, compare with binary64, and look for the matrix instructions."""
    program = compile_model(model, inputs, target="xegpu", use_cache=False, jobs=1)
    found = program(*inputs)
    with torch.no_grad():
        wanted = model.double()(*(x.double() if x.is_floating_point() else x for x in inputs))
    if isinstance(found, torch.Tensor):
        found, wanted = [found], [wanted]
    for number, (x, y) in enumerate(zip(found, wanted, strict=True)):
        error = (x.double() - y).abs().max() / y.abs().max()
        assert float(error) < TOLERANCES[inputs[0].dtype], number
    assert engine_kernels(program) == (products, [])


def log_sum(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return torch.logsumexp(x @ w, 1)


def softmax(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x @ w, -1)


def normalised(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    y = functional.gelu(x @ w)
    return functional.layer_norm(y, y.shape[-1:])


def largest(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return (x @ w).amax(1, keepdim=True) - (x @ w)


def pooled(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return functional.max_pool1d((x @ w).unsqueeze(0), 3, 2)


def summed_up(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return torch.cumsum(x @ w, 0) + x.sum()


def gated(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return functional.glu(x @ w[:, :36], -1)


def twice(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Two products with a softmax between them: one kernel, as an attention."""
    y = torch.softmax(x @ w, -1)
    return (y @ w.T) / (y @ w.T).norm(dim=-1, keepdim=True)


def rolled(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return torch.flip(x @ w, [1])[:, ::2].contiguous() @ w[:19]


def looked_up(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    rows = torch.tensor([3, 1, 0, 2, 3, 5, 8, 13, 21, 22, 1])
    return torch.relu(x @ w) + w[rows]


def started(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return torch.addmm(w[torch.tensor([3, 1, 0, 2, 3, 5, 8, 13, 21, 22, 1])], x, w)


AFTER = {
    log_sum: 1, softmax: 1, normalised: 1, largest: 1, pooled: 1, summed_up: 1, gated: 1, twice: 1,
    rolled: 2, looked_up: 1, started: 1,
}  # fmt: skip


class After(torch.nn.Module):
    """All that may follow a product, each behind one of its own."""

    def forward(self, x: torch.Tensor, *weights: torch.Tensor) -> list[torch.Tensor]:
        return [function(x, w) for function, w in zip(AFTER, weights, strict=True)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_whatever_follows_a_product(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(5)
    shapes = ((11, 23), *((23, 37),) * len(AFTER))
    inputs = [torch.randn(s, generator=generator).to(dtype) for s in shapes]
    check(After(), inputs, products=sum(AFTER.values()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("norm", [torch.nn.BatchNorm2d(6), torch.nn.GroupNorm(2, 6)])
def test_normalisations_after_a_convolution(norm: torch.nn.Module, dtype: torch.dtype) -> None:
    torch.manual_seed(6)
    model = torch.nn.Sequential(torch.nn.Conv2d(5, 6, 3), norm, torch.nn.ReLU()).to(dtype)
    check(model, [torch.randn(2, 5, 7, 9).to(dtype)], products=1)


class Patches(torch.nn.Module):
    """A convolution's sums are rounded only where the next product reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 5, 2, 2)
        self.second = torch.nn.Linear(5 * 4 * 4, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).flatten(1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_that_become_a_factor(dtype: torch.dtype) -> None:
    torch.manual_seed(8)
    check(Patches().to(dtype), [torch.randn(2, 3, 8, 8).to(dtype)], products=2)


class Odd(torch.nn.Module):
    """Weights whose rows block loads refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(37, 259)
        self.second = torch.nn.Linear(259, 35)
        self.filters = torch.nn.Conv2d(3, 5, 7)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
        return [self.second(torch.relu(self.first(x))), self.filters(y)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_are_copied_once(dtype: torch.dtype) -> None:
    torch.manual_seed(9)
    model = Odd().to(dtype)
    inputs = [torch.randn(257, 37).to(dtype), torch.randn(1, 3, 23, 25).to(dtype)]
    program = compile_model(model, inputs, target="xegpu", use_cache=False, jobs=1)
    preparation = program.compiled.artifact.preparation
    assert preparation is not None
    # Rows of whole cache lines: 37 -> 64, 259 -> 288, 3 x 7 x 7 -> 160 elements of two bytes.
    assert sorted(preparation.value_bytes) == sorted((2 * 259 * 64, 2 * 35 * 288, 2 * 5 * 160))
    check(model, inputs, products=3)


class Steps(torch.nn.Module):
    """Products whose factors and results are slices of a loop's tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.LSTM(5, 7, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_slices_in_loops(dtype: torch.dtype) -> None:
    torch.manual_seed(7)
    check(Steps().to(dtype), [torch.randn(3, 4, 5).to(dtype)], products=4)
