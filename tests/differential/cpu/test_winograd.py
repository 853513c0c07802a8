"""Convolutions by minimal filtering against PyTorch, over odd sizes and all kinds of blocks."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import pytest

import bellrock
from bellrock.dialects import prepared_room
from bellrock.dialects.convolution import large_tiles
from bellrock.errors import LockError
from bellrock.params.lock import Lock, LockRow
from bellrock.payload import DType
from bellrock.payload.motifs.base import Motif
from bellrock.runtime.threads import share_openmp
from bellrock.target.cpu import params
from bellrock.target.cpu.target import CpuTarget
from bellrock.target.cpu.winograd import WinogradKnobs, tiled_problem

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

from bellrock.verify import Subject, verify  # noqa: E402

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


def compiled_for(tile: int, model: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """Compile where tiles are allowed up to a size, of whatever number of channels."""
    with mock.patch.object(large_tiles, "FEWEST_SUMMED", 1):
        return bellrock.compile(
            model, inputs, use_cache=False, jobs=1, variables={"winograd_tile": tile}
        )


def check(
    model: nn.Module,
    *shapes: tuple[int, ...],
    parameters: Mapping[str, int | bool] = SMALL,
    filled: int = 0,
    tile: int = 2,
) -> Any:
    """Compile with the given parameters, and compare with PyTorch in double precision."""
    generator = torch.Generator().manual_seed(1)
    inputs = tuple(torch.randn(s, generator=generator) for s in shapes)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    model.eval()
    with torch.no_grad():
        with chosen({**parameters, "tile": tile}):
            compiled = compiled_for(tile, model, inputs)
        found = compiled(*inputs)
        expected = model.double()(*(x.double() for x in inputs))
        model.float()
    assert found.shape == expected.shape
    assert found.isfinite().all()
    assert (found.double() - expected).abs().max() <= 3e-6 * expected.abs().max()
    rows = [r.parameters for r in compiled.compiled.lock().rows if r.knobs == KNOBS]
    assert rows
    assert all(r["tile"] == tile for r in rows)
    # The image and its padding are read in place, by one kernel.
    assert sum(k.motif == "fill" for k in compiled.compiled.kernels) == filled
    return compiled


@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Conv2d(5, 4, 3), (2, 5, 12, 13)),
        (nn.Conv2d(6, 12, 3, padding=1, bias=False), (1, 6, 15, 37)),
        (nn.Conv2d(1, 8, 3, padding=(0, 2)), (3, 1, 9, 7)),
        (nn.Conv2d(7, 20, 3, padding=2), (1, 7, 1, 2)),
        (nn.Conv2d(3, 4, 3, padding=1), (2, 3, 2, 131)),
        (nn.Conv3d(6, 12, 3, padding=1), (2, 6, 4, 9, 15)),
        (nn.Conv3d(3, 4, (2, 3, 3), stride=(2, 1, 1), padding=(1, 0, 1)), (1, 3, 5, 8, 11)),
    ],
    ids=str,
)
def test_shapes(model: nn.Module, shape: tuple[int, ...], tile: int) -> None:
    check(model, shape, tile=tile)


def test_a_filter_that_is_a_flipped_weight() -> None:
    """Tiles of 4 x 4 are for weights as they are, so it has the smaller ones only."""
    check(nn.ConvTranspose2d(8, 12, 3, padding=1), (2, 8, 14, 15), tile=2)


@pytest.mark.parametrize("tile", [2, 4])
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
def test_blocks_of_any_size(changes: dict[str, int], tile: int) -> None:
    """What does not divide is left to a last, smaller block."""
    parameters = {**SMALL, **changes}
    check(nn.Conv2d(7, 24, 3, padding=1), (5, 7, 11, 21), parameters=parameters, tile=tile)


@pytest.mark.parametrize("tile", [2, 4])
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
    function: Callable[..., Any], others: tuple[tuple[int, ...], ...], tile: int
) -> None:
    model = Then(nn.Conv2d(8, 24, 3, padding=1), function)
    check(model, (2, 8, 14, 15), *others, tile=tile)


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


@pytest.mark.parametrize("tile", [2, 4])
def test_a_row_says_what_was_done_where_there_is_no_room(tile: int) -> None:
    """Without memory for the transformed filter it is the direct way, in the lock too."""
    model, x = nn.Conv2d(16, 16, 3, padding=1).eval(), torch.randn(2, 16, 15, 14)
    # What was offered has its room taken by another stage before the filters are transformed.
    with (
        torch.no_grad(),
        chosen({**SMALL, "tile": tile}),
        mock.patch.object(prepared_room.Room, "take", return_value=False),
    ):
        compiled = compiled_for(tile, model, (x,))
        assert torch.allclose(compiled(x), model(x), atol=1e-5)
    (row,) = (r for r in compiled.compiled.lock().rows if r.motif.startswith("convolution"))
    assert row.knobs == "direct-convolution"
    assert row.parameters["rows"] == 2 * SMALL["rows"]
    assert compiled.compiled.artifact.preparation is None
    with torch.no_grad(), mock.patch.object(large_tiles, "FEWEST_SUMMED", 1):
        again = bellrock.compile(
            model, (x,), use_cache=False, jobs=1, lock=compiled.compiled.lock(),
            variables={"winograd_tile": tile},
        )  # fmt: skip
        assert torch.equal(again(x), compiled(x))
    assert not again.compiled.warnings


class TestLargeTiles:
    """Tiles of 4 x 4, which lose more to rounding: where the user allows them, and nowhere else."""

    WIDE, SHAPE = (64, 64), (2, 64, 27, 29)

    def compiled(self, lock: Lock | None = None, **variables: int) -> tuple[nn.Module, Any]:
        torch.manual_seed(1)
        model = nn.Conv2d(*self.WIDE, 3, padding=1).eval()
        x = torch.randn(self.SHAPE)
        with torch.no_grad():
            made = bellrock.compile(
                model, (x,), use_cache=False, jobs=1, lock=lock, variables=variables
            )
        return model, made

    def row(self, compiled: Any) -> LockRow:
        (row,) = (r for r in compiled.compiled.lock().rows if r.motif.startswith("convolution"))
        return row

    def test_are_not_chosen_unless_allowed(self) -> None:
        row = self.row(self.compiled()[1])
        assert (row.knobs, row.parameters["tile"]) == (KNOBS, 2)
        assert "inexact" not in row.motif

    def test_are_right_where_they_are_allowed(self) -> None:
        """By the budget that follows from the computation: what summing in any order may lose."""
        model, compiled = self.compiled(winograd_tile=4)
        row = self.row(compiled)
        assert (row.knobs, row.parameters["tile"]) == (KNOBS, 4)
        assert row.motif.startswith("convolution.inexact ")

        def make_inputs(seed: int) -> tuple[torch.Tensor]:
            return (torch.randn(self.SHAPE, generator=torch.Generator().manual_seed(seed)),)

        subject = Subject(name="convolution", model=model, make_inputs=make_inputs)
        verdict = verify(compiled, subject, dtype=DType.F32)
        assert verdict.correct, verdict.message
        assert verdict.ratio < 0.8

    def test_are_not_offered_where_rounding_would_show(self) -> None:
        """Fewer than 32 channels: the transforms lose more than the sums do."""
        x = torch.randn(2, 31, 27, 29)
        with torch.no_grad():
            compiled = bellrock.compile(
                nn.Conv2d(31, 64, 3).eval(), (x,), use_cache=False, jobs=1,
                variables={"winograd_tile": 4},
            )  # fmt: skip
        assert self.row(compiled).parameters.get("tile") != 4

    def test_are_not_offered_where_there_is_no_room(self) -> None:
        row = self.row(self.compiled(winograd_tile=4, prepared_percent=0)[1])
        assert row.knobs == "direct-convolution"
        assert "inexact" not in row.motif

    def test_of_a_lock_need_leave_too(self) -> None:
        lock = self.compiled(winograd_tile=4)[1].compiled.lock()
        _, again = self.compiled(lock, winograd_tile=4)
        assert not again.compiled.warnings
        assert self.row(again).parameters["tile"] == 4
        # The same lock where they are not allowed: its row is for another motif, and says so.
        _, exact = self.compiled(lock)
        assert self.row(exact).parameters["tile"] == 2
        assert exact.compiled.warnings
        # A row for the exact motif that asks for them is an error.
        row = dataclasses.replace(self.row(again), motif=self.row(exact).motif)
        with pytest.raises(LockError, match="winograd_tile"):
            self.compiled(dataclasses.replace(lock, rows=(row,)))


def test_filters_are_transformed_by_vectors() -> None:
    convolution = torch.nn.Conv2d(64, 64, 3, padding=1).eval().requires_grad_(False)
    x = torch.randn(2, 64, 32, 32, generator=torch.Generator().manual_seed(1))
    program = bellrock.compile(convolution, (x,), use_cache=False, jobs=1)
    assert any(row.knobs == "winograd" for row in program.compiled.lock().rows)
    assert all(kernel.vectorised for kernel in program.compiled.kernels)
