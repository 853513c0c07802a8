"""Problem files: what loads, what is built from them, and what each mistake says."""

from __future__ import annotations

import inspect
import pickle
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor

from bellrock.errors import ProblemError
from bellrock.ingress import load_problem
from bellrock.payload import DType

SOURCE = """\
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, width, scale):
        super().__init__()
        self.layer = nn.Linear(width, 2 * width)
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("steps", torch.arange(3))
        self.scale = scale

    def forward(self, x, index, flag):
        return self.dropout(self.layer(x)) * self.scale


batch, width = 2, 4
rows = batch * 3
scale: float = 0.5
sizes = [1, 2]
shape = (8,)
name = "plain"
chain = other = 7


def get_inputs():
    return [torch.rand(rows, width), torch.tensor([1, 2]), torch.tensor(True)]


def get_init_inputs():
    return [width, scale]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "3_Layer.py"
    path.write_text(SOURCE)
    return path


def weight(model: torch.nn.Module) -> torch.Tensor:
    """Of the model's layer."""
    return model.get_parameter("layer.weight")


def changed(path: Path, old: str, new: str) -> Path:
    """Replace a part of the file that has to be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


class TestLoad:
    def test_facts(self, file: Path) -> None:
        problem = load_problem(file, {"batch": "5"})
        assert problem.name == "3_Layer"
        assert problem.path == file
        assert problem.overrides == {"batch": 5}
        assert problem.sha256 == load_problem(str(file)).sha256

    def test_nothing_is_run(self, file: Path) -> None:
        changed(file, "batch, width = 2, 4", "batch, width = 2, 4\nraise RuntimeError")
        load_problem(file)

    @pytest.mark.parametrize("name", ["Model", "get_inputs", "get_init_inputs"])
    def test_missing_name(self, file: Path, name: str) -> None:
        changed(file, f"{name}(", f"{name}_(")
        with pytest.raises(ProblemError, match=f"does not define '{name}'"):
            load_problem(file)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(ProblemError, match=r"nowhere\.py.*No such file"):
            load_problem(tmp_path / "nowhere.py")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ProblemError, match="cannot be read"):
            load_problem(tmp_path)

    def test_not_python(self, file: Path) -> None:
        changed(file, "batch, width = 2, 4", "batch, width = 2 4")
        with pytest.raises(ProblemError, match=r"3_Layer\.py:17: .*not Python.*batch, width"):
            load_problem(file)

    def test_not_text(self, file: Path) -> None:
        file.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ProblemError, match="UTF-8"):
            load_problem(file)

    def test_imported_names_count(self, file: Path) -> None:
        (file.parent / "elsewhere.py").write_text("")
        file.write_text("from elsewhere import *\n")
        load_problem(file)  # what a star import brings is not known before it is run


class TestOverrides:
    def test_dependents_follow(self, file: Path) -> None:
        instance = load_problem(file, {"batch": 5, "width": "6"}).build()
        assert instance.inputs[0].shape == (15, 6)
        assert weight(instance.model).shape == (12, 6)

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ({"scale": 2}, 2),
            ({"scale": "1e-3"}, 1e-3),
            ({"sizes": "[4]"}, [4]),
            ({"sizes": (4, 5)}, [4, 5]),
            ({"shape": [2, 3]}, (2, 3)),
            ({"name": "other"}, "other"),
            ({"name": "12"}, "12"),
            ({"chain": 9}, 9),
        ],
    )
    def test_accepted(self, file: Path, given: dict[str, object], kept: object) -> None:
        problem = load_problem(file, given)
        assert list(problem.overrides.values()) == [kept]
        problem.build()

    def test_chained_assignment(self, file: Path) -> None:
        changed(file, "return [width, scale]", "return [width, (chain, other)]")
        assert load_problem(file, {"chain": 1}).build().model.scale == (1, 7)

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"batch": "many"}, "wrong type.*'many' \\(str\\).*int, as in batch = 2"),
            ({"batch": [1]}, "wrong type.*list"),
            ({"batch": 1.5}, "wrong type.*float"),
            ({"batch": True}, "wrong type.*bool"),
            ({"rows": "x"}, "wrong type.*as in rows = 6"),
            ({"sizes": 3}, "wrong type.*list"),
            ({"sizes": ["a"]}, "wrong type"),
            ({"scale": "fast"}, "wrong type.*int or float"),
            ({"batch": object()}, "not a Python literal"),
        ],
    )
    def test_refused(self, file: Path, given: dict[str, object], words: str) -> None:
        with pytest.raises(ProblemError, match=words):
            load_problem(file, given)

    def test_unknown_name(self, file: Path) -> None:
        with pytest.raises(ProblemError) as raised:
            load_problem(file, {"bach": 1})
        message = str(raised.value)
        assert "no global 'bach'" in message
        assert "did you mean 'batch'" in message
        assert "batch, chain, name, other, rows, scale, shape, sizes, width" in message


class TestInputs:
    def test_no_model_is_made(self, file: Path) -> None:
        file.write_text(file.read_text() + "\n\nclass Model:\n    pass\n")
        problem = load_problem(file)
        with pytest.raises(ProblemError, match="Model"):
            problem.build()
        modules = set(sys.modules)
        first, second, again = (problem.inputs(dtype=DType.BF16, seed=s) for s in (0, 1, 0))
        assert set(sys.modules) == modules
        assert [t.dtype for t in first if t.is_floating_point()] != []
        assert all(t.dtype == torch.bfloat16 for t in first if t.is_floating_point())
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))

    def test_what_the_file_raises_is_told(self, file: Path) -> None:
        file.write_text(file.read_text() + "\n\ndef get_inputs():\n    return [1 / 0]\n")
        with pytest.raises(ProblemError, match="get_inputs of problem .* raised ZeroDivisionError"):
            load_problem(file).inputs()


class TestBuild:
    def test_eval_mode_and_dtypes(self, file: Path) -> None:
        instance = load_problem(file).build(dtype=DType.BF16)
        assert not instance.model.training
        assert weight(instance.model).dtype == torch.bfloat16
        assert instance.model.steps.dtype == torch.int64
        assert [i.dtype for i in instance.inputs] == [torch.bfloat16, torch.int64, torch.bool]

    def test_same_seed_same_numbers(self, file: Path) -> None:
        first, second = (load_problem(file).build(seed=3) for _ in range(2))
        assert torch.equal(first.inputs[0], second.inputs[0])
        assert torch.equal(weight(first.model), weight(second.model))

    def test_other_seed_other_numbers(self, file: Path) -> None:
        first, second = (load_problem(file).build(seed=seed) for seed in (3, 4))
        assert not torch.equal(first.inputs[0], second.inputs[0])
        assert not torch.equal(weight(first.model), weight(second.model))

    def test_callers_generators_are_left_alone(self, file: Path) -> None:
        def draws() -> tuple[float, float, float]:
            return float(torch.rand(())), random.random(), float(np.random.rand())

        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        expected = draws()
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        load_problem(file).build(seed=9)
        assert draws() == expected

    def test_fake_allocates_nothing(self, file: Path) -> None:
        instance = load_problem(file, {"width": 1 << 20}).build(fake=True, dtype=DType.F16)
        assert instance.fake
        assert isinstance(instance.inputs[0], FakeTensor)
        assert isinstance(weight(instance.model), FakeTensor)
        assert weight(instance.model).dtype == torch.float16

    def test_fake_falls_back_where_values_are_read(self, file: Path) -> None:
        changed(file, "self.scale = scale", "self.scale = torch.linspace(0, 1, 3)[2].item()")
        instance = load_problem(file).build(fake=True)
        assert instance.model.scale == 1.0
        assert isinstance(instance.inputs[0], FakeTensor)
        assert not isinstance(weight(instance.model), FakeTensor)

    def test_modules_do_not_meet(self, file: Path) -> None:
        problem = load_problem(file)
        first, second = problem.build(), problem.build()
        assert type(first.model) is not type(second.model)

    def test_model_can_be_inspected_and_pickled(self, file: Path) -> None:
        model = load_problem(file).build().model
        assert "class Model" in inspect.getsource(type(model))
        assert torch.equal(weight(pickle.loads(pickle.dumps(model))), weight(model))

    @pytest.mark.parametrize("fake", [False, True])
    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("rows = batch * 3", "rows = batch / 0", r":18 \(rows = .*the file of problem"),
            ("self.scale = scale", "self.scale = scales", r":11 \(self.*Model of .*NameError"),
            ("return [width, scale]", "return [width]", r"Model of problem .*TypeError.*scale"),
            ("torch.rand(rows", "torch.rand('a'", r":27 \(return.*get_inputs of .*TypeError"),
        ],
    )
    def test_exception_in_the_file(
        self, file: Path, old: str, new: str, words: str, fake: bool
    ) -> None:
        changed(file, old, new)
        with pytest.raises(ProblemError, match=words):
            load_problem(file).build(fake=fake)

    def test_model_of_another_kind(self, file: Path) -> None:
        changed(file, "class Model(nn.Module)", "class Other(nn.Module)")
        with file.open("a") as text:
            text.write("\nModel = dict\nget_init_inputs = lambda: []\n")
        with pytest.raises(ProblemError, match=r"not a torch\.nn\.Module"):
            load_problem(file).build()
