"""A small state-space layer whose decay and input weights depend on the token: a
recurrence over the sequence for every channel and state."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 6
TOKENS = 21
CHANNELS = 150
STATES = 8


class Model(nn.Module):
    def __init__(self, channels: int, states: int) -> None:
        super().__init__()
        self.step = nn.Linear(channels, channels)
        self.read = nn.Linear(channels, states, bias=False)
        self.write = nn.Linear(channels, states, bias=False)
        self.rate = nn.Parameter(torch.rand(channels, states) + 0.1)
        self.skip = nn.Parameter(torch.randn(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        step = F.softplus(self.step(x))
        decay = torch.exp(-step[..., None] * self.rate)
        drive = (step * x)[..., None] * self.write(x)[:, :, None, :]
        read = self.read(x)
        state = torch.zeros_like(drive[:, 0])
        outputs = []
        for token in range(x.shape[1]):
            state = decay[:, token] * state + drive[:, token]
            outputs.append((state * read[:, token, None, :]).sum(dim=-1))
        return torch.stack(outputs, dim=1) + self.skip * x


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, TOKENS, CHANNELS)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, STATES]
