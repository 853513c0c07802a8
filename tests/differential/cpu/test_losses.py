"""Losses that gather against PyTorch: right where labels are ignored, and no kernel is scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp
from support.models import FunctionModule

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

F = torch.nn.functional
IGNORED = -100
WEIGHTS = torch.linspace(0.5, 1.5, 1103)


LOSSES: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "cross entropy": (F.cross_entropy, (211, 1103)),
    "of few rows": (F.cross_entropy, (19, 1103)),
    "of each row": (lambda x, y: F.cross_entropy(x, y, reduction="none"), (211, 1103)),
    "summed": (lambda x, y: F.cross_entropy(x * 2, y, reduction="sum"), (211, 1103)),
    "weighted": (lambda x, y: F.cross_entropy(x, y, weight=WEIGHTS.to(x.dtype)), (211, 1103)),
    "smoothed": (lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1), (211, 1103)),
    "of an image": (F.cross_entropy, (3, 19, 37, 41)),
    "of logarithms": (F.nll_loss, (211, 1103)),
}


def inputs_of(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    by = torch.Generator().manual_seed(len(shape))
    labels = torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=by)
    labels.view(-1)[1::7] = IGNORED
    return torch.randn(shape, generator=by), labels


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_that_gathers(name: str) -> None:
    function, shape = LOSSES[name]
    scores, labels = inputs_of(shape)
    model = FunctionModule(function)
    compiled = bellrock.compile(model, (scores, labels), use_cache=False)
    torch.testing.assert_close(
        compiled(scores, labels).double(), model(scores.double(), labels), rtol=2e-6, atol=2e-6
    )
    assert all(kernel.vectorised for kernel in compiled.compiled.kernels)


def test_only_one_element_of_each_row_is_normalised() -> None:
    """No kernel writes the whole of a log-softmax of which one element a row is read."""
    scores, labels = inputs_of((211, 1103))
    compiled = bellrock.compile(FunctionModule(F.cross_entropy), (scores, labels), use_cache=False)
    assert compiled.compiled.artifact.workspace_bytes < scores.nbytes // 16
