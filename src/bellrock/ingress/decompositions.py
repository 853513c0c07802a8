"""The decomposition table: PyTorch ops rewritten so that clean linalg comes out.

Flows in: torch-mlir's own table. Flows out: the table that `torch_export` decomposes with.
It differs from torch-mlir's in four ways:

* normalisations, softmax and the like are spelled without temporaries in f64, without an
  argmax that nobody reads, without run-time asserts and without index tables;
* reductions, losses and transcendental functions on f16 and bf16 compute in f32 and round
  once, at their end (`op_math`), as PyTorch's own kernels do;
* a linear layer on more than two dimensions is one matrix product, not a batch of them;
* recurrent layers become loops (see `loops`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch._ops import OperatorBase, OpOverload
from torch.utils import _pytree as pytree

from bellrock.ingress import loops, rewrites

aten = torch.ops.aten

_LOW_PRECISION = frozenset({torch.float16, torch.bfloat16})

OP_MATH = (
    # Reductions and what is made of them.
    "sum mean var std var_mean std_mean norm linalg_vector_norm prod cumsum cumprod logsumexp "
    "logcumsumexp _softmax _log_softmax softmax log_softmax native_layer_norm "
    "native_group_norm group_norm layer_norm rms_norm _fused_rms_norm instance_norm "
    "_native_batch_norm_legit_no_training avg_pool1d avg_pool2d avg_pool3d "
    "adaptive_avg_pool1d _adaptive_avg_pool2d _adaptive_avg_pool3d dot vdot mv "
    # Losses and distances.
    "mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy "
    "binary_cross_entropy_with_logits nll_loss_forward nll_loss2d_forward cross_entropy_loss "
    "kl_div soft_margin_loss margin_ranking_loss hinge_embedding_loss triplet_margin_loss "
    "cosine_embedding_loss poisson_nll_loss cosine_similarity pairwise_distance cdist "
    "_euclidean_dist _cdist_forward dist "
    # Interpolation.
    "upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d "
    "grid_sampler_2d "
    # Elementwise functions of more than one rounding.
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt pow sigmoid log_sigmoid "
    "log_sigmoid_forward tanh sin cos tan asin acos atan atan2 sinh cosh asinh acosh atanh "
    "erf erfc gelu silu mish softplus elu celu selu hardsigmoid hardswish logit logaddexp "
    "logaddexp2 xlogy hypot addcmul addcdiv lerp glu reciprocal"
).split()
"""Names of the aten ops that compute in f32 when their inputs are f16 or bf16."""

OP_MATH_WITH_NUMBERS = "add sub rsub mul div fmod remainder leaky_relu hardtanh threshold".split()
"""Names of ops that do so when a Python number is among their operands, which would be
rounded itself; between tensors, they round once as they are."""


@functools.cache
def decomposition_table() -> Mapping[OperatorBase, Callable[..., Any]]:
    """Return the whole table; the caller copies it before changing it."""
    from torch_mlir.extras.fx_decomp_util import get_decomposition_table

    table: dict[OperatorBase, Callable[..., Any]] = dict(get_decomposition_table())
    for name in ("max_pool1d", "max_pool2d", "max_pool3d"):
        # Kept whole: the decomposed form computes indices, too.
        table.pop(getattr(aten, name).default, None)
    for op, rewrite in rewrites.REWRITES.items():
        table[op] = _first_of(rewrite, table.get(op))
    table.update(loops.decompositions())
    for name in OP_MATH:
        for op in _overloads(name):
            table[op] = op_math(op, table.get(op))
    for name in OP_MATH_WITH_NUMBERS:
        for op in _overloads(name):
            table[op] = op_math(op, table.get(op), only_with_numbers=True)
    return table


def _overloads(name: str) -> list[OpOverload]:
    packet = getattr(aten, name)
    return [getattr(packet, o) for o in packet.overloads() if "out" not in o]


def _first_of(rewrite: Callable[..., Any], other: Callable[..., Any] | None) -> Callable[..., Any]:
    if other is None:
        return rewrite

    @functools.wraps(rewrite)
    def decomposition(*args: Any, **kwargs: Any) -> Any:
        result = rewrite(*args, **kwargs)
        return other(*args, **kwargs) if result is NotImplemented else result

    return decomposition


def op_math(
    op: OpOverload, otherwise: Callable[..., Any] | None, *, only_with_numbers: bool = False
) -> Callable[..., Any]:
    """Return a decomposition of `op` that computes in f32 where its tensors are f16 or bf16.

    Args:
        op: the op; it is called again on the widened tensors.
        otherwise: its decomposition for wider types; None keeps the op as it is.
        only_with_numbers: widen only calls with a Python float among the operands.
    """

    @functools.wraps(otherwise or op)
    def decomposition(*args: Any, **kwargs: Any) -> Any:
        leaves = pytree.tree_leaves((args, kwargs))
        narrow = {
            leaf.dtype
            for leaf in leaves
            if isinstance(leaf, torch.Tensor) and leaf.dtype in _LOW_PRECISION
        }
        numbers = any(isinstance(leaf, float) for leaf in leaves)
        if not narrow or (only_with_numbers and not numbers):
            return NotImplemented if otherwise is None else otherwise(*args, **kwargs)
        args, wanted = _without_dtype(op, args, kwargs)
        result_dtype = wanted or _promoted(leaves, narrow)
        args, kwargs = pytree.tree_map_only(torch.Tensor, _widen, (args, kwargs))
        results = op(*args, **kwargs)
        return pytree.tree_map_only(
            torch.Tensor,
            lambda result: result.to(result_dtype) if result.is_floating_point() else result,
            results,
        )

    return decomposition


def _without_dtype(
    op: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], torch.dtype | None]:
    """Take a reduction's result type out of its arguments, wherever it is given."""
    if "dtype" in kwargs:
        return args, kwargs.pop("dtype")
    names = [argument.name for argument in op._schema.arguments]
    at = names.index("dtype") if "dtype" in names else len(args)
    if at >= len(args):
        return args, None
    return (*args[:at], None, *args[at + 1 :]), args[at]


def _widen(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.float32) if tensor.dtype in _LOW_PRECISION else tensor


def _promoted(leaves: list[Any], narrow: set[torch.dtype]) -> torch.dtype:
    floating = {
        leaf.dtype for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()
    }
    if floating == narrow and len(narrow) == 1:
        return next(iter(narrow))
    return functools.reduce(torch.promote_types, floating)
