"""What the import makes of modules: clean linalg, loops as loops."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops.while_loop import while_loop
from torch.nn import functional
from torch_mlir import ir

from bellrock.errors import ImportFailedError
from bellrock.ingress.context import payload_context
from bellrock.ingress.torch_export import import_module
from support.models import FunctionModule


def text_of(model: nn.Module | Callable[..., object], *inputs: object) -> str:
    module = model if isinstance(model, nn.Module) else FunctionModule(model)
    text = import_module(module.eval(), inputs, name="it").payload.text()
    check_form(text)
    return text


def check_form(text: str) -> None:
    """Whatever is imported is one public function, in a fit state for every later room."""
    with payload_context():
        module = ir.Module.parse(text)
        assert module.operation.verify()
        (main,) = module.body.operations
        assert ir.StringAttr(main.attributes["sym_name"]).value == "main"
    for smell in ("torch.", "dense_resource", "cf.assert", "ml_program", "func.call", "?"):
        assert smell not in text


def start() -> Tensor:
    return torch.zeros((), dtype=torch.int64)


class TestForm:
    def test_normalisations_have_no_wide_temporaries(self) -> None:
        model = nn.Sequential(
            nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.LayerNorm(6),
            nn.InstanceNorm2d(8), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
        )  # fmt: skip
        text = text_of(model, torch.randn(2, 4, 8, 8))
        assert "f64" not in text
        assert "i64" not in re.sub(r"vector<\dxi64>", "", text)  # strides of the convolution

    @pytest.mark.parametrize(
        "function",
        [
            lambda x: functional.softmax(x, 1),
            lambda x: x.amax(1),
            lambda x: x.max(1)[0],
            lambda x: functional.max_pool2d(x, 2),
            lambda x: torch.logsumexp(x, 1),
            lambda x: (x > 0.3, x * 0.3, functional.elu(x), x**2, x.norm(dim=1)),
            lambda x: functional.scaled_dot_product_attention(x, x, x),
        ],
    )
    def test_no_positions_and_no_f64(self, function: Callable[..., object]) -> None:
        text = text_of(function, torch.randn(2, 4, 8, 8))
        assert "f64" not in text
        assert "i64" not in re.sub(r"vector<\dxi64>", "", text)

    def test_linear_on_many_dimensions_is_one_product(self) -> None:
        text = text_of(nn.Linear(8, 5), torch.randn(2, 6, 4, 8).transpose(0, 1))
        assert "ins(%collapsed, %transposed : tensor<48x8xf32>, tensor<8x5xf32>)" in text
        assert "batch_matmul" not in text

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_products_accumulate_in_f32(self, dtype: torch.dtype) -> None:
        model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Flatten(), nn.Linear(288, 5)).to(dtype)
        text = text_of(model, torch.randn(2, 4, 8, 8, dtype=dtype))
        products = re.findall(r"linalg\.(?:matmul|conv_2d_nchw_fchw).*outs\(.*?\)", text)
        assert len(products) == 2
        assert all(re.search(r"outs\(%\w+ : tensor<\S+xf32>\)", p) for p in products)

    def test_indices_from_data_stay_in_bounds(self) -> None:
        text = text_of(lambda x, i: x.gather(1, i), torch.randn(4, 7), torch.zeros(4, 2).long())
        (index,) = re.findall(r"tensor\.extract %arg0\[%\w+, (%\w+)\]", text)
        assert re.search(rf"{index} = arith\.minsi %\w+, %c6 : index", text)

    def test_an_index_of_position_is_not_clamped(self) -> None:
        text = text_of(lambda x: x.flip(1), torch.randn(4, 7))
        assert "arith.minsi" not in text


class TestLoops:
    @pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
    def test_recurrent_layer(self, kind: type[nn.Module]) -> None:
        text = text_of(kind(6, 4, 2, bidirectional=True), torch.randn(50, 3, 6))
        assert text.count("scf.for") == 4
        assert text.count("to %c50 step %c1") == 4
        assert text.count("tensor.extract_slice %expanded") == 4
        assert text.count("tensor.insert_slice") >= 4
        assert len(text) < 60_000  # 50 steps do not show in its size
        assert "tm_tensor" not in text

    def test_counted(self) -> None:
        def model(x: Tensor, w: Tensor) -> Tensor:
            return while_loop(lambda t, y: t < 9, lambda t, y: (t + 2, y @ w), (start(), x))[1]

        text = text_of(model, torch.randn(3, 3), torch.randn(3, 3))
        assert "scf.for %arg2 = %c0 to %c5 step %c1 iter_args(%arg3 = %arg0)" in text
        assert "linalg.matmul ins(%arg3, %arg1 :" in text

    def test_counter_that_starts_elsewhere(self) -> None:
        def model(x: Tensor) -> object:
            return while_loop(lambda t, y: t < 9, lambda t, y: (t + 2, y * t), (torch.tensor(4), x))

        text = text_of(model, torch.randn(3))
        assert "to %c3 step %c1" in text
        assert "dense<10> : tensor<i64>" in text  # the counter afterwards

    def test_python_number_as_counter(self) -> None:
        text = text_of(
            lambda x: while_loop(lambda t, y: t < 4, lambda t, y: (t + 1, y * 2), (0, x))[1],
            torch.randn(3),
        )
        assert "to %c4 step %c1" in text

    def test_nested(self) -> None:
        def inner(y: Tensor) -> Tensor:
            return while_loop(lambda u, z: u < 2, lambda u, z: (u + 1, z + 1), (start(), y * 1))[1]

        def model(x: Tensor) -> Tensor:
            return while_loop(lambda t, y: t < 3, lambda t, y: (t + 1, inner(y) * 2), (start(), x))[
                1
            ]

        text = text_of(model, torch.randn(3))
        assert re.search(r"to %c3 .*to %c2 ", text, re.DOTALL)

    @pytest.mark.parametrize(
        "condition",
        [
            lambda t, y: y.sum() < 100,  # decided by data
            lambda t, y: t > -5,  # true at first, and not counted up to
            lambda t, y: (t < 5) & (y.sum() < 100),
        ],
    )
    def test_others_keep_their_condition(self, condition: Callable[..., Tensor]) -> None:
        def model(x: Tensor) -> object:
            return while_loop(condition, lambda t, y: (t - 1, y * 2), (start(), x))

        text = text_of(model, torch.rand(3))
        assert "scf.while" in text
        assert "scf.for" not in text
        assert re.search(r"arith\.cmp[if] s?o?[lg]t", text)

    def test_branch(self) -> None:
        def model(x: Tensor) -> Tensor:
            return torch.cond(x.sum() > 0, lambda y: y * 2, lambda y: y - 1, (x,))

        text = text_of(model, torch.rand(3))
        assert "scf.if" in text
        assert "scf.yield" in text

    def test_other_higher_order_ops_are_named(self) -> None:
        from torch._higher_order_ops.scan import scan

        class Model(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return scan(lambda c, y: (c + y, c * y), torch.zeros(3), x)[1]  # here

        with pytest.raises(ImportFailedError, match=r"'scan' \(higher-order\).*torch.while_loop"):
            text_of(Model(), torch.rand(4, 3))
