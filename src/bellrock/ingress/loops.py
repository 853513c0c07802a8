"""Recurrent layers as loops: one `while_loop` for each layer and direction.

Flows in: calls of the LSTM, GRU and RNN kernels that `nn.LSTM` and its kin make. Flows out:
during `torch.export` (under `KeepRecurrent`), one op of ours for the whole stack of layers;
in the decomposition table, its meaning: the input's products for all steps in one matrix
product, then a loop over the steps. `loop_import` turns the loops into `scf.for`.

PyTorch's own decomposition unrolls these layers over their steps, which takes minutes and
megabytes. No module is replaced or copied: the user's model stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop_op
from torch._ops import OperatorBase
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from bellrock.errors import ImportFailedError


@torch.library.custom_op("bellrock::recurrent", mutates_args=())
def recurrent(
    kind: str,
    x: Tensor,
    states: list[Tensor],
    weights: list[Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> list[Tensor]:
    """A stack of recurrent layers in eval mode: the output, then the last states."""
    initial = states if kind == "lstm" else states[0]
    options = (has_biases, num_layers, 0.0, False, bidirectional, batch_first)
    return [r.clone() for r in getattr(torch._VF, kind)(x, initial, weights, *options)]


@recurrent.register_fake
def _(
    kind: str,
    x: Tensor,
    states: list[Tensor],
    weights: list[Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> list[Tensor]:
    features = states[0].shape[2] * (2 if bidirectional else 1)
    return [x.new_empty([*x.shape[:2], features]), *(s.new_empty(s.shape) for s in states)]


class KeepRecurrent(TorchFunctionMode):
    """While active, recurrent kernels are one op each, for `torch.export` to record."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Record a recurrent kernel as `bellrock::recurrent`; pass everything else on."""
        kind = getattr(func, "__name__", "")
        if kind not in _STEPS or kwargs or not isinstance(args[3], bool):
            return func(*args, **(kwargs or {}))
        x, states, weights, has_biases, num_layers, dropout, train, bidirectional, first = args
        if train and dropout > 0:
            raise ImportFailedError(
                f"a recurrent layer ({kind}) draws dropout between its layers",
                got="a model in training mode",
                hint="call model.eval() first",
            )
        state_list = list(states) if kind == "lstm" else [states]
        return tuple(
            torch.ops.bellrock.recurrent(
                kind, x, state_list, list(weights), has_biases, num_layers, bidirectional, first
            )
        )


def decompositions() -> Mapping[OperatorBase, Callable[..., Any]]:
    """Return the decomposition of `bellrock::recurrent`."""
    return {torch.ops.bellrock.recurrent.default: _as_loops}


def _as_loops(
    kind: str,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> list[Tensor]:
    directions = 2 if bidirectional else 1
    share = len(weights) // (num_layers * directions)
    last: list[list[Tensor]] = [[] for _ in states]
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            at = layer * directions + direction
            run = _Layer(
                step=_STEPS[kind],
                weights=_Weights.of(weights[at * share : (at + 1) * share], has_biases),
                dim=1 if batch_first else 0,
                reverse=direction == 1,
            )
            output, *final = run(x, [s[at] for s in states])
            outputs.append(output)
            for kept, state in zip(last, final, strict=True):
                kept.append(state)
        x = torch.cat(outputs, 2) if directions == 2 else outputs[0]
    return [x, *(torch.stack(kept) for kept in last)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Weights:
    given: Tensor
    hidden: Tensor
    given_bias: Tensor | None
    hidden_bias: Tensor | None
    projection: Tensor | None

    @classmethod
    def of(cls, flat: Sequence[Tensor], has_biases: bool) -> _Weights:
        biases = flat[2:4] if has_biases else (None, None)
        rest = flat[4:] if has_biases else flat[2:]
        return cls(
            given=flat[0],
            hidden=flat[1],
            given_bias=biases[0],
            hidden_bias=biases[1],
            projection=rest[0] if rest else None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layer:
    """One layer in one direction, over dimension `dim` of its input."""

    step: Callable[..., tuple[Tensor, ...]]
    weights: _Weights
    dim: int
    reverse: bool

    def __call__(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the output for all steps, then the last states."""
        w = self.weights
        given = functional.linear(x, w.given, w.given_bias)
        constants = [c for c in (given, w.hidden, w.hidden_bias, w.projection) if c is not None]
        steps, count = x.shape[self.dim], len(states)
        output = x.new_empty([*x.shape[:2], states[0].shape[-1]])

        def condition(t: Tensor, *_: Tensor) -> Tensor:
            return t < steps

        def body(t: Tensor, out: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
            now, (given, *others) = rest[:count], rest[count:]
            row = torch.ops.bellrock.take_row(given, t, self.dim, self.reverse)
            new = self._advance(row, now, iter(others))
            out = torch.ops.bellrock.put_row(out, t, new[0], self.dim, self.reverse)
            return (t + 1, out, *new)

        start = torch.zeros((), dtype=torch.int64, device=x.device)
        # Carried tensors must not alias anything that lives outside the loop.
        carried = (start, output, *(s.clone() for s in states))
        carried_as_annotated: Any = carried  # by PyTorch, which annotates one value only
        _, *results = while_loop_op(condition, body, carried_as_annotated, tuple(constants))
        return tuple(results)

    def _advance(self, row: Tensor, states: Sequence[Tensor], others: Any) -> list[Tensor]:
        hidden_weight = next(others)
        hidden_bias = next(others) if self.weights.hidden_bias is not None else None
        hidden = functional.linear(states[0], hidden_weight, hidden_bias)
        wide = torch.promote_types(row.dtype, torch.float32)
        new = list(self.step(row.to(wide), hidden.to(wide), [s.to(wide) for s in states]))
        new = [n.to(s.dtype) for n, s in zip(new, states, strict=True)]
        if self.weights.projection is not None:
            new[0] = functional.linear(new[0], next(others))
        return new


def _lstm_step(given: Tensor, hidden: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
    i, f, g, o = (given + hidden).chunk(4, dim=1)
    cell = torch.sigmoid(f) * states[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def _gru_step(given: Tensor, hidden: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
    given_r, given_z, given_n = given.chunk(3, dim=1)
    hidden_r, hidden_z, hidden_n = hidden.chunk(3, dim=1)
    update = torch.sigmoid(given_z + hidden_z)
    new = torch.tanh(given_n + torch.sigmoid(given_r + hidden_r) * hidden_n)
    return ((1 - update) * new + update * states[0],)


def _tanh_step(given: Tensor, hidden: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (torch.tanh(given + hidden),)


def _relu_step(given: Tensor, hidden: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (torch.relu(given + hidden),)


_STEPS: Mapping[str, Callable[..., tuple[Tensor, ...]]] = {
    "lstm": _lstm_step,
    "gru": _gru_step,
    "rnn_tanh": _tanh_step,
    "rnn_relu": _relu_step,
}
"""Kernel's name in PyTorch -> (input's gates, hidden product, states) -> new states."""
