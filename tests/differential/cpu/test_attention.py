"""Attention in one pass: against PyTorch in binary64 over odd shapes, masks and layouts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

import bellrock
from bellrock.runtime.threads import share_openmp
from support.models import FunctionModule

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

from bellrock.compiler import compile_payload  # noqa: E402
from bellrock.ingress.torch_export import import_module  # noqa: E402
from bellrock.params.lock import Lock  # noqa: E402
from bellrock.runtime.executable import load  # noqa: E402

Tensor = torch.Tensor
attend = torch.nn.functional.scaled_dot_product_attention


ERRORS = {torch.float32: 2e-6, torch.float16: 5e-4, torch.bfloat16: 4e-3}
"""Allowed, in terms of the largest value: two roundings."""
HALVES = [torch.bfloat16, torch.float16]


def check(function: Callable[..., Tensor], *inputs: Tensor, fused: bool = True) -> None:
    """Compare, and see that the kernel is (or is not) one attention."""
    with torch.no_grad():
        compiled = bellrock.compile(FunctionModule(function).eval(), inputs, use_cache=False)
        found = compiled(*inputs)
        exact = function(*(x.double() if x.is_floating_point() else x for x in inputs))
    knobs = [row.parameters for row in compiled.compiled.choices if row.knobs == "flash-attention"]
    assert bool(knobs) is fused
    kinds = [k.motif for k in compiled.compiled.kernels]
    assert not fused or ("attention" in kinds and "contraction" not in kinds)
    assert torch.equal(found.isnan(), exact.isnan())
    error = (found.double() - exact).nan_to_num().abs().max()
    scale = inputs[2].abs().nan_to_num(posinf=1.0).max()
    assert error < ERRORS[inputs[0].dtype] * scale, float(error)


def three(
    batch: int, heads: int, queries: int, depth: int, *, keys: int = 0, features: int = 0,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    torch.manual_seed(queries)
    keys, features = keys or queries, features or depth
    shapes = ((queries, depth), (keys, depth), (keys, features))
    q, k, v = (torch.randn(batch, heads, *shape).to(dtype) for shape in shapes)
    return q, k, v


@pytest.mark.parametrize(
    ("queries", "keys", "depth", "features"),
    [(2, 5, 3, 3), (64, 96, 16, 16), (65, 97, 17, 31), (7, 301, 64, 2), (130, 13, 5, 128)],
)
def test_every_query_sees_every_key(queries: int, keys: int, depth: int, features: int) -> None:
    check(attend, *three(2, 3, queries, depth, keys=keys, features=features))


@pytest.mark.parametrize("tokens", [2, 33, 96, 257])
def test_a_causal_mask(tokens: int) -> None:
    check(lambda q, k, v: attend(q, k, v, is_causal=True), *three(2, 2, tokens, 24))


@pytest.mark.parametrize("keys", [50, 200])
def test_a_causal_mask_over_other_numbers_of_keys(keys: int) -> None:
    check(lambda q, k, v: attend(q, k, v, is_causal=True), *three(2, 2, 100, 24, keys=keys))


def test_a_mask_that_is_nearly_causal() -> None:
    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rows, columns = torch.arange(130)[:, None], torch.arange(130)[None, :]
        scores = (q @ k.transpose(-2, -1)).masked_fill(columns > rows + 7, float("-inf"))
        return scores.softmax(-1) @ v

    check(function, *three(2, 2, 130, 24))


@pytest.mark.parametrize("shape", [(65, 97), (2, 1, 65, 97), (1, 2, 1, 97), (2, 2, 65, 1)])
@pytest.mark.parametrize("boolean", [False, True])
def test_a_mask_that_is_given(shape: tuple[int, ...], boolean: bool) -> None:
    q, k, v = three(2, 2, 65, 16, keys=97)
    mask = torch.rand(shape) > 0.3 if boolean else torch.randn(shape)
    check(lambda q, k, v, m: attend(q, k, v, attn_mask=m), q, k, v, mask)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(
    ("queries", "keys", "depth", "features"),
    [(2, 5, 3, 3), (65, 97, 17, 31), (7, 301, 64, 2), (130, 13, 5, 128), (3, 2, 2, 2)],
)
def test_sixteen_bits(
    dtype: torch.dtype, queries: int, keys: int, depth: int, features: int
) -> None:
    check(attend, *three(2, 3, queries, depth, keys=keys, features=features, dtype=dtype))


@pytest.mark.parametrize("dtype", HALVES)
def test_sixteen_bits_under_masks(dtype: torch.dtype) -> None:
    q, k, v = three(2, 2, 65, 24, keys=97, dtype=dtype)
    check(lambda q, k, v: attend(q, k, v, is_causal=True), q, k, v)
    check(lambda q, k, v, m: attend(q, k, v, attn_mask=m), q, k, v, torch.rand(65, 97) > 0.3)
    bias = torch.randn(2, 65, 97).to(dtype)
    check(lambda q, k, v, m: attend(q, k, v, attn_mask=m), q, k, v, bias)


@pytest.mark.parametrize("dtype", HALVES)
def test_sixteen_bits_in_other_orders(dtype: torch.dtype) -> None:
    def heads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        a, b, c = (x.view(2, 65, 4, 16).transpose(1, 2) for x in (q, k, v))
        return attend(a, b, c)

    def columns(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        a, b, c = (x.transpose(-1, -2) for x in (q, k, v))
        return attend(a, b, c).transpose(-1, -2)

    torch.manual_seed(0)
    check(heads, *(torch.randn(2, 65, 64).to(dtype) for _ in range(3)))
    check(columns, *(torch.randn(2, 3, 17, 65).to(dtype) for _ in range(3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_queries_that_are_scaled_first(dtype: torch.dtype) -> None:
    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ((q * 24**-0.5) @ k.transpose(-2, -1)).softmax(-1) @ v

    q, k, v = three(2, 2, 65, 24, keys=97, dtype=dtype)
    with torch.no_grad():
        compiled = bellrock.compile(FunctionModule(function).eval(), (q, k, v), use_cache=False)
        found, eager = compiled(q, k, v), function(q, k, v)
    assert [kernel.motif for kernel in compiled.compiled.kernels] == ["attention"]
    error = (found.double() - eager.double()).abs().max()  # both round to bf16 on the way
    assert error < 2 * ERRORS[dtype] * v.abs().max()


def test_windows_share_a_kernel() -> None:
    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        parts = [x.split(16, dim=2) for x in (q, k, v)]
        return torch.cat([attend(*part) for part in zip(*parts, strict=True)], 2)

    q, k, v = three(2, 3, 144, 24)
    check(function, q, k, v)
    compiled = bellrock.compile(FunctionModule(function).eval(), (q, k, v), use_cache=False)
    assert [kernel.motif for kernel in compiled.compiled.kernels].count("attention") == 1


def test_queries_that_see_nothing() -> None:
    q, k, v = three(1, 2, 65, 16, keys=130)
    mask = torch.rand(65, 130) > 0.3
    mask[::7] = False
    check(lambda q, k, v, m: attend(q, k, v, attn_mask=m), q, k, v, mask)

    def plain(q: Tensor, k: Tensor, v: Tensor, m: Tensor) -> Tensor:
        scores = torch.where(m, q @ k.transpose(-2, -1), float("-inf"))
        return torch.softmax(scores, -1) @ v

    check(plain, q, k, v, mask)


def test_numbers_that_are_none() -> None:
    q, k, v = three(1, 2, 65, 16)
    q[0, 0, 3, 2] = float("nan")
    k[0, 1, 5, 1] = float("inf")
    check(attend, q, k, v)


def test_scores_far_apart() -> None:
    q, k, v = three(1, 2, 65, 16)
    check(attend, q * 40, k, v)


def test_heads_inside_rows() -> None:
    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        a, b, c = (x.view(2, 65, 4, 16).transpose(1, 2) for x in (q, k, v))
        return attend(a, b, c).transpose(1, 2).reshape(2, 65, 64)

    torch.manual_seed(0)
    check(function, *(torch.randn(2, 65, 64) for _ in range(3)))


class _Pixels(torch.nn.Module):
    """Attends over pixels; rows of the result become rows and columns of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2).permute(2, 0, 1)
        attended, _ = self.attention(pixels, pixels, pixels)
        return (attended + pixels).permute(1, 2, 0).view(x.shape)


