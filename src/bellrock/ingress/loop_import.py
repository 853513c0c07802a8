"""Loops and branches into torch dialect, right.

Flows in: `while_loop` and `cond` nodes of a decomposed graph. Flows out: torch dialect. The
stock importer gives tensors that a loop captures to it as if they were carried, and
torch-mlir's lowering of a loop whose first condition folds to a constant drops the
condition; both miscompile. Here

* a loop that counts in constant steps to a constant bound becomes a counted `prim.Loop`
  (then `scf.for`), and its counter is the loop's own induction variable;
* any other loop becomes `scf.while` at once;
* `torch.cond` becomes `prim.If`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torch_mlir import ir
from torch_mlir.dialects import tensor
from torch_mlir.extras import fx_importer
from torch_mlir.extras.fx_importer import GraphNodeImporter

from bellrock.errors import ImportFailedError
from bellrock.ingress.source import where

aten = torch.ops.aten

_PASS_THROUGH = frozenset(
    {aten.clone.default, aten.lift_fresh_copy.default, aten.detach.default, aten._to_copy.default}
)
_FILLED: Mapping[Any, int] = {
    aten.full.default: 1,
    aten.full_like.default: 1,
    aten.scalar_tensor.default: 0,
}
_ZERO = frozenset({aten.zeros.default, aten.zeros_like.default})


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """A loop's counter: carried value `position` runs from `start` in `step`s."""

    position: int
    start: int
    step: int
    trips: int

    @property
    def end(self) -> int:
        """Its value after the loop."""
        return self.start + self.trips * self.step


