"""A linalg op, named or generic, read once into plain data.

Flows in: `ir.Operation` of the linalg dialect. Flows out: `Structured`, with its maps, loops,
body, sizes and traffic, from which each matcher decides by structure alone (so a `linalg.matmul`
and the generic that says the same are the same motif).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import linalg

from bellrock.payload.motifs.access import Access, Expr, loops_in, read_map, trip_counts
from bellrock.payload.motifs.base import (
    DYNAMIC,
    Motif,
    MotifKind,
    Operand,
    Side,
    element_bytes,
    product,
    size_bytes,
)
from bellrock.payload.motifs.body import Body, read_body, type_name

PARALLEL, REDUCTION = "parallel", "reduction"


@dataclass(frozen=True, kw_only=True, slots=True)
class Structured:
    """One linalg op with a region."""

    op: ir.Operation
    name: str
    values: tuple[ir.Value, ...]
    """Operands: inputs, then outputs."""
    input_count: int
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    accesses: tuple[Access, ...]
    loops: tuple[int, ...]
    iterators: tuple[str, ...]
    body: Body

    @property
    def output_count(self) -> int:
        """Number of operands that are updated."""
        return len(self.values) - self.input_count

    @property
    def points(self) -> int:
        """Points of the iteration space, `DYNAMIC` if unknown."""
        return product(self.loops)

    @property
    def output_loops(self) -> frozenset[int]:
        """Loops that index an output."""
        return frozenset().union(*(loops_in(a) for a in self.accesses[self.input_count :]))

    def sizes(self, loops: Sequence[int]) -> tuple[int, ...]:
        """Return the trip counts of some loops."""
        return tuple(self.loops[i] for i in loops)

    def motif(
        self,
        kind: MotifKind,
        *,
        variant: str = "",
        dims: dict[str, int],
        lists: dict[str, tuple[int, ...]] | None = None,
        roles: Sequence[str] = (),
        letters: Sequence[str] = (),
        accumulator: str = "",
        plain: bool = True,
        flops_per_point: int | None = None,
        packable: Collection[int] = (),
    ) -> Motif:
        """Return the record, with what every kind shares filled in.

        Args:
            kind: of the motif.
            variant: finer kind.
            dims: named sizes.
            lists: named size lists.
            roles: of each loop; `parallel` or `reduction` when left out.
            letters: name of each loop in layouts; `p0`, `r0`, ... when left out.
            accumulator: type in which it computes; the first output's when left out.
            plain: whether the body has nothing but the motif.
            flops_per_point: of the body; counted when left out.
            packable: operands that may be packed once per set of weights.
        """
        letters = letters or _default_letters(self.iterators)
        per_point = self.body.flops if flops_per_point is None else flops_per_point
        points = self.points
        return Motif(
            kind=kind,
            op=self.name,
            variant=variant,
            dims=dims,
            lists=lists or {},
            operands=tuple(
                self._operand(i, letters, packable=i in packable) for i in range(len(self.values))
            ),
            accumulator=accumulator or self.dtypes[self.input_count],
            loops=self.loops,
            iterators=self.iterators,
            roles=tuple(roles) or self.iterators,
            plain=plain,
            flops=0 if not per_point else None if points == DYNAMIC else per_point * points,
            bytes_read=self._bytes_read(),
            bytes_written=_total(
                size_bytes(s, d)
                for s, d in zip(
                    self.shapes[self.input_count :], self.dtypes[self.input_count :], strict=True
                )
            ),
            location=location_of(self.op),
        )

    def _operand(self, index: int, letters: Sequence[str], *, packable: bool) -> Operand:
        return Operand(
            side=Side.INPUT if index < self.input_count else Side.OUTPUT,
            dtype=self.dtypes[index],
            shape=self.shapes[index],
            layout="".join(_spell(e, letters) for e in self.accesses[index]),
            packable=packable,
        )

    def _bytes_read(self) -> int | None:
        """Sum the distinct tensors that are read.

        An output counts when its old value is used and is not a constant fill, which later
        stages keep in registers. A gather reads one element at each point.
        """
        sizes: list[int | None] = []
        seen: set[ir.Value] = set()
        for i, value in enumerate(self.values):
            if i not in self.body.used or value in seen or not self.shapes[i]:
                continue
            if i >= self.input_count and is_constant_fill(value):
                continue
            seen.add(value)
            sizes.append(size_bytes(self.shapes[i], self.dtypes[i]))
        for tensor in self.body.gathered:
            element = element_bytes(type_name(ir.ShapedType(tensor.type).element_type))
            sizes.append(None if self.points == DYNAMIC else self.points * element)
        return _total(sizes)


def read_structured(op: ir.Operation) -> Structured | None:
    """Read a linalg op; None if it has no indexing maps or no region."""
    maps = linalg.get_indexing_maps(op)
    if maps is None or len(op.regions) != 1 or not list(op.regions[0].blocks):
        return None
    accesses = tuple(read_map(m.value) for m in maps)
    loop_count = maps[0].value.n_dims
    values = tuple(op.operands)
    input_count = _input_count(op, len(values))
    shapes, dtypes = zip(*(shape_and_dtype(v.type) for v in values), strict=True)
    return Structured(
        op=op,
        name=op.name,
        values=values,
        input_count=input_count,
        shapes=shapes,
        dtypes=dtypes,
        accesses=accesses,
        loops=trip_counts(loop_count, accesses, shapes),
        iterators=_iterators(op, loop_count, accesses[input_count:]),
        body=read_body(op.regions[0].blocks[0]),
    )


def shape_and_dtype(type_: ir.Type) -> tuple[tuple[int, ...], str]:
    """Return the sizes (`DYNAMIC` where unknown) and element type; `()` for a scalar."""
    if not isinstance(type_, ir.ShapedType):
        return (), type_name(type_)
    if not type_.has_rank:
        return (DYNAMIC,), type_name(type_.element_type)
    shape = tuple(type_.shape)
    if not type_.has_static_shape:
        shape = tuple(DYNAMIC if type_.is_dynamic_size(s) else s for s in shape)
    return shape, type_name(type_.element_type)


def location_of(op: ir.Operation) -> str:
    """Return an op's location without the `loc(...)` around it; empty if unknown."""
    text = str(op.location)[len("loc(") : -1]
    return "" if text == "unknown" else text


