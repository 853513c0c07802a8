"""The choice `panels`: a contraction by register tiles, over panels that fit the caches.

Flows in: a contraction's motif, facts of the processor. Flows out: `PanelKnobs`, and the default
for every shape, by an analytic rule: vectors run along what lies side by side in the result (or,
where few rows meet a long k, along k); the register tile wastes the fewest lanes; blocks keep
their packed columns in the L2 cache and are cut so that all cores have work.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from bellrock.errors import SelectionError
from bellrock.params.constraint import Constraint, Value
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind, Operand
from bellrock.target.base import Facts

LANE_BITS = 32
"""Accumulators are f32."""
_NARROW = {"f32", "bf16", "f16"}
_PAIRS_FEATURE = "avx512bf16"


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelKnobs(Knobs, name="panels"):
    """Register tiles over packed panels."""

    tile: tuple[int, ...] = knob(
        unit="iterations", low=0, help="Size of a block, by loop; 0 leaves a loop whole."
    )
    vector: str = knob(
        values=("n", "m", "k"), help="Role of the loop that runs along vector lanes."
    )
    lanes: int = knob(unit="elements", low=1, high=64, values=(16,), help="Lanes of a vector.")
    rows: int = knob(low=1, high=64, values=(4, 6, 8, 12, 14), help="Rows of a register tile.")
    columns: int = knob(
        low=1, high=16, values=(1, 2, 3, 4),
        help="Vectors in a row of a register tile; columns of it where vectors run along k.",
    )  # fmt: skip
    depth: int = knob(
        default=512, unit="elements", low=2, values=(256, 512), help="Part of k that is packed."
    )
    unroll: int = knob(
        default=4, low=1, high=16, values=(4,),
        help="Steps of k in one iteration; chains of sums where vectors run along k.",
    )  # fmt: skip
    copy: bool = knob(default=True, values=(True,), help="Copy the rows of a tile to the L1 cache.")
    pack: bool = knob(default=True, values=(True, False), help="Pack a block's columns in L2.")
    pairs: bool = knob(
        default=False, values=(False,), help="Multiply pairs of bf16 (x86 dot product)."
    )

    constraints = (
        Constraint("one-size-per-loop", "len(tile) == rank"),
        Constraint("tile-in-registers", "rows * columns + columns + 1 <= vector_registers"),
    )

    @classmethod
    def domain(cls, field: str, motif: Motif) -> Iterator[Value]:
        """Yield what is worth trying; blocks cut the loops of m and n only."""
        if field != "tile":
            yield from Knobs.domain.__func__(cls, field, motif)  # type: ignore[attr-defined]
            return
        sizes = (
            [1] if role == "batch" else [0, *(s for s in (64, 256, 1024) if s < loop)]
            for loop, role in zip(motif.loops, motif.roles, strict=True)
        )
        cut = (s if role != "k" else [0] for s, role in zip(sizes, motif.roles, strict=True))
        yield from itertools.product(*cut)

    def validate(self, motif: Motif, facts: Facts) -> None:
        """Check ranges, constraints, and what vectors along k need.

        Raises:
            SelectionError: one is broken; it is named, with the values that it saw.
        """
        Knobs.validate(self, motif, facts)
        for loop, (size, iterator) in enumerate(zip(self.tile, motif.iterators, strict=True)):
            if size and iterator != "parallel":
                raise SelectionError(
                    f"constraint 'blocks-of-parallel-loops' of {self.name} is broken: "
                    f"loop {loop} is a reduction",
                    got=f"tile={list(self.tile)} for {motif.signature()}",
                    allowed="0 for each loop that is not parallel",
                )
        if self.vector == "k" and not _along_k(motif):
            raise SelectionError(
                f"constraint 'k-side-by-side' of {self.name} is broken",
                got=f"vector={self.vector} for {motif.signature()}",
                allowed="vectors along k only where k lies side by side in both operands",
            )
        dtypes = {o.dtype for o in motif.inputs}
        if self.pairs and (dtypes != {"bf16"} or _PAIRS_FEATURE not in facts.features):
            raise SelectionError(
                f"constraint 'pairs-of-bf16' of {self.name} is broken",
                got=f"pairs=True for {sorted(dtypes)}",
                allowed=f"bf16 operands on a processor with {_PAIRS_FEATURE}",
            )


def takes_panels(motif: Motif) -> bool:
    """Whether a contraction can be computed by register tiles."""
    return (
        motif.kind is MotifKind.CONTRACTION
        and motif.plain
        and motif.accumulator == "f32"
        and len(motif.inputs) == 2
        and all(o.dtype in _NARROW for o in motif.inputs)
        and all(o.dtype == "f32" for o in motif.outputs)
        and all("*" not in o.layout for o in motif.operands)
    )


def _along_k(motif: Motif) -> bool:
    return motif.roles.count("k") == 1 and all(unit_role(o) in ("k", "") for o in motif.inputs)


def unit_role(operand: Operand) -> str:
    """Return the role of an operand's last dimension that is not of size 1."""
    letters = [c for c in operand.layout if c.isalpha()]
    for letter, size in zip(reversed(letters), reversed(operand.shape), strict=False):
        if size != 1:
            return {"b": "batch"}.get(letter, letter)
    return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Problem:
    """A contraction as the rule sees it: rows of scalars times vectors of columns."""

    motif: Motif
    facts: Facts
    vector: str
    rows: int
    columns: int
    k: int
    batch: int
    lanes: int
    depth_bytes: int
    """Bytes of one packed element."""

    @property
    def row_role(self) -> str:
        return "n" if self.vector == "m" else "m"

    @property
    def column_role(self) -> str:
        return "m" if self.vector == "m" else "n"


