"""The host functions that a pipeline leaves: the entry, and what prepares values for it.

Flows in: a lowered module. Flows out: under which symbols to make its functions callable,
and what they need of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellrock.errors import CompileError
from bellrock.target.base import Preparation

if TYPE_CHECKING:
    from torch_mlir import ir

_WORKSPACE = "bellrock.workspace_bytes"
"""Put on host functions by `plan-memory`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostFunctions:
    """The functions of a module that the runtime calls."""

    symbols: Mapping[str, str]
    """The symbol for each, by its name in the module."""
    workspace_bytes: int
    preparation: Preparation | None


def host_entries(module: ir.Module, entry: str, symbol: str) -> HostFunctions:
    """Find the functions that the runtime calls.

    Args:
        module: as the pipeline leaves it.
        entry: name of the entry function.
        symbol: to make it callable under.

    Raises:
        CompileError: there is no entry function.
    """
    from bellrock.dialects.preparation import SUFFIX

    main = function_named(module, entry)
    name = entry + SUFFIX
    symbols = {entry: symbol}
    preparation = None
    if name in _functions(module):
        symbols[name] = symbol + SUFFIX
        preparation = _preparation(_functions(module)[name], symbols[name])
    return HostFunctions(
        symbols=symbols, workspace_bytes=_workspace_bytes(main), preparation=preparation
    )


def function_named(module: ir.Module, name: str) -> ir.Operation:
    """Return a function of a module.

    Raises:
        CompileError: there is none of this name.
    """
    functions = _functions(module)
    if name not in functions:
        raise CompileError(
            "the module has no function of the entry's name", got=sorted(functions), allowed=name
        )
    return functions[name]


def _functions(module: ir.Module) -> dict[str, ir.Operation]:
    from torch_mlir import ir

    return {
        ir.StringAttr(op.operation.attributes["sym_name"]).value: op.operation
        for op in module.body.operations
        if "sym_name" in op.operation.attributes
    }


def _workspace_bytes(function: ir.Operation) -> int:
    from torch_mlir import ir

    if _WORKSPACE not in function.attributes:
        return 0
    return ir.IntegerAttr(function.attributes[_WORKSPACE]).value


def _preparation(function: ir.Operation, symbol: str) -> Preparation:
    from torch_mlir import ir

    from bellrock.dialects.preparation import PREPARES, VALUE_BYTES

    return Preparation(
        entry=symbol,
        arguments=tuple(ir.DenseI64ArrayAttr(function.attributes[PREPARES])),
        value_bytes=tuple(ir.DenseI64ArrayAttr(function.attributes[VALUE_BYTES])),
        workspace_bytes=_workspace_bytes(function),
    )