@pytest.mark.parametrize("batch", [1, 2])
def test_the_image_s_shape_does_not_reach_the_softmax(batch: int) -> None:
    torch.manual_seed(0)
    model, x = _Pixels().eval(), torch.rand(batch, 32, 12, 12)
    with torch.no_grad():
        compiled = bellrock.compile(model, (x,), use_cache=False)
        torch.testing.assert_close(compiled(x), model(x), rtol=1e-4, atol=1e-5)
    assert "attention" in [kernel.motif for kernel in compiled.compiled.kernels]


def test_heads_of_one_packed_tensor_under_a_part_of_a_mask() -> None:
    def function(x: Tensor, m: Tensor, _: Tensor) -> Tensor:
        q, k, v = (part.view(2, 130, 3, 16).transpose(1, 2) for part in x.split(48, dim=2))
        scores = (q @ k.transpose(-2, -1)) * 0.25
        return scores.masked_fill(m[:, :, :130, :130] == 0, float("-inf")).softmax(-1) @ v

    torch.manual_seed(0)
    inputs = (torch.randn(2, 130, 144), torch.tril(torch.ones(1, 1, 200, 200)), torch.ones(1))
    check(function, *inputs)
    compiled = bellrock.compile(FunctionModule(function).eval(), inputs, use_cache=False)
    assert [k.parallel for k in compiled.compiled.kernels] == [True]  # the generic path is serial


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("causal", [False, True])
def test_heads_that_share_keys(dtype: torch.dtype, causal: bool) -> None:
    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(q, k, v, enable_gqa=True, is_causal=causal)

    torch.manual_seed(0)
    shapes = ((2, 6, 33, 8), (2, 2, 47, 8), (2, 2, 47, 8))
    q, k, v = (torch.randn(*shape).to(dtype) for shape in shapes)
    check(function, q, k, v)