class LoopImporter(GraphNodeImporter):
    """Imports one graph; see the module's docstring for what differs from the stock one."""

    # One method per higher-order op, found by name by the base class.

    def _import_hop(self, loc: ir.Location, node: Node, hop: Any) -> None:
        if getattr(self, f"_import_hop_{hop.name()}", None) is None:
            raise ImportFailedError(
                f"PyTorch op {hop.name()!r} (higher-order) cannot be expressed",
                where=where(node),
                hint="write the loop as torch.while_loop, or unroll it",
            )
        super()._import_hop(loc, node, hop)

    def _import_hop_while_loop(self, loc: ir.Location, node: Node, hop: Any) -> None:
        condition, body, carried, captured = _arguments(node)
        count = counter(node)
        types = [self._value_type(value) for value in _values(node)]
        initial = [self._import_argument(loc, c) for c in carried]
        outside = [self._import_argument(loc, c) for c in captured]
        with loc:
            if count is not None:
                results = self._counted(self._callee(node, body), count, types, initial, outside)
            else:
                functions = self._callee(node, condition), self._callee(node, body)
                results = self._conditional(*functions, types, initial, outside)
        self._bind_results(node, results)

    def _import_hop_cond(self, loc: ir.Location, node: Node, hop: Any) -> None:
        predicate, *branches, operands = _arguments(node)
        types = [self._value_type(value) for value in _values(node)]
        values = [self._import_argument(loc, o) for o in operands]
        with loc:
            chosen = self._as_bool(self._import_argument(loc, predicate))
            choice = ir.Operation.create(
                "torch.prim.If", results=types, operands=[chosen], regions=2
            )
            for region, branch in zip(choice.regions, branches, strict=True):
                with ir.InsertionPoint(ir.Block.create_at_start(region, [])):
                    results = _call(self._callee(node, branch), types, values)
                    ir.Operation.create("torch.prim.If.yield", operands=results)
        self._bind_results(node, list(choice.results))

    # Loops.

    def _counted(
        self,
        body: str,
        count: Count,
        types: list[ir.Type],
        initial: list[ir.Value],
        outside: list[ir.Value],
    ) -> list[ir.Value]:
        at = count.position
        counter_type, rest = types[at], types[:at] + types[at + 1 :]
        loop = ir.Operation.create(
            "torch.prim.Loop",
            results=rest,
            operands=[self._int(count.trips), self._true(), *initial[:at], *initial[at + 1 :]],
            regions=1,
        )
        block = ir.Block.create_at_start(loop.regions[0], [self._cc.torch_int_type, *rest])
        with ir.InsertionPoint(block):
            trip, *carried = block.arguments
            value = self._number(self._affine(trip, count), counter_type)
            carried.insert(at, value)
            results = _call(body, types, [*carried, *outside])
            del results[at]
            ir.Operation.create("torch.prim.Loop.condition", operands=[self._true(), *results])
        final = list(loop.results)
        final.insert(at, self._number(self._int(count.end), counter_type))
        return final

    def _conditional(
        self,
        condition: str,
        body: str,
        types: list[ir.Type],
        initial: list[ir.Value],
        outside: list[ir.Value],
    ) -> list[ir.Value]:
        """Emit `scf.while` itself, on builtin types, which no folding of torch's can change."""
        start = [to_builtin(value) for value in initial]
        kinds = [value.type for value in start]
        loop = ir.Operation.create("scf.while", results=kinds, operands=start, regions=2)
        before, after = (ir.Block.create_at_start(r, kinds) for r in loop.regions)
        with ir.InsertionPoint(before):
            carried = [from_builtin(v, t) for v, t in zip(before.arguments, types, strict=True)]
            flag_type = [self._cc.get_vtensor_type(torch.Size([]), torch.bool)]
            (flag,) = _call(condition, flag_type, [*carried, *outside])
            again = tensor.ExtractOp(to_builtin(flag), []).result
            ir.Operation.create("scf.condition", operands=[again, *before.arguments])
        with ir.InsertionPoint(after):
            carried = [from_builtin(v, t) for v, t in zip(after.arguments, types, strict=True)]
            results = _call(body, types, [*carried, *outside])
            ir.Operation.create("scf.yield", operands=[to_builtin(r) for r in results])
        return [from_builtin(v, t) for v, t in zip(loop.results, types, strict=True)]

    # Small things.

    def _callee(self, node: Node, graph: Node) -> str:
        module = getattr(node.graph.owning_module, str(graph.target))
        return self.fx_importer._graph_module_to_func_name[id(module)]

    def _bind_results(self, node: Node, values: Sequence[ir.Value]) -> None:
        self._multi_result_nodes.add(node)
        for i, value in enumerate(values):
            self.bind_node_value(node, value, i)

    def _value_type(self, value: Any) -> ir.Type:
        return self._cc.value_info_to_type(value)

    def _int(self, value: int) -> ir.Value:
        return _constant(
            "torch.constant.int", self._cc.integer_attr(value, 64), self._cc.torch_int_type
        )

    def _true(self) -> ir.Value:
        return _constant(
            "torch.constant.bool", self._cc.integer_attr(1, 1), self._cc.torch_bool_type
        )

    def _as_bool(self, value: ir.Value) -> ir.Value:
        if value.type == self._cc.torch_bool_type:
            return value
        return ir.Operation.create(
            "torch.aten.Bool.Tensor", results=[self._cc.torch_bool_type], operands=[value]
        ).result

    def _affine(self, trip: ir.Value, count: Count) -> ir.Value:
        """Return `start + trip * step`."""
        kind = self._cc.torch_int_type
        for name, operand, neutral in (("mul", count.step, 1), ("add", count.start, 0)):
            if operand != neutral:
                trip = ir.Operation.create(
                    f"torch.aten.{name}.int", results=[kind], operands=[trip, self._int(operand)]
                ).result
        return trip

    def _number(self, value: ir.Value, kind: ir.Type) -> ir.Value:
        """Return an int as it is, or as a tensor without dimensions, as `kind` says."""
        if value.type == kind:
            return value
        return ir.Operation.create(
            "torch.prim.NumToTensor.Scalar", results=[kind], operands=[value]
        ).result


