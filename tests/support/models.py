"""Models to compile in tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class FunctionModule(torch.nn.Module):
    """A function as a module: `function(*args, *parts)`."""

    def __init__(
        self, function: Callable[..., Any], *parts: torch.Tensor | torch.nn.Module
    ) -> None:
        """Hold the parts as weights and layers: tensors become parameters."""
        super().__init__()
        self.function = function
        self.names = [f"part{number}" for number in range(len(parts))]
        for name, part in zip(self.names, parts, strict=True):
            setattr(
                self, name, torch.nn.Parameter(part) if isinstance(part, torch.Tensor) else part
            )

    def forward(self, *args: Any, **keywords: Any) -> Any:
        """Call the function."""
        parts = (getattr(self, name) for name in self.names)
        return self.function(*args, *parts, **keywords)