def test_heads_of_keys_that_are_repeated() -> None:
    def function(q: Tensor, k: Tensor, v: Tensor, m: Tensor) -> Tensor:
        k, v = (x[:, :, None].expand(2, 2, 3, 47, 8).reshape(2, 6, 47, 8) for x in (k, v))
        return attend(q, k, v, attn_mask=m)

    torch.manual_seed(0)
    q, k, v = torch.randn(2, 6, 33, 8), torch.randn(2, 2, 47, 8), torch.randn(2, 2, 47, 8)
    check(function, q, k, v, torch.rand(2, 1, 33, 47) > 0.3)


def test_several_layers_share_their_positions() -> None:
    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(attend(q, k, v, is_causal=True), k, v, is_causal=True)

    check(function, *three(1, 2, 133, 24))


def test_weights_that_are_wanted_too_are_kept() -> None:
    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = (q @ k.transpose(-2, -1)).softmax(-1)
        return weights @ v + weights.amax()

    check(function, *three(1, 2, 33, 8), fused=False)


def test_every_choice_is_right() -> None:
    q, k, v = three(1, 2, 70, 9, keys=75, features=11)
    program = import_module(
        FunctionModule(lambda q, k, v: attend(q, k, v, is_causal=True)), (q, k, v), name="attention"
    )
    (row,) = [
        r
        for r in compile_payload(program.payload, use_cache=False).choices
        if r.knobs == "flash-attention"
    ]
    exact = attend(q.double(), k.double(), v.double(), is_causal=True)
    for vectors, rows, keys in ((1, 1, 8), (3, 5, 64), (2, 2, 100), (1, 12, 75)):
        chosen = {"lanes": 4, "vectors": vectors, "rows": rows, "keys": keys, "parallel": True}
        lock = Lock(target="cpu", rows=(dataclasses.replace(row, parameters=chosen),))
        (found,) = load(compile_payload(program.payload, lock=lock, use_cache=False))(
            program.bind((q, k, v))
        )
        assert (found.double() - exact).abs().max() < 1e-5
