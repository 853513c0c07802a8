"""`bellrock.compile` as its users meet it: buffers, threads, structures, wrong calls."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import bellrock
from bellrock.errors import CallError, CompileError
from bellrock.runtime.threads import share_openmp

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.linear(x)
        return {"linear": y, "sum": y.sum()}


@pytest.fixture(scope="module")
def model() -> Small:
    return Small().eval()


@pytest.fixture(scope="module")
def compiled(model: Small) -> bellrock.CompiledModel:
    return bellrock.compile(model, (torch.randn(4, 6),), use_cache=False)


def test_it_returns_the_models_structure(model: Small, compiled: bellrock.CompiledModel) -> None:
    x = torch.randn(4, 6)
    with torch.no_grad():
        expected = model(x)
    found = compiled(x)
    assert set(found) == {"linear", "sum"}
    torch.testing.assert_close(found, expected)


def test_it_sees_an_update_of_a_weight(model: Small, compiled: bellrock.CompiledModel) -> None:
    x = torch.ones(4, 6)
    before = compiled(x)["linear"]
    with torch.no_grad():
        model.linear.bias.add_(1)
    torch.testing.assert_close(compiled(x)["linear"], before + 1)


def test_it_writes_to_the_buffers_it_is_given(compiled: bellrock.CompiledModel) -> None:
    x = torch.randn(4, 6)
    out = [torch.full(s.shape, float("nan")) for s in compiled.result_specs]
    found = compiled(x, out=out)
    assert found["linear"] is out[0]
    assert torch.isfinite(out[0]).all()


def test_a_single_result_may_be_given_a_single_buffer() -> None:
    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    x, out = torch.randn(3, 5), torch.full((3, 5), torch.nan)
    compiled = bellrock.compile(Twice(), (x,), use_cache=False)
    assert compiled(x, out=out).data_ptr() == out.data_ptr()
    torch.testing.assert_close(out, 2 * x)


def test_arguments_are_not_copied_nor_changed(compiled: bellrock.CompiledModel) -> None:
    x = torch.randn(4, 6)
    kept = x.clone()
    compiled(x)
    assert torch.equal(x, kept)


def test_numpy_arrays_come_back_as_numpy(compiled: bellrock.CompiledModel) -> None:
    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    twice = bellrock.compile(Twice(), (torch.zeros(3, 4),), use_cache=False)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    found = twice(x)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, x * 2)
    np.testing.assert_array_equal(twice(x[:, ::-1].copy()), x[:, ::-1] * 2)
    np.testing.assert_array_equal(twice(np.asfortranarray(x)), x * 2)


def test_threads_may_call_at_once(model: Small, compiled: bellrock.CompiledModel) -> None:
    inputs = [torch.randn(4, 6) for _ in range(64)]
    with torch.no_grad():
        expected = [model(x)["linear"] for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda x: compiled(x)["linear"], inputs))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.randn(4, 7), r"got \(4, 7\); allowed: \(4, 6\)"),
        (torch.randn(4, 6).double(), "float64|f64"),
        ("text", "str"),
    ],
)
def test_a_wrong_argument_is_explained(
    compiled: bellrock.CompiledModel, bad: object, message: str
) -> None:
    with pytest.raises(CallError, match=message):
        compiled(bad)


def test_a_wrong_buffer_is_explained(compiled: bellrock.CompiledModel) -> None:
    x = torch.randn(4, 6)
    with pytest.raises(CallError, match="number of output buffers"):
        compiled(x, out=[torch.empty(4, 5)])
    with pytest.raises(CallError, match="not contiguous"):
        compiled(x, out=[torch.empty(5, 4).T, torch.empty(())])


def test_a_buffer_that_overlaps_an_argument_is_refused() -> None:
    class Same(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    same = bellrock.compile(Same(), (torch.zeros(8),), use_cache=False)
    x = torch.zeros(8)
    with pytest.raises(CallError, match="overlaps"):
        same(x, out=[x])


class AddsOne(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.add_(1) * 2


class WritesAView(torch.nn.Module):
    def forward(self, type: torch.Tensor, type_1: torch.Tensor) -> tuple[torch.Tensor, ...]:  # noqa: A002  (this is tested)
        type[0].mul_(type_1[0])
        return type, type_1


class Normalises(torch.nn.Module):
    """Writes running statistics by an op whose schema does not say so."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm: Any = self.norm
        x = x.reshape(2, 3, 2)
        given = norm.running_mean, norm.running_var, norm.weight, norm.bias, True, 0.3, 1e-5
        if isinstance(norm, torch.nn.InstanceNorm1d):
            return torch.nn.functional.instance_norm(x, *given)
        return torch.nn.functional.batch_norm(x, *given)


class Remembers(torch.nn.Module):
    total: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x.sum(0))
        return x * self.total


@pytest.mark.parametrize(
    "model",
    [
        torch.nn.ReLU(inplace=True),
        torch.nn.Hardtanh(inplace=True),
        torch.nn.SiLU(inplace=True),
        torch.nn.Sequential(torch.nn.Identity(), torch.nn.ELU(inplace=True)),
        AddsOne(),
        WritesAView(),
        Remembers(),
        Normalises(torch.nn.BatchNorm1d(3)),
        Normalises(torch.nn.InstanceNorm1d(3, affine=True, track_running_stats=True)),
    ],
    ids=lambda model: type(getattr(model, "norm", model)).__name__,
)
def test_what_the_model_writes_is_written(model: torch.nn.Module) -> None:
    count = 2 if isinstance(model, WritesAView) else 1
    twin = copy.deepcopy(model)
    inputs = [torch.randn(3, 4) for _ in range(count)]
    kept = [x.clone() for x in inputs]
    compiled = bellrock.compile(model, tuple(inputs), use_cache=False)
    assert all(torch.equal(x, k) for x, k in zip(inputs, kept, strict=True))
    for _ in range(2):  # the second call starts from what the first wrote
        torch.testing.assert_close(compiled(*inputs), twin(*kept))
        torch.testing.assert_close(inputs, kept)
        torch.testing.assert_close([*model.buffers()], [*twin.buffers()])


def test_an_input_that_is_a_numpy_array_is_written() -> None:
    compiled = bellrock.compile(AddsOne(), (torch.zeros(3),), use_cache=False)
    x = np.zeros(3, dtype=np.float32)
    np.testing.assert_array_equal(compiled(x), np.full(3, 2, np.float32))
    np.testing.assert_array_equal(x, np.ones(3, np.float32))


def test_tensors_without_elements() -> None:
    class Empties(torch.nn.Module):
        def forward(self, x: torch.Tensor, none: torch.Tensor) -> dict[str, torch.Tensor]:
            linear, heads = torch.nn.functional.linear(none, x), none.view(0, 2, 4, 3)
            return {
                "linear": linear,
                "softmax": linear.softmax(-1) + 1,
                "attention": torch.nn.functional.scaled_dot_product_attention(heads, heads, heads),
                "no terms": (linear.t() @ linear) + x[:, :3],
                "beside": torch.cat([x, none]).exp(),
                "sum": none.sum(1),
            }

    inputs = torch.randn(3, 24), torch.randn(0, 24)
    expected = Empties()(*inputs)
    torch.testing.assert_close(
        bellrock.compile(Empties(), inputs, use_cache=False)(*inputs), expected
    )


def test_what_cannot_be_passed_as_a_pointer_is_refused() -> None:
    class Outer(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum(1)

    with pytest.raises(CompileError, match="not the first dimension is the empty one"):
        bellrock.compile(Outer(), (torch.randn(2, 0),), use_cache=False)
