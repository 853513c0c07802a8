"""Calling a compiled program on torch tensors or numpy arrays.

Flows in: a `Compiled` (or a saved program) and arguments. Flows out: results, in buffers that
the caller gave or in fresh ones. Contiguous arguments are used where they are; nothing is
copied on the way in or out.
"""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bellrock.errors import CallError
from bellrock.payload import DType, TensorSpec
from bellrock.runtime.memory import RESULTS, fresh_block
from bellrock.runtime.preparation import Preparer
from bellrock.target import TARGETS
from bellrock.target.base import Artifact, CodeMutant, Loaded

if TYPE_CHECKING:
    from bellrock.compiler import Compiled
    from bellrock.runtime.artifact import SavedProgram


POOLED_BYTES = 1 << 20
"""Results from this size on come from the pool. Below, allocators of torch and numpy recycle
memory themselves, and quicker."""


class Executable:
    """A program in memory.

    Thread safety: may be called from several threads at once; each thread has a workspace of
    its own, which is kept for its next call.
    """

    def __init__(
        self,
        *,
        target: str,
        artifact: Artifact,
        arguments: tuple[TensorSpec, ...],
        results: tuple[TensorSpec, ...],
    ) -> None:
        """Load an artifact into this process.

        Raises:
            CompileError: it cannot be linked here.
        """
        self.arguments, self.results = arguments, results
        self._artifact = artifact
        self._use(TARGETS.get(target).load(artifact))

    def _use(self, loaded: Loaded) -> None:
        self._loaded = loaded
        about = self._artifact.preparation
        self.preparer = None if about is None else Preparer(loaded, about)
        """Keeps what is computed once per set of weights; None where nothing is."""
        self._local = threading.local()

    @property
    def timing_note(self) -> str:
        """Why times of calls are not those of the device meant; empty where they are."""
        return self._loaded.timing_note

    def device_seconds(self) -> float | None:
        """Return the last call's time by the device's own clock; None if it is the host."""
        return self._loaded.device_seconds()

    def flush_caches(self, cache_bytes: int) -> None:
        """Evict the device's caches, where they are not the host's."""
        self._loaded.flush_caches(cache_bytes)

    def warnings(self) -> tuple[str, ...]:
        """Return what went wrong in the calls so far and was mended."""
        return self._loaded.warnings()

    def mutants(self) -> Iterator[CodeMutant[Executable]]:
        """Yield this program with one mistake in its code each (see `Loaded.mutants`)."""
        for mutant in self._loaded.mutants():
            yield mutant.of(self._with)

    def _with(self, loaded: Loaded) -> Executable:
        other = copy.copy(self)
        other._use(loaded)  # noqa: SLF001 (its own)
        return other

    def __call__(
        self, arguments: Sequence[Any], out: Sequence[Any] | None = None
    ) -> tuple[Any, ...]:
        """Run the program.

        Args:
            arguments: one torch tensor or numpy array for each of `self.arguments`, of its
                shape and dtype; one that is not contiguous is copied.
            out: one contiguous buffer for each result, which overlaps no argument; fresh
                ones are made if None.

        Returns:
            The results: `out`, or arrays of the kind of the arguments (torch if any is).

        Raises:
            CallError: a number, shape, dtype, device or layout does not fit.
        """
        if len(arguments) != len(self.arguments):
            raise CallError(
                "the number of arguments does not fit the program",
                got=len(arguments),
                allowed=f"{len(self.arguments)}: {', '.join(s.name for s in self.arguments)}",
            )
        held = [_contiguous(s, a) for s, a in zip(self.arguments, arguments, strict=True)]
        if out is None:
            as_torch = not held or any(not isinstance(a, np.ndarray) for a in held)
            results = tuple(_fresh(s, as_torch=as_torch) for s in self.results)
        else:
            results = self._given(out, held)
        inputs = [_address(a) for a in held]
        outputs = [_address(a) for a in results]
        # Held until the call is over: another thread may prepare for other weights meanwhile.
        prepared = self.preparer.values(arguments, inputs) if self.preparer else None
        values = prepared.addresses if prepared else ()
        self._loaded.call([*inputs, *values, *outputs, self._workspace()])
        return results

    def _given(self, out: Sequence[Any], arguments: Sequence[Any]) -> tuple[Any, ...]:
        if len(out) != len(self.results):
            raise CallError(
                "the number of output buffers does not fit the program",
                got=len(out),
                allowed=f"{len(self.results)}",
            )
        for spec, buffer in zip(self.results, out, strict=True):
            if _contiguous(spec, buffer) is not buffer:
                raise CallError(
                    f"the output buffer for {spec.name!r} is not contiguous",
                    got=f"strides {_strides(buffer)}",
                    hint="pass a contiguous tensor, and copy it where you need it",
                )
        spans = [(*_span(s, a), s.name) for s, a in zip(self.arguments, arguments, strict=True)]
        for spec, buffer in zip(self.results, out, strict=True):
            first, last = _span(spec, buffer)
            for other_first, other_last, name in spans:
                if first < other_last and other_first < last:
                    raise CallError(
                        f"the output buffer for {spec.name!r} overlaps {name!r}",
                        hint="pass a buffer of its own for each result",
                    )
            spans.append((first, last, spec.name))
        return tuple(out)

    def _workspace(self) -> int:
        """Return the address of this thread's workspace, aligned."""
        if not hasattr(self._local, "address"):
            self._local.buffer = fresh_block(self._artifact.workspace_bytes)
            self._local.address = int(self._local.buffer.ctypes.data)
        return self._local.address


