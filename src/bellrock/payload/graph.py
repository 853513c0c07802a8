"""A payload's ops as a graph of motifs, in execution order.

Flows in: the entry function. Flows out: `Node`s: each op that computes or moves something, what
feeds it (looked through views), and how often it runs. Inspection and patterns read it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from torch_mlir import ir

from bellrock.errors import PayloadError
from bellrock.payload.motif import DYNAMIC, Motif, MotifKind, find_motif

VIEWS = frozenset({"tensor.expand_shape", "tensor.collapse_shape", "tensor.cast", "tensor.reshape"})
"""Ops that give another shape to the same elements."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One op with a motif."""

    index: int
    motif: Motif
    executions: int
    """How often it runs in one call: the trip counts of the loops around it, multiplied."""
    inputs: tuple[int | None, ...]
    """Node that makes each input it reads, in order; None for an argument or a constant."""
    computes: frozenset[str]
    """Names of the ops in its body."""


@dataclass(kw_only=True, slots=True)
class Graph:
    """The nodes of one function and of those it calls."""

    nodes: list[Node] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    """Ops without a motif, by name: views, constants, terminators, control flow."""
    warnings: list[str] = field(default_factory=list)
    """What could not be counted exactly."""

    def consumers(self) -> list[list[int]]:
        """Return, for each node, the nodes that read its results."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for node in self.nodes:
            for source in node.inputs:
                if source is not None and node.index not in found[source]:
                    found[source].append(node.index)
        return found


def entry_function(module: ir.Module, *, entry: str, name: str) -> ir.Operation:
    """Return the entry function of a module.

    Args:
        module: to look in.
        entry: symbol of the function; a module's only function is found by any symbol.
        name: of the payload, for messages.

    Raises:
        PayloadError: there is no such function.
    """
    functions = {
        ir.StringAttr(op.attributes["sym_name"]).value: op.operation
        for op in module.body.operations
        if op.operation.name == "func.func" and len(op.regions[0].blocks)
    }
    if entry in functions:
        return functions[entry]
    if len(functions) == 1:
        return next(iter(functions.values()))
    raise PayloadError(
        f"the module has no function @{entry}",
        allowed=[f"@{symbol}" for symbol in functions] or "it has no function with a body",
        where=name,
    )


def read_graph(function: ir.Operation) -> Graph:
    """Read a function's ops.

    Args:
        function: a `func.func` with a body, in a module.
    """
    reader = _Reader()
    reader.region(function.regions[0], 1)
    return reader.graph


class _Reader:
    def __init__(self) -> None:
        self.graph = Graph()
        self.made_by: dict[ir.Value, int | None] = {}

    def region(self, region: ir.Region, executions: int) -> None:
        for block in region.blocks:
            for view in block.operations:
                self.op(view.operation, executions)

    def op(self, op: ir.Operation, executions: int) -> None:
        motif = find_motif(op)
        if motif is None:
            self.plain(op, executions)
            return
        index = len(self.graph.nodes)
        bodies = () if motif.kind is MotifKind.LOOP else op.regions
        node = Node(
            index=index,
            motif=motif,
            executions=executions,
            inputs=tuple(self.made_by.get(v) for v in self.read_by(op, motif)),
            computes=frozenset(
                o.operation.name for r in bodies for b in r.blocks for o in b.operations
            ),
        )
        self.graph.nodes.append(node)
        for result in op.results:
            self.made_by[result] = index
        if motif.kind is MotifKind.LOOP:
            self.loop(op, motif, executions)

    def read_by(self, op: ir.Operation, motif: Motif) -> list[ir.Value]:
        """Return the values that an op reads: inputs, and tensors that its body gathers from."""
        operands = list(op.operands)
        if motif.kind is MotifKind.LOOP:
            return operands
        count = len(motif.inputs) if op.name.startswith(("linalg.", "tm_tensor.")) else None
        gathered = [
            o.operation.operands[0]
            for r in op.regions
            for b in r.blocks
            for o in b.operations
            if o.operation.name == "tensor.extract"
        ]
        return operands[:count] + gathered

    def plain(self, op: ir.Operation, executions: int) -> None:
        self.graph.others[op.name] += 1
        if op.name in VIEWS:
            self.made_by[op.results[0]] = self.made_by.get(op.operands[0])
        elif op.name == "func.call":
            self.call(op, executions)
        elif op.name == "scf.if":
            self.graph.warnings.append("both branches of an scf.if are counted")
            for region in op.regions:
                self.region(region, executions)

    def loop(self, op: ir.Operation, motif: Motif, executions: int) -> None:
        trips = motif.dims["trips"]
        if trips == DYNAMIC:
            where = f" at {motif.location}" if motif.location else ""
            self.graph.warnings.append(
                f"the trip count of the {op.name}{where} is unknown: counted once"
            )
        for region in op.regions:
            self.region(region, executions * (1 if trips == DYNAMIC else trips))

    def call(self, op: ir.Operation, executions: int) -> None:
        symbol = ir.FlatSymbolRefAttr(op.attributes["callee"]).value
        module = op
        while module.parent is not None:
            module = module.parent.operation
        for candidate in module.regions[0].blocks[0].operations:
            attributes = candidate.attributes
            if "sym_name" in attributes and attributes["sym_name"].value == symbol:
                self.region(candidate.regions[0], executions)
