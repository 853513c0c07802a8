"""Random numbers that a model draws while it runs, taken out of the compiled program.

Flows in: an exported program in which ops such as `torch.randn` or an active dropout occur.
Flows out: the same program with each such op replaced by a reference to an argument of role
`RANDOM`, and a `Draw` for each, which draws the numbers with PyTorch's own generator, in the
order of the model's source. So a compiled program is a pure function of its arguments; after
the same `torch.manual_seed` it sees the numbers that eager PyTorch sees; and `replay` lets
PyTorch run the model on given numbers, in any precision, which verification needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from bellrock.errors import ImportFailedError
from bellrock.ingress.source import where

_CREATES = frozenset(
    "rand randn randint randint.low randperm rand_like randn_like randint_like "
    "randint_like.low_dtype normal.float_float bernoulli.p".split()
)
"""Ops that return new numbers; of tensors given to them only the shape counts."""

_FILLS = frozenset(
    "uniform_ normal_ bernoulli_.float random_ random_.from random_.to exponential_ "
    "geometric_ cauchy_ log_normal_".split()
)
"""Ops that overwrite their first argument with new numbers."""

_SCALES = frozenset("dropout dropout_ feature_dropout feature_dropout_".split())
"""Ops that multiply their first argument by noise, when their third one is True."""

_REFUSED = frozenset(
    "bernoulli bernoulli_.Tensor multinomial poisson binomial rrelu rrelu_ alpha_dropout "
    "alpha_dropout_ feature_alpha_dropout feature_alpha_dropout_ normal.Tensor_float "
    "normal.float_Tensor normal.Tensor_Tensor native_dropout rrelu_with_noise".split()
)
"""Ops whose numbers depend on data: they cannot be drawn before the program runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Like:
    """Stands for a tensor of which an op reads only the shape and the dtype."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def tensor(self) -> Tensor:
        # Ones, because dropout's noise is what it makes of ones.
        return torch.ones(self.shape, dtype=self.dtype)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """How to draw one random argument.

    Calling `draw` of a program's draws in order consumes PyTorch's global generator exactly
    as one eager run of the model does.
    """

    name: str
    """Of the argument; unique in its program."""
    shape: tuple[int, ...]
    dtype: torch.dtype
    op: OpOverload
    arguments: tuple[object, ...]
    keywords: Mapping[str, object]

    def draw(self) -> Tensor:
        """Return new random numbers, of `shape` and `dtype`."""
        args, kwargs = pytree.tree_map_only(
            _Like, _Like.tensor, (self.arguments, dict(self.keywords))
        )
        with torch.no_grad():
            return self.op(*args, **kwargs)


class replay(TorchDispatchMode):  # noqa: N801  # used like a function: `with replay(...)`
    """While active, PyTorch's random ops return given numbers instead of drawing.

    Runs a model on the numbers that a compiled program was called with. Numbers are
    converted to the dtype that the op asks for, or to `dtype` if it is given.
    """

    def __init__(self, numbers: Sequence[Tensor], *, dtype: torch.dtype | None = None) -> None:
        """Prepare to hand out `numbers` in order; see the class."""
        super().__init__()
        self._numbers = iter(numbers)
        self._dtype = dtype

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Answer random ops; pass everything else on."""
        name = _name(func)
        if name not in _CREATES and name not in _FILLS:
            return func(*args, **(kwargs or {}))
        if name in _FILLS:
            given = self._next(args[0].dtype)
            # Inside dropout only the choice is drawn; `given` is scaled already.
            return args[0].copy_(given.ne(0) if name.startswith("bernoulli") else given)
        made = func(*args, **(kwargs or {}))
        return self._next(made.dtype)

    def _next(self, dtype: torch.dtype) -> Tensor:
        given = next(self._numbers, None)
        if given is None:
            raise ImportFailedError(
                "the model draws more random numbers than it did when it was imported",
                hint="keep the number of draws independent of data",
            )
        wanted = self._dtype if self._dtype is not None and dtype.is_floating_point else dtype
        return given.to(wanted)


@torch.library.custom_op("bellrock::drawn", mutates_args=())
def _drawn(index: int, size: list[int], dtype: torch.dtype) -> Tensor:
    """The random argument number `index`; stands in graphs until they are imported."""
    raise NotImplementedError("only the compiled program knows its arguments")


