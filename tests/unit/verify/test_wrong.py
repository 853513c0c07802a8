"""Wrong answers fail, with a message that says where and by how much."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import nn

from bellrock.errors import VerifyError
from bellrock.payload import DType
from bellrock.verify import verify

randn = torch.randn


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3))


def images() -> tuple[object, ...]:
    return (randn(2, 3, 20, 20),)


def one_element(y: torch.Tensor) -> torch.Tensor:
    y = y.clone()
    y.view(-1)[y.numel() // 3] += 0.05 * float(y.float().std())
    return y


def one_row(y: torch.Tensor) -> torch.Tensor:
    y = y.clone()
    y[-1, -1, -1] *= 1.1
    return y


def a_nan(y: torch.Tensor) -> torch.Tensor:
    y = y.clone()
    y[0, 0, 0, 0] = math.nan
    return y


SPOILT: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "zeros": torch.zeros_like,
    "mean": lambda y: torch.full_like(y, float(y.float().mean())),
    "negated": torch.neg,
    "scaled": lambda y: y * 1.1,
    "shifted": lambda y: y + 0.05 * y.float().std().to(y.dtype),
    "rolled": lambda y: y.roll(1, -1),
    "transposed": lambda y: y.transpose(2, 3),
    "one-row": one_row,
    "nan": a_nan,
    "infinity": lambda y: torch.where(y == y.max(), math.inf, y),
    "clamped": lambda y: y.clamp_max(float(y.float().quantile(0.999))),
}


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_answers_fail(case, name: str, dtype: DType) -> None:
    made = case(net(), images, dtype)
    verdict = verify(made.spoilt(SPOILT[name]), made.subject, dtype=dtype)
    assert not verdict.correct
    assert verdict.value > verdict.budget
    assert "is wrong" in verdict.message


def test_one_wrong_element_of_thousands_fails_and_is_named(case) -> None:
    made = case(net(), images)
    verdict = verify(made.spoilt(one_element), made.subject, dtype=DType.F32)
    assert not verdict.correct
    flat = 0
    for index, size in zip(verdict.worst_index, made.like[0].shape, strict=True):
        flat = flat * size + index
    assert flat == made.like[0].numel() // 3
    assert verdict.metric == "max |error| / spread"
    assert verdict.value == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16])
def test_f32_computed_in_a_narrower_format_fails(case, narrow: torch.dtype) -> None:
    wide, halves = (nn.Sequential(nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 9)) for _ in range(2))
    made = case(wide, lambda: (randn(8, 40),))
    halves.to(narrow)
    halves.load_state_dict(made.subject.model.state_dict())
    spoilt = made.candidate(lambda x: halves(x.to(narrow)).float())
    assert not verify(spoilt, made.subject, dtype=DType.F32).correct


def test_bf16_accumulated_in_bf16_fails(case) -> None:
    made = case(_Matmul(), lambda: (torch.rand(9, 600), torch.rand(600, 8)), DType.BF16)

    def narrow(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(a.shape[0], b.shape[1], dtype=a.dtype)
        for k in range(a.shape[1]):
            total = total + a[:, k : k + 1] * b[k : k + 1]
        return total

    assert not verify(made.candidate(narrow), made.subject, dtype=DType.BF16).correct


class _Matmul(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a @ b


class Stale:
    """Answers with the first call's output for ever."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.first = model, None

    def __call__(self, x: torch.Tensor) -> object:
        if self.first is None:
            self.first = self.model(x)
        return self.first


def test_a_stale_answer_fails(case) -> None:
    made = case(net(), images)
    candidate = made.candidate(Stale(made.subject.model))
    assert not verify(candidate, made.subject, dtype=DType.F32).correct


def test_an_unwritten_part_of_the_buffer_fails(case) -> None:
    made = case(net(), images)
    whole = made.candidate()

    class Partial:
        result_specs = whole.result_specs

        def __call__(self, *inputs: object, out: Sequence[torch.Tensor] | None = None) -> object:
            result = made.subject.model(*inputs)
            if out is not None:
                out[0][:-1].copy_(result[:-1])
            return result

    verdict = verify(Partial(), made.subject, dtype=DType.F32)
    assert not verdict.correct
    assert verdict.metric == "NaN or infinity out of place"
    assert verdict.worst_index[0] == made.like[0].shape[0] - 1


