"""Statistics of normalisation layers, randomised where outputs collapse.

Flows in: a model whose running means and variances are fresh (0 and 1), so that a deep net
forgets its input. Flows out: the same model with statistics as training would leave them.
"""

from __future__ import annotations

from typing import Any

import torch

from bellrock.verify.reference import Reference, plain_pytorch, widened, widened_model

_SPREAD = 0.3
"""Random deviation from the measured statistics, in standard deviations and in log scale:
enough that leaving a statistic out is a gross error."""


def statistics_of(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Return the modules, by name, that normalise with running statistics."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(getattr(module, "running_mean", None), torch.Tensor)
        and isinstance(getattr(module, "running_var", None), torch.Tensor)
    }


def randomise_statistics(reference: Reference, inputs: tuple[object, ...], *, seed: int) -> int:
    """Set each running statistic to what its layer sees, changed at random; in place.

    Args:
        reference: whose model is changed (and so is any program that reads its buffers).
        inputs: one batch in the tested dtype.
        seed: of the random change.

    Returns:
        The number of layers that were changed.
    """
    wide = widened_model(reference.model, reference.width)
    generator = torch.Generator().manual_seed(seed)
    done: set[int] = set()

    def calibrate(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        if id(module) in done:
            return
        done.add(id(module))
        _calibrate(module, args[0], generator)

    layers = statistics_of(wide)
    for layer in layers.values():
        layer.register_forward_pre_hook(calibrate)
    with plain_pytorch(reference.width, seed), reference.mode():
        wide(*widened(inputs, reference.width))
    own = statistics_of(reference.model)
    with torch.no_grad():
        for name, layer in layers.items():
            if id(layer) in done:
                for buffer in ("running_mean", "running_var"):
                    getattr(own[name], buffer).copy_(getattr(layer, buffer))
    return len(done)


def _calibrate(module: torch.nn.Module, x: torch.Tensor, generator: torch.Generator) -> None:
    mean, variance = module.get_buffer("running_mean"), module.get_buffer("running_var")
    dims = [d for d in range(x.dim()) if d != min(1, x.dim() - 1)]
    found_variance, found_mean = torch.var_mean(x, dims, correction=0)
    floor = 1e-3 * float(found_variance.mean()) + 1e-12
    found_variance = found_variance.clamp_min(floor)
    random = torch.randn((2, mean.numel()), generator=generator, dtype=torch.float32).to(mean.dtype)
    mean.copy_(found_mean + _SPREAD * random[0] * found_variance.sqrt())
    variance.copy_(found_variance * torch.exp(_SPREAD * random[1]))
