"""Convolutions on packed input against PyTorch, over odd sizes and all kinds of blocks."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import bellrock
from bellrock.params.lock import Lock
from bellrock.runtime.threads import share_openmp

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

from bellrock.payload import DType  # noqa: E402
from bellrock.verify import Subject, verify  # noqa: E402

nn = torch.nn
KNOBS = "direct-convolution"


class Then(nn.Module):
    """A convolution with elementwise ops after it, which may read other inputs."""

    def __init__(self, convolution: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.convolution = convolution
        self.function = function

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> Any:
        return self.function(self.convolution(x), *others)


def count_motif(compiled: Any, motif: str) -> int:
    """Return how many kernels of a program are around such a motif."""
    return sum(kernel.motif == motif for kernel in compiled.compiled.kernels)


def check(
    model: nn.Module,
    *shapes: tuple[int, ...],
    lock: Lock | None = None,
    moved: int = 0,
    filled: int = 0,
) -> Lock:
    """Compile, compare with PyTorch in double precision; return the choices.

    A pad is made by the kernel that reads it, so that data is moved by `moved` kernels only
    (a transposed convolution's filter is flipped by one), and only `filled` kernels fill.
    """
    generator = torch.Generator().manual_seed(1)
    inputs = tuple(torch.randn(s, generator=generator) for s in shapes)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    model.eval()
    with torch.no_grad():
        compiled = bellrock.compile(model, inputs, use_cache=False, jobs=1, lock=lock)
        found = compiled(*inputs)
        expected = model.double()(*(x.double() for x in inputs))
        model.float()
    assert found.shape == expected.shape
    assert found.isfinite().all()
    assert (found.double() - expected).abs().max() <= 3e-6 * expected.abs().max()
    chosen = compiled.compiled.lock()
    assert any(row.knobs == KNOBS for row in chosen.rows)
    packed = sum(bool(row.parameters.get("packed")) for row in chosen.rows)
    assert count_motif(compiled, "data-movement") == moved + packed
    assert count_motif(compiled, "fill") == filled
    return chosen


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Conv2d(5, 7, 3), (2, 5, 12, 13)),
        (nn.Conv2d(16, 37, (3, 5), stride=(2, 3), dilation=(1, 2)), (2, 16, 31, 43)),
        (nn.Conv2d(6, 40, 3, stride=2, bias=False), (1, 6, 31, 33)),
        (nn.Conv2d(16, 48, 1), (2, 16, 31, 33)),
        (nn.Conv2d(16, 48, 1, stride=2), (2, 16, 31, 33)),
        (nn.Conv2d(33, 33, 3, groups=33), (2, 33, 31, 19)),
        (nn.Conv2d(12, 24, 3, groups=12, stride=2), (2, 12, 31, 33)),
        (nn.Conv2d(24, 60, 3, groups=4), (2, 24, 17, 18)),
        (nn.Conv2d(3, 10, 8, stride=8), (2, 3, 32, 40)),
        (nn.Conv2d(3, 10, 5, stride=4, dilation=2), (2, 3, 32, 41)),
        (nn.Conv2d(2, 3, 11), (1, 2, 13, 300)),
        (nn.Conv1d(8, 23, 5, dilation=3), (3, 8, 2111)),
        (nn.Conv1d(5, 7, 3, stride=2, groups=1), (2, 5, 70)),
        (nn.Conv3d(6, 13, 3), (2, 6, 7, 9, 15)),
        (nn.Conv3d(8, 24, (1, 3, 2), stride=(2, 2, 1)), (2, 8, 7, 14, 15)),
        (nn.Conv3d(8, 12, (1, 1, 2), groups=2), (2, 8, 7, 5, 6)),
        (nn.Conv2d(1, 1, 3, bias=False), (1, 1, 14, 15)),
        (nn.Conv2d(8, 24, 3, padding=1, stride=2), (2, 8, 14, 15)),
        (nn.Conv2d(7, 9, (3, 5), stride=(2, 3), dilation=(1, 2), padding=(1, 3)), (2, 7, 31, 43)),
        (nn.Conv2d(12, 24, 3, groups=4, padding=2, stride=2), (2, 12, 17, 18)),
        (nn.Conv2d(8, 24, 1, padding=1), (2, 8, 14, 15)),
        (nn.Conv1d(8, 23, 5, dilation=3, padding=6), (3, 8, 1200)),
        (nn.Conv3d(8, 8, 3, groups=4, padding=(2, 0, 1), stride=2), (2, 8, 7, 14, 15)),
        (nn.Conv3d(8, 8, (4, 5, 7), padding=(3, 4, 6), stride=(3, 1, 1)), (2, 8, 2, 9, 15)),
        (nn.Conv3d(4, 8, (1, 3, 7), padding=(2, 0, 1)), (1, 4, 3, 9, 15)),
        # Taps of rows that meet padding only are left out; junk between rows is, too.
        (nn.Conv2d(8, 16, (7, 9), padding=(6, 0), dilation=(1, 3)), (1, 8, 14, 72)),
        (nn.Conv2d(8, 16, (7, 9), padding=(9, 2), dilation=(3, 3)), (2, 8, 9, 68)),
        (nn.Conv2d(8, 16, (6, 9), padding=(7, 3), dilation=(3, 2), stride=(2, 1)), (1, 8, 15, 42)),
        (nn.Conv3d(4, 8, (3, 7, 9), padding=(2, 6, 4)), (1, 4, 3, 5, 33)),
    ],
    ids=str,
)
def test_default(model: nn.Module, shape: tuple[int, ...]) -> None:
    check(model, shape)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.ConvTranspose2d(8, 24, 3, padding=1), (2, 8, 14, 15)),
        (nn.ConvTranspose2d(8, 23, 3, padding=1, stride=2, output_padding=1), (2, 8, 14, 15)),
        (nn.ConvTranspose2d(8, 24, 2, stride=2), (2, 8, 14, 25)),
        (nn.ConvTranspose2d(8, 7, (3, 5), stride=(2, 3), padding=(1, 2), dilation=(2, 1)),
         (2, 8, 14, 25)),
        (nn.ConvTranspose2d(4, 5, 2, stride=4), (2, 4, 6, 7)),
        (nn.ConvTranspose1d(8, 24, 5, stride=3, padding=1), (2, 8, 250)),
        (nn.ConvTranspose3d(8, 12, (3, 5, 2), stride=(2, 3, 4), padding=(1, 0, 0), groups=2),
         (2, 8, 5, 7, 9)),
    ],
    ids=str,
)  # fmt: skip
def test_transposed(model: nn.Module, shape: tuple[int, ...]) -> None:
    """No zeros are stuffed between the input's elements: each phase has its own taps."""
    check(Then(model, torch.relu), shape, moved=1)


@pytest.mark.parametrize(
    ("model", "shape", "channels"),
    [
        (nn.Conv2d(64, 37, 1), (2, 64, 9, 9), 13),
        (nn.Conv2d(16, 37, (3, 5), stride=(2, 3), dilation=(1, 2)), (2, 16, 31, 43), 5),
        (nn.Conv2d(24, 60, 3, groups=4), (2, 24, 17, 18), 4),
        (nn.Conv3d(8, 24, (1, 3, 2), stride=(2, 2, 1)), (2, 8, 7, 14, 15), 12),
        (nn.Conv1d(8, 23, 5, dilation=3, padding=6), (3, 8, 70), 12),
    ],
    ids=str,
)  # fmt: skip
def test_packed_filter(model: nn.Module, shape: tuple[int, ...], channels: int) -> None:
    """The filter is packed by a kernel of its own, once per set of weights."""
    chosen = check(model, shape)
    changes = {"packed": True, "channels": channels, "vectors": 1}
    rows = tuple(
        dataclasses.replace(r, parameters={**r.parameters, **changes}) if r.knobs == KNOBS else r
        for r in chosen.rows
    )
    chosen = check(model, shape, lock=dataclasses.replace(chosen, rows=rows))
    assert any(row.parameters.get("packed") for row in chosen.rows)


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": 5, "vectors": 3, "rows": 4, "columns": 17},
        {"channels": 6, "vectors": 1, "channel_block": 12, "rows": 5, "parallel": True},
        {"channels": 1, "vectors": 8, "lanes": 8, "columns": 1},
        {"channels": 24, "vectors": 1, "rows": 1, "parallel": True, "columns": 16},
        {"channels": 13, "vectors": 1, "lanes": 4, "rows": 3, "channel_block": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Conv2d(7, 31, (3, 2), stride=(1, 2)), (2, 7, 15, 43)),
        (nn.Conv2d(16, 31, 1), (2, 16, 9, 7)),
    ],
    ids=["strided", "pointwise"],
)
def test_blocks_of_any_size(
    model: nn.Module, shape: tuple[int, ...], changes: dict[str, int]
) -> None:
    """What does not divide is left to a last, smaller block, or computed twice."""
    inputs = torch.zeros(shape)
    chosen = bellrock.compile(model.eval(), (inputs,), use_cache=False, jobs=1).compiled.lock()
    rows = [
        dataclasses.replace(r, parameters={**r.parameters, **changes}) if r.knobs == KNOBS else r
        for r in chosen.rows
    ]
    used = check(model, shape, lock=dataclasses.replace(chosen, rows=tuple(rows)))
    (row,) = (r for r in used.rows if r.knobs == KNOBS)
    assert {name: row.parameters[name] for name in changes} == changes