def test_wrong_indices_and_masks_fail(case) -> None:
    class Choice(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return (x * 2).argmax(-1), x > 0

    made = case(Choice(), lambda: (randn(60, 9),))

    def off_by_one(y: tuple[torch.Tensor, torch.Tensor]) -> object:
        choice = y[0].clone()
        choice[7] = (choice[7] + 1) % 9
        return choice, y[1]

    def flipped(y: tuple[torch.Tensor, torch.Tensor]) -> object:
        mask = y[1].clone()
        mask[3, 3] ^= True
        return y[0], mask

    for number, change in enumerate((off_by_one, flipped)):
        verdict = verify(made.spoilt(change), made.subject, dtype=DType.F32)
        assert not verdict.correct
        assert verdict.metric == "differing integers"
        assert verdict.worst_output == number


def test_a_violated_contract_fails_and_says_how(case) -> None:
    made = case(nn.Linear(5, 4), lambda: (randn(3, 5),))
    model = made.subject.model
    assert isinstance(model, nn.Linear)

    def changes_input(x: torch.Tensor) -> object:
        y = model(x)
        x.zero_()
        return y

    def changes_weight(x: torch.Tensor) -> object:
        y = model(x)
        model.weight[0, 0] += 1
        return y

    cases: dict[str, Callable[..., object]] = {
        "changed its inputs": changes_input,
        "structure": lambda x: [model(x)],
        "changed the model's parameters": changes_weight,
    }
    for words, compute in cases.items():
        verdict = verify(made.candidate(compute), made.subject, dtype=DType.F32)
        assert not verdict.correct
        assert words in verdict.message


def test_results_that_a_later_call_overwrites_fail(case) -> None:
    made = case(nn.ReLU(), lambda: (randn(4, 3),))
    buffer = torch.empty(4, 3)
    verdict = verify(
        made.candidate(lambda x: buffer.copy_(torch.relu(x))), made.subject, dtype=DType.F32
    )
    assert not verdict.correct
    assert "overwrote the results" in verdict.message


def test_a_state_that_is_not_written_fails(case) -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("steps", torch.zeros(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.get_buffer("steps").add_(1.0)
            return x * 2

    made = case(Counter(), lambda: (randn(4, 3),))
    assert verify(made.candidate(), made.subject, dtype=DType.F32).correct
    verdict = verify(made.candidate(lambda x: x * 2), made.subject, dtype=DType.F32)
    assert not verdict.correct
    assert "'steps', which the model writes" in verdict.message


def test_an_input_that_is_not_written_fails(case) -> None:
    class InPlace(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x += 1
            return x * 2

    made = case(InPlace(), lambda: (randn(4, 3),))
    assert verify(made.candidate(), made.subject, dtype=DType.F32).correct
    verdict = verify(made.candidate(lambda x: (x + 1) * 2), made.subject, dtype=DType.F32)
    assert not verdict.correct
    assert "'input 0', which the model writes" in verdict.message


def test_a_write_outside_the_buffer_fails(case) -> None:
    made = case(nn.ReLU(), lambda: (randn(4, 5),))
    whole = made.candidate()

    class Overrun:
        result_specs = whole.result_specs

        def __call__(self, *inputs: object, out: Sequence[torch.Tensor] | None = None) -> object:
            result = whole(*inputs, out=out)
            if out is not None:
                out[0].as_strided((1,), (1,), out[0].storage_offset() + 20).fill_(1.0)
            return result

    verdict = verify(Overrun(), made.subject, dtype=DType.F32)
    assert not verdict.correct
    assert "outside the buffer of output 0" in verdict.message


def test_wrong_shapes_and_dtypes_fail(case) -> None:
    made = case(nn.ReLU(), lambda: (randn(4, 5),))
    flat = made.candidate(lambda x: torch.relu(x).flatten())
    flat.result_specs = case(nn.Flatten(0), lambda: (randn(4, 5),)).candidate().result_specs
    assert "shape" in verify(flat, made.subject, dtype=DType.F32).message
    wide = made.candidate(lambda x: torch.relu(x).double())
    wide.result_specs = case(_Double(), lambda: (randn(4, 5),)).candidate().result_specs
    assert "dtype" in verify(wide, made.subject, dtype=DType.F32).message


class _Double(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.double()


def test_a_missing_result_is_an_error(case) -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    made = case(Two(), lambda: (randn(4),))
    candidate = made.candidate()
    candidate.result_specs = candidate.result_specs[:1]
    with pytest.raises(VerifyError, match="got 1 result tensors; allowed: 2"):
        verify(candidate, made.subject, dtype=DType.F32)


def test_a_model_that_never_runs_is_an_error(case) -> None:
    made = case(nn.ReLU(), lambda: (randn(4),))
    candidate = made.candidate()

    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no such kernel")

    subject = type(made.subject)(
        name="broken", model=Broken(), make_inputs=made.subject.make_inputs
    )
    with pytest.raises(VerifyError, match="could not be computed"):
        verify(candidate, subject, dtype=DType.F32)
