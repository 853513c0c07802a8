"""The decomposition table against PyTorch's own kernels; both sides run in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree

from bellrock.ingress import native  # noqa: F401  # defines the ops that decompositions use
from bellrock.ingress.decompositions import decomposition_table
from bellrock.ingress.loops import KeepRecurrent
from bellrock.ingress.quiet import quiet


class Functions(nn.Module):
    """Many functions of one input: one export for all of them."""

    def __init__(self, functions: dict[str, Callable[..., object]]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, x: Tensor) -> dict[str, list[Tensor]]:
        return {name: tensors(function(x)) for name, function in self.functions.items()}


class Modules(nn.Module):
    """Many modules on one input."""

    def __init__(self, modules: dict[str, nn.Module]) -> None:
        super().__init__()
        self.modules_by_name = nn.ModuleDict(modules)

    def forward(self, x: Tensor) -> dict[str, list[Tensor]]:
        return {name: tensors(module(x)) for name, module in self.modules_by_name.items()}


def tensors(outputs: object) -> list[Tensor]:
    return [t for t in pytree.tree_leaves(outputs) if isinstance(t, Tensor)]


def decomposed(module: nn.Module, *inputs: object) -> Any:
    with torch.no_grad(), quiet(), KeepRecurrent():
        program = torch.export.export(module, inputs, strict=False)
        program = program.run_decompositions({**decomposition_table()})
        return program.module()(*inputs)


def expected(module: nn.Module, *inputs: object) -> Any:
    with torch.no_grad():
        return module(*inputs)


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


X = drawn(2, 4, 6, 8)
VECTOR, MATRIX, BIAS = drawn(8), drawn(8, 3), drawn(5)
Q, Q4, K, V = drawn(2, 2, 5, 4), drawn(2, 4, 5, 4), drawn(2, 2, 7, 4), drawn(2, 2, 7, 3)
ADDED, WEIGHT = drawn(5, 7), drawn(5, 6)
FILTER_3D, FILTER_1D = drawn(4, 1, 1, 3, 2), drawn(8, 1, 3)
MASK = torch.cat([torch.zeros(1, 7), drawn(4, 7)]) > 0  # the first row is masked altogether
attention = F.scaled_dot_product_attention

CASES: dict[str, Callable[[Tensor], object]] = {
    "variance": lambda x: (x.var(1), x.std((2, 3), correction=0), torch.var_mean(x, 2), x.var()),
    "layer norm": lambda x: (F.layer_norm(x, (6, 8)), F.rms_norm(x, (8,))),
    "group norm": lambda x: (F.group_norm(x, 2), F.instance_norm(x)),
    "batch norm": lambda x: F.batch_norm(x, X[0, :, 0, 0], X[1, :, 0, 0].abs()),
    "softmax": lambda x: (F.softmax(x, 1), F.log_softmax(x, -1)),
    "logsumexp": lambda x: (torch.logsumexp(x, (1, 3)), torch.logsumexp(x / 0 - 1, 1)),
    "vector norms": lambda x: [x.norm(p, 1) for p in (0, 1, 2, 3, torch.inf, -torch.inf)],
    "matrix norms": lambda x: [
        torch.linalg.norm(x, o, (2, 3)) for o in (None, "fro", 1, -1, torch.inf, -torch.inf)
    ],
    "extrema": lambda x: (x.amax(1), x.amin((0, 2), True), x.max(), x.max(1), x.min(2)[0]),
    "distances": lambda x: (torch.cdist(x[0, 0], x[1, 1]), torch.cdist(x[0], x[1], p=1)),
    "powers": lambda x: [x.abs() ** p for p in (-2, -1, -0.5, 0.5, 1, 1.7, 2, 3, 4)],
    "elu": lambda x: (F.elu(x), F.selu(x), F.celu(x, 1.3), F.elu(x, 0.5)),
    "comparisons": lambda x: (x > 0.5, x <= 0.1, x == 0.25, x != 1.5, x > 1),
    "reciprocal": lambda x: (torch.reciprocal(x), torch.reciprocal(torch.arange(1, 4))),
    "fmod": lambda x: (x.fmod(0.3), torch.remainder(x, 0.3)),
    "roll": lambda x: (x.roll(3, 1), x.roll((-1, 2), (2, 3)), x.roll(5), x.roll(6, 2)),
    "padding": lambda x: (F.pad(x, (-1, 2), value=3.0), F.pad(x, (1, -2, -1, -1))),
    "adaptive pools": lambda x: [F.adaptive_avg_pool2d(x, s) for s in (1, (3, 4), (4, 3))],
    "adaptive pools, 1-D and 3-D": lambda x: (
        F.adaptive_avg_pool1d(x[0], 2),
        F.adaptive_avg_pool3d(x, 1),
    ),
    "pools without a batch": lambda x: (F.max_pool2d(x[0], 2), F.avg_pool2d(x[0], 2)),
    "pools without a batch, 3-D": lambda x: (F.max_pool3d(x, 2), F.avg_pool3d(x, 2)),
    "linear": lambda x: (F.linear(x, MATRIX.T), F.linear(x.mT, WEIGHT, BIAS)),
    "products": lambda x: (x @ MATRIX, x.transpose(0, 2) @ MATRIX, x @ VECTOR),
    "attention": lambda _: (attention(Q, K, V), attention(Q, K, V, is_causal=True, scale=0.3)),
    "masked attention": lambda _: [attention(Q, K, V, attn_mask=m) for m in (MASK, ADDED)],
    "grouped-query attention": lambda _: attention(Q4, K, V, enable_gqa=True),
    "depthwise in 3-D": lambda x: F.conv3d(
        x[:, :, None], FILTER_3D, BIAS[:4], (1, 2, 1), (0, 1, 1), (1, 1, 2), 4
    ),
    "depthwise transposed": lambda x: F.conv_transpose2d(
        x, FILTER_3D[:, :, 0], BIAS[:4], 2, 1, 1, 4, 2
    ),
    "depthwise transposed, cropped": lambda x: F.conv_transpose1d(
        x[0].mT, FILTER_1D, None, 3, 3, 0, 8
    ),
}


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]:
    """Results of all cases: decomposed, and from PyTorch's own kernels."""
    return decomposed(Functions(CASES), X), expected(Functions(CASES), X)


