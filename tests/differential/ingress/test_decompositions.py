"""The decomposition table against PyTorch's own kernels; both sides run in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree

from bellrock.ingress import native  # noqa: F401  # defines the ops that decompositions use
from bellrock.ingress.decompositions import decomposition_table
from bellrock.ingress.loops import KeepRecurrent
from bellrock.ingress.quiet import quiet

X = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0))
SQUARE = X[0, 0, :, :6]


class Function(nn.Module):
    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: object) -> object:
        return self.function(*args)


def decomposed(module: nn.Module, *inputs: object) -> list[Tensor]:
    with torch.no_grad(), quiet(), KeepRecurrent():
        program = torch.export.export(module, inputs, strict=False)
        program = program.run_decompositions({**decomposition_table()})
        outputs = program.module()(*inputs)
    return [t for t in pytree.tree_leaves(outputs) if isinstance(t, Tensor)]


def expected(module: nn.Module, *inputs: object) -> list[Tensor]:
    with torch.no_grad():
        return [t for t in pytree.tree_leaves(module(*inputs)) if isinstance(t, Tensor)]


def heads(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


MASK = torch.cat([torch.zeros(1, 7), heads(4, 7)]) > 0  # the first row is masked altogether

CASES: dict[str, tuple[Callable[..., object], ...]] = {
    "variance": (lambda x: (x.var(1), x.std((2, 3), correction=0), torch.var_mean(x, 2), x.var()),),
    "norm layers": (
        lambda x: (
            F.layer_norm(x, (6, 8)), F.group_norm(x, 2), F.instance_norm(x),
            F.rms_norm(x, (8,)), F.batch_norm(x, X[0, :, 0, 0], X[1, :, 0, 0].abs()),
        ),
    ),
    "softmax": (lambda x: (F.softmax(x, 1), F.log_softmax(x, -1), torch.logsumexp(x, (1, 3))),),
    "infinite softmax": (lambda x: torch.logsumexp(torch.where(x > 9, x, -torch.inf), 1),),
    "vector norms": (
        lambda x: (x.norm(), x.norm(1, 1), x.norm(3, 2), x.norm(torch.inf, 1), x.norm(0, 1)),
    ),
    "matrix norms": (
        lambda x: [torch.linalg.norm(x, o, (2, 3)) for o in (None, "fro", 1, -1, torch.inf)],
    ),
    "extrema": (lambda x: (x.amax(1), x.amin((0, 2), True), x.max(), x.max(1), x.min(2)[0]),),
    "distances": (lambda x: (torch.cdist(x[0, 0], x[1, 1]), torch.cdist(x[0], x[1], p=1)),),
    "powers": (lambda x: [x.abs() ** p for p in (-2, -1, -0.5, 0.5, 1, 1.7, 2, 3, 4)],),
    "elu": (lambda x: (F.elu(x), F.selu(x), F.celu(x, 1.3), F.elu(x, 0.5)),),
    "comparisons": (lambda x: (x > 0.5, x <= 0.1, x == 0.25, x != 1.5, x > 1),),
    "reciprocal": (lambda x: (torch.reciprocal(x), torch.reciprocal(torch.arange(1, 4))),),
    "fmod": (lambda x: (x.fmod(0.3), torch.remainder(x, 0.3)),),
    "roll": (lambda x: (x.roll(3, 1), x.roll((-1, 2), (2, 3)), x.roll(5), x.roll(6, 2)),),
    "padding": (lambda x: (F.pad(x, (-1, 2), value=3.0), F.pad(x, (1, -2, -1, -1))),),
    "adaptive pools": (
        lambda x: (
            F.adaptive_avg_pool2d(x, 1), F.adaptive_avg_pool2d(x, (3, 4)),
            F.adaptive_avg_pool1d(x[0], 1), F.adaptive_avg_pool3d(x, 1),
            F.adaptive_avg_pool2d(x, (4, 3)),
        ),
    ),
    "pools without a batch": (
        lambda x: (F.max_pool2d(x[0], 2), F.avg_pool2d(x[0], 2), F.max_pool3d(x, 2), F.avg_pool3d(x, 2)),
    ),
    "linear": (lambda x: (F.linear(x, heads(5, 8)), F.linear(x.mT, heads(5, 6), heads(5))),),
    "products": (lambda x: (x @ heads(8, 3), x.transpose(0, 2) @ heads(8, 3), x @ heads(8)),),
    "attention": (
        lambda x: (
            F.scaled_dot_product_attention(heads(2, 2, 5, 4), heads(2, 2, 7, 4), heads(2, 2, 7, 3)),
            F.scaled_dot_product_attention(
                heads(2, 2, 5, 4), heads(2, 2, 7, 4), heads(2, 2, 7, 3), is_causal=True, scale=0.3
            ),
        ),
    ),
    "masked attention": (
        lambda x: (
            F.scaled_dot_product_attention(
                heads(2, 2, 5, 4), heads(2, 2, 7, 4), heads(2, 2, 7, 3), attn_mask=MASK
            ),
            F.scaled_dot_product_attention(
                heads(2, 2, 5, 4), heads(2, 2, 7, 4), heads(2, 2, 7, 3), attn_mask=heads(5, 7)
            ),
        ),
    ),
    "grouped-query attention": (
        lambda x: F.scaled_dot_product_attention(
            heads(2, 4, 5, 4), heads(2, 2, 7, 4), heads(2, 2, 7, 3), enable_gqa=True
        ),
    ),
    "depthwise in 3-D": (
        lambda x: F.conv3d(x[None, 0], heads(4, 1, 2, 3), groups=4) if x.dim() < 4 else
        F.conv3d(x, heads(4, 1, 2, 3, 2), heads(4), 2, 1, (2, 1, 2), 4) if x.shape[0] == 4 else
        F.conv3d(x[:, :, None], heads(4, 1, 1, 3, 2), heads(4), (1, 2, 1), (0, 1, 1), (1, 1, 2), 4),
    ),
    "depthwise transposed": (
        lambda x: (
            F.conv_transpose2d(x, heads(4, 1, 3, 3), heads(4), 2, 1, 1, 4, 2),
            F.conv_transpose1d(x[0], heads(6, 1, 3), None, 3, 3, 0, 6),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_same_values(name: str) -> None:
    module = Function(CASES[name][0])
    for ours, theirs in zip(decomposed(module, X), expected(module, X), strict=True):
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5, equal_nan=True)


LOW: dict[str, Callable[[Tensor], object]] = {
    "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean((0, 1)),
    "prod": lambda x: x.prod(1),
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
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", LOW)
def test_low_precision_rounds_once(name: str, dtype: torch.dtype) -> None:
    module = Function(LOW[name])
    x = (0.5 + torch.rand(40, 300, generator=torch.Generator().manual_seed(1))).to(dtype)
    if name == "prod":
        x = (1 + (x - 1) / 50).to(dtype)
    (ours,) = decomposed(module, x)
    (exact,) = expected(module, x.double())
    assert ours.dtype == dtype
    # Half a unit in the last place, and what f32 adds to it.
    bound = exact.abs() * torch.finfo(dtype).eps * 0.51 + 2e-6
    assert bool(((ours.double() - exact).abs() <= bound).all())


def test_explicit_dtype_of_a_reduction() -> None:
    x = X.bfloat16()
    module = Function(
        lambda x: (x.sum(1, dtype=torch.float32), F.softmax(x, 1, dtype=torch.float32))
    )
    for ours, theirs in zip(decomposed(module, x), expected(module, x), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs)


RECURRENT = {
    "lstm": lambda: nn.LSTM(6, 4, 2, bidirectional=True, batch_first=True),
    "lstm, projected": lambda: nn.LSTM(6, 8, 2, proj_size=3, bidirectional=True),
    "lstm, no bias": lambda: nn.LSTM(6, 4, bias=False),
    "gru": lambda: nn.GRU(6, 4, 2, bidirectional=True),
    "gru, batch first": lambda: nn.GRU(6, 4, batch_first=True, bias=False),
    "tanh": lambda: nn.RNN(6, 4, 2, batch_first=True),
    "relu": lambda: nn.RNN(6, 4, nonlinearity="relu", bidirectional=True),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers(name: str) -> None:
    torch.manual_seed(0)
    module, x = RECURRENT[name]().eval(), torch.randn(3, 5, 6)
    for ours, theirs in zip(decomposed(module, x), expected(module, x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5)


def test_recurrent_layer_with_states_and_without_a_batch() -> None:
    torch.manual_seed(0)
    module = nn.LSTM(6, 4, 2).eval()
    states = (torch.randn(2, 4), torch.randn(2, 4))
    ours = decomposed(module, torch.randn(3, 6), states)
    torch.manual_seed(0)
    module = nn.LSTM(6, 4, 2).eval()
    states = (torch.randn(2, 4), torch.randn(2, 4))
    for left, right in zip(ours, expected(module, torch.randn(3, 6), states), strict=True):
        torch.testing.assert_close(left, right)


def test_recurrent_layer_in_low_precision_keeps_its_dtype() -> None:
    module, x = nn.GRU(6, 4).eval().bfloat16(), torch.randn(3, 5, 6).bfloat16()
    for ours, theirs in zip(decomposed(module, x), expected(module, x), strict=True):
        assert ours.dtype == torch.bfloat16
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.02)
