"""Modules into payloads: what is at the door, what is bound, what comes back."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops.while_loop import while_loop
from torch._subclasses.fake_tensor import FakeTensorMode

from bellrock.errors import CallError, ImportFailedError
from bellrock.ingress.torch_export import TorchProgram, import_module
from bellrock.payload import DType, Role
from support.models import FunctionModule


def program_of(
    function: Callable[..., object], *inputs: object, **keywords: object
) -> TorchProgram:
    return import_module(FunctionModule(function), inputs, name="it", keywords=keywords)


def door(program: TorchProgram) -> list[tuple[str, str, str]]:
    return [(a.role.value, a.name, str(a)) for a in program.payload.arguments]


class Layer(nn.Module):
    """Every kind of tensor that a module can hold."""

    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("shift", torch.randn(4), persistent=False)
        self.plain = torch.randn(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(x)) + self.shift * self.plain + torch.tensor(0.5)


class TestDoor:
    def test_roles_and_order(self) -> None:
        program = import_module(Layer().eval(), (torch.randn(2, 3),), name="layer")
        assert door(program) == [
            ("input", "x", "2x3xf32"),
            ("parameter", "linear.weight", "4x3xf32"),
            ("parameter", "linear.bias", "4xf32"),
            ("parameter", "norm.weight", "4xf32"),
            ("parameter", "norm.bias", "4xf32"),
            ("buffer", "shift", "4xf32"),
            ("buffer", "plain", "4xf32"),
            ("buffer", "norm.running_mean", "4xf32"),
            ("buffer", "norm.running_var", "4xf32"),
        ]
        assert [(r.role, str(r)) for r in program.payload.results] == [(Role.RESULT, "2x4xf32")]

    def test_parameters_are_the_models_own_storage(self) -> None:
        model = Layer().eval()
        program = import_module(model, (torch.randn(2, 3),), name="layer")
        own = [model.linear.weight, model.linear.bias, model.norm.weight, model.norm.bias]
        own += [model.shift, model.plain, model.norm.running_mean, model.norm.running_var]
        assert [p.data_ptr() for p in program.parameters] == [t.data_ptr() for t in own]

    def test_the_model_is_left_as_it_was(self) -> None:
        model = Layer().eval()
        before = {k: id(v) for k, v in (vars(model) | dict(model.named_parameters())).items()}
        import_module(model, (torch.randn(2, 3),), name="layer", dtype=DType.BF16)
        after = {k: id(v) for k, v in (vars(model) | dict(model.named_parameters())).items()}
        assert after == before
        assert model.linear.weight.dtype == torch.float32

    def test_dtype_converts_a_copy(self) -> None:
        program = import_module(Layer().eval(), (torch.randn(2, 3),), name="it", dtype=DType.BF16)
        assert {a.dtype for a in program.payload.arguments} == {DType.BF16}
        assert {p.dtype for p in program.parameters} == {torch.bfloat16}

    def test_tied_parameters_stay_tied(self) -> None:
        model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
        model[1].weight = model[0].weight
        program = import_module(model, (torch.randn(2, 3),), name="it", dtype=DType.F16)
        assert len({p.data_ptr() for p in program.parameters}) == 1

    def test_fake_at_any_size(self) -> None:
        with FakeTensorMode(allow_non_fake_inputs=True):
            model, x = nn.Linear(1 << 20, 1 << 20), torch.empty(4, 1 << 20)
        program = import_module(model, (x,), name="large")
        assert str(program.payload.arguments[1]) == "1048576x1048576xf32"
        assert "tensor<1048576x1048576xf32>" in program.payload.text()

    def test_integer_boolean_and_scalar_tensors(self) -> None:
        program = program_of(
            lambda i, b, s: (i + 1, ~b, s * 2, i.to(torch.uint8)),
            torch.arange(3), torch.tensor([True]), torch.tensor(1.5),
        )  # fmt: skip
        assert [str(a) for a in program.payload.arguments] == ["3xi64", "1xi1", "f32"]
        assert [str(r) for r in program.payload.results] == ["3xi64", "1xi1", "f32", "3xui8"]

    def test_complex_is_refused(self) -> None:
        with pytest.raises(ImportFailedError, match="element type.*complex64"):
            program_of(lambda x: x * 1j, torch.randn(3))


class TestBind:
    def test_values_are_folded_and_remembered(self) -> None:
        program = program_of(lambda x, k, flag: x * k if flag else x, torch.randn(3), 2.5, True)
        assert [a.name for a in program.payload.arguments] == ["args_0"]
        assert "2.5" in program.payload.text()
        x = torch.randn(3)
        assert program.bind((x, 2.5, True))[0] is x
        with pytest.raises(CallError, match="input 1 is fixed.*got 2.0; allowed: 2.5"):
            program.bind((x, 2.0, True))
        with pytest.raises(CallError, match="input 2 is fixed.*got 1; allowed: True"):
            program.bind((x, 2.5, 1))

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ((torch.randn(3),), r"wrong shape; got \(3,\); allowed: \(2, 3\)"),
            (
                (torch.randn(2, 3, dtype=torch.float64),),
                "wrong dtype; got float64; allowed: float32",
            ),
            ((1.0,), "has to be a tensor; got float; allowed: 2x3xf32"),
            ((), "structured.*got 0 positional inputs.*allowed: 1 positional inputs"),
            ((torch.randn(2, 3),) * 2, r"got 2 positional inputs \(Tensor, Tensor\)"),
            (([torch.randn(2, 3)],), "structured"),
        ],
    )
    def test_what_does_not_fit(self, given: tuple[object, ...], words: str) -> None:
        program = program_of(lambda x: x + 1, torch.randn(2, 3))
        with pytest.raises(CallError, match=words):
            program.bind(given)

    def test_structures_and_keywords(self) -> None:
        program = program_of(
            lambda pair, *, a, b: pair[0] + pair[1]["x"] * a - b,
            (torch.randn(2), {"x": torch.randn(2)}), a=torch.randn(2), b=torch.randn(2),
        )  # fmt: skip
        given = [torch.randn(2) for _ in range(4)]
        bound = program.bind(
            ((given[0], {"x": given[1]}),), {"b": given[3], "a": given[2]}
        )  # any order of keywords
        assert all(left is right for left, right in zip(bound, given, strict=True))
        with pytest.raises(CallError, match="keywords a, b"):
            program.bind(((given[0], {"x": given[1]}),), {"a": given[2]})


class Writer(nn.Module):
    """A model that writes to its buffers, one of them by assignment."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.state = torch.ones(2)

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.state = self.state * x
        return self.state + self.count


