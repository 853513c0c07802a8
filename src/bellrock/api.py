"""Python's front door: `bellrock.compile(model, example_inputs)`.

Flows in: a PyTorch model and example inputs. Flows out: a `CompiledModel`, which is called as
the model is called.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bellrock.payload import DType, Role, TensorSpec

if TYPE_CHECKING:
    import torch

    from bellrock.compiler import Compiled
    from bellrock.ingress.torch_export import TorchProgram
    from bellrock.params.lock import Lock
    from bellrock.runtime.executable import Executable
    from bellrock.runtime.preparation import Preparer
    from bellrock.target.base import CodeMutant


class CompiledModel:
    """A compiled model.

    It reads the model's own parameters and buffers at each call, so that an update of a weight
    is seen: what was prepared from them (see `runtime.preparation`) is prepared anew. After
    writes that PyTorch does not count (through `.data` or a numpy view), call `forget_weights`.
    Thread safety: calls from several threads are safe.
    """

    def __init__(self, program: TorchProgram, compiled: Compiled) -> None:
        """Load a compiled program; use `compile` to make one."""
        from bellrock.runtime.executable import load

        self.program = program
        self.compiled = compiled
        self._executable = load(compiled)

    @property
    def result_specs(self) -> tuple[TensorSpec, ...]:
        """The tensors of the model's output, flattened; what `out` has to hold."""
        return tuple(s for s in self.compiled.payload.results if s.role is not Role.MUTATION)

    def __call__(
        self,
        *inputs: Any,
        out: torch.Tensor | Sequence[torch.Tensor] | None = None,
        **keywords: Any,
    ) -> Any:
        """Run the model.

        Args:
            *inputs: as the example inputs, of the same shapes and dtypes.
            out: one contiguous tensor for each of `result_specs`, to be written; where there is
                only one, it may be given as it is.
            **keywords: as the example keyword arguments.

        Returns:
            What the model returns, in its structure.

        Raises:
            CallError: an input or buffer does not fit.
        """
        import torch

        arguments = self.program.bind(inputs, keywords)
        if isinstance(out, torch.Tensor):
            out = (out,)
        buffers = None if out is None else [*out, *self._mutations(given=len(out))]
        results = self._executable([*arguments, *self.program.parameters], out=buffers)
        return self.program.unflatten(results, arguments=arguments)

    @property
    def timing_note(self) -> str:
        """Why times of calls are not those of the device meant; empty where they are."""
        return self._executable.timing_note

    def device_seconds(self) -> float | None:
        """Return the last call's time by the device's own clock; None if it is the host."""
        return self._executable.device_seconds()

    def flush_caches(self, cache_bytes: int) -> None:
        """Evict the device's caches, where they are not the host's."""
        self._executable.flush_caches(cache_bytes)

    def warnings(self) -> tuple[str, ...]:
        """Return what went wrong in the calls so far and was mended, e.g. by a second attempt."""
        return self._executable.warnings()

    def mutants(self) -> Iterator[CodeMutant[CompiledModel]]:
        """Yield this model with one mistake in its code each, to check whoever judges it."""
        for mutant in self._executable.mutants():
            yield mutant.of(self._with)

    def _with(self, executable: Executable) -> CompiledModel:
        other = copy.copy(self)
        other._executable = executable  # noqa: SLF001 (its own)
        return other

    @property
    def preparer(self) -> Preparer | None:
        """What keeps the values that depend on weights only; None where there are none."""
        return self._executable.preparer

    def forget_weights(self) -> None:
        """Prepare what depends on weights anew at the next call."""
        if self.preparer is not None:
            self.preparer.forget()

    def _mutations(self, *, given: int) -> list[torch.Tensor]:
        """Make buffers for the results that are written back, which no caller gives."""
        import torch

        specs = self.compiled.payload.results
        if given != len(self.result_specs):
            return []  # the executable says what is wrong
        return [
            torch.empty(s.shape, dtype=getattr(torch, s.dtype.torch_name))
            for s in specs
            if s.role is Role.MUTATION
        ]


def compile(
    model: torch.nn.Module,
    example_inputs: Sequence[Any],
    *,
    example_keywords: Mapping[str, Any] | None = None,
    target: str = "cpu",
    dtype: DType | str | None = None,
    pipeline: str | Path | None = None,
    lock: Lock | None = None,
    variables: Mapping[str, object] | None = None,
    cache_dir: Path | None = None,
    use_cache: bool = True,
    jobs: int | None = None,
    name: str | None = None,
) -> CompiledModel:
    """Compile a model for inputs like the examples.

    Args:
        model: called as `model(*example_inputs, **example_keywords)`; put it in eval mode.
        example_inputs: tensors give shapes and dtypes; other values are fixed.
        example_keywords: likewise, by name.
        target: name of the target.
        dtype: floating type to convert to; None leaves the model as it is.
        pipeline: name or path of a pipeline; None is the target's own.
        lock: choices to use again.
        variables: values for the pipeline's variables.
        cache_dir: folder of the compile cache; None is the user's.
        use_cache: False compiles anew and stores nothing.
        jobs: processes that may compile at once; None is one for each core.
        name: for records and messages; the model's class if None.

    Raises:
        BellrockError: the model cannot be imported or compiled; says where and why.
    """
    from bellrock.runtime.threads import share_openmp

    share_openmp()
    from bellrock.compiler import compile_payload
    from bellrock.ingress.torch_export import import_module

    program = import_module(
        model,
        tuple(example_inputs),
        name=name or type(model).__name__,
        dtype=None if dtype is None else DType(dtype),
        keywords=example_keywords,
    )
    compiled = compile_payload(
        program.payload, target=target, pipeline=pipeline, lock=lock, variables=variables,
        cache_dir=cache_dir, use_cache=use_cache, jobs=jobs,
    )  # fmt: skip
    return CompiledModel(program, compiled)