@pytest.mark.parametrize(
    ("function", "others"),
    [
        (torch.relu, ()),
        (lambda y: torch.nn.functional.gelu(y) * 2, ()),
        (lambda y, r: torch.relu(y + r), ((2, 24, 12, 13),)),
        (lambda y, r: y * r.sigmoid(), ((2, 24, 1, 1),)),
        (lambda y, r: y + r, ((12, 13),)),
        (lambda y, r: y + r, ((12, 1),)),
        (lambda y, r: y - r.transpose(2, 3), ((2, 24, 13, 12),)),
        (lambda y: (y + 1).sigmoid() * y, ()),
    ],
    ids=["relu", "gelu", "residual", "per-channel", "plane", "per-row", "transposed", "twice"],
)
def test_fused_elementwise(
    function: Callable[..., Any], others: tuple[tuple[int, ...], ...]
) -> None:
    check(Then(nn.Conv2d(8, 24, 3), function), (2, 8, 14, 15), *others)


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16])
@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(9, 23, 3, padding=1, stride=2), nn.ReLU()),
        nn.Conv2d(9, 24, (3, 5), padding=1, stride=(1, 3)),
        nn.ConvTranspose2d(9, 12, 4, padding=1, stride=2),
    ],
    ids=str,
)
def test_narrow_types(model: nn.Module, dtype: DType) -> None:
    """Image and filter widen as they are packed; the result is rounded once."""
    torch_dtype = getattr(torch, dtype.torch_name)
    model = copy.deepcopy(model).eval().to(torch_dtype)

    def make_inputs(seed: int) -> tuple[object, ...]:
        by = torch.Generator().manual_seed(seed)
        return (torch.randn((2, 9, 14, 19), generator=by).to(torch_dtype),)

    with torch.no_grad():
        compiled = bellrock.compile(model, make_inputs(0), use_cache=False, jobs=1)
        subject = Subject(name="narrow", model=model, make_inputs=make_inputs)
        verdict = verify(compiled, subject, dtype=dtype)
    assert verdict.correct, verdict.message
    assert any(row.knobs == KNOBS for row in compiled.compiled.lock().rows)


def test_batch_norm() -> None:
    norm = nn.BatchNorm2d(24)
    assert norm.running_var is not None
    norm.running_var.data.uniform_(0.5, 2)
    check(nn.Sequential(nn.Conv2d(8, 24, 3), norm, nn.ReLU()), (2, 8, 14, 15))


def test_result_in_a_slice() -> None:
    """A result that is padded for the caller is written into the padded tensor."""
    model = Then(nn.Conv2d(8, 24, 3), lambda y: nn.functional.pad(y.relu(), (1, 2, 3, 0)))
    check(model, (2, 8, 14, 15), filled=1)


def test_result_that_is_also_read() -> None:
    """A result with two readers is stored, and then read, by kernels of their own."""
    check(Then(nn.Conv2d(8, 24, 3), lambda y: torch.relu(y) * y.mean()), (2, 8, 14, 15))
