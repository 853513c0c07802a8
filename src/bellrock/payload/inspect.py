"""What is in a payload: its door, each op's motif, flops and traffic, patterns and totals.

Flows in: a `Payload` or MLIR text. Flows out: `Inspection`, plain data. Nothing is compiled and no
tensor is allocated. Flops are counted as `Body.flops` says; bytes as `Motif.bytes_read` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch_mlir import ir

from bellrock.errors import PayloadError
from bellrock.payload.context import parse_payload
from bellrock.payload.graph import Graph, Node, entry_function, read_graph
from bellrock.payload.motif import DYNAMIC, Motif, MotifKind
from bellrock.payload.motifs.base import element_bytes
from bellrock.payload.motifs.structured import shape_and_dtype
from bellrock.payload.pattern import Group, find_groups
from bellrock.payload.payload import Payload
from bellrock.payload.roofline import Roofline, roofline
from bellrock.payload.spec import DType, Role, TensorSpec

if TYPE_CHECKING:
    from bellrock.target.base import Facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One op."""

    index: int
    motif: Motif
    executions: int
    """Runs in one call."""
    flops: int | None
    """In one call; None where a size is dynamic. Of a convolution over an input that was stuffed
    with zeros, only those with its elements: a lowering need not do the others."""
    bytes_read: int | None
    """In one call, from distinct operands, each counted once in each run."""
    bytes_written: int | None
    """In one call."""
    group: int | None = None
    """Position of its group in `Inspection.groups`."""

    @property
    def source(self) -> str:
        """The place in the model's source, shortened; empty if unknown."""
        return short_location(self.motif.location)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """Everything that can be read off a payload without compiling it."""

    name: str
    arguments: tuple[TensorSpec, ...]
    results: tuple[TensorSpec, ...]
    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    others: Mapping[str, int] = field(default_factory=dict)
    """Ops that compute and move nothing, by name."""
    flops: int = 0
    """Of one call."""
    bytes_read: int = 0
    """Of one call, each op by itself."""
    bytes_written: int = 0
    """Of one call, each op by itself."""
    compulsory_bytes: int = 0
    """Arguments that are read and results, each moved once: what no fusion can save."""
    roofline: Roofline | None = None
    warnings: tuple[str, ...] = ()
    """What could not be counted exactly; totals are then lower bounds."""

    @property
    def intensity(self) -> float:
        """Flops for each compulsory byte (the x axis of a roofline)."""
        return self.flops / self.compulsory_bytes if self.compulsory_bytes else 0.0

    @property
    def flops_by_dtype(self) -> dict[str, int]:
        """Flops by the element type of the operands."""
        return _flops_by_dtype(self.rows)


def inspect_payload(
    payload: Payload | str,
    *,
    name: str = "payload",
    entry: str = "main",
    facts: Facts | None = None,
) -> Inspection:
    """Read a payload.

    Args:
        payload: or the text of a module.
        name: of a text, for messages.
        entry: symbol of a text's entry function.
        facts: of a device, to be given its roofline bound.

    Raises:
        PayloadError: the text does not parse, has no entry function, or tensors of types that
            are not supported at its door.
        ImportFailedError: the payload could not be imported.
    """
    if isinstance(payload, Payload):
        text, name, entry = payload.text(), payload.name, payload.entry
    else:
        text = payload
    module = parse_payload(text, name=name)
    with module.context:
        function = entry_function(module, entry=entry, name=name)
        graph = read_graph(function)
        if isinstance(payload, Payload):
            arguments, results = payload.arguments, payload.results
        else:
            arguments, results = _door(function, name)
        compulsory = _read_from(function, arguments) + sum(r.bytes for r in results)
    return _inspection(name, arguments, results, graph, compulsory, facts)


def short_location(location: str) -> str:
    """Return the innermost `file:line` of an MLIR location that is outside of libraries.

    Args:
        location: as `Motif.location` has it.
    """
    places: list[str] = []
    for i, part in enumerate(location.split('"')):
        if i % 2:
            places.append(part)
        elif places and part.startswith(":"):
            places[-1] += f":{part[1:].partition(':')[0]}"
    own = [p for p in places if "site-packages" not in p]
    place = (own or places or [""])[0].rpartition("/")[2]
    # MLIR text without locations of its own: the parser names no file, only the line.
    return f"line {place[2:]}" if place.startswith("-:") else place


