"""What an op does at each point of its iteration space: its region, read once.

Flows in: the block of a linalg (or tm_tensor) op. Flows out: `Body`, a small list of plain
records that the matchers ask for combiners, products and flops.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir

CASTS = frozenset({
    "arith.extf", "arith.truncf", "arith.extsi", "arith.extui", "arith.trunci", "arith.sitofp",
    "arith.uitofp", "arith.fptosi", "arith.fptoui", "arith.index_cast", "arith.index_castui",
    "arith.bitcast",
})  # fmt: skip
MULTIPLICATIONS = frozenset({"arith.mulf", "arith.muli", "complex.mul"})
_COMBINERS = {
    "arith.addf": "add", "arith.addi": "add", "complex.add": "add", "arith.mulf": "mul",
    "arith.muli": "mul", "arith.maximumf": "max", "arith.maxnumf": "max", "arith.maxsi": "max",
    "arith.maxui": "max", "arith.minimumf": "min", "arith.minnumf": "min", "arith.minsi": "min",
    "arith.minui": "min", "arith.andi": "and", "arith.ori": "or", "arith.xori": "xor",
}  # fmt: skip
_GREATER = frozenset({"ogt", "oge", "ugt", "uge", "sgt", "sge"})
_PREDICATES = {
    "arith.cmpf": (
        "false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord",
        "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true",
    ),
    "arith.cmpi": ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"),
}  # fmt: skip
_NOT_FLOPS = CASTS | {"arith.cmpf", "arith.select", "arith.constant"}
_FLOPS = {"math.fma": 2}
"""Floating-point ops that count other than once."""

ARGUMENT, RESULT, CAPTURE = "argument", "result", "capture"
Ref = tuple[str, int]
"""A value in the body: argument number, number of the op that makes it, or (`CAPTURE`, n)."""


@dataclass(frozen=True, slots=True)
class BodyOp:
    """One op of a body."""

    name: str
    operands: tuple[Ref, ...]
    dtype: str
    """Element type of its (first) result; empty if it has none."""
    predicate: str = ""
    """Of a comparison."""


@dataclass(frozen=True, slots=True)
class Combiner:
    """How an output's new value follows from its old one."""

    name: str
    """`add`, `max`, ..., or `custom`."""
    update: Ref | None
    """What is combined with the old value; None for `custom`."""
    dtype: str
    """Type in which it combines."""


@dataclass(frozen=True, slots=True)
class Body:
    """A region's single block, as plain data."""

    ops: tuple[BodyOp, ...]
    """In order, without the terminator."""
    yields: tuple[Ref, ...]
    gathered: tuple[ir.Value, ...]
    """Tensors that it reads by computed index (`tensor.extract`), one for each read."""
    used: frozenset[int]
    """Arguments that are used."""

    def strip(self, ref: Ref) -> Ref:
        """Return the value behind casts."""
        while ref[0] == RESULT and self.ops[ref[1]].name in CASTS:
            ref = self.ops[ref[1]].operands[0]
        return ref

    def definition(self, ref: Ref) -> BodyOp | None:
        """Return the op that makes a value, behind casts; None for arguments and captures."""
        ref = self.strip(ref)
        return self.ops[ref[1]] if ref[0] == RESULT else None

    def leaves(self, ref: Ref) -> frozenset[int]:
        """Return the arguments that a value is computed from."""
        found: set[int] = set()
        seen: set[Ref] = set()
        pending = [ref]
        while pending:
            kind, number = at = pending.pop()
            if at in seen:
                continue
            seen.add(at)
            if kind == ARGUMENT:
                found.add(number)
            elif kind == RESULT:
                pending.extend(self.ops[number].operands)
        return frozenset(found)

    def is_argument(self, ref: Ref) -> bool:
        """Whether a value is an argument behind at most casts."""
        return self.strip(ref)[0] == ARGUMENT

    def combiner(self, result: int, argument: int) -> Combiner:
        """Return how the yielded value `result` combines with the old value `argument`."""
        old = (ARGUMENT, argument)
        op = self.definition(self.yields[result])
        if op is None:
            return Combiner("custom", None, "")
        if op.name in _COMBINERS and len(op.operands) == 2:
            a, b = op.operands
            if old in (self.strip(a), self.strip(b)):
                update = b if self.strip(a) == old else a
                return Combiner(_COMBINERS[op.name], update, op.dtype)
        if op.name == "arith.select":
            return self._selection(op, old)
        return Combiner("custom", None, op.dtype)

    def _selection(self, op: BodyOp, old: Ref) -> Combiner:
        """Read `select(cmp(a, b), a, b)` as a maximum or minimum."""
        test = self.definition(op.operands[0])
        values = [self.strip(v) for v in op.operands[1:]]
        if test is None or old not in values or not test.predicate:
            return Combiner("custom", None, op.dtype)
        compared = [self.strip(v) for v in test.operands]
        update = op.operands[1:][1 - values.index(old)]
        if compared not in (values, values[::-1]):
            return Combiner("custom", None, op.dtype)
        greater = (test.predicate in _GREATER) == (compared == values)
        ordered = test.predicate[1:] in ("gt", "ge", "lt", "le")
        return Combiner(("max" if greater else "min") if ordered else "custom", update, op.dtype)

    @property
    def flops(self) -> int:
        """Floating-point operations at one point.

        Each float op of `arith` and `math` counts once, a fused multiply-add twice; casts,
        comparisons, selections and integer ops not at all. Transcendentals count once: so does
        the roofline model's accounting, which is about issued results and not about cost.
        Source: Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009, section 3; the
        products agree with `torch.utils.flop_counter` (2mnk).
        """
        return sum(
            _FLOPS.get(op.name, 1)
            for op in self.ops
            if _is_float(op.dtype)
            and op.name not in _NOT_FLOPS
            and op.name.startswith(("arith.", "math.", "complex."))
        )


