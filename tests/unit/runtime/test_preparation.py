"""Prepared values: made once per set of weights, and anew when a weight changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bellrock
from bellrock.compiler import Compiled
from bellrock.runtime.artifact import load_program, save_program, saved_program
from bellrock.runtime.executable import load, load_saved
from bellrock.runtime.threads import share_openmp

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)


class Mixing(torch.nn.Module):
    """Its mixing weights are made of a parameter; they are prepared."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(7, 5))
        self.calls: torch.Tensor
        self.register_buffer("calls", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls.add_(1)
        return x @ torch.softmax(self.weight, -1), torch.softmax(self.calls, 0)


@pytest.fixture(scope="module")
def code() -> Compiled:
    return bellrock.compile(Mixing().eval(), (torch.randn(4, 7),), use_cache=False).compiled


@pytest.fixture
def model() -> Mixing:
    return Mixing().eval()


@pytest.fixture
def compiled(model: Mixing) -> bellrock.CompiledModel:
    return bellrock.compile(model, (torch.randn(4, 7),))


def _count(compiled: bellrock.CompiledModel) -> int:
    assert compiled.preparer is not None
    return compiled.preparer.count


def test_once_for_many_calls(model: Mixing) -> None:
    # Without copies of weights the softmax is all that is prepared.
    inputs, alone = (torch.randn(4, 7),), {"prepared_percent": 0}
    compiled = bellrock.compile(model, inputs, variables=alone)
    for _ in range(3):
        x = torch.randn(4, 7)
        expected = x @ torch.softmax(model.weight, -1)
        torch.testing.assert_close(compiled(x)[0], expected.detach())
    assert _count(compiled) == 1
    assert compiled.preparer is not None
    assert compiled.preparer.value_bytes == 7 * 5 * 4
    assert compiled.preparer.seconds > 0


def test_a_buffer_that_the_model_writes_is_not_fixed(
    model: Mixing, compiled: bellrock.CompiledModel
) -> None:
    model.calls.copy_(torch.tensor([0.0, 1.0, 2.0]))
    expected = torch.softmax(model.calls + 1, 0)
    torch.testing.assert_close(compiled(torch.randn(4, 7))[1], expected)
    assert model.calls.tolist() == [1, 2, 3]


@pytest.mark.parametrize("write", ["in place", "an optimiser's step", "a state dict"])
def test_anew_when_a_weight_was_written(
    model: Mixing, compiled: bellrock.CompiledModel, write: str
) -> None:
    x = torch.randn(4, 7)
    compiled(x)
    if write == "in place":
        with torch.no_grad():
            model.weight[0].mul_(3)
    elif write == "a state dict":
        model.load_state_dict({"weight": torch.randn(7, 5), "calls": torch.zeros(3)})
    else:
        model.weight.grad = torch.randn(7, 5)
        torch.optim.SGD(model.parameters(), lr=1.0).step()
    expected = x @ torch.softmax(model.weight, -1)
    torch.testing.assert_close(compiled(x)[0], expected.detach())
    assert _count(compiled) == 2


def test_writes_that_are_not_counted_need_a_word(
    model: Mixing, compiled: bellrock.CompiledModel
) -> None:
    x = torch.randn(4, 7)
    before = compiled(x)[0]
    model.weight.data.numpy()[:] *= 3
    torch.testing.assert_close(compiled(x)[0], before)
    compiled.forget_weights()
    expected = x @ torch.softmax(model.weight, -1)
    torch.testing.assert_close(compiled(x)[0], expected.detach())


def test_other_tensors_of_equal_shape_are_other_weights(code: Compiled) -> None:
    executable = load(code)
    x = torch.randn(4, 7)
    for _ in range(4):  # a tensor that is freed gives its address to the next one
        weight = torch.randn(7, 5)
        found = executable([x, weight, torch.zeros(3)])
        torch.testing.assert_close(found[0], x @ torch.softmax(weight, -1))


def test_numpy_arrays_are_prepared_for_at_each_call(code: Compiled) -> None:
    executable = load(code)
    x, weight = (np.random.default_rng(0).standard_normal(s, "f") for s in ((4, 7), (7, 5)))
    for scale in (1, 2):
        weight *= scale
        expected = torch.from_numpy(x) @ torch.softmax(torch.from_numpy(weight), -1)
        found = executable([x, weight, np.zeros(3, "f")])[0]
        torch.testing.assert_close(torch.from_numpy(found), expected)


def test_threads_with_weights_of_their_own(code: Compiled) -> None:
    executable = load(code)

    def run(seed: int) -> bool:
        by = torch.Generator().manual_seed(seed)
        x, weight = torch.randn(4, 7, generator=by), torch.randn(7, 5, generator=by)
        expected = x @ torch.softmax(weight, -1)
        found = (executable([x, weight, torch.zeros(3)])[0] for _ in range(20))
        return all(torch.allclose(each, expected, atol=1e-5) for each in found)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(8)))


def test_a_saved_program_prepares_too(code: Compiled, tmp_path) -> None:
    path = tmp_path / "mixing.bellrock"
    save_program(saved_program(code), path)
    executable = load_saved(load_program(path))
    x, weight = torch.randn(4, 7), torch.randn(7, 5)
    found = executable([x, weight, torch.zeros(3)])[0]
    torch.testing.assert_close(found, x @ torch.softmax(weight, -1))
