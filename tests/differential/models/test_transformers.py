"""Three models of `transformers`, built small: every output as PyTorch computes it.

An encoder (BERT), a decoder with grouped-query attention (Qwen2) and the encoder of an
encoder-decoder (T5, whose relative positions are looked up); with padding, in one batch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import bellrock

transformers = pytest.importorskip("transformers", reason="the extra `models` is not installed")

TOKENS, PADDED_FROM = 13, 9


def _encoder() -> torch.nn.Module:
    config = transformers.BertConfig(
        vocab_size=101,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=72,
        max_position_embeddings=40,
    )
    return transformers.BertModel(config)


def _decoder() -> torch.nn.Module:
    config = transformers.Qwen2Config(
        vocab_size=97,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=40,
        use_cache=False,
    )
    return transformers.Qwen2ForCausalLM(config)


def _encoder_of_two() -> torch.nn.Module:
    config = transformers.T5Config(
        vocab_size=89, d_model=40, d_kv=8, d_ff=56, num_layers=2, num_heads=5
    )
    return transformers.T5EncoderModel(config)


@pytest.mark.parametrize("build", [_encoder, _decoder, _encoder_of_two])
def test_model(build: Callable[[], torch.nn.Module], tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build().eval()
    mask = torch.ones(2, TOKENS, dtype=torch.long)
    mask[1, PADDED_FROM:] = 0
    ids = torch.randint(1, 80, (2, TOKENS))
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask)
    given = {"input_ids": ids, "attention_mask": mask}
    compiled = bellrock.compile(model, (), example_keywords=given, cache_dir=tmp_path)
    got = compiled(input_ids=ids, attention_mask=mask)
    assert type(got) is type(expected)
    assert got.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(got[name], tensor, rtol=1e-4, atol=1e-5)


def test_new_inputs_of_the_same_shape(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = _encoder_of_two().eval()
    first = torch.randint(1, 80, (1, 7))
    compiled = bellrock.compile(model, (first,), cache_dir=tmp_path)
    second = torch.randint(1, 80, (1, 7))
    with torch.no_grad():
        expected = model(second).last_hidden_state
    torch.testing.assert_close(compiled(second).last_hidden_state, expected, rtol=1e-4, atol=1e-5)
