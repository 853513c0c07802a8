"""The reference: PyTorch itself, in float64 or the widest format that works.

Flows in: the model in the tested dtype and inputs already rounded to it. Flows out: its
results in the wide format, from a copy that shares nothing with the model. Random numbers
drawn inside `forward` are drawn in the tested dtype and then widened, so that reference and
candidate see the same numbers after the same `torch.manual_seed`.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from bellrock.errors import BellrockError, VerifyError
from bellrock.verify.state import State, tensors_named, version_of

_aten = torch.ops.aten
_NARROW = (torch.float32, torch.float16, torch.bfloat16)


class WideMode(TorchDispatchMode):
    """Keeps a forward pass in `width` where the model's source names a narrower float.

    Also records which ops ran, and draws random numbers as the tested dtype would.
    """

    def __init__(self, *, width: torch.dtype, dtype: torch.dtype) -> None:
        """Take the format to compute in, and the tested one."""
        super().__init__()
        self.width, self.dtype = width, dtype
        self.random_ops: set[str] = set()

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        kwargs = dict(kwargs or {})
        if _draws(func, args, kwargs):
            self.random_ops.add(op_name(func))
            return self._draw(func, args, kwargs)
        if kwargs.get("dtype") in _NARROW:
            kwargs["dtype"] = self.width
        return self._widen_constant(func, self.execute(func, args, kwargs))

    def execute(
        self, func: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run one op; subclasses add what they need around it."""
        return func(*args, **kwargs)

    def _widen_constant(self, func: torch._ops.OpOverload, out: Any) -> Any:
        if func is _aten.lift_fresh.default and out.dtype in _NARROW:
            return out.to(self.width)
        return out

    def _draw(
        self, func: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        def narrow(value: object) -> object:
            if isinstance(value, torch.Tensor) and value.dtype == self.width:
                return value.to(self.dtype)
            return value

        has_dtype = any(argument.name == "dtype" for argument in schema_of(func).arguments)
        if has_dtype and kwargs.get("dtype") is None and not _takes_tensor(args):
            kwargs["dtype"] = torch.float32  # what PyTorch's default would have been
        elif kwargs.get("dtype") == self.width:
            kwargs["dtype"] = self.dtype
        out = func(*pytree.tree_map(narrow, args), **pytree.tree_map(narrow, kwargs))
        if torch.Tag.inplace in func.tags:
            return args[0].copy_(out)
        return pytree.tree_map_only(
            torch.Tensor, lambda t: t.to(self.width) if t.dtype in _NARROW else t, out
        )


def _takes_tensor(args: tuple[Any, ...]) -> bool:
    return any(isinstance(value, torch.Tensor) for value in args)


def _draws(func: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    if "scaled_dot_product" in op_name(func):  # draws only for dropout
        dropout = kwargs.get("dropout_p", args[3] if len(args) > 3 else 0.0)
        return isinstance(dropout, float) and dropout > 0.0
    return True


def schema_of(func: torch._ops.OpOverload) -> torch._C.FunctionSchema:
    """Return an op's schema, which PyTorch has no public name for."""
    return func._schema  # noqa: SLF001


def op_name(func: torch._ops.OpOverload) -> str:
    """Return an op's name without namespace, overload or the mark of an in-place form."""
    name = schema_of(func).name.split("::")[-1]
    return name.removesuffix("_") if not name.endswith("__") else name


def widened(value: Any, width: torch.dtype) -> Any:
    """Return a copy of a structure that shares nothing, its narrower floats widened."""

    def widen(tensor: torch.Tensor) -> torch.Tensor:
        narrow = tensor.dtype in _NARROW
        return tensor.detach().to(width if narrow else tensor.dtype, copy=True)

    return pytree.tree_map_only(torch.Tensor, widen, value)


def widened_model(model: torch.nn.Module, width: torch.dtype) -> torch.nn.Module:
    """Return a deep copy of a model with every float tensor in it widened.

    Tensors that are plain attributes (or in lists and dicts of them) are included. Ties
    between tensors are kept. No copy in the narrow dtype is made on the way.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for tensor in _tensors_in(vars(module), depth=3):
            if id(tensor) in memo:
                continue
            wide = widened(tensor, width)
            if isinstance(tensor, torch.nn.Parameter):
                wide = torch.nn.Parameter(wide, requires_grad=False)
            memo[id(tensor)] = wide
    return copy.deepcopy(model, memo)


def _tensors_in(value: Any, *, depth: int) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif depth and isinstance(value, dict):
        for item in value.values():
            yield from _tensors_in(item, depth=depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors_in(item, depth=depth - 1)


def flat_tensors(output: object) -> list[torch.Tensor]:
    """Return the tensors of an output structure in order."""
    return [leaf for leaf in pytree.tree_leaves(output) if isinstance(leaf, torch.Tensor)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What a run of the model writes beside its output."""

    state: tuple[str, ...] = ()
    """Names of buffers and other tensors of the model."""
    inputs: tuple[int, ...] = ()
    """Numbers among the input tensors."""

    @classmethod
    def since(cls, state: State, inputs: list[torch.Tensor], versions: list[int]) -> Written:
        """Return what was written since a state was saved and versions were noted."""
        changed = [n for n, t in enumerate(inputs) if version_of(t) != versions[n]]
        return cls(state=state.written(), inputs=tuple(changed))

    def values(self, model: torch.nn.Module, inputs: tuple[object, ...]) -> list[torch.Tensor]:
        """Return what was written, after a run."""
        tensors = flat_tensors(inputs)
        return [*tensors_named(model, self.state), *(tensors[n] for n in self.inputs)]

    @property
    def names(self) -> tuple[str, ...]:
        """What each is called in messages."""
        return (*self.state, *(f"input {n}" for n in self.inputs))


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceResult:
    """One run of the reference."""

    outputs: list[torch.Tensor]
    """The tensors of the output, then what was written; floats in the wide format."""
    random_ops: frozenset[str]
    """Ops that drew random numbers."""


@contextlib.contextmanager
def plain_pytorch(width: torch.dtype, seed: int) -> Iterator[None]:
    """Fix what else decides a forward pass: default dtype, seed, fused fast paths."""
    default, fast = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    torch.set_default_dtype(width)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_default_dtype(default)
        torch.backends.mha.set_fastpath_enabled(fast)


@dataclass(kw_only=True, slots=True)
class Reference:
    """Runs a model in the widest format that works; falls back once, and remembers."""

    model: torch.nn.Module
    dtype: torch.dtype
    width: torch.dtype = torch.float64
    fallbacks: list[str] = field(default_factory=list)
    written: Written | None = None
    """What a run writes; known after the first."""

    def run(self, inputs: tuple[object, ...], *, seed: int) -> ReferenceResult:
        """Run the model on inputs in the tested dtype, in the widest format that works.

        Raises:
            VerifyError: the model fails in every width.
        """
        while True:
            try:
                return self.run_with(self.mode(), inputs, seed)
            except BellrockError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever PyTorch lacks in this width
                self._narrow(error)

    def mode(self) -> WideMode:
        """Return a mode that adds nothing."""
        return WideMode(width=self.width, dtype=self.dtype)

    def _narrow(self, error: Exception) -> None:
        """Fall back to the next width, or give up if there is none."""
        lines = str(error).splitlines() or [""]
        what = f"{type(error).__name__}: {lines[0]}"
        narrower = [w for w in (torch.float32, self.dtype) if w.itemsize < self.width.itemsize]
        if not narrower:
            raise VerifyError(
                "the reference could not be computed", got=what,
                hint="run the model in PyTorch alone",
            ) from error  # fmt: skip
        self.fallbacks.append(f"the reference does not run in {self.width} ({what})")
        self.width = narrower[0]

    def run_with(self, mode: WideMode, inputs: tuple[object, ...], seed: int) -> ReferenceResult:
        """Run a fresh wide copy of the model under a dispatch mode."""
        model = widened_model(self.model, self.width)
        wide = widened(inputs, self.width)
        tensors, state = flat_tensors(wide), State.of(model) if self.written is None else State()
        before = [version_of(tensor) for tensor in tensors]
        with plain_pytorch(self.width, seed), mode:
            output = model(*wide)
        if self.written is None:
            self.written = Written.since(state, tensors, before)
        results = [*flat_tensors(output), *self.written.values(model, wide)]
        return ReferenceResult(
            outputs=[tensor.detach() for tensor in results],
            random_ops=frozenset(mode.random_ops),
        )