def counter(loop: Node) -> Count | None:
    """Return how a `while_loop` counts, or None if its number of trips is not known.

    It is known if the condition is `i < bound` with a constant bound, the body returns
    `i + step` with a constant positive step, and `i` starts at a constant.
    """
    condition, body, carried, _ = _arguments(loop)
    owner = loop.graph.owning_module
    condition, body = getattr(owner, condition.target), getattr(owner, body.target)
    test = _output(condition)
    if not isinstance(test, Node) or test.target not in _LESS or len(test.args) != 2:
        return None
    variable, bound = test.args
    inputs = condition.graph.find_nodes(op="placeholder")
    if variable not in inputs or not isinstance(bound, int):
        return None
    at = inputs.index(variable)
    if at >= len(carried):
        return None
    step, start = _increment(body, at), _constant_of(carried[at])
    if step is None or start is None:
        return None
    return Count(position=at, start=start, step=step, trips=max(0, -((start - bound) // step)))


_LESS = frozenset({aten.lt.Scalar, aten.lt.Tensor, operator.lt})
_ADD = frozenset({aten.add.Tensor, aten.add.Scalar, operator.add})


def _increment(body: GraphModule, at: int) -> int | None:
    new = _output(body, at)
    if not isinstance(new, Node) or new.target not in _ADD or new.kwargs or len(new.args) != 2:
        return None
    variable = body.graph.find_nodes(op="placeholder")[at]
    steps = [a for a in new.args if a is not variable]
    if len(steps) == 1 and isinstance(steps[0], int) and steps[0] > 0:
        return steps[0]
    return None


def _output(graph: GraphModule, at: int = 0) -> Any:
    (values,) = _arguments(graph.graph.output_node())
    return values[at] if isinstance(values, (tuple, list)) else values


def _constant_of(value: Any) -> int | None:
    while isinstance(value, Node) and value.target in _PASS_THROUGH:
        value = value.args[0]
    if isinstance(value, Node) and value.op == "call_function":
        if value.target in _ZERO:
            return 0
        value = value.args[_FILLED[value.target]] if value.target in _FILLED else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _arguments(node: Node) -> Any:
    """Return a node's arguments; what they are is the op's contract, not the graph's."""
    return node.args


def _values(node: Node) -> Sequence[Any]:
    value = node.meta["val"]
    return value if isinstance(value, (tuple, list)) else (value,)


def to_builtin(value: ir.Value) -> ir.Value:
    """Cast from torch's types to MLIR's own."""
    if str(value.type) == "!torch.int":
        kind: ir.Type = ir.IntegerType.get_signless(64)
        return ir.Operation.create("torch_c.to_i64", results=[kind], operands=[value]).result
    match = re.fullmatch(r"!torch.vtensor<\[([\d,]*)\],(\w+)>", str(value.type))
    assert match is not None, f"every tensor here is ranked and static, got {value.type}"
    sizes = [int(size) for size in match[1].split(",") if size]
    # Builtin tensors have no signs: torch's si64 is i64.
    kind = ir.RankedTensorType.get(sizes, ir.Type.parse(match[2].removeprefix("s")))
    return ir.Operation.create("torch_c.to_builtin_tensor", results=[kind], operands=[value]).result


def from_builtin(value: ir.Value, kind: ir.Type) -> ir.Value:
    """Cast from MLIR's own types to torch's."""
    name = "from_i64" if str(kind) == "!torch.int" else "from_builtin_tensor"
    return ir.Operation.create(f"torch_c.{name}", results=[kind], operands=[value]).result


def _call(callee: str, types: Sequence[ir.Type], operands: Sequence[ir.Value]) -> list[ir.Value]:
    call = ir.Operation.create(
        "func.call",
        attributes={"callee": ir.FlatSymbolRefAttr.get(callee)},
        results=types,
        operands=operands,
    )
    return list(call.results)


def _constant(name: str, value: ir.Attribute, kind: ir.Type) -> ir.Value:
    return fx_importer._make_constant_op(name, value, kind).result