class TestUnflatten:
    def test_structure_with_values_inputs_and_parameters(self) -> None:
        class Model(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = nn.Parameter(torch.ones(2))

            def forward(self, x: Tensor) -> dict[str, object]:
                return {"y": (x * self.weight, None, 3), "same": [x, self.weight], "text": "t"}

        program = import_module(Model(), (torch.randn(2),), name="it")
        results = [torch.full((2,), float(i)) for i in range(3)]
        output = program.unflatten(results)
        assert isinstance(output, dict)
        assert output["y"][0] is results[0]
        assert output["y"][1:] == (None, 3)
        assert [id(t) for t in output["same"]] == [id(t) for t in results[1:]]
        assert output["text"] == "t"

    def test_wrong_number_of_results(self) -> None:
        program = program_of(lambda x: x + 1, torch.randn(2))
        with pytest.raises(CallError, match="number of results.*got 2; allowed: 1"):
            program.unflatten([torch.randn(2)] * 2)

    def test_mutations_are_results_and_written_back(self) -> None:
        model = Writer()
        program = import_module(model, (torch.ones(2),), name="writer")
        specs = program.payload.results
        assert [(r.role, r.name) for r in specs] == [
            (Role.RESULT, specs[0].name),
            (Role.MUTATION, "count"),
            (Role.MUTATION, "state"),
        ]
        new = [torch.zeros(2), torch.tensor(7), torch.tensor([2.0, 3.0])]
        assert program.unflatten(new) is new[0]
        assert int(model.count) == 7
        assert model.state.tolist() == [2.0, 3.0]

    def test_writes_to_inputs_need_the_arguments(self) -> None:
        program = program_of(lambda x: x.add_(1) * 2, torch.randn(2))
        x, new = torch.zeros(2), torch.ones(2)
        with pytest.raises(CallError, match="writes to its input 'args_0'"):
            program.unflatten([new, new])
        program.unflatten([new, new], arguments=program.bind((x,)))
        assert x.tolist() == [1.0, 1.0]

    def test_an_input_with_the_name_of_a_python_builtin_may_be_written(self) -> None:
        program = import_module(nn.ReLU(inplace=True), (torch.randn(2),), name="it")
        assert [(r.role, r.name) for r in program.payload.results] == [
            (Role.RESULT, "relu"),
            (Role.MUTATION, "input"),
        ]
        assert [a.name for a in program.payload.arguments] == ["input"]
        assert "func.func @main" in program.payload.text()

    def test_in_place_ops_on_temporaries_write_nothing(self) -> None:
        program = program_of(lambda x: torch.relu_(x + 1).view(-1).mul_(2), torch.randn(2, 2))
        assert [r.role for r in program.payload.results] == [Role.RESULT]


class TestFingerprint:
    def test_equal_programs(self) -> None:
        first, second = (import_module(Layer().eval(), (torch.randn(2, 3),), name=n) for n in "ab")
        assert first.payload.fingerprint == second.payload.fingerprint
        assert first.payload.text() == second.payload.text()

    @pytest.mark.parametrize(
        ("one", "two"),
        [
            (lambda x: x * 2.0, lambda x: x * 3.0),
            (lambda x: x + torch.tensor(2.0), lambda x: x + torch.tensor(3.0)),
            (lambda x: x.sum(0), lambda x: x.sum(1)),
            (lambda x: (x, x + 1), lambda x: (x + 1, x)),
            (lambda x: x.to(torch.float16), lambda x: x.to(torch.bfloat16)),
            (lambda x: _loop(x, 3), lambda x: _loop(x, 4)),
        ],
    )
    def test_programs_that_differ(
        self, one: Callable[..., object], two: Callable[..., object]
    ) -> None:
        x = torch.randn(3, 3)
        first, second = program_of(one, x), program_of(two, x)
        assert first.payload.fingerprint != second.payload.fingerprint
        assert first.payload.text() != second.payload.text()

    def test_shapes_dtypes_and_values_of_inputs(self) -> None:
        def fingerprint(*inputs: object) -> str:
            return program_of(lambda x, k: x * k, *inputs).payload.fingerprint

        x = torch.randn(2, 3)
        others = [(x.T, 2), (x.double(), 2), (x[:1], 2), (x, 3), (x, 2.5)]
        assert len({fingerprint(x, 2), *(fingerprint(*other) for other in others)}) == 6

    def test_weights_do_not_matter(self) -> None:
        model = Layer().eval()
        before = import_module(model, (torch.randn(2, 3),), name="it").payload.fingerprint
        with torch.no_grad():
            model.linear.weight.mul_(2)
        again = import_module(copy.deepcopy(model), (torch.randn(2, 3),), name="it")
        assert again.payload.fingerprint == before


def _loop(x: Tensor, bound: int) -> Tensor:
    start = torch.zeros((), dtype=torch.int64)
    return while_loop(lambda t, y: t < bound, lambda t, y: (t + 1, y * 2), (start, x))[1]


class TestFailures:
    def test_an_op_without_a_lowering(self) -> None:
        class Model(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                y = x + 1
                return y.lgamma()  # this line

        program = import_module(Model(), (torch.randn(3),), name="it")
        with pytest.raises(ImportFailedError) as raised:
            program.payload.text()
        message = str(raised.value)
        assert "PyTorch op 'aten.lgamma' cannot be expressed" in message
        assert "test_torch_export.py:" in message
        assert "(return y.lgamma()  # this line)" in message
        assert "decomposition" in message

    def test_an_op_that_torch_mlir_knows_but_does_not_lower(self) -> None:
        program = program_of(lambda x: torch.fft.rfft(x).abs(), torch.randn(8))
        with pytest.raises(ImportFailedError, match="torch-mlir could not lower the model"):
            program.payload.text()

    def test_control_flow_on_data(self) -> None:
        class Model(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                if x.sum() > 0:  # decides on data
                    return x
                return -x

        with pytest.raises(ImportFailedError) as raised:
            import_module(Model(), (torch.randn(3),), name="branchy")
        message = str(raised.value)
        assert "could not capture the model 'branchy'" in message
        assert "(if x.sum() > 0:  # decides on data)" in message
        assert "torch.cond" in message

    def test_a_number_read_off_a_tensor(self) -> None:
        with pytest.raises(
            ImportFailedError, match="neither a tensor nor a fixed Python value|capture"
        ):
            program_of(lambda x: x.sum().item(), torch.randn(3))

    def test_the_models_own_exception(self) -> None:
        def fail(x: Tensor) -> Tensor:
            raise ValueError("no such thing")

        with pytest.raises(
            ImportFailedError, match=r"\(raise ValueError.*ValueError: no such thing"
        ):
            program_of(fail, torch.randn(3))
