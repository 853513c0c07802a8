"""What one op may lose: the rounding of each PyTorch op that is not exact.

Flows in: a `Call`. Flows out: its `Rounding`. Each rule is the first-order error of the op
carried out in f32 in any order, every rounding at its largest and with a random sign.
"""

from __future__ import annotations

import math

import torch

from bellrock.verify import normalisations
from bellrock.verify.rounding import (
    ACCUMULATOR_ROUNDOFF,
    APPROXIMATION_ROUNDOFFS,
    COMPOUND_ROUNDOFFS,
    CORRECTLY_ROUNDED,
    EXACT,
    FUNCTION,
    SQRT3,
    Call,
    Elementwise,
    Rounding,
    Rule,
    accumulated,
    chain,
)


def rounding_of(call: Call) -> Rounding | None:
    """Return the rounding of an op, or None for one that is exact."""
    if call.name in EXACT:
        return None
    if call.name in CORRECTLY_ROUNDED:
        return Rounding()
    rule = RULES.get(call.name)
    if rule is not None:
        return rule(call)
    if torch.Tag.pointwise in call.func.tags:
        return Rounding(relative=COMPOUND_ROUNDOFFS * ACCUMULATOR_ROUNDOFF)
    return _any_reduction(call)


def _product_squares(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Squares of the rows and columns of a (batched) matrix product, over its length."""
    length = max(1, first.shape[-1])
    matrix, vector = first.dim() > 1, second.dim() == 1
    left = first.square().sum(-1, keepdim=matrix and not vector)
    right = second.square().sum() if vector else second.square().sum(-2, keepdim=matrix)
    return left, right / length


def _product(call: Call) -> Rounding:
    first, second = call.args[:2]
    length = max(1, first.shape[-1])

    def error(out: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return accumulated(out, left * right, length)

    return Rounding(absolute=Elementwise(error, (call.out, *_product_squares(first, second))))


def _product_and_sum(call: Call) -> Rounding:
    addend, first, second = call.args[:3]
    beta, alpha = call.kwargs.get("beta", 1), call.kwargs.get("alpha", 1)
    length = max(1, first.shape[-1])
    known = call.in_place or beta == 0

    def product(out: torch.Tensor, addend: torch.Tensor) -> torch.Tensor:
        return out if known else out - addend * beta

    def error(out: torch.Tensor, addend: torch.Tensor, *squares: torch.Tensor) -> torch.Tensor:
        result = product(out, addend)
        left, right = squares
        scaled = result / alpha if alpha not in (0, 1) else result
        return accumulated(scaled, left * right, length) * abs(alpha)

    return Rounding(
        absolute=Elementwise(error, (call.out, addend, *_product_squares(first, second))),
        stored=None if call.in_place else Elementwise(product, (call.out, addend)),
    )


def _convolution(call: Call) -> Rounding:
    """As a matrix product; squares from the window's mean square and the filter's norm."""
    x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = call.args[:9]
    rank = weight.dim() - 2
    batched = x if x.dim() == rank + 2 else x.unsqueeze(0)
    window = math.prod(weight.shape[2:])
    reach = torch.ops.aten.convolution(
        batched.square().mean(1, keepdim=True),
        torch.ones((1, 1, *weight.shape[2:]), dtype=call.out.dtype), None,
        stride, padding, dilation, transposed, output_padding, 1,
    )  # fmt: skip
    if transposed:
        squares = weight.square().flatten(2).sum((0, 2)).repeat(groups) / groups
        length = weight.shape[0] // groups * window
    else:
        squares, length = weight.square().flatten(1).sum(1), weight.shape[1] * window
    channels = (-1, *[1] * rank)
    addend = torch.zeros((), dtype=call.out.dtype) if bias is None else bias.view(channels)

    def error(out: torch.Tensor, addend: torch.Tensor, *factors: torch.Tensor) -> torch.Tensor:
        reach, squares = factors
        return accumulated(out - addend, reach * squares, length)

    operands = (reach if batched is x else reach[0], (squares / window).view(channels))
    return Rounding(
        absolute=Elementwise(error, (call.out, addend, *operands)),
        stored=None if bias is None else Elementwise(torch.sub, (call.out, addend)),
    )


def _sum(call: Call) -> Rounding:
    squares = call.func(call.args[0].square(), *call.args[1:], **call.kwargs)
    return Rounding(absolute=accumulated(call.out, squares, call.ratio()))


def _mean(call: Call) -> Rounding:
    squares = call.func(call.args[0].square(), *call.args[1:], **call.kwargs)
    return Rounding(absolute=accumulated(call.out, squares / call.ratio(), call.ratio()))


def _average_pool(call: Call) -> Rounding:
    window = call.args[1]
    length = float(math.prod(window) if isinstance(window, (list, tuple)) else window)
    if "adaptive" in call.name:
        length = call.ratio()
    squares = call.func(call.args[0].square(), *call.args[1:], **call.kwargs)
    return Rounding(absolute=accumulated(call.out, squares / length, length))


def _positive_sum(call: Call) -> Rounding:
    """Norms, variances, losses: a sum of terms of one sign, then a step or two."""
    factor = chain(call.ratio()) / SQRT3 + APPROXIMATION_ROUNDOFFS
    return Rounding(relative=factor * ACCUMULATOR_ROUNDOFF)


def _picked_sum(call: Call) -> Rounding:
    """A sum of one term for each target, whatever the number of classes."""
    length = max(1.0, call.args[1].numel() / max(1, call.out.numel()))
    factor = chain(length) / SQRT3 + APPROXIMATION_ROUNDOFFS
    return Rounding(relative=factor * ACCUMULATOR_ROUNDOFF)


def _any_reduction(call: Call) -> Rounding:
    """An op without a rule of its own: a sum over as many terms as the sizes suggest."""
    factor = ACCUMULATOR_ROUNDOFF * (chain(call.ratio()) + APPROXIMATION_ROUNDOFFS)
    typical = call.out.square().mean().sqrt() if call.out.numel() else 0.0
    return Rounding(relative=factor, absolute=factor * typical)


def _cumulative_sum(call: Call) -> Rounding:
    return Rounding(chained=("sum", int(call.args[1])))


def _cumulative_product(call: Call) -> Rounding:
    return Rounding(chained=("product", int(call.args[1])))


def _cumulative_log(call: Call) -> Rounding:
    return Rounding(chained=("log", int(call.args[1])), relative=ACCUMULATOR_ROUNDOFF)


def _function(call: Call) -> Rounding:
    """By polynomial or table: 4 ulp."""
    return Rounding(relative=FUNCTION)


def _function_near_one(call: Call) -> Rounding:
    """4 ulp, and 2 ulp of 1, which its usual formula cancels against."""
    return Rounding(relative=FUNCTION, absolute=FUNCTION / 2)


def _function_times_input(call: Call) -> Rounding:
    """4 ulp, and 2 ulp of the input, which is multiplied by a cancelled factor."""
    if call.in_place:
        return Rounding(relative=FUNCTION)
    size = Elementwise(lambda x: x.abs() * (FUNCTION / 2), (call.args[0],))
    return Rounding(relative=FUNCTION, absolute=size)


def _power(call: Call) -> Rounding:
    """x^y as exp(y log x): relative error grows with |y log x|; small powers by products."""
    exponent = call.args[1]
    if isinstance(exponent, (int, float)) and abs(float(exponent)) in (0.5, 1.0, 2.0, 3.0):
        return Rounding(relative=FUNCTION)

    def error(out: torch.Tensor) -> torch.Tensor:
        steps = out.abs().clamp_min(1e-300).log().abs()
        return (1.0 + torch.where(torch.isfinite(steps), steps, 0.0)) * FUNCTION

    return Rounding(relative=Elementwise(error, (call.out,)))


def _interpolation(call: Call) -> Rounding:
    """Weights come from coordinates, which lose roundoffs of the input's size in elements."""
    x = call.args[0]
    factor = APPROXIMATION_ROUNDOFFS + 2.0 * max(x.shape[2:], default=1)
    return Rounding(absolute=x.square().mean().sqrt() * (factor * ACCUMULATOR_ROUNDOFF))


def _from_names(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **_from_names("mm bmm mv dot vdot", _product),
    **_from_names("addmm baddbmm addmv", _product_and_sum),
    **_from_names("convolution", _convolution),
    **_from_names("sum nansum", _sum),
    **_from_names("mean", _mean),
    **_from_names("avg_pool1d avg_pool2d avg_pool3d", _average_pool),
    **_from_names("_adaptive_avg_pool2d _adaptive_avg_pool3d", _average_pool),
    **_from_names("var std var_mean std_mean norm linalg_vector_norm prod", _positive_sum),
    **_from_names("nll_loss_forward nll_loss2d_forward", _picked_sum),
    **_from_names("mse_loss huber_loss smooth_l1_loss", _positive_sum),
    **_from_names("binary_cross_entropy soft_margin_loss", _positive_sum),
    **_from_names("multi_margin_loss multilabel_margin_loss_forward", _positive_sum),
    **_from_names("_cdist_forward _pdist_forward", _positive_sum),
    **_from_names("cumsum", _cumulative_sum),
    **_from_names("cumprod", _cumulative_product),
    **_from_names("logcumsumexp", _cumulative_log),
    **_from_names("_softmax", normalisations.softmax),
    **_from_names("_log_softmax", normalisations.log_softmax),
    **_from_names("logsumexp", normalisations.log_sum),
    **_from_names("native_layer_norm", normalisations.layer_norm),
    **_from_names("native_group_norm", normalisations.group_norm),
    **_from_names("native_batch_norm", normalisations.batch_norm),
    **_from_names("_native_batch_norm_legit_no_training", normalisations.batch_norm),
    **_from_names("exp exp2 log log2 log10 sigmoid rsqrt cosh", _function),
    **_from_names("log1p expm1 elu selu celu softplus log_sigmoid_forward", _function_near_one),
    **_from_names("tanh erf erfc erfinv sin cos tan sinh asinh atanh asin", _function_near_one),
    **_from_names("acos acosh atan atan2 logit lgamma digamma sinc", _function_near_one),
    **_from_names("gelu mish silu", _function_times_input),
    **_from_names("pow", _power),
    **_from_names("upsample_linear1d upsample_bilinear2d upsample_trilinear3d", _interpolation),
    **_from_names("upsample_bicubic2d _upsample_bilinear2d_aa grid_sampler_2d", _interpolation),
    **_from_names("_upsample_bicubic2d_aa grid_sampler_3d", _interpolation),
}