FEW_ROWS = 24
"""Up to so many rows, inner products along k beat packing the other operand."""
SERIAL_PRODUCTS = 1 << 17
"""Below this many multiplications, waking the other cores costs more than it gains."""
BLOCKS_PER_CORE = 2
_LATENCY = 8
"""Accumulators that keep the multiplier busy."""
_DEPTH_BYTES = 2048
"""Bytes of one column's part of k in a panel."""
_WORTH_PACKING = 4
"""Elements of k from which on a panel is used often enough."""


def default_panels(motif: Motif, facts: Facts) -> PanelKnobs:
    """Return the choice of the rule (see the module's docstring)."""
    lanes = max(1, facts.vector_bits // LANE_BITS)
    pairs = {o.dtype for o in motif.inputs} == {"bf16"} and _PAIRS_FEATURE in facts.features
    m, n, k = (motif.dims[r] for r in ("m", "n", "k"))
    if _along_k(motif) and k >= lanes and min(m, n) <= FEW_ROWS:
        return _dots(motif, facts, lanes, pairs=pairs)
    vector = "m" if unit_role(motif.outputs[0]) == "m" else "n"
    rows, columns = (n, m) if vector == "m" else (m, n)
    problem = _Problem(
        motif=motif, facts=facts, vector=vector, rows=rows, columns=columns, k=k,
        batch=motif.dims["batch"], lanes=lanes, depth_bytes=2 if pairs else 4,
    )  # fmt: skip
    return _tiles(problem, pairs=pairs)


def _tiles(problem: _Problem, *, pairs: bool) -> PanelKnobs:
    # With hardly any depth, the result's memory is the limit: it is written row by row.
    most_rows = problem.rows if problem.k >= _WORTH_PACKING else 1
    rows, vectors = register_tile(
        most_rows, problem.columns, problem.lanes, problem.facts.vector_registers
    )
    width = vectors * problem.lanes
    parts = -(-problem.k * problem.depth_bytes // _DEPTH_BYTES)
    depth = max(2, -(-problem.k // parts // 32) * 32) if parts > 1 else max(2, problem.k)
    block_rows, block_columns = _block(problem, rows, width, depth)
    column_operand = problem.motif.inputs[0 if problem.vector == "m" else 1]
    side_by_side = unit_role(column_operand) in (problem.column_role, "")
    pack = not side_by_side or (block_rows > rows and problem.k >= _WORTH_PACKING)
    return PanelKnobs(
        tile=_tile(problem, block_rows, block_columns),
        vector=problem.vector, lanes=problem.lanes, rows=rows, columns=vectors, depth=depth,
        unroll=4, copy=problem.k > 1 and block_columns > 2 * width, pack=pack, pairs=pairs,
    )  # fmt: skip


def register_tile(rows: int, columns: int, lanes: int, registers: int) -> tuple[int, int]:
    """Return rows and vectors of the register tile that takes the fewest steps.

    A step multiplies each accumulator once; loads are free while they are fewer. The right
    vectors come from the L2 cache, so that among equals the higher tile is the better.
    """
    best, best_cost = (1, 1), math.inf
    for height in range(1, min(rows, registers) + 1):
        widest = min(max(4, _LATENCY // height), -(-columns // lanes))
        for vectors in range(1, widest + 1):
            if height * vectors + vectors + 1 > registers:
                break
            tiles = -(-rows // height) * -(-columns // (vectors * lanes))
            step = max(height * vectors, height + vectors, _LATENCY)
            cost = tiles * (step + 0.05 * height + 0.3 * vectors)
            if cost < best_cost:
                best, best_cost = (height, vectors), cost
    return best


def dot_tile(few: int, many: int, registers: int) -> tuple[int, int]:
    """Return rows and columns of the tile of inner products: both are loaded at each step."""
    best, best_cost = (1, 1), math.inf
    for rows in range(1, min(few, registers) + 1):
        for columns in range(1, min(many, 8) + 1):
            if rows * columns + columns + 1 > registers:
                break
            tiles = -(-few // rows) * -(-many // columns)
            cost = tiles * (rows * columns + 0.6 * (rows + columns))
            if cost < best_cost:
                best, best_cost = (rows, columns), cost
    return best


def _block(problem: _Problem, rows: int, width: int, depth: int) -> tuple[int, int]:
    """Return rows and columns of a block."""
    cores = problem.facts.cores
    cache = problem.facts.cache_bytes.get("L2", 512 * 1024)
    most = max(width, cache // 2 // (depth * problem.depth_bytes) // width * width)
    column_parts = -(-problem.columns // most)
    products = problem.batch * problem.rows * problem.columns * problem.k
    wanted = cores * BLOCKS_PER_CORE if products >= SERIAL_PRODUCTS and cores > 1 else 1
    # The next part of k, and what is fused, find the block of the result in the cache.
    room = cache // 2 if depth < problem.k else cache
    row_parts = -(-problem.rows * min(most, problem.columns) * 4 // room)
    blocks = problem.batch * column_parts * row_parts
    if blocks < wanted:
        row_parts *= min(-(-wanted // blocks), max(1, problem.rows // (4 * rows)))
        blocks *= row_parts
    if blocks < wanted:
        column_parts *= -(-wanted // blocks)
    block_rows = _even(problem.rows, row_parts, rows)
    return block_rows, min(_even(problem.columns, column_parts, width), max(most, width))


def _even(size: int, parts: int, unit: int) -> int:
    """Return the size of equal parts in whole units."""
    part = math.ceil(size / parts)
    return min(size, math.ceil(part / unit) * unit)


def _tile(problem: _Problem, rows: int, columns: int) -> tuple[int, ...]:
    """Return the size of a block by loop: inner loops of a role whole, then one cut, then 1."""
    motif = problem.motif
    tile = [0] * len(motif.loops)
    wanted = {problem.row_role: rows, problem.column_role: columns}
    for role, most in wanted.items():
        _cut(tile, motif, role, most)
    per_batch = problem.rows * problem.columns * problem.k
    cores = problem.facts.cores
    together = max(1, min(SERIAL_PRODUCTS // per_batch,
                          problem.batch // (cores * BLOCKS_PER_CORE)))  # fmt: skip
    if problem.batch * per_batch < SERIAL_PRODUCTS or cores == 1:
        together = problem.batch
    _cut(tile, motif, "batch", together)
    return tuple(tile)


def _cut(tile: list[int], motif: Motif, role: str, most: int) -> None:
    for loop in reversed(motif.loops_of(role)):
        size = motif.loops[loop]
        tile[loop] = 0 if size <= most else max(1, most)
        most = most // size if size <= most else 1


def _dots(motif: Motif, facts: Facts, lanes: int, *, pairs: bool) -> PanelKnobs:
    """Return the choice with vectors along k."""
    m, n = motif.dims["m"], motif.dims["n"]
    few, many, role = (m, n, "n") if m <= n else (n, m, "m")
    rows, columns = dot_tile(few, many, facts.vector_registers)
    blocks = motif.dims["batch"]
    wanted = facts.cores * BLOCKS_PER_CORE
    products = motif.dims["batch"] * m * n * motif.dims["k"]
    tile = [0] * len(motif.loops)
    if products >= SERIAL_PRODUCTS and facts.cores > 1:
        if blocks < wanted:
            _cut(tile, motif, role, _even(many, -(-wanted // blocks), columns))
        per_batch = m * n * motif.dims["k"]
        _cut(tile, motif, "batch", max(1, min(SERIAL_PRODUCTS // per_batch, blocks // wanted)))
    chains = max(1, min(_LATENCY // (rows * columns), motif.dims["k"] // lanes))
    return PanelKnobs(
        tile=tuple(tile), vector="k", lanes=lanes, rows=rows, columns=columns,
        depth=max(2, motif.dims["k"]), unroll=chains, copy=False, pack=False, pairs=pairs,
    )  # fmt: skip
