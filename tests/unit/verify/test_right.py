"""Right answers pass: PyTorch itself, and other orders and precisions of computing the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bellrock.payload import DType
from bellrock.verify import verify
from support.models import FunctionModule

randn, rand = torch.randn, torch.rand


class Counter(nn.Module):
    """Changes a buffer at each run."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += 1.0
        return x * self.steps


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def norm_chain(x: torch.Tensor, conv: nn.Module, norm: nn.Module) -> torch.Tensor:
    return F.silu(norm(conv(x))).mean((2, 3))


def logits_and_choice(x: torch.Tensor, linear: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    y = linear(x)
    return y, y.argmax(-1)


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[object, ...]]]] = {
    "relu": (nn.ReLU, lambda: (randn(5, 33),)),
    "gelu": (nn.GELU, lambda: (randn(40, 33),)),
    "elu-near-zero": (nn.ELU, lambda: (randn(40, 33) * 0.01,)),
    "hardswish": (nn.Hardswish, lambda: (randn(7, 19),)),
    "softmax": (lambda: nn.Softmax(-1), lambda: (randn(6, 50) * 5,)),
    "log-softmax": (lambda: nn.LogSoftmax(1), lambda: (randn(6, 50),)),
    "linear": (lambda: nn.Linear(37, 21), lambda: (randn(11, 37),)),
    "mlp": (
        lambda: nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 16), nn.Tanh()),
        lambda: (randn(9, 32),),
    ),
    "matmul": (lambda: FunctionModule(torch.matmul), lambda: (rand(17, 130), rand(130, 23))),
    "vector": (lambda: FunctionModule(torch.mv), lambda: (rand(17, 130), rand(130))),
    "batched": (lambda: FunctionModule(torch.bmm), lambda: (randn(3, 9, 40), randn(3, 40, 7))),
    "conv": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
        lambda: (randn(2, 3, 15, 17),),
    ),
    "grouped-conv": (lambda: nn.Conv2d(8, 8, 3, groups=4), lambda: (randn(2, 8, 9, 9),)),
    "transposed-conv": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), lambda: (randn(2, 4, 7, 7),),
    ),
    "conv-1d": (lambda: nn.Conv1d(4, 6, 5, dilation=2), lambda: (randn(2, 4, 30),)),
    "layer-norm": (lambda: nn.LayerNorm(40), lambda: (randn(5, 7, 40) + 3,)),
    "group-norm": (
        lambda: FunctionModule(norm_chain, nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8)),
        lambda: (randn(2, 3, 12, 12),),
    ),
    "instance-norm": (lambda: nn.InstanceNorm2d(6), lambda: (rand(2, 6, 11, 13),)),
    "batch-mean": (lambda: FunctionModule(lambda x: x.mean()), lambda: (randn(30, 40),)),
    "cumsum": (lambda: FunctionModule(lambda x: x.cumsum(1)), lambda: (randn(5, 200),)),
    "cumprod": (lambda: FunctionModule(lambda x: x.cumprod(1)), lambda: (rand(5, 60) + 0.5,)),
    "exp-tail": (lambda: FunctionModule(lambda x: torch.exp(3 * x)), lambda: (randn(20, 40),)),
    "max-pool": (lambda: nn.MaxPool2d(2), lambda: (randn(2, 3, 8, 8),)),
    "avg-pool": (lambda: nn.AvgPool2d(3, padding=1), lambda: (randn(2, 3, 9, 9),)),
    "loss": (
        lambda: FunctionModule(F.cross_entropy),
        lambda: (randn(40, 10), torch.randint(0, 10, (40,))),
    ),
    "lstm": (lambda: nn.LSTM(6, 8, batch_first=True), lambda: (randn(2, 9, 6),)),
    "attention": (
        lambda: FunctionModule(attention), lambda: tuple(randn(2, 2, 12, 8) for _ in range(3)),
    ),
    "encoder": (
        lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
        lambda: (randn(2, 6, 16),),
    ),
    "arg-max": (
        lambda: FunctionModule(logits_and_choice, nn.Linear(16, 12)), lambda: (randn(50, 16),),
    ),
    "mask": (lambda: FunctionModule(lambda x: x > 0.3), lambda: (randn(20, 20),)),
    "embedding": (lambda: nn.Embedding(20, 8), lambda: (torch.randint(0, 20, (4, 5)),)),
    "counter": (Counter, lambda: (randn(4, 3),)),
    "draws": (lambda: FunctionModule(lambda x: x + torch.randn_like(x)), lambda: (randn(6, 9),)),
    "minus-infinity": (
        lambda: FunctionModule(lambda x: x.masked_fill(x < 0, -math.inf)), lambda: (randn(9, 9),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
@pytest.mark.parametrize("name", MODELS)
def test_pytorch_itself_passes_with_a_margin(case, name: str, dtype: DType) -> None:
    model, inputs = MODELS[name]
    made = case(model(), inputs, dtype)
    verdict = verify(made.candidate(), made.subject, dtype=dtype)
    assert verdict.correct, verdict.message
    assert verdict.ratio < 0.7
    assert verdict.trials == 3


@pytest.mark.parametrize("name", ["mlp", "conv", "layer-norm", "softmax", "exp-tail"])
def test_pytorch_passes_in_f16(case, name: str) -> None:
    model, inputs = MODELS[name]
    made = case(model(), inputs, DType.F16)
    verdict = verify(made.candidate(), made.subject, dtype=DType.F16)
    assert verdict.correct, verdict.message


def test_a_sum_in_another_order_passes(case) -> None:
    made = case(FunctionModule(torch.matmul), lambda: (randn(20, 3000), randn(3000, 16)))

    def one_step_at_a_time(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(a.shape[0], b.shape[1])
        for k in range(a.shape[1]):
            total = total + a[:, k : k + 1] * b[k : k + 1]
        return total

    def in_blocks(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        parts = [a[:, k : k + 64] @ b[k : k + 64] for k in range(0, a.shape[1], 64)]
        return torch.stack(parts).sum(0)

    for order in (one_step_at_a_time, in_blocks):
        verdict = verify(made.candidate(order), made.subject, dtype=DType.F32)
        assert verdict.correct, verdict.message


def test_fewer_roundings_than_pytorch_pass(case) -> None:
    """A chain of bf16 ops that is kept in f32 until its end."""
    made = case(MODELS["mlp"][0](), MODELS["mlp"][1], DType.BF16)
    layers = made.subject.model

    def fused(x: torch.Tensor) -> torch.Tensor:
        first, last = layers[0], layers[2]
        y = F.gelu(F.linear(x.float(), first.weight.float(), first.bias.float()))
        y = torch.tanh(F.linear(y, last.weight.float(), last.bias.float()))
        return y.bfloat16()

    verdict = verify(made.candidate(fused), made.subject, dtype=DType.BF16)
    assert verdict.correct, verdict.message


def test_a_vector_library_of_four_ulp_passes(case) -> None:
    made = case(FunctionModule(torch.exp), lambda: (randn(30, 30),))
    ulp = 2.0**-23

    def near(x: torch.Tensor) -> torch.Tensor:
        return (torch.exp(x.double()) * (1 + 4 * ulp)).float()

    def far(x: torch.Tensor) -> torch.Tensor:
        return (torch.exp(x.double()) * (1 + 64 * ulp)).float()

    assert verify(made.candidate(near), made.subject, dtype=DType.F32).correct
    assert not verify(made.candidate(far), made.subject, dtype=DType.F32).correct


def test_infinity_beyond_the_largest_half_passes(case) -> None:
    made = case(FunctionModule(lambda x: x * 3000), lambda: (randn(20, 20) * 20,), DType.F16)
    assert torch.isinf(made.like[0]).any()
    verdict = verify(made.candidate(), made.subject, dtype=DType.F16)
    assert verdict.correct, verdict.message


def test_equal_seeds_give_equal_verdicts(case) -> None:
    made = case(MODELS["conv"][0](), MODELS["conv"][1])
    first, second = (
        verify(made.candidate(), made.subject, dtype=DType.F32, seed=3) for _ in range(2)
    )
    assert (first.value, first.budget, first.worst_index) == (
        second.value, second.budget, second.worst_index,
    )  # fmt: skip


def test_the_model_is_left_as_it_was(case) -> None:
    made = case(Counter(), lambda: (randn(4, 3),))
    before = made.subject.model.steps.clone()
    state = torch.random.get_rng_state()
    verify(made.candidate(), made.subject, dtype=DType.F32)
    assert torch.equal(made.subject.model.steps, before)
    assert torch.equal(torch.random.get_rng_state(), state)


def native_norm(x: torch.Tensor, norm: Any) -> tuple[torch.Tensor, ...]:
    """In eval mode the saved mean and deviation are empty."""
    return torch.native_batch_norm(
        x, norm.weight, norm.bias, norm.running_mean, norm.running_var, False, 0.1, 1e-5
    )


class Empties(nn.Module):
    """Empty parameters, buffers (written), inputs (written) and results of several kinds."""

    nothing: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(0, 4))
        self.register_buffer("nothing", torch.zeros(0))

    def forward(self, x: torch.Tensor, none: torch.Tensor) -> object:
        self.nothing.add_(1)
        none.mul_(2)
        return F.linear(x, self.weight), x.exp(), {"m": x[:0].max(1), "s": none}


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (lambda: FunctionModule(native_norm, nn.BatchNorm2d(3)), lambda: (randn(2, 3, 5, 5),)),
        (Empties, lambda: (randn(5, 4), randn(0, 3))),
    ],
    ids=["saved-statistics", "everywhere"],
)
def test_empty_tensors_beside_others(case, model, inputs, dtype: DType) -> None:
    made = case(model(), inputs, dtype)
    verdict = verify(made.candidate(), made.subject, dtype=dtype, trials=4, mutants=True)
    assert verdict.correct, verdict.message
    assert any(result.rejected for result in verdict.mutants)
    assert not any(result.accepted for result in verdict.mutants)


def test_outputs_without_elements_are_said_to_tell_nothing(case) -> None:
    made = case(FunctionModule(lambda x: x.exp()[:0]), lambda: (randn(3, 4),))
    verdict = verify(made.candidate(), made.subject, dtype=DType.F32, mutants=True)
    assert verdict.correct
    assert verdict.message == (
        "FunctionModule is right as far as can be told: no output has an element."
    )


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
def test_running_statistics_of_a_norm_in_training_round_too(case, dtype: DType) -> None:
    def training(x: torch.Tensor, norm: Any) -> torch.Tensor:
        return F.batch_norm(x, norm.running_mean, norm.running_var, training=True)

    made = case(FunctionModule(training, nn.BatchNorm2d(3)), lambda: (randn(2, 3, 5, 5),), dtype)
    verdict = verify(made.candidate(), made.subject, dtype=dtype)
    assert verdict.correct, verdict.message
