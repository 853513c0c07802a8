"""Convolutions on matrix engines, in the interpreter, against the same in binary64.

Data are small integers, which every type here has exactly: results have to be equal.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import nn

from bellrock.api import compile as compile_model
from bellrock.target.xegpu.calls import builtin_calls, matrix_products
from bellrock.target.xegpu.container import unpack

Cases = Mapping[str, tuple[nn.Module, tuple[int, ...]]]

PLAIN: Cases = {
    "padded-strided": (nn.Conv2d(3, 10, 5, stride=2, padding=2), (2, 3, 17, 19)),
    "grouped-dilated": (nn.Conv2d(12, 18, (3, 1), padding=(2, 0), dilation=2, groups=3),
                        (1, 12, 13, 11)),
    "depthwise": (nn.Conv2d(5, 5, 3, padding=1, groups=5), (1, 5, 9, 8)),
    "pointwise": (nn.Conv2d(40, 24, 1, bias=False), (1, 40, 8, 8)),
    "line": (nn.Conv1d(7, 9, 4, padding=3), (3, 7, 21)),
    "volume": (nn.Conv3d(2, 5, (2, 3, 1), stride=(1, 2, 1), padding=(0, 1, 1)), (1, 2, 5, 7, 3)),
    "transposed": (nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1),
                   (1, 6, 5, 7)),
    "whole-image": (nn.Conv2d(4, 20, 6), (3, 4, 6, 6)),
}  # fmt: skip
TRANSPOSED: Cases = {
    "even": (nn.ConvTranspose2d(5, 3, 4, stride=2, padding=1), (2, 5, 6, 7)),
    "grouped": (nn.ConvTranspose2d(6, 4, (3, 5), stride=(1, 3), padding=(0, 2), groups=2,
                                   bias=False), (1, 6, 4, 5)),
    "more-spread-than-taps": (nn.ConvTranspose2d(2, 3, 2, stride=3, output_padding=(1, 0)),
                              (1, 2, 3, 4)),
    "single-taps": (nn.ConvTranspose3d(2, 3, (2, 1, 3), stride=(3, 2, 2)), (1, 2, 3, 2, 4)),
    "line": (nn.ConvTranspose1d(7, 9, 5, stride=4, padding=3), (3, 7, 11)),
    "dilated": (nn.ConvTranspose1d(3, 4, 3, stride=2, dilation=2), (1, 3, 9)),
    "one": (nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1), (1, 3, 1, 1)),
    "wide-padding": (nn.ConvTranspose1d(3, 2, 6, stride=2, padding=5), (1, 3, 13)),
}  # fmt: skip


class Layers(nn.Module):
    """Each layer on an input of its own, with something after it."""

    def __init__(self, layers: Cases) -> None:
        super().__init__()
        self.layers = nn.ModuleList([layer for layer, _ in layers.values()])

    def forward(self, *images: torch.Tensor) -> list[torch.Tensor]:
        return [torch.relu(f(x)) for f, x in zip(self.layers, images, strict=True)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("layers", [PLAIN, TRANSPOSED], ids=["plain", "transposed"])
def test_layers(layers: Cases, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
    generator = torch.Generator().manual_seed(0)
    model = Layers(layers).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randint(-2, 3, weights.shape, generator=generator))
    images = [
        torch.randint(-2, 3, shape, generator=generator).to(dtype) for _, shape in layers.values()
    ]
    wanted = model.double()(*(x.double() for x in images))
    model = model.to(dtype)
    program = compile_model(model, images, target="xegpu", use_cache=False, jobs=1)
    for name, got, want in zip(layers, program(*images), wanted, strict=True):
        assert torch.equal(got, want.to(dtype)), name
    counts = [
        sum(matrix_products(module.spirv) for module in unpack(code).modules)
        for code in program.compiled.artifact.objects[1:]
    ]
    assert sum(count > 0 for count in counts) == len(layers)


def test_filters_are_arranged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
    model = nn.ConvTranspose2d(4, 8, 4, stride=2, padding=1, bias=False).half().eval()
    images = [torch.randn(1, 4, 5, 5).half()]
    program = compile_model(model, images, target="xegpu", use_cache=False, jobs=1)
    (row,) = [r for r in program.compiled.choices if r.motif.startswith("convolution")]
    # Two taps each way instead of four, a fourth of the products: no zeros.
    assert "kernel=2x2" in row.motif, row.motif
    preparation = program.compiled.artifact.preparation
    assert preparation is not None
    # In bytes: all filters, none of them twice.
    assert preparation.value_bytes == (4 * 8 * 4 * 4 * 2,)


@pytest.mark.parametrize(
    "shape", [(2, 40, 16, 16), (3, 5, 17, 16), (1, 19, 16, 20), (2, 7, 15, 19)]
)
def test_pointwise_images_come_in_blocks(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rows of positions start at multiples of 16 bytes; other images behind are not read."""
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
    generator = torch.Generator().manual_seed(2)
    model = nn.Sequential(nn.Conv2d(shape[1], 21, 1), nn.ReLU()).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randint(-2, 3, weights.shape, generator=generator))
    image = torch.randint(-2, 3, shape, generator=generator).half()
    image[-1, :, -1] = 3
    wanted = model.double()(image.double())
    program = compile_model(model.half(), [image], target="xegpu", use_cache=False, jobs=1)
    assert torch.equal(program(image), wanted.half())
    calls = sum(
        (builtin_calls(m.spirv) for code in program.compiled.artifact.objects[1:]
         for m in unpack(code).modules), start=builtin_calls(b""),
    )  # fmt: skip
    of_images = [name for name in calls if "2d_block_read_transform" in name]
    assert bool(of_images) == (shape[2] * shape[3] * 2 % 16 == 0)