def is_constant_fill(value: ir.Value) -> bool:
    """Whether a tensor is `tensor.empty`, a fill, or a splat: no memory need be read for it."""
    if isinstance(value, ir.BlockArgument):
        return False
    name = ir.OpResult(value).owner.name
    return name in ("linalg.fill", "tensor.empty", "tensor.splat")


def _input_count(op: ir.Operation, operand_count: int) -> int:
    if "operandSegmentSizes" in op.attributes:
        return ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"])[0]
    if op.name == "linalg.reduce":
        return operand_count // 2
    return operand_count - max(1, len(op.results))


def _iterators(op: ir.Operation, count: int, outputs: Sequence[Access]) -> tuple[str, ...]:
    """Read a generic's iterator types; a named op reduces what its outputs do not index."""
    if "iterator_types" in op.attributes:
        attributes = ir.ArrayAttr(op.attributes["iterator_types"])
        return tuple(PARALLEL if "parallel" in str(a) else REDUCTION for a in attributes)
    kept = frozenset().union(*(loops_in(a) for a in outputs))
    return tuple(PARALLEL if i in kept else REDUCTION for i in range(count))


def _default_letters(iterators: Sequence[str]) -> list[str]:
    letters, counts = [], {PARALLEL: 0, REDUCTION: 0}
    for iterator in iterators:
        letters.append(f"{iterator[0]}{counts[iterator]}")
        counts[iterator] += 1
    return letters


def _spell(expr: Expr, letters: Sequence[str]) -> str:
    if expr.is_constant:
        return f"#{expr.constant}" if expr.constant else "*"
    if not expr.linear:
        return f"?({','.join(letters[loop] for loop, _ in expr.terms)})"
    if expr.loop is not None:
        return letters[expr.loop]
    parts = [f"{c if c != 1 else ''}{letters[loop]}" for loop, c in expr.terms]
    if expr.constant:
        parts.append(str(expr.constant))
    return f"({'+'.join(parts)})"


def _total(sizes: Iterable[int | None]) -> int | None:
    total = 0
    for size in sizes:
        if size is None:
            return None
        total += size
    return total
