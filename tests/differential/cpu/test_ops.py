"""Compiled ops against PyTorch over odd shapes and dtypes, judged by the project's checker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp
from support.models import FunctionModule

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

from bellrock.payload import DType  # noqa: E402
from bellrock.verify import Subject, verify  # noqa: E402

F = torch.nn.functional


def check(
    function: Callable[..., Any],
    *shapes: tuple[int, ...],
    dtype: DType = DType.F32,
    parameters: tuple[tuple[int, ...], ...] = (),
) -> None:
    torch_dtype = getattr(torch, dtype.torch_name)
    generator = torch.Generator().manual_seed(1)

    def random(shape: tuple[int, ...], by: torch.Generator) -> torch.Tensor:
        return torch.randn(shape, generator=by).to(torch_dtype)

    model = FunctionModule(function, *(random(p, generator) for p in parameters)).eval()

    def make_inputs(seed: int) -> tuple[object, ...]:
        by = torch.Generator().manual_seed(seed)
        return tuple(random(s, by) for s in shapes)

    with torch.no_grad():
        compiled = bellrock.compile(model, make_inputs(0), use_cache=False)
        verdict = verify(
            compiled, Subject(name="op", model=model, make_inputs=make_inputs), dtype=dtype
        )
    assert verdict.correct, verdict.message


DTYPES = [DType.F32, DType.BF16, DType.F16]
SIZES = [(1, 1, 1), (7, 13, 17), (64, 64, 64), (1, 127, 65), (33, 1, 129)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_matmul(m: int, n: int, k: int, dtype: DType) -> None:
    check(torch.matmul, (m, k), (k, n), dtype=dtype)


@pytest.mark.parametrize("transposed", ["a", "b", "both"])
def test_transposed_matmul(transposed: str) -> None:
    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        a = a.mT if transposed in ("a", "both") else a
        b = b.mT if transposed in ("b", "both") else b
        return a @ b

    a = (19, 23) if transposed in ("a", "both") else (23, 19)
    b = (29, 19) if transposed in ("b", "both") else (19, 29)
    check(product, a, b)


def test_linear_with_relu() -> None:
    check(lambda x, w, b: torch.relu(F.linear(x, w, b)), (5, 7, 31), parameters=((41, 31), (41,)))


@pytest.mark.parametrize(
    "options",
    [
        {}, {"padding": 1}, {"stride": 2, "padding": 2}, {"dilation": 2},
        {"stride": (2, 1), "padding": (0, 3)},
    ],
)  # fmt: skip
def test_conv2d(options: dict[str, Any]) -> None:
    check(lambda x, w, b: F.conv2d(x, w, b, **options), (2, 5, 17, 13),
          parameters=((7, 5, 3, 3), (7,)))  # fmt: skip


@pytest.mark.parametrize("groups", [2, 6])
def test_grouped_conv2d(groups: int) -> None:
    check(lambda x, w: F.conv2d(x, w, groups=groups, padding=1), (2, 6, 11, 9),
          parameters=((12, 6 // groups, 3, 3),))  # fmt: skip


def test_conv_transpose2d() -> None:
    check(lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1),
          (2, 4, 7, 5), parameters=((4, 3, 3, 3),))  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (17, 129), (2, 3, 5, 8)])
def test_softmax_and_norm(shape: tuple[int, ...], dtype: DType) -> None:
    check(lambda x: F.layer_norm(torch.softmax(x, -1), x.shape[-1:]), shape, dtype=dtype)


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin", "prod", "logsumexp", "var"])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_reductions(name: str, dim: int) -> None:
    check(lambda x: getattr(torch, name)(x, dim), (5, 9, 33))


def test_full_reduction() -> None:
    check(lambda x: x.square().mean(), (37, 301))


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_scans(dim: int) -> None:
    check(lambda x: (torch.cumsum(x, dim), torch.cumsum(x.flip(dim), dim).flip(dim)), (6, 70, 9))


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling(kind: str) -> None:
    pool = F.max_pool2d if kind == "max" else F.avg_pool2d
    check(lambda x: pool(x, 3, stride=2, padding=1), (2, 3, 15, 18))


def test_data_movement() -> None:
    def move(x: torch.Tensor, y: torch.Tensor) -> Any:
        joined = torch.cat([x, y.exp(), x[:, ::2]], 1)
        return joined, F.pad(x, (1, 2, 0, 3)), torch.roll(y, 2, 1).T.contiguous()

    check(move, (7, 9), (7, 4))


def test_a_model_that_returns_its_input_and_a_swap() -> None:
    check(lambda x, y: (y, x, x + y, x), (3, 5), (3, 5))


def test_equal_pads_of_two_convolutions() -> None:
    """The padding values are one tensor after common subexpressions are merged."""

    def twice(x: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return F.conv2d(torch.relu(F.conv2d(x, v, padding=1)), w, padding=1)

    check(twice, (2, 4, 9, 7), parameters=((4, 4, 3, 3), (4, 4, 3, 3)))


def test_a_loop_whose_states_start_equal() -> None:
    class Recurrent(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(5, 8, num_layers=2, bidirectional=True)

        def forward(self, x: torch.Tensor) -> Any:
            return self.lstm(x)

    model = Recurrent().eval()
    x = torch.randn(6, 3, 5)
    with torch.no_grad():
        compiled = bellrock.compile(model, (x,), use_cache=False)
        torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str) -> None:
    """The tanh form with a rounded constant is off by 2e-5, which the budget must not allow."""
    check(lambda x: F.gelu(x, approximate=approximate), (37, 65))


def test_a_scatter_leaves_its_inputs_alone() -> None:
    class Scatter(torch.nn.Module):
        def forward(self, x: torch.Tensor, i: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x.index_add(0, i, y)

    x, i, y = torch.randn(7, 5), torch.tensor([1, 1, 6]), torch.randn(3, 5)
    kept = x.clone()
    compiled = bellrock.compile(Scatter(), (x, i, y), use_cache=False)
    torch.testing.assert_close(compiled(x, i, y), x.index_add(0, i, y))
    assert torch.equal(x, kept)


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
@pytest.mark.parametrize(
    ("shape", "dim"),
    [
        ((70001,), 0),
        ((3, 65537), 1),
        ((256, 300), (0, 1)),
        ((40009, 3), 0),
        ((2, 181, 5, 191), (1, 3)),
        ((40000, 1, 3), (0, 1, 2)),
    ],
    ids=str,
)
def test_long_reductions(shape: tuple[int, ...], dim: Any, dtype: DType) -> None:
    check(lambda x: torch.sum(x, dim), shape, dtype=dtype)
    check(lambda x: torch.amax(x, dim), shape, dtype=dtype)


def test_long_reductions_of_other_kinds() -> None:
    check(lambda x: torch.prod(1 + x / 4096, 0), (50003,))
    check(lambda x: ((x > 3.5).any(), (x > -9).all(), (x > 0).sum()), (50003,))
    check(lambda x, y: torch.nn.functional.mse_loss(x, y), (301, 257), (301, 257))
    check(lambda x: torch.linalg.norm(x), (191, 389))
    check(torch.dot, (90001,), (90001,))
