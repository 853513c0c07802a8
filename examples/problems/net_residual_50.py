"""A residual network of fifty layers (bottleneck blocks, 3-4-6-3 of them) for image
classification: fifty-three convolutions of twenty-odd shapes, each with batch normalisation by
running statistics."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 1
IMAGE = 64
CLASSES = 1000
DEPTHS = (3, 4, 6, 3)


def conv_norm(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the image's size at stride 1, and its normalisation."""
    norm = nn.BatchNorm2d(outputs)
    with torch.no_grad():  # as after training: nothing at its start value
        norm.running_mean.normal_(0.0, 0.2)
        norm.running_var.uniform_(0.5, 1.5)
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.normal_(0.0, 0.2)
    conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    return nn.Sequential(conv, norm)


class Bottleneck(nn.Module):
    """Down to `width` channels, a 3 x 3 convolution, and up to four times as many."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.down = conv_norm(inputs, width, 1)
        self.middle = conv_norm(width, width, 3, stride)
        self.up = conv_norm(width, outputs, 1)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.middle(torch.relu(self.down(x))))
        return torch.relu(self.up(y) + self.shortcut(x))


class Model(nn.Module):
    def __init__(self, depths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.stem = conv_norm(3, 64, 7, 2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        blocks: list[nn.Module] = []
        channels = 64
        for stage, depth in enumerate(depths):
            width = 64 << stage
            for number in range(depth):
                stride = 2 if stage > 0 and number == 0 else 1
                blocks.append(Bottleneck(channels, width, stride))
                channels = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.classify = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.pool(torch.relu(self.stem(x))))
        return self.classify(x.mean((2, 3)))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, 3, IMAGE, IMAGE)]


def get_init_inputs() -> list[object]:
    return [DEPTHS, CLASSES]
