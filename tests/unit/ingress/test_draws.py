"""Random numbers: arguments of the program, drawn as eager PyTorch draws them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bellrock.errors import ImportFailedError
from bellrock.ingress.draws import replay
from bellrock.ingress.torch_export import import_module
from bellrock.payload import DType, Role


class Drawing(nn.Module):
    """Draws in every supported way; returns what it drew."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (
            torch.randn(2, 3),
            torch.empty(3).uniform_(2, 4),
            torch.rand_like(x),
            torch.randint(5, (4,)),
            torch.randperm(6),
            torch.zeros(4).normal_(1, 2),
            torch.bernoulli(x, 0.3),
            functional.dropout(torch.ones(50), 0.3),
        )


def test_draws_are_what_eager_draws() -> None:
    x = torch.zeros(2, 2)
    program = import_module(Drawing(), (x,), name="drawing")
    specs = program.payload.arguments
    assert [a.role for a in specs] == [Role.INPUT] + [Role.RANDOM] * 8
    torch.manual_seed(5)
    _, *drawn = program.bind((x,))
    torch.manual_seed(5)
    for spec, ours, eager in zip(specs[1:], drawn, Drawing()(x), strict=True):
        assert tuple(ours.shape) == spec.shape
        assert str(ours.dtype) == f"torch.{spec.dtype.torch_name}"
        assert torch.equal(ours, eager)


def test_each_call_draws_anew_or_takes_given_numbers() -> None:
    program = import_module(Drawing(), (torch.zeros(2, 2),), name="drawing")
    first, second = (program.bind((torch.zeros(2, 2),)) for _ in range(2))
    assert not torch.equal(first[1], second[1])
    given = program.bind((torch.zeros(2, 2),), draws=first[1:])
    assert all(a is b for a, b in zip(given[1:], first[1:], strict=True))


def test_replay_runs_eager_on_given_numbers() -> None:
    x = torch.zeros(2, 2)
    program = import_module(Drawing(), (x,), name="drawing")
    numbers = program.bind((x,))[1:]
    with replay(numbers):
        outputs = Drawing()(x)
    assert all(torch.allclose(a, b) for a, b in zip(outputs, numbers, strict=True))


def test_replay_converts_and_counts() -> None:
    with replay([torch.ones(2)], dtype=torch.float64):
        assert torch.randn(2).dtype == torch.float64
        with pytest.raises(ImportFailedError, match="draws more random numbers"):
            torch.rand(2)


def test_the_wanted_dtype_is_the_default_one() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.randn(3)

    program = import_module(Model(), (torch.ones(3),), name="it", dtype=DType.BF16)
    assert [str(a) for a in program.payload.arguments] == ["3xbf16", "3xbf16"]
    assert program.bind((torch.ones(3, dtype=torch.bfloat16),))[1].dtype == torch.bfloat16
    assert torch.get_default_dtype() == torch.float32


def test_a_model_that_also_writes_its_state() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(3))

        def forward(self, x: Tensor) -> Tensor:
            self.count += torch.empty(3).uniform_(1, 2) + torch.zeros(3).normal_()
            return functional.dropout(x, 0.5) * self.count

    x = torch.ones(3)
    program = import_module(Model(), (x,), name="it")
    torch.manual_seed(2)
    drawn = program.bind((x,))[1:]
    torch.manual_seed(2)
    expected = torch.empty(3).uniform_(1, 2), torch.zeros(3).normal_()
    expected = *expected, functional.dropout(torch.ones(3), 0.5)
    for ours, eager in zip(drawn, expected, strict=True):
        assert torch.equal(ours, eager)
    assert [r.role for r in program.payload.results] == [Role.RESULT, Role.MUTATION]


def test_inactive_random_activation_draws_nothing() -> None:
    assert import_module(nn.RReLU().eval(), (torch.ones(3),), name="it").draws == ()


def test_nothing_random_is_left_in_the_module() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.dropout(x, 0.5) + torch.randn(3)

    text = import_module(Model(), (torch.ones(3),), name="it").payload.text()
    assert "%arg2: tensor<3xf32>" in text
    assert "ml_program" not in text


def test_inactive_dropout_draws_nothing() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.ReLU()).eval()
    assert import_module(model, (torch.ones(3),), name="it").draws == ()


def test_numbers_that_depend_on_data_are_refused() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.bernoulli(x)  # data decides

    with pytest.raises(ImportFailedError, match=r"\(return torch.bernoulli\(x\).*depend on data"):
        import_module(Model(), (torch.rand(3),), name="it")


def test_ops_that_draw_within_are_refused() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.scaled_dot_product_attention(x, x, x, dropout_p=0.5)  # draws

    program = import_module(Model(), (torch.rand(1, 4, 8),), name="it")
    with pytest.raises(ImportFailedError, match="# draws.*draws random numbers"):
        program.payload.text()


def test_recurrent_dropout_is_refused() -> None:
    with pytest.raises(ImportFailedError, match=r"model in training mode.*model\.eval\(\)"):
        import_module(nn.LSTM(3, 4, 2, dropout=0.5), (torch.rand(5, 2, 3),), name="it")
