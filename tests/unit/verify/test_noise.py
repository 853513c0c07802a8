"""Rounding noise is as large as rounding: neither vacuous nor too small."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bellrock.payload import DType
from bellrock.verify import verify
from bellrock.verify.noise import NoiseMode, Signs
from bellrock.verify.reference import plain_pytorch

randn = torch.randn


def noisy(
    compute: Callable[..., torch.Tensor], *inputs: torch.Tensor, dtype: DType = DType.F32,
    seed: int = 0,
) -> torch.Tensor:  # fmt: skip
    """Return the error that noise makes of a computation in f64."""
    wide = [x.double() if x.is_floating_point() else x for x in inputs]
    with plain_pytorch(torch.float64, 0):
        clean = compute(*[x.clone() for x in wide])
        with NoiseMode(width=torch.float64, dtype=dtype, seed=seed):
            shaken = compute(*wide)
    return shaken - clean


def rms(x: torch.Tensor) -> float:
    return float(x.double().square().mean().sqrt())


def test_signs_are_plus_and_minus_one_and_differ_between_draws() -> None:
    signs = Signs(3, torch.float64)
    long = signs.flat(3_000_000)
    assert set(long.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(long.mean())) < 0.005
    assert not torch.equal(signs.flat(1000), signs.flat(1000))
    assert torch.equal(Signs(3, torch.float64).flat(10), Signs(3, torch.float64).flat(10))


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16, DType.F16])
def test_one_operation_makes_one_rounding(dtype: DType) -> None:
    x, y = torch.rand(50, 60) + 0.5, torch.rand(50, 60) - 1.5
    error = noisy(torch.mul, x, y, dtype=dtype) / (x.double() * y.double())
    assert float(error.abs().max()) == pytest.approx(dtype.unit_roundoff, rel=1e-6)


def test_exact_arithmetic_has_no_noise() -> None:
    whole = torch.randint(-8, 8, (40, 40)).float()
    assert rms(noisy(torch.matmul, whole, whole)) == 0
    assert rms(noisy(lambda x: (x * 2 - 1).clamp(0).transpose(0, 1).contiguous(), whole)) == 0
    assert rms(noisy(torch.relu, randn(30, 30).bfloat16(), dtype=DType.BF16)) == 0
    assert rms(noisy(lambda x: torch.cat([x, x]).flip(0), randn(30, 30))) == 0


@pytest.mark.parametrize("positive", [True, False])
def test_a_sum_has_the_noise_of_adding_one_by_one(positive: bool) -> None:
    x = torch.rand(300, 2000) if positive else randn(300, 2000)
    total = torch.zeros(300)
    for column in x.T:
        total = total + column
    real = rms(total.double() - x.double().sum(1))
    model = rms(noisy(lambda x: x.sum(1), x))
    assert 1.0 < model / real < 6.0


@pytest.mark.parametrize(
    ("name", "compute"),
    [
        ("matmul", lambda x: x @ x.T),
        ("convolution", lambda x: F.conv2d(
            x.view(1, 4, 50, 80), x.flatten()[:288].view(8, 4, 3, 3))),
        ("transposed", lambda x: F.conv_transpose2d(
            x.view(1, 4, 50, 80), x.flatten()[:288].view(4, 8, 3, 3))),
        ("softmax", lambda x: torch.softmax(x * 3, -1)),
        ("log-softmax", lambda x: torch.log_softmax(x, -1)),
        ("layer norm", lambda x: F.layer_norm(x + 5, x.shape[-1:])),
        ("group norm", lambda x: F.group_norm(x.view(1, 4, 50, 80) + 2, 2)),
        ("batch norm", lambda x: F.batch_norm(x.view(4, 50, 80), None, None, training=True)),
        ("gelu", F.gelu),
        ("tanh", torch.tanh),
        ("mean", lambda x: x.mean(1)),
        ("variance", lambda x: x.var(1)),
        ("norm", lambda x: x.norm(dim=1)),
        ("pool", lambda x: F.avg_pool2d(x.view(1, 4, 50, 80), 3)),
        ("scan", lambda x: x.cumsum(1)),
        ("power", lambda x: x.abs() ** 1.7),
        ("logsumexp", lambda x: torch.logsumexp(x, 1)),
        ("interpolation", lambda x: F.interpolate(
            x.view(1, 4, 50, 80), scale_factor=1.7, mode="bilinear")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
def test_noise_is_near_pytorchs_own_error(
    name: str, compute: Callable[[torch.Tensor], torch.Tensor], dtype: DType
) -> None:
    torch.manual_seed(0)
    narrow = getattr(torch, dtype.torch_name)
    x = randn(160, 100).to(narrow)
    own = rms(compute(x).double() - compute(x.double()))
    model = rms(noisy(compute, x, dtype=dtype))
    assert 1.0 < model / own < 200.0


def test_kinks_and_ties_happen_as_they_would() -> None:
    x = randn(2000, 50)
    flips = noisy(lambda x: (x * 1.1).argmax(-1), x.bfloat16(), dtype=DType.BF16)
    assert int((flips != 0).sum()) > 0
    flips = noisy(lambda x: x.argmax(-1), x.bfloat16(), dtype=DType.BF16)
    assert int((flips != 0).sum()) == 0


def test_half_precision_overflows_and_underflows() -> None:
    big = noisy(lambda x: x * 30000, torch.tensor([1.0, 2.0, 3.0, -3.0]), dtype=DType.F16)
    assert big.isinf().tolist() == [False, False, True, True]
    small = noisy(lambda x: x * 2.0**-23, randn(1000), dtype=DType.F16)
    assert float(small.abs().max()) == pytest.approx(2.0**-25, rel=1e-3)


def test_fused_attention_is_noisy_inside() -> None:
    q, k, v = (randn(2, 3, 20, 8) for _ in range(3))
    attention = F.scaled_dot_product_attention
    fused = rms(noisy(attention, q, k, v, dtype=DType.BF16))
    value = rms(attention(q, k, v))
    assert fused > 1.2 * DType.BF16.unit_roundoff * value
    causal = noisy(lambda *a: attention(*a, is_causal=True), q, k, v, dtype=DType.BF16)
    assert rms(causal) < 20 * DType.BF16.unit_roundoff * value


def test_constants_that_the_dtype_cannot_hold_are_off_for_all_elements() -> None:
    x = torch.ones(1000)
    means = [
        float(noisy(lambda x: x * 0.1, x, dtype=DType.BF16, seed=seed).mean()) for seed in range(8)
    ]
    step = float(torch.tensor(0.1).bfloat16()) - 0.1
    assert max(means) == pytest.approx(step, rel=0.2)
    assert min(means) == pytest.approx(0, abs=abs(step) * 0.2)
    assert rms(noisy(lambda x: x * 0.5, x, dtype=DType.BF16)) == 0


def test_budgets_are_not_vacuous(case) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3))
    for dtype in (DType.F32, DType.BF16):
        made = case(net, lambda: (randn(2, 3, 14, 14),), dtype)
        verdict = verify(made.candidate(), made.subject, dtype=dtype)
        assert verdict.eager_value > 0.05
        assert verdict.budget < 40 * dtype.unit_roundoff
    assert not math.isnan(verdict.eager_value)