def _is_float(dtype: str) -> bool:
    return dtype.startswith(("f", "bf", "tf", "complex<"))


def type_name(type_: ir.Type) -> str:
    """Return an element type as MLIR spells it (the common ones without printing)."""
    if isinstance(type_, ir.IntegerType):
        prefix = "ui" if type_.is_unsigned else "si" if type_.is_signed else "i"
        return f"{prefix}{type_.width}"
    return _SPELLED.get(type(type_)) or str(type_)


_SPELLED: dict[type, str] = {
    ir.F64Type: "f64", ir.F32Type: "f32", ir.F16Type: "f16", ir.BF16Type: "bf16",
    ir.IndexType: "index",
}  # fmt: skip


def read_body(block: ir.Block) -> Body:
    """Read a block; ops nested deeper are listed after the op that holds them."""
    refs: dict[ir.Value, Ref] = {a: (ARGUMENT, i) for i, a in enumerate(block.arguments)}
    ops: list[BodyOp] = []
    gathered: list[ir.Value] = []
    yields: list[Ref] = []

    def ref_of(value: ir.Value) -> Ref:
        return refs.setdefault(value, (CAPTURE, len(refs)))

    def visit(inner: ir.Block) -> None:
        for view in inner.operations:
            op = view.operation
            operands = list(op.operands)
            if op.name in ("linalg.yield", "tm_tensor.yield"):
                yields.extend(ref_of(v) for v in operands)
                continue
            if op.name == "tensor.extract" and operands[0] not in refs:
                gathered.append(operands[0])
            results = list(op.results)
            for result in results:
                refs[result] = (RESULT, len(ops))
            dtype = type_name(results[0].type) if results else ""
            ops.append(BodyOp(op.name, tuple(map(ref_of, operands)), dtype, _predicate(op)))
            if op.name.startswith("scf."):  # others have none; asking each is slow
                for region in op.regions:
                    for nested in region.blocks:
                        visit(nested)

    visit(block)
    used = {r[1] for op in ops for r in op.operands if r[0] == ARGUMENT}
    used |= {r[1] for r in yields if r[0] == ARGUMENT}
    return Body(tuple(ops), tuple(yields), tuple(gathered), frozenset(used))


def _predicate(op: ir.Operation) -> str:
    names = _PREDICATES.get(op.name)
    if names is None:
        return ""
    attribute = op.attributes["predicate"]
    return names[attribute.value] if isinstance(attribute, ir.IntegerAttr) else ""
