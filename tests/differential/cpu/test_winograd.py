"""Convolutions by minimal filtering against PyTorch, over odd sizes and all kinds of blocks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import pytest

import bellrock
from bellrock.dialects import prepared_room
from bellrock.payload.motifs.base import Motif
from bellrock.runtime.threads import share_openmp
from bellrock.target.cpu import params
from bellrock.target.cpu.target import CpuTarget
from bellrock.target.cpu.winograd import WinogradKnobs, tiled_problem

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

nn = torch.nn
KNOBS = "winograd"
SMALL: Mapping[str, int | bool] = {
    "channels": 4, "vectors": 2, "lanes": 16, "rows": 3, "columns": 0, "images": 1,
    "channel_group": 8, "channel_block": 0, "parallel": True,
}  # fmt: skip


class Then(nn.Module):
    """A convolution with elementwise ops after it, which may read other inputs."""

    def __init__(self, convolution: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.convolution = convolution
        self.function = function

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> Any:
        return self.function(self.convolution(x), *others)


@contextlib.contextmanager
def chosen(parameters: Mapping[str, int | bool]) -> Iterator[None]:
    """Make these parameters the choice of every convolution: nothing else is considered."""

    def choose(motif: Motif, facts: object) -> WinogradKnobs | None:
        if tiled_problem(motif) is None:
            return None
        return WinogradKnobs.from_mapping(dict(parameters))

    with (
        mock.patch.object(params, "default_convolution", choose),
        mock.patch.object(CpuTarget, "cost_model", return_value=None),
    ):
        yield


def check(
    model: nn.Module,
    *shapes: tuple[int, ...],
    parameters: Mapping[str, int | bool] = SMALL,
    filled: int = 0,
) -> Any:
    """Compile with the given parameters, and compare with PyTorch in double precision."""
    generator = torch.Generator().manual_seed(1)
    inputs = tuple(torch.randn(s, generator=generator) for s in shapes)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    model.eval()
    with torch.no_grad():
        with chosen(parameters):
            compiled = bellrock.compile(model, inputs, use_cache=False, jobs=1)
        found = compiled(*inputs)
        expected = model.double()(*(x.double() for x in inputs))
        model.float()
    assert found.shape == expected.shape
    assert found.isfinite().all()
    assert (found.double() - expected).abs().max() <= 3e-6 * expected.abs().max()
    assert any(row.knobs == KNOBS for row in compiled.compiled.lock().rows)
    # The image and its padding are read in place, by one kernel.
    assert sum(k.motif == "fill" for k in compiled.compiled.kernels) == filled
    return compiled


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Conv2d(5, 4, 3), (2, 5, 12, 13)),
        (nn.Conv2d(6, 12, 3, padding=1, bias=False), (1, 6, 15, 37)),
        (nn.Conv2d(1, 8, 3, padding=(0, 2)), (3, 1, 9, 7)),
        (nn.Conv2d(7, 20, 3, padding=2), (1, 7, 1, 2)),
        (nn.Conv2d(3, 4, 3, padding=1), (2, 3, 2, 131)),
        (nn.ConvTranspose2d(8, 12, 3, padding=1), (2, 8, 14, 15)),
        (nn.Conv3d(6, 12, 3, padding=1), (2, 6, 4, 9, 15)),
        (nn.Conv3d(3, 4, (2, 3, 3), stride=(2, 1, 1), padding=(1, 0, 1)), (1, 3, 5, 8, 11)),
    ],
    ids=str,
)
def test_shapes(model: nn.Module, shape: tuple[int, ...]) -> None:
    check(model, shape)


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": 1, "vectors": 8, "lanes": 8, "columns": 16},
        {"channels": 24, "vectors": 1, "rows": 0, "channel_group": 24, "images": 2},
        {"channels": 3, "vectors": 4, "lanes": 4, "columns": 5, "channel_block": 9},
        {"channels": 6, "vectors": 3, "rows": 0, "images": 5, "channel_group": 6},
        {"channels": 8, "vectors": 2, "rows": 2, "channel_group": 16, "parallel": False},
    ],
    ids=str,
)
def test_blocks_of_any_size(changes: dict[str, int]) -> None:
    """What does not divide is left to a last, smaller block."""
    check(nn.Conv2d(7, 24, 3, padding=1), (5, 7, 11, 21), parameters={**SMALL, **changes})


@pytest.mark.parametrize(
    ("function", "others"),
    [
        (lambda y, r: torch.relu(y + r), ((2, 24, 14, 15),)),
        (lambda y, r: y * r.sigmoid(), ((2, 24, 1, 1),)),
        (lambda y, r: y - r.transpose(2, 3), ((2, 24, 15, 14),)),
    ],
    ids=["residual", "per-channel", "transposed"],
)
def test_fused_elementwise(
    function: Callable[..., Any], others: tuple[tuple[int, ...], ...]
) -> None:
    model = Then(nn.Conv2d(8, 24, 3, padding=1), function)
    check(model, (2, 8, 14, 15), *others)


def test_result_in_a_slice() -> None:
    """A result that is padded for the caller is written into the padded tensor."""
    model = Then(nn.Conv2d(8, 24, 3), lambda y: nn.functional.pad(y.relu(), (1, 2, 3, 0)))
    check(model, (2, 8, 14, 15), filled=1)


def test_the_filter_is_prepared_again_when_it_changes() -> None:
    model = nn.Conv2d(8, 12, 3, padding=1)
    compiled = check(model, (2, 8, 10, 11))
    x = torch.randn(2, 8, 10, 11)
    with torch.no_grad():
        before = compiled(x)
        model.weight.mul_(2)
        assert model.bias is not None
        model.bias.mul_(2)
        assert torch.allclose(compiled(x), 2 * before, rtol=1e-5, atol=1e-5)


def test_the_default_for_a_wide_layer() -> None:
    """Where the transforms are shared by many channels, the rule takes it by itself."""
    model, x = nn.Conv2d(64, 64, 3, padding=1).eval(), torch.randn(1, 64, 28, 28)
    with torch.no_grad():
        compiled = bellrock.compile(model, (x,), jobs=1)
        assert [r.knobs for r in compiled.compiled.lock().rows if r.knobs == KNOBS]
        found = compiled(x)
        expected = model.double()(x.double())
    assert (found.double() - expected).abs().max() <= 2e-6 * expected.abs().max()


def test_zeros_between_elements_are_left_out_instead() -> None:
    """A transposed convolution looks like a plain one of 3 x 3 taps, mostly with zeros."""
    model = nn.ConvTranspose2d(64, 64, 3, padding=1, stride=2).eval()
    with torch.no_grad():
        compiled = bellrock.compile(model, (torch.randn(1, 64, 28, 28),), jobs=1)
    (row,) = (r for r in compiled.compiled.lock().rows if r.knobs != "blocks")
    assert row.knobs == "direct-convolution"


def test_a_row_says_what_was_done_where_there_is_no_room() -> None:
    """Without memory for the transformed filter it is the direct way, in the lock too."""
    model, x = nn.Conv2d(16, 16, 3, padding=1).eval(), torch.randn(2, 16, 15, 14)
    with (
        torch.no_grad(),
        chosen(SMALL),
        mock.patch.object(prepared_room, "SMALL_BYTES", 0),
        mock.patch.object(prepared_room, "SHARE_PERCENT", 0),
    ):
        compiled = bellrock.compile(model, (x,), use_cache=False, jobs=1)
        assert torch.allclose(compiled(x), model(x), atol=1e-5)
    (row,) = (r for r in compiled.compiled.lock().rows if r.motif.startswith("convolution"))
    assert row.knobs == "direct-convolution"
    assert row.parameters["rows"] == 2 * SMALL["rows"]
    assert compiled.compiled.artifact.preparation is None
    with torch.no_grad(), chosen(SMALL):
        again = bellrock.compile(
            model, (x,), use_cache=False, jobs=1, lock=compiled.compiled.lock()
        )
        assert torch.equal(again(x), compiled(x))
    assert not again.compiled.warnings
