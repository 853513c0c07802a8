"""The target `null`: programs that fill their results with zeros.

Useful as the floor of what calling a program costs, and as a mutant that a checker of results must
reject. Flows in: modules. Flows out: "code" that says how many bytes each result has.
"""

from __future__ import annotations

import ctypes
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.errors import CompileError
from bellrock.target.base import Artifact, Emitted, Facts, Loaded, Target

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.params.knobs import Knobs
    from bellrock.payload.motif import Motif


class NullProgram(Loaded):
    """Writes zeros to every result."""

    def __init__(self, *, arguments: int, result_bytes: Sequence[int]) -> None:
        self._arguments, self._result_bytes = arguments, result_bytes

    def call(self, addresses: Sequence[int]) -> None:
        for address, size in zip(addresses[self._arguments :], self._result_bytes, strict=False):
            ctypes.memset(address, 0, size)


class NullTarget(Target):
    """Computes nothing; every result is zero."""

    name = "null"

    def facts(self) -> Facts:
        return Facts(
            device="none",
            cores=1,
            vector_bits=64,
            vector_registers=1,
            cache_bytes={},
            features=frozenset(),
        )

    def default_pipeline(self) -> str:
        return "null"

    def pipelines(self) -> Path:
        return Path(__file__).parent / "pipelines"

    def knobs(self, motif: Motif) -> tuple[type[Knobs], ...]:
        return ()

    def default_choice(self, motif: Motif) -> Knobs | None:
        return None

    def emit(self, module: ir.Module, *, entries: Mapping[str, str]) -> Emitted:
        from torch_mlir import ir

        for op in module.body.operations:
            if op.operation.name == "func.func" and op.name.value in entries:
                signature = ir.FunctionType(op.function_type.value)
                sizes = [_bytes(ir.RankedTensorType(each)) for each in signature.results]
                code = json.dumps([len(signature.inputs), sizes]).encode()
                return Emitted(code=code, vectorised=False, parallel=False)
        raise CompileError("the module has no entry function", allowed=sorted(entries))

    def load(self, artifact: Artifact) -> Loaded:
        arguments, sizes = json.loads(artifact.objects[0])
        return NullProgram(arguments=arguments, result_bytes=sizes)


def _bytes(tensor: ir.RankedTensorType) -> int:
    """Size of a tensor of static shape; an element of one bit is stored as one byte."""
    return math.prod(tensor.shape) * max(1, tensor.element_type.width // 8)


NULL = NullTarget()
