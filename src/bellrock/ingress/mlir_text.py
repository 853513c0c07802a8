"""MLIR text, as a user writes it, into a `Payload`.

Flows in: a module with a function on ranked tensors of static shape. Flows out: a payload
whose arguments and results are those of that function; the text is checked, not changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bellrock.errors import PayloadError, UnknownNameError
from bellrock.payload.payload import Payload, fingerprint_of
from bellrock.payload.spec import DType, Role, TensorSpec
from bellrock.toolchain import check_toolchain, versions

if TYPE_CHECKING:
    from torch_mlir import ir


def load_mlir(text: str, *, name: str, entry: str | None = None, source: object = None) -> Payload:
    """Check a module and return it as a payload.

    Args:
        text: MLIR; every dialect of upstream MLIR and torch-mlir is known.
        name: for people.
        entry: symbol of the function to compile; None takes the only public one.
        source: file, for messages; None: they say `name`.

    Raises:
        PayloadError: the text does not parse or verify, the entry is not clear, or its
            arguments and results are not tensors of static shape.
        ToolchainError: the installed torch and torch-mlir are not the supported pair.
    """
    check_toolchain()
    from torch_mlir import ir

    from bellrock.ingress.context import payload_context

    with payload_context(), ir.Location.unknown():
        place = str(source or name)
        module = parse_module(text, place)
        function = _entry(module, entry, place)
        symbol = ir.StringAttr(function.attributes["sym_name"]).value
        kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
        arguments = _specs(kind.inputs, "argument", Role.INPUT, function, place)
        results = _specs(kind.results, "result", Role.RESULT, function, place)
    return Payload(
        name=name,
        arguments=arguments,
        results=results,
        fingerprint=fingerprint_of(text, symbol, repr(dict(versions()))),
        build=lambda: text,
        entry=symbol,
    )


def parse_module(text: str, source: str) -> ir.Module:
    """Parse a module in the context that is entered.

    Args:
        text: MLIR.
        source: file, for messages.

    Raises:
        PayloadError: it does not parse or verify.
    """
    from torch_mlir import ir

    try:
        return ir.Module.parse(text)
    except ir.MLIRError as error:
        diagnostics = error.error_diagnostics
        message = diagnostics[0].message if diagnostics else "it does not verify"
        where = _place(diagnostics[0].location, source) if diagnostics else source
        raise PayloadError(
            "the text is not valid MLIR", got=" ".join(message.split()), where=where
        ) from error


def _entry(module: ir.Module, entry: str | None, name: str) -> ir.Operation:
    functions = {
        _symbol(op): op.operation
        for op in module.body.operations
        if op.operation.name == "func.func" and op.regions[0].blocks
    }
    if entry is not None:
        if entry not in functions:
            raise UnknownNameError("function", entry, functions, where=name)
        return functions[entry]
    public = {
        symbol: op for symbol, op in functions.items() if "sym_visibility" not in op.attributes
    }
    if len(public) != 1:
        raise PayloadError(
            f"the module has {len(public)} public functions, so its entry is not clear",
            got=", ".join(public) or None,
            allowed="one public func.func with a body",
            where=name,
            hint="name the entry" if public else "write the computation as a func.func",
        )
    return next(iter(public.values()))


def _symbol(op: ir.Operation | ir.OpView) -> str:
    from torch_mlir import ir

    return ir.StringAttr(op.attributes["sym_name"]).value


def _specs(
    types: list[ir.Type], what: str, role: Role, function: ir.Operation, name: str
) -> tuple[TensorSpec, ...]:
    return tuple(
        _spec(kind, f"{what} {i}", f"{what[:3]}{i}", role, _place(function.location, name))
        for i, kind in enumerate(types)
    )


def _spec(kind: ir.Type, what: str, short: str, role: Role, where: str) -> TensorSpec:
    from torch_mlir import ir

    known = {dtype.value: dtype for dtype in DType}
    if not isinstance(kind, ir.RankedTensorType):
        raise PayloadError(
            f"{what} of the entry is not a ranked tensor",
            got=str(kind),
            allowed="ranked tensors of static shape, e.g. tensor<4x8xf32>",
            where=where,
            hint="a memref door has been bufferised already: give the module before that"
            if isinstance(kind, ir.MemRefType | ir.UnrankedMemRefType)
            else None,
        )
    if not kind.has_static_shape:
        raise PayloadError(
            f"{what} of the entry has a dynamic shape",
            got=str(kind),
            allowed="static shapes",
            where=where,
            hint="write the sizes in; each shape is compiled by itself",
        )
    if str(kind.element_type) not in known:
        raise PayloadError(
            f"{what} of the entry has an element type that Bellrock does not take",
            got=str(kind.element_type),
            allowed=sorted(known),
            where=where,
        )
    dtype = known[str(kind.element_type)]
    return TensorSpec(name=short, shape=tuple(kind.shape), dtype=dtype, role=role)


def _place(location: ir.Location, name: str) -> str:
    """Return `name:line:column` of a location in parsed text."""
    match = re.search(r":(\d+):(\d+)", str(location))
    return f"{name}:{match[1]}:{match[2]}" if match else name