def load(compiled: Compiled) -> Executable:
    """Load a compiled program into this process."""
    return Executable(
        target=compiled.target,
        artifact=compiled.artifact,
        arguments=compiled.payload.arguments,
        results=compiled.payload.results,
    )


def load_saved(program: SavedProgram) -> Executable:
    """Load a program from an artifact file into this process."""
    return Executable(
        target=program.target,
        artifact=program.artifact,
        arguments=program.arguments,
        results=program.results,
    )


def _contiguous(spec: TensorSpec, given: Any) -> Any:
    """Check an array against its specification; return it, or a contiguous copy."""
    if isinstance(given, np.ndarray):
        _check(spec, tuple(given.shape), _numpy_dtype_name(given), "cpu")
        return given if given.flags.c_contiguous else np.ascontiguousarray(given)
    if not hasattr(given, "data_ptr"):
        raise CallError(
            f"argument {spec.name!r} has to be a torch tensor or a numpy array",
            got=type(given).__name__,
        )
    _check(spec, given.shape, _torch_dtype_name(given.dtype), given.device.type)
    return given if given.is_contiguous() else given.contiguous()


def _check(spec: TensorSpec, shape: tuple[int, ...], dtype: str, device: str) -> None:
    if shape != spec.shape or dtype != spec.dtype.torch_name:
        raise CallError(
            f"{spec.name!r} does not fit the program",
            got=f"{dtype} of shape {list(shape)}",
            allowed=f"{spec.dtype.torch_name} of shape {list(spec.shape)}",
            hint="compile again for other shapes or dtypes",
        )
    if device != "cpu":
        raise CallError(f"{spec.name!r} is on another device", got=device, allowed="cpu")


@functools.cache
def _torch_dtype_name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _numpy_dtype_name(array: np.ndarray) -> str:
    return str(array.dtype)


def _fresh(spec: TensorSpec, *, as_torch: bool) -> Any:
    if as_torch or spec.dtype is DType.BF16:  # numpy has no bfloat16
        import torch

        dtype = getattr(torch, spec.dtype.torch_name)
        if spec.bytes < POOLED_BYTES:
            return torch.empty(spec.shape, dtype=dtype)
        return torch.from_numpy(RESULTS.take(spec.bytes)).view(dtype).view(spec.shape)
    if spec.bytes < POOLED_BYTES:
        return np.empty(spec.shape, dtype=spec.dtype.torch_name)
    return RESULTS.take(spec.bytes).view(spec.dtype.torch_name).reshape(spec.shape)


def _address(array: Any) -> int:
    if isinstance(array, np.ndarray):
        return int(array.ctypes.data)
    return int(array.data_ptr())


def _span(spec: TensorSpec, array: Any) -> tuple[int, int]:
    first = _address(array)
    return first, first + spec.bytes


def _strides(array: Any) -> list[int]:
    return list(array.strides) if isinstance(array, np.ndarray) else list(array.stride())
