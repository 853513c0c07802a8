"""Problem files in KernelBench's format: a `Model`, its sizes as globals, and its inputs.

Flows in: a Python file and overrides of its module-level globals. Flows out: a `Problem`
(checked, not run), and from it model and inputs, made from a seed in a wanted dtype, real
or fake (shapes without memory).

The file defines `Model`, `get_init_inputs()` (arguments of `Model`) and `get_inputs()`
(arguments of `Model.forward`). It is run as a module of its own each time it is built.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import linecache
import random
import sys
import traceback
import types
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bellrock.errors import ProblemError
from bellrock.ingress.overrides import apply_overrides, checked_overrides, defined_names, parse
from bellrock.payload.spec import DType

if TYPE_CHECKING:
    import torch

REQUIRED_NAMES = ("Model", "get_inputs", "get_init_inputs")
"""What a problem file has to define."""

_serial = itertools.count()


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemInstance:
    """A problem made concrete."""

    model: torch.nn.Module
    """In eval mode, floating parameters and buffers in the wanted dtype."""
    inputs: tuple[Any, ...]
    """Arguments of `model`; floating tensors in the wanted dtype, all else as the file made it."""
    fake: bool
    """Whether the inputs have shapes only (the model's parameters may be real even so)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A problem file with overrides, checked but not run."""

    name: str
    """Stem of the file."""
    path: Path
    sha256: str
    """Of the file's bytes, without the overrides."""
    overrides: Mapping[str, object]
    """Values by the name of the global that each replaces."""
    _source: str = field(repr=False)

    def build(
        self, *, dtype: DType = DType.F32, seed: int = 0, fake: bool = False
    ) -> ProblemInstance:
        """Run the file and make its model and inputs.

        Args:
            dtype: type of floating parameters, buffers and inputs.
            seed: decides all random numbers; the caller's generators are left as they were.
            fake: make tensors without memory. Where the model's constructor reads values,
                the model is real and only the inputs are fake.

        Raises:
            ProblemError: the file raised, or is not in the format.
        """
        if not fake:
            with _seeded(seed):
                return self._build(dtype, fake=False)
        from torch._subclasses.fake_tensor import FakeTensorMode

        mode = FakeTensorMode(allow_non_fake_inputs=True)
        try:
            with _seeded(seed), mode:
                return self._build(dtype, fake=True)
        except ProblemError:
            # Constructors that read values (`.item()`) fail on fakes, and not only with one
            # exception. If the file is at fault, building it for real says so again.
            with _seeded(seed):
                return self._build(dtype, fake=True, inputs_mode=mode)

    def inputs(self, *, dtype: DType = DType.F32, seed: int = 0) -> tuple[Any, ...]:
        """Run the file and make inputs alone, without the time and memory of a model.

        Args:
            dtype: type of floating inputs.
            seed: decides all random numbers. The numbers are others than those of `build`
                with this seed, whose model draws its parameters first.

        Raises:
            ProblemError: the file raised, or is not in the format.
        """
        with _seeded(seed):
            module = self._run()
            try:
                return self._inputs(module, dtype)
            finally:
                sys.modules.pop(module.__name__, None)

    def _inputs(self, module: types.ModuleType, dtype: DType) -> tuple[Any, ...]:
        import torch
        from torch.utils import _pytree as pytree

        wanted = getattr(torch, dtype.torch_name)
        with self._blamed("get_inputs"):
            return pytree.tree_map_only(
                torch.Tensor,
                lambda t: t.to(wanted) if t.is_floating_point() else t,
                tuple(module.get_inputs()),
            )

    def _build(
        self,
        dtype: DType,
        *,
        fake: bool,
        inputs_mode: contextlib.AbstractContextManager[Any] | None = None,
    ) -> ProblemInstance:
        import torch

        from bellrock.ingress.torch_module import convert_module

        module = self._run()
        with self._blamed("Model"):
            arguments = module.get_init_inputs()
            model = module.Model(*arguments)
        if not isinstance(model, torch.nn.Module):
            raise ProblemError("Model is not a torch.nn.Module", where=self.path)
        with inputs_mode or contextlib.nullcontext():
            inputs = self._inputs(module, dtype)
        model.eval()
        convert_module(model, dtype)
        # The module stays importable (pickle, inspect) for as long as its model lives.
        weakref.finalize(model, sys.modules.pop, module.__name__, None)
        return ProblemInstance(model=model, inputs=inputs, fake=fake)

    def _run(self) -> types.ModuleType:
        tree = apply_overrides(parse(self._source, self.path), self.overrides)
        module = types.ModuleType(f"bellrock_problem_{self.name}_{next(_serial)}")
        module.__file__ = str(self.path)
        sys.modules[module.__name__] = module
        try:
            with self._blamed("the file"):
                exec(compile(tree, str(self.path), "exec"), module.__dict__)
            for name in REQUIRED_NAMES:
                if not callable(getattr(module, name, None)):
                    raise _missing(name, self.path)
        except BaseException:
            del sys.modules[module.__name__]
            raise
        return module

    @contextlib.contextmanager
    def _blamed(self, part: str) -> Iterator[None]:
        """Turn what the file's own code raises into a `ProblemError` with its line."""
        try:
            yield
        except ProblemError:
            raise
        except (Exception, SystemExit) as error:
            raise ProblemError(
                f"{part} of problem {self.name!r} raised {type(error).__name__}",
                got=" ".join(str(error).split()) or None,
                where=self._line(error),
                hint="run the file by itself in PyTorch first",
            ) from error

    def _line(self, error: BaseException) -> str:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if frame.filename == str(self.path)]
        if not own or own[-1] is None:
            return str(self.path)
        code = linecache.getline(str(self.path), own[-1]).strip()
        return f"{self.path}:{own[-1]} ({code})"


def load_problem(path: str | Path, overrides: Mapping[str, object] | None = None) -> Problem:
    """Read and check a problem file; nothing in it is run.

    Args:
        path: the Python file.
        overrides: values by name of a module-level global; text is read as a Python literal.

    Raises:
        ProblemError: the file is missing, is not Python, lacks a required name, or an
            override names no global or has the wrong type.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        source = data.decode("utf-8")
    except OSError as error:
        raise ProblemError(
            "the problem file cannot be read", got=error.strerror, where=path
        ) from error
    except UnicodeDecodeError as error:
        raise ProblemError("the problem file is not text in UTF-8", where=path) from error
    tree = parse(source, path)
    names = defined_names(tree)
    for name in REQUIRED_NAMES:
        if names is not None and name not in names:
            raise _missing(name, path)
    resolved = checked_overrides(tree, overrides or {}, path)
    return Problem(
        name=path.stem,
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        overrides=resolved,
        _source=source,
    )


def _missing(name: str, path: Path) -> ProblemError:
    return ProblemError(
        f"the problem file does not define {name!r}",
        allowed=f"a file that defines {', '.join(REQUIRED_NAMES)}",
        where=path,
        hint="see examples/problems for the format",
    )


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed every generator that a problem may use, and put the old states back."""
    import numpy as np
    import torch

    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  # the generator that files use
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