@_drawn.register_fake
def _(index: int, size: list[int], dtype: torch.dtype) -> Tensor:
    return torch.empty(size, dtype=dtype)


DRAWN: OpOverload = torch.ops.bellrock.drawn.default
"""Graph op that stands for a random argument: `(index, size, dtype)`."""


def take_draws(program: ExportedProgram) -> tuple[Draw, ...]:
    """Replace the random ops of a program by `DRAWN`, in place, and return their draws.

    Raises:
        ImportFailedError: random numbers depend on data, or are drawn inside a loop.
    """
    draws: list[Draw] = []
    for node in list(program.graph.nodes):
        name = _name(node.target)
        if name in _SCALES | _REFUSED and not _active(node):
            continue
        if name in _REFUSED:
            raise _refused(node, "its random numbers depend on data")
        if name in _CREATES | _FILLS | _SCALES:
            draws.append(_take(program, node, len(draws), name))
    for module in program.graph_module.modules():
        if module is program.graph_module or not isinstance(module, GraphModule):
            continue
        for node in module.graph.nodes:
            if _name(node.target) in _CREATES | _FILLS | _SCALES | _REFUSED:
                raise _refused(node, "it draws random numbers inside a loop or a branch")
    if draws:
        program.graph_module.recompile()
    return tuple(draws)


def check_drawn(program: ExportedProgram) -> None:
    """Make sure that a decomposed program draws nothing by itself.

    Raises:
        ImportFailedError: an op that draws came out of a decomposition.
    """
    for node in program.graph.nodes:
        seeded = torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
        if seeded and _active(node):
            raise _refused(node, "it draws random numbers")


def _active(node: Node) -> bool:
    """Whether an op draws at all: those that take a training flag draw only if it is set."""
    names = [argument.name for argument in _op(node)._schema.arguments]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    flags = {"train", "training"} & set(names)
    return not flags or any(given.get(flag, False) is not False for flag in flags)


def _take(program: ExportedProgram, node: Node, index: int, name: str) -> Draw:
    value = node.meta["val"]
    args, kwargs = pytree.tree_map_only(
        Node,
        lambda n: _Like(shape=tuple(n.meta["val"].shape), dtype=n.meta["val"].dtype),
        (tuple(node.args), dict(node.kwargs)),
    )
    op = _op(node)
    if name in _CREATES and any(a.name == "dtype" for a in op._schema.arguments):
        # The default type when the numbers are drawn need not be that of the import.
        kwargs["dtype"] = value.dtype
    draw = Draw(
        name=f"random_{index}",
        shape=tuple(value.shape),
        dtype=value.dtype,
        op=op,
        arguments=args,
        keywords=kwargs,
    )
    graph = node.graph
    with graph.inserting_before(node):
        drawn = graph.call_function(DRAWN, (index, list(value.shape), value.dtype))
        drawn.meta = {**node.meta}
        combine = _combiner(name)
        new = drawn
        if combine is not None:
            new = graph.call_function(combine, (node.args[0], drawn))
            new.meta = {**node.meta}
    node.replace_all_uses_with(new)
    program.graph_signature.replace_all_uses(node.name, new.name)
    graph.erase_node(node)
    return draw


def _op(node: Node) -> OpOverload:
    assert isinstance(node.target, OpOverload), "random ops are found by the name of their op"
    return node.target


def _combiner(name: str) -> Callable[..., Any] | None:
    aten = torch.ops.aten
    if name in _FILLS:
        return aten.copy_.default
    if name in _SCALES:
        return aten.mul_.Tensor if name.endswith("_") else aten.mul.Tensor
    return None


def _name(target: object) -> str:
    """Return an aten op's name with its overload, as in the tables above; else nothing."""
    if not isinstance(target, OpOverload) or target.namespace != "aten":
        return ""
    return str(target).removeprefix("aten.").removesuffix(".default")


def _refused(node: Node, why: str) -> ImportFailedError:
    return ImportFailedError(
        f"PyTorch op {node.target} cannot be expressed: {why}",
        where=where(node),
        hint="draw the numbers outside the model and pass them as an input",
    )