def _inspection(
    name: str,
    arguments: tuple[TensorSpec, ...],
    results: tuple[TensorSpec, ...],
    graph: Graph,
    compulsory_bytes: int,
    facts: Facts | None,
) -> Inspection:
    groups = find_groups(graph)
    group_of = {node: i for i, group in enumerate(groups) for node in group.nodes}
    rows = tuple(_row(node, graph, group_of.get(node.index)) for node in graph.nodes)
    warnings = list(dict.fromkeys(graph.warnings))
    if any(None in (r.flops, r.bytes_read, r.bytes_written) for r in rows):
        warnings.append("ops of dynamic size are left out of the totals")
    bound = facts and roofline(_flops_by_dtype(rows), compulsory_bytes, facts)
    return Inspection(
        name=name,
        arguments=arguments,
        results=results,
        rows=rows,
        groups=groups,
        others=dict(sorted(graph.others.items())),
        flops=sum(r.flops or 0 for r in rows),
        bytes_read=sum(r.bytes_read or 0 for r in rows),
        bytes_written=sum(r.bytes_written or 0 for r in rows),
        compulsory_bytes=compulsory_bytes,
        roofline=bound,
        warnings=tuple(warnings),
    )


def _row(node: Node, graph: Graph, group: int | None) -> Row:
    motif, times = node.motif, node.executions
    flops = _useful_flops(node, graph)
    return Row(
        index=node.index,
        motif=motif,
        executions=times,
        flops=None if flops is None else flops * times,
        bytes_read=None if motif.bytes_read is None else motif.bytes_read * times,
        bytes_written=None if motif.bytes_written is None else motif.bytes_written * times,
        group=group,
    )


def _useful_flops(node: Node, graph: Graph) -> int | None:
    """Return an op's flops without products with stuffed zeros.

    A transposed convolution of stride s arrives as an ordinary one over an input with s - 1
    zeros between its elements. Its own work is one window for each element of the input and not
    of the output (as `torch.utils.flop_counter` has it).
    """
    motif = node.motif
    if motif.kind is not MotifKind.CONVOLUTION or not motif.flops:
        return motif.flops
    for index in node.inputs:
        source = index
        while source is not None and graph.nodes[source].motif.variant == "pad":
            source = graph.nodes[source].inputs[0]
        if source is None or graph.nodes[source].motif.variant != "stuff":
            continue
        elements = graph.nodes[source].motif.dims["elements"]
        positions = elements // (motif.dims["batch"] * motif.dims["in_channels"])
        return motif.flops * positions // math.prod(motif.lists["output"])
    return motif.flops


def _flops_by_dtype(rows: tuple[Row, ...]) -> dict[str, int]:
    flops: dict[str, int] = {}
    for row in rows:
        inputs = row.motif.inputs
        dtype = inputs[0].dtype if inputs else row.motif.accumulator
        if row.flops:
            flops[dtype] = flops.get(dtype, 0) + row.flops
    return flops


def _door(
    function: ir.Operation, name: str
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Read the specifications of arguments and results off the function's type."""
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    arguments = tuple(_spec(t, f"arg{i}", Role.INPUT, name) for i, t in enumerate(kind.inputs))
    results = tuple(_spec(t, f"result{i}", Role.RESULT, name) for i, t in enumerate(kind.results))
    return arguments, results


def _spec(type_: ir.Type, what: str, role: Role, name: str) -> TensorSpec:
    shape, dtype = shape_and_dtype(type_)
    if dtype not in [str(d) for d in DType] or DYNAMIC in shape:
        raise PayloadError(
            f"{what} has a type that is not supported",
            got=type_,
            allowed=f"tensors of static shape of {', '.join(DType)}",
            where=name,
        )
    return TensorSpec(name=what, shape=shape, dtype=DType(dtype), role=role)


def _read_from(function: ir.Operation, arguments: tuple[TensorSpec, ...]) -> int:
    """Return the bytes of the arguments that must be read: all of one, or the parts gathered."""
    total = 0
    for value, spec in zip(function.regions[0].blocks[0].arguments, arguments, strict=True):
        parts = [_part(use.owner.operation, spec.bytes) for use in value.uses]
        total += min(spec.bytes, sum(parts))
    return total


def _part(user: ir.Operation, whole: int) -> int:
    """Return how much of a tensor one user reads."""
    parent = user.parent.operation if user.parent is not None else None
    if parent is not None and parent.name in ("scf.for", "scf.while", "func.call"):
        return whole
    if user.name == "tensor.extract_slice":
        shape, dtype = shape_and_dtype(user.results[0].type)
    elif user.name == "tensor.extract" and parent is not None and len(parent.results):
        shape, dtype = shape_and_dtype(parent.results[0].type)[0], ""
        dtype = shape_and_dtype(user.results[0].type)[1]
    else:
        return whole
    if DYNAMIC in shape:
        return whole
    count = 1
    for size in shape:
        count *= size
    return count * element_bytes(dtype)
