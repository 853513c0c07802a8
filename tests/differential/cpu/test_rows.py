"""Kernels around reductions against PyTorch: one kernel each, right at odd shapes.

The sizes are large enough to be cut into blocks, and odd enough to leave remainders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

from bellrock.payload import DType  # noqa: E402
from bellrock.verify import Subject, verify  # noqa: E402

F = torch.nn.functional
Tensors = Callable[..., Any]


class Op(torch.nn.Module):
    def __init__(self, function: Tensors, *layers: torch.nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = torch.nn.ModuleList(layers)

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*self.layers, *inputs)


def kernels_of(
    model: torch.nn.Module, *shapes: tuple[int, ...], dtype: DType = DType.F32
) -> list[str]:
    """Compile and verify a model; returns the motif of each of its kernels."""
    torch_dtype = getattr(torch, dtype.torch_name)
    model = model.to(torch_dtype)

    def make_inputs(seed: int) -> tuple[object, ...]:
        by = torch.Generator().manual_seed(seed)
        return tuple(torch.randn(s, generator=by).to(torch_dtype) for s in shapes)

    with torch.no_grad():
        compiled = bellrock.compile(model, make_inputs(0), use_cache=False)
        verdict = verify(
            compiled, Subject(name="rows", model=model, make_inputs=make_inputs), dtype=dtype
        )
    assert verdict.correct, verdict.message
    return [kernel.motif for kernel in compiled.compiled.kernels]


def normalised(x: torch.Tensor) -> torch.Tensor:
    return x / torch.sqrt((x * x).mean(1, keepdim=True) + 1e-5)


def several_results(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    y = x + x.abs()
    return y, y.sum(1), torch.softmax(y, 1)


ONE_KERNEL: dict[str, Tensors] = {
    "softmax": lambda x: torch.softmax(x, 1),
    "softmax of columns": lambda x: torch.softmax(x, 0),
    "log-softmax": lambda x: torch.log_softmax(x, 1),
    "log-sum-exp": lambda x: torch.logsumexp(x, 1),
    "l2": lambda x: x / x.norm(dim=1, keepdim=True),
    "rms": normalised,
    "mean and maximum": lambda x: (x.mean(1), x.amax(1)),
    "transposed": lambda x: torch.softmax(x.mT * 2, 1),
    "several results": several_results,
}


@pytest.mark.parametrize("shape", [(37, 517), (613, 29)])
@pytest.mark.parametrize("name", ONE_KERNEL)
def test_rows_are_one_kernel(name: str, shape: tuple[int, int]) -> None:
    assert len(kernels_of(Op(ONE_KERNEL[name]), shape)) == 1


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16])
@pytest.mark.parametrize("name", ["softmax", "rms", "log-sum-exp"])
def test_narrow_types(name: str, dtype: DType) -> None:
    assert len(kernels_of(Op(ONE_KERNEL[name]), (33, 517), dtype=dtype)) == 1


LAYERS: dict[str, Callable[[], torch.nn.Module]] = {
    "layer norm": lambda: torch.nn.LayerNorm([13, 19]),
    "instance norm": lambda: torch.nn.InstanceNorm2d(18, affine=True),
    "group norm": lambda: torch.nn.GroupNorm(3, 18),
}


@pytest.mark.parametrize("name", LAYERS)
def test_norms_of_images(name: str) -> None:
    assert len(kernels_of(LAYERS[name](), (5, 18, 13, 19))) == 1


@pytest.mark.parametrize("name", ["layer norm of one", "group norm of one", "softmax of three"])
def test_few_long_rows(name: str) -> None:
    """Kernels of fewer rows than cores are cut otherwise; both ways have to be right."""
    functions: dict[str, tuple[Tensors, tuple[int, ...]]] = {
        "layer norm of one": (lambda x: F.layer_norm(x, x.shape[1:]), (1, 7, 101, 103)),
        "group norm of one": (lambda x: F.group_norm(x, 3), (1, 6, 131, 127)),
        "softmax of three": (lambda x: torch.softmax(x, 1), (3, 70001)),
    }
    function, shape = functions[name]
    kernels_of(Op(function), shape)


def test_statistics_of_channels() -> None:
    assert len(kernels_of(Op(normalised), (3, 37, 11, 13))) == 1
    assert len(kernels_of(Op(lambda x: torch.softmax(x, 2)), (3, 7, 37, 29))) == 1


CHAINS: dict[str, Tensors] = {
    "activations": lambda x, m: F.elu(F.hardswish(F.mish(x)) - 0.5),
    "by channel": lambda x, m: x * m.view(-1, 1, 1) + 1,
    "by column": lambda x, m: x[..., : m.numel()] / m,
    "mean of images": lambda x, m: x.mean((2, 3)),
    "maximum of channels": lambda x, m: x.amax((0, 1)),
    "log-softmax of channels": lambda x, m: torch.log_softmax(x, 1),
}


@pytest.mark.parametrize("shape", [(3, 31, 20, 37), (1, 31, 7, 61), (5, 31, 1, 57)])
@pytest.mark.parametrize("name", CHAINS)
def test_loops_over_images(name: str, shape: tuple[int, ...]) -> None:
    kernels_of(Op(CHAINS[name]), shape, (31,))


def test_readers_of_a_product_leave_it_alone() -> None:
    linear = torch.nn.Linear(64, 96)
    kernels = kernels_of(Op(lambda f, x: torch.softmax(f(x), 1), linear), (101, 64))
    # The third packs the weight, once.
    assert sorted(kernels) == ["contraction", "data-movement", "reduction"]


def test_a_result_that_a_product_needs_comes_first() -> None:
    def gated(f: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        means = x.mean(2)
        return x * torch.sigmoid(f(means)).unsqueeze(2) + means.unsqueeze(2)

    kernels = kernels_of(Op(gated, torch.nn.Linear(32, 32)), (64, 32, 17))
    assert kernels.count("contraction") == 1


def test_a_small_kernel_stays_whole() -> None:
    kernels_of(Op(lambda x: torch.softmax(x, 1)), (3, 5))
    kernels_of(Op(lambda x: torch.softmax(x, 1)), (1, 9001))


SCANS: dict[str, Tensors] = {
    "sum": lambda x: torch.cumsum(x, -1),
    "product": lambda x: torch.cumprod(x * 0.1 + 1, -1),
    "reverse": lambda x: torch.cumsum(x.flip(-1), -1).flip(-1),
    "of columns": lambda x: torch.cumsum(x, 0),
}


@pytest.mark.parametrize("name", SCANS)
def test_scans(name: str) -> None:
    kernels_of(Op(SCANS[name]), (129, 333))


def test_scans_of_one_line_and_of_short_lines() -> None:
    kernels_of(Op(SCANS["sum"]), (9001,))
    kernels_of(Op(SCANS["sum"]), (301, 33))
    kernels_of(Op(SCANS["sum"]), (5, 7))


TRANSPOSES: dict[str, Tensors] = {
    "copied": lambda x: x.mT.contiguous(),
    "computed with": lambda x: x.mT * 2 + x.mT.exp(),
    "with indices": lambda x: x.mT + torch.arange(x.shape[-2]),
    "outer dimension inwards": lambda x: x.permute(1, 2, 0).contiguous(),
    "under a softmax": lambda x: torch.softmax(x.mT, -1),
}


@pytest.mark.parametrize("name", TRANSPOSES)
def test_transposes(name: str) -> None:
    kernels_of(Op(TRANSPOSES[name]), (33, 45, 61))


def test_transposes_of_even_sizes() -> None:
    kernels_of(Op(TRANSPOSES["under a softmax"]), (16, 64, 72))
    kernels_of(Op(TRANSPOSES["copied"]), (128, 64), dtype=DType.BF16)


@pytest.mark.parametrize("function", [torch.argmax, torch.argmin])
def test_position_of_an_extremum(function: Tensors) -> None:
    model = Op(lambda x: function(x, 1))
    x = torch.randint(0, 5, (37, 517)).float()
    x[1], x[2, 3:5] = float("nan"), float("nan")
    x[3], x[4] = -float("inf"), float("inf")
    compiled = bellrock.compile(model, (x,), use_cache=False)
    assert torch.equal(compiled(x), model(x))
