"""Models of `transformers` from small configurations: imported whole, and right.

What the import makes of a model up to torch dialect is run in PyTorch and compared with the
model; the MLIR text is checked for its form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from torch.utils import _pytree as pytree

from bellrock.ingress import native  # noqa: F401  # defines the ops that decompositions use
from bellrock.ingress.decompositions import decomposition_table
from bellrock.ingress.quiet import quiet
from bellrock.ingress.torch_export import import_module


def encoder() -> nn.Module:
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        vocab_size=100, max_position_embeddings=32,
    )  # fmt: skip
    return transformers.BertModel(config)


def decoder() -> nn.Module:
    config = transformers.LlamaConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, vocab_size=100, max_position_embeddings=32, use_cache=False,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def encoder_of_two() -> nn.Module:
    config = transformers.T5Config(
        d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4, vocab_size=100
    )
    return transformers.T5EncoderModel(config)


@pytest.mark.parametrize("make", [encoder, decoder, encoder_of_two])
def test_model(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = make().eval()
    tokens, mask = torch.randint(0, 100, (2, 16)), torch.ones(2, 16, dtype=torch.int64)
    mask[1, 10:] = 0
    program = import_module(model, (tokens,), name="it", keywords={"attention_mask": mask})
    with torch.no_grad():
        expected = model(tokens, attention_mask=mask)

    text = program.payload.text()
    signature = text[: text.index("{\n", text.index("func.func @main"))]
    for i, spec in enumerate(program.payload.arguments):
        assert f"%arg{i}: tensor<{spec}>" in signature
    assert not [
        s for s in ("torch.", "dense_resource", "cf.assert", "ml_program", "?") if s in text
    ]

    with torch.no_grad(), quiet():
        exported = torch.export.export(
            model, (tokens,), {"attention_mask": mask}, strict=False
        ).run_decompositions({**decomposition_table()})
        results = pytree.tree_leaves(exported.module()(tokens, attention_mask=mask))
    output: Any = program.unflatten([r for r in results if isinstance(r, torch.Tensor)])
    assert isinstance(output, type(expected))
    for name, tensor in expected.items():
        torch.testing.assert_close(output[name], tensor, rtol=1e-5, atol=1e-5)
