"""Softmaxes, norms, extrema with their positions and scans: one launch each, right for any shape.

The interpreter also checks that barriers are where they have to be.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn import functional as f

from bellrock.api import CompiledModel
from bellrock.compiler import compile_payload
from bellrock.ingress.torch_export import import_module
from bellrock.target.xegpu.container import unpack
from bellrock.target.xegpu.loaders.choosing import VARIABLE

Results = torch.Tensor | tuple[torch.Tensor, ...]
Function = Callable[[torch.Tensor], Results]


class _Model(torch.nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self._function = function

    def forward(self, x: torch.Tensor) -> Results:
        return self._function(x)


def _scaled(x: torch.Tensor) -> torch.Tensor:
    return x[0, :, 0, 0] if x.ndim == 4 else x[0]


def _instance_norm(x: torch.Tensor) -> torch.Tensor:
    return f.instance_norm(x, weight=_scaled(x), bias=_scaled(x))


def _batch_norm(x: torch.Tensor) -> torch.Tensor:
    """Normalise by the batch's own statistics."""
    return f.batch_norm(x, None, None, _scaled(x), _scaled(x), training=True)


CASES: dict[str, tuple[Function, tuple[int, ...]]] = {
    "softmax": (lambda x: torch.softmax(x, -1), (67, 333)),
    "softmax-short": (lambda x: torch.softmax(x, -1), (7, 3)),
    "softmax-kept": (lambda x: torch.softmax(x, -1), (5, 61)),
    "softmax-of-few": (lambda x: torch.softmax(x, -1), (3, 4999)),
    "softmax-columns": (lambda x: torch.softmax(x, 1), (3, 41, 65)),
    "log-softmax": (lambda x: torch.log_softmax(x, -1), (131, 127)),
    "logsumexp": (lambda x: torch.logsumexp(x, -1), (13, 1009)),
    "layer-norm": (lambda x: f.layer_norm(x, x.shape[-2:]), (11, 7, 31)),
    "layer-norm-scaled": (lambda x: f.layer_norm(x, x.shape[-1:], x[0], x[1]), (70, 513)),
    "rms-norm": (lambda x: x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-5), (3, 5, 9, 13)),
    "group-norm": (lambda x: f.group_norm(x, 3, _scaled(x), _scaled(x)), (2, 9, 7, 11)),
    "instance-norm": (_instance_norm, (2, 5, 13, 17)),
    "batch-norm": (_batch_norm, (3, 5, 13, 17)),
    "batch-norm-columns": (_batch_norm, (37, 19)),
    "two-results": (lambda x: (x.amax(-1), torch.softmax(x, -1)), (19, 257)),
    "positions": (lambda x: torch.max(x, -1), (7, 2053)),
    "positions-of-least": (lambda x: x.argmin(-1), (66, 401)),
    "positions-in-columns": (lambda x: x.argmax(1), (3, 41, 33)),
    "running-sum": (lambda x: x.cumsum(-1), (67, 1021)),
    "running-sum-long": (lambda x: x.cumsum(-1), (2, 20011)),
    "running-sum-columns": (lambda x: x.cumsum(1), (2, 37, 33)),
    "running-product": (lambda x: x.cumprod(-1), (5, 333)),
}
NARROW = ("softmax", "layer-norm-scaled", "group-norm", "positions", "running-sum")
SCANNED_IN_F32 = 3
"""What makes the elements of a scan is a kernel of its own, and so is what reads them."""
PARAMETERS = [
    *((name, torch.float32) for name in CASES),
    *((name, dtype) for name in NARROW for dtype in (torch.float16, torch.bfloat16)),
]


@pytest.fixture(params=["simt", "opencl"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "opencl":
        request.getfixturevalue("opencl_here")
    monkeypatch.setenv(VARIABLE, request.param)
    return request.param


def _compiled(function: Function, x: torch.Tensor, folder: Path) -> CompiledModel:
    program = import_module(_Model(function), (x,), name="it")
    return CompiledModel(
        program, compile_payload(program.payload, target="xegpu", cache_dir=folder, jobs=1)
    )


def _launches(model: CompiledModel) -> int:
    modules = [m for code in model.compiled.artifact.objects for m in unpack(code).modules]
    return sum(len(m.kernels) for m in modules)


def _shares_rows(model: CompiledModel) -> bool:
    """Whether work-items of a row exchange what they found."""
    return any(kernel.figures.get("shuffles") for kernel in model.compiled.kernels)


def _check(got: Results, wanted: Results, tolerance: float) -> None:
    pairs = zip(
        got if isinstance(got, tuple) else (got,),
        wanted if isinstance(wanted, tuple) else (wanted,), strict=True,
    )  # fmt: skip
    for ours, right in pairs:
        if not right.dtype.is_floating_point:
            assert torch.equal(ours, right)
            continue
        spread = max(float(right.abs().max()), 1e-30)  # a row of one is normalised to zero
        assert float((ours.double() - right.double()).abs().max()) < tolerance * spread


@pytest.mark.parametrize(("name", "dtype"), PARAMETERS)
def test_one_launch(name: str, dtype: torch.dtype, loader: str, tmp_path: Path) -> None:
    function, shape = CASES[name]
    torch.manual_seed(len(name))
    x = torch.randn(shape).to(dtype)
    if name == "running-product":
        x = 1 + x / 64
    model = _compiled(function, x, tmp_path)
    tolerance = {torch.float32: 4e-6, torch.float16: 4e-3, torch.bfloat16: 2e-2}[dtype]
    _check(model(x), function(x.double()), tolerance)
    scans = name.startswith("running") and dtype != torch.float32
    assert _launches(model) == (SCANNED_IN_F32 if scans else 1)
    if name.startswith("positions") and "columns" not in name:
        assert _shares_rows(model)


@pytest.mark.parametrize("shape", [(64, 1), (1, 64), (1, 1), (2, 16385)])
def test_extreme_rows(shape: tuple[int, ...], loader: str, tmp_path: Path) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))

    def function(x: torch.Tensor) -> Results:
        return torch.softmax(x, -1), x.cumsum(-1), f.layer_norm(x, x.shape[-1:])

    _check(_compiled(function, x, tmp_path)(x), function(x.double()), 4e-6)


def test_ties_and_numbers_that_are_none(loader: str, tmp_path: Path) -> None:
    """The first of equal extrema is told, and the first that is no number, as PyTorch does."""
    x = torch.zeros(66, 100)
    x[1, 57] = x[1, 98] = 3
    x[2, 60] = x[2, 21] = float("nan")
    x[3] = float("-inf")
    x[:, 65] = x[:, 34]
    for dim in (-1, 0):
        model = _compiled(lambda x, dim=dim: torch.max(x, dim), x, tmp_path)
        for got, wanted in zip(model(x), torch.max(x, dim), strict=True):
            assert torch.equal(got.nan_to_num(7), wanted.nan_to_num(7))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.float64])
def test_scans_of_other_types(dtype: torch.dtype, loader: str, tmp_path: Path) -> None:
    x = torch.arange(3 * 205).reshape(3, 205).remainder(13).sub(6).to(dtype)
    model = _compiled(lambda x: x.cumsum(-1), x, tmp_path)
    assert torch.equal(model(x), x.cumsum(-1))
