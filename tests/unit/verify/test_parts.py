"""The parts: references, inputs, poison, quantiles."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from scipy import stats
from torch import nn

from bellrock.payload import DType
from bellrock.verify import quantiles
from bellrock.verify.distributions import VARIANTS, keeps_its_values, vary
from bellrock.verify.oracle import Expectation, Oracle
from bellrock.verify.program import checksum, discover, observe, poison
from bellrock.verify.reference import Reference, Written, widened_model
from bellrock.verify.scale import scale_of
from bellrock.verify.statistics import randomise_statistics

randn = torch.randn


class Tied(nn.Module):
    """Ties, a plain tensor attribute, a list of tensors, a tensor made while running."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.last = nn.Linear(4, 4)
        self.last.weight = self.first.weight
        self.plain = torch.ones(4)
        self.several = [torch.ones(4), torch.arange(4)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = torch.zeros(4, dtype=torch.float32) + torch.tensor(0.5)
        return self.last(self.first(x) * self.plain.float() + made) + self.several[0]


def test_a_wide_copy_shares_nothing_and_keeps_ties() -> None:
    model = Tied()
    wide = widened_model(model, torch.float64)
    assert isinstance(wide, Tied)
    assert wide.first.weight is wide.last.weight
    assert wide.plain.dtype == wide.several[0].dtype == torch.float64
    assert wide.several[1].dtype == torch.int64
    for mine, copied in zip(model.parameters(), wide.parameters(), strict=True):
        assert copied.dtype == torch.float64
        assert copied.data_ptr() != mine.data_ptr()
    wide.several[1][0] = 7
    assert int(model.several[1][0]) == 0


def test_the_reference_stays_wide_where_the_source_names_a_narrow_float() -> None:
    model = Tied()
    x = randn(3, 4)
    (result,) = Reference(model=model, dtype=torch.float32).run((x,), seed=0).outputs
    with torch.no_grad():
        by_hand = x.double() @ model.first.weight.double().T + model.first.bias.double() + 0.5
        by_hand = by_hand @ model.last.weight.double().T + model.last.bias.double() + 1
    assert result.dtype == torch.float64
    assert float((result - by_hand).abs().max()) < 1e-14


def test_the_reference_falls_back_where_f64_does_not_work() -> None:
    class Narrow(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.dtype == torch.float64:
                raise RuntimeError("not implemented for 'Double'")
            return x * 2

    reference = Reference(model=Narrow(), dtype=torch.bfloat16)
    (result,) = reference.run((randn(3).bfloat16(),), seed=0).outputs
    assert result.dtype == reference.width == torch.float32
    assert "does not run" in reference.fallbacks[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_random_numbers_are_those_of_the_tested_dtype(dtype: torch.dtype) -> None:
    class Draws(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.randn_like(x) + torch.rand(3, dtype=x.dtype) + torch.randn(3).to(x.dtype)
            return y + torch.empty_like(x).uniform_(0, 1) + torch.bernoulli(torch.full_like(x, 0.5))

    x = torch.zeros(3, dtype=dtype)
    reference = Reference(model=Draws(), dtype=dtype)
    result = reference.run((x,), seed=11)
    torch.manual_seed(11)
    own = Draws()(x)
    assert len(result.random_ops) >= 4
    assert float((result.outputs[0] - own.double()).abs().max()) < 4 * torch.finfo(dtype).eps * 3


class Remembers(nn.Module):
    """Writes to a buffer, replaces a plain attribute, writes into a list and into its input."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.BatchNorm1d(3).train()
        self.hidden = torch.ones(3)
        self.history = [torch.zeros(3), torch.zeros(3)]

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.hidden = self.hidden * 0.5 + self.inner(x).mean(0)
        self.history[1].copy_(self.hidden)
        y += 1
        return self.hidden


def test_what_a_model_writes_is_found_and_put_back() -> None:
    model = Remembers()
    hidden, x, y = model.hidden, randn(5, 3), torch.zeros(3)
    output, written = discover(model, (x, y), seed=0)
    assert isinstance(output, torch.Tensor)
    assert set(written.state) == {
        "inner.running_mean", "inner.running_var", "inner.num_batches_tracked", "hidden",
        "history.1",
    }  # fmt: skip
    assert written.inputs == (1,)
    assert model.hidden is hidden
    assert model.hidden.tolist() == [1.0] * 3
    assert model.history[1].tolist() == [0.0] * 3
    assert torch.equal(model.inner.get_buffer("running_mean"), torch.zeros(3))
    again, values = observe(model, model, (x, torch.zeros(3)), written=written, seed=0)
    assert isinstance(again, torch.Tensor)
    assert torch.equal(again, output)
    assert torch.equal(values[written.names.index("hidden")], output)
    assert values[-1].tolist() == [1.0] * 3
    assert model.hidden.tolist() == [1.0] * 3


def test_state_is_put_back_if_the_call_fails() -> None:
    model = nn.BatchNorm1d(3)

    def fails(x: torch.Tensor) -> None:
        model(x)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        observe(fails, model, (randn(5, 3),), written=Written(), seed=0)
    assert torch.equal(model.get_buffer("running_mean"), torch.zeros(3))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randint(0, 5, (20,)), torch.randint(0, 2, (20, 3)).float(), torch.ones(9) * 0.3,
        torch.softmax(randn(20, 7), -1), torch.randint(0, 2, (20,)).mul(2).sub(1).float(),
    ],
    ids=["integers", "mask", "constant", "probabilities", "signs"],
)  # fmt: skip
def test_meaningful_values_are_kept(tensor: torch.Tensor) -> None:
    assert keeps_its_values(tensor)
    assert vary((tensor, 3.5), "normal", 0) is None


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_change_values_and_nothing_else(name: str) -> None:
    triangle = torch.rand(40, 40).tril().bfloat16()
    labels = torch.arange(6)
    changed = vary((triangle, labels, 2), name, 5)
    assert changed is not None
    varied = changed[0]
    assert isinstance(varied, torch.Tensor)
    assert varied.dtype == triangle.dtype
    assert not torch.equal(varied, triangle)
    assert torch.equal(varied.triu(1), torch.zeros_like(triangle))
    assert bool((varied < 0).any())
    assert changed[1] is labels
    assert changed[2] == 2
    again = vary((triangle, labels, 2), name, 5)
    assert again is not None
    assert isinstance(again[0], torch.Tensor)
    assert torch.equal(again[0], varied)


def test_poison_is_seen() -> None:
    floats, integers = torch.zeros(4), torch.zeros(4, dtype=torch.int64)
    flags = torch.zeros(4, dtype=torch.bool)
    poison(floats, number=0)
    poison(integers, number=0)
    assert bool(floats.isnan().all())
    assert integers.tolist() == [0x5A5A5A5A5A5A5A5A] * 4
    poison(flags, number=0)
    first = flags.clone()
    poison(flags, number=1)
    assert bool((first ^ flags).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_a_checksum_sees_one_change(dtype: torch.dtype) -> None:
    tensor = torch.zeros(5, 7).to(dtype)
    before = checksum([tensor])
    tensor[2, 3] = 1
    assert checksum([tensor]) != before


def test_scale_of_outputs_with_zeros_and_infinities() -> None:
    x = randn(100, 300, dtype=torch.float64)
    scale = scale_of(x)
    assert scale.typical == pytest.approx(0.6745, rel=0.1)
    assert scale.spread == pytest.approx(1.0, rel=0.05)
    sparse = torch.zeros(100, 3000)
    sparse[70, 5] = -4.0
    assert scale_of(sparse).typical == 4.0
    x[3, 4] = float("inf")
    assert scale_of(x).spread == pytest.approx(1.0, rel=0.05)
    assert scale_of(torch.zeros(3)).spread == 0.0
    assert scale_of(torch.full((3,), 2.0)).spread == 2.0


def test_quantiles_are_those_of_scipy_stats() -> None:
    for freedom in (1.0, 3.3, 64.0, 1e6):
        assert quantiles.student(1e-9, freedom) == pytest.approx(stats.t.isf(1e-9, freedom))
        found = quantiles.variance_ratio(1e-10, 5.5, freedom)
        assert found == pytest.approx(stats.f.isf(1e-10, 5.5, freedom), rel=1e-5)
    for mean in (0.0, 0.01, 0.3, 5.0, 1000.0):
        assert quantiles.poisson(1e-6, mean) == (stats.poisson.isf(1e-6, mean) if mean else 0)


def test_statistics_follow_the_data() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    before = copy.deepcopy(model)
    reference = Reference(model=model, dtype=torch.float32)
    x = randn(8, 3, 12, 12) * 5 + 2
    assert randomise_statistics(reference, (x,), seed=0) == 1
    with torch.no_grad():
        measured = before[0](x)
    deviation = measured.std((0, 2, 3))
    mean, variance = (model.get_buffer(f"1.running_{name}") for name in ("mean", "var"))
    assert float(((mean - measured.mean((0, 2, 3))) / deviation).abs().max()) < 1.2
    assert float((variance.sqrt() / deviation).log().abs().max()) < 0.7
    assert not torch.equal(variance, torch.ones(4))


@pytest.mark.parametrize("place", [None, 0, 299_999])
@pytest.mark.parametrize("wrong", [1e-3, math.nan])
def test_stopping_early_changes_no_verdict(place: int | None, wrong: float) -> None:
    model = torch.nn.Tanh()
    oracle = Oracle(
        reference=Reference(model=model, dtype=torch.float32), dtype=DType.F32,
        dtypes=[torch.float32], seed=0,
    )  # fmt: skip
    expectation = oracle.expect((randn(300, 1000),), distribution="own")
    assert isinstance(expectation, Expectation)
    outputs = expectation.right()
    if place is not None:
        outputs[0].view(-1)[place] += wrong
    whole = expectation.judge(outputs, factor=1.5)
    early = expectation.judge(outputs, factor=1.5, stop_when_wrong=True)
    assert whole.correct == early.correct == (place is None)