@pytest.mark.parametrize("name", CASES)
def test_same_values(
    name: str, both: tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]
) -> None:
    for ours, theirs in zip(*(side[name] for side in both), strict=True):
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5, equal_nan=True)


LOW: dict[str, Callable[[Tensor], object]] = {
    "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean((0, 1)),
    "prod": lambda x: (1 + (x - 1) / 64).prod(1),
    "cumsum": lambda x: x.cumsum(0),
    "variance": lambda x: x.var(1),
    "norm": lambda x: x.norm(dim=1),
    "layer norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "softmax": lambda x: F.softmax(x, 1),
    "log softmax": lambda x: F.log_softmax(x, 1),
    "logsumexp": lambda x: torch.logsumexp(x, 1),
    "average pool": lambda x: F.avg_pool1d(x, 5),
    "mse": lambda x: F.mse_loss(x, x.roll(1, 0)),
    "gelu": F.gelu,
    "mish": F.mish,
    "times a number": lambda x: x * 0.3,
    "plus a number": lambda x: x + 0.3,
    "linear": lambda x: F.linear(x, x[:7], x[0, :7]),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_rounds_once(dtype: torch.dtype) -> None:
    x = (0.5 + torch.rand(40, 300, generator=torch.Generator().manual_seed(1))).to(dtype)
    ours, exact = decomposed(Functions(LOW), x), expected(Functions(LOW), x.double())
    for name in LOW:
        (rounded,), (right,) = ours[name], exact[name]
        assert rounded.dtype == dtype
        # Half a unit in the last place, and what f32 adds to it. (`1 + (x - 1) / 64` is three
        # ops of the model's, which round by themselves in either precision.)
        slack = 300 * 2 if name == "prod" else 0.51
        bound = right.abs() * torch.finfo(dtype).eps * slack + 2e-6
        assert bool(((rounded.double() - right).abs() <= bound).all()), name


def test_explicit_dtype_of_a_reduction() -> None:
    functions: dict[str, Callable[[Tensor], object]] = {
        "sum": lambda x: x.sum(1, dtype=torch.float32),
        "softmax": lambda x: F.softmax(x, 1, dtype=torch.float32),
    }
    ours = decomposed(Functions(functions), X.bfloat16())
    for name, (right,) in expected(Functions(functions), X.bfloat16()).items():
        assert ours[name][0].dtype == torch.float32
        torch.testing.assert_close(ours[name][0], right)


def recurrent_layers() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "lstm": nn.LSTM(6, 4, 2, bidirectional=True, batch_first=True),
        "lstm, projected": nn.LSTM(6, 8, 2, proj_size=3, bidirectional=True),
        "lstm, no bias": nn.LSTM(6, 4, bias=False),
        "gru": nn.GRU(6, 4, 2, bidirectional=True),
        "gru, batch first": nn.GRU(6, 4, batch_first=True, bias=False),
        "tanh": nn.RNN(6, 4, 2, batch_first=True),
        "relu": nn.RNN(6, 4, nonlinearity="relu", bidirectional=True),
    }


def test_recurrent_layers() -> None:
    model, x = Modules(recurrent_layers()).eval(), drawn(3, 5, 6)
    ours, theirs = decomposed(model, x), expected(model, x)
    for name, right in theirs.items():
        for left, other in zip(ours[name], right, strict=True):
            torch.testing.assert_close(left, other, rtol=2e-5, atol=2e-5, msg=name)


def test_recurrent_layer_with_states_and_without_a_batch() -> None:
    torch.manual_seed(0)
    inputs = nn.LSTM(6, 4, 2).eval(), drawn(3, 6), (drawn(2, 4), drawn(2, 4) + 1)
    for left, right in zip(tensors(decomposed(*inputs)), tensors(expected(*inputs)), strict=True):
        torch.testing.assert_close(left, right)


def test_recurrent_layer_in_low_precision_keeps_its_dtype() -> None:
    torch.manual_seed(0)
    module, x = nn.GRU(6, 4).eval().bfloat16(), drawn(3, 5, 6).bfloat16()
    for left, right in zip(
        tensors(decomposed(module, x)), tensors(expected(module, x)), strict=True
    ):
        assert left.dtype == torch.bfloat16
        torch.testing.assert_close(left, right, rtol=0.05, atol=0.02)
