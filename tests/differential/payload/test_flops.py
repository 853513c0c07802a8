"""Flops of contractions and convolutions agree with PyTorch's own counter."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._guards import detect_fake_mode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from bellrock.ingress.problem import load_problem
from bellrock.ingress.torch_export import import_module
from bellrock.payload.inspect import inspect_payload
from bellrock.payload.motif import MotifKind

EXAMPLES = Path(__file__).parents[3] / "examples" / "problems"
COUNTED = {MotifKind.CONTRACTION, MotifKind.CONVOLUTION}


@pytest.mark.parametrize(
    "name",
    [
        "attention_full",
        "block_inverted_bottleneck",
        "conv1d_dilated",
        "conv2d_grouped",
        "conv3d_odd_sizes",
        "conv_transpose2d_strided",
        "conv_transpose3d_grouped",
        "gru_bidirectional",
        "matmul_transposed_both",
    ],
)
def test_flops_of_an_example(name: str) -> None:
    problem = load_problem(EXAMPLES / f"{name}.py").build(fake=True)
    mode = detect_fake_mode(tree_leaves(problem.inputs))
    assert mode is not None
    with torch.no_grad(), mode, FlopCounterMode(display=False) as counter:
        problem.model(*problem.inputs)
    payload = import_module(problem.model, problem.inputs, name=name).payload
    rows = inspect_payload(payload).rows
    ours = sum(row.flops or 0 for row in rows if row.motif.kind in COUNTED)
    assert ours == counter.get_total_flops() > 0
