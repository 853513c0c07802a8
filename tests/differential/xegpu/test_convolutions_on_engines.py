"""Convolutions on matrix engines, in the interpreter, against the same in binary64.

Data are small integers, which every type here has exactly: results have to be equal.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bellrock.api import compile as compile_model
from bellrock.target.xegpu.calls import matrix_products
from bellrock.target.xegpu.container import unpack

LAYERS = {
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


class Layers(nn.Module):
    """Each layer on an input of its own, with something after it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([layer for layer, _ in LAYERS.values()])

    def forward(self, *images: torch.Tensor) -> list[torch.Tensor]:
        return [torch.relu(f(x)) for f, x in zip(self.layers, images, strict=True)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_layers(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
    generator = torch.Generator().manual_seed(0)
    model = Layers().eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randint(-2, 3, weights.shape, generator=generator))
    images = [
        torch.randint(-2, 3, shape, generator=generator).to(dtype) for _, shape in LAYERS.values()
    ]
    wanted = model.double()(*(x.double() for x in images))
    model = model.to(dtype)
    program = compile_model(model, images, target="xegpu", use_cache=False, jobs=1)
    for name, got, want in zip(LAYERS, program(*images), wanted, strict=True):
        assert torch.equal(got, want.to(dtype)), name
    counts = [
        sum(matrix_products(module.spirv) for module in unpack(code).modules)
        for code in program.compiled.artifact.objects[1:]
    ]
    assert sum(count > 0 for count in counts) == len(LAYERS)
