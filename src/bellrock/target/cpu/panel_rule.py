"""The default parameters of a contraction by register tiles, for every shape.

Flows in: a contraction's motif, facts of the processor. Flows out: `PanelKnobs` by an analytic
rule: vectors run along what lies side by side in the result (or, where few rows meet a long k,
along k); the register tile wastes the fewest lanes; blocks keep their packed columns in the L2
cache and are cut so that all cores have as much work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bellrock.payload.motifs.base import Motif, Operand
from bellrock.target.base import Facts
from bellrock.target.cpu.engine_tile import engine_tile, suits_engine
from bellrock.target.cpu.panels import (
    ENGINE_FEATURE,
    PAIRS_FEATURE,
    PanelKnobs,
    along_k,
    operand_roles,
    unit_role,
)

LANE_BITS = 32
"""Accumulators are f32."""


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
    prepared: bool = False
    """Whether columns are packed once per set of weights."""
    amx: bool = False
    """Whether a matrix engine multiplies."""

    @property
    def row_role(self) -> str:
        return "n" if self.vector == "m" else "m"

    @property
    def column_role(self) -> str:
        return "m" if self.vector == "m" else "n"

    @property
    def side_by_side(self) -> bool:
        """Whether columns of the right operand lie side by side."""
        if self.prepared:
            return True
        right = self.motif.inputs[0 if self.vector == "m" else 1]
        return unit_role(right) in (self.column_role, "")

    @property
    def wide(self) -> bool:
        """Whether panels are wide and flat."""
        cut = self.k * self.depth_bytes > _WHOLE_DEPTH_BYTES
        few = cut and self.side_by_side and self.rows <= _ROWS_OF_WIDE_PANELS
        return few and not self.prepared


FEW_ROWS = 24
"""Up to so many rows, inner products along k beat packing the other operand."""
FEWEST_PREPARED, MOST_PREPARED = 4, 256
"""Rows for which a weight is packed once where it may be: with fewer, inner products read it as
fast; with more, packing it at each call is a small part."""
SERIAL_PRODUCTS = 1 << 17
"""Below this many multiplications, waking the other cores costs more than it gains."""
BLOCKS_PER_CORE = 2
_MANY_BLOCKS = 8
"""From so many blocks for a core on, it matters little that another has one more."""
_LATENCY = 8
"""Accumulators that keep the multiplier busy."""
_WHOLE_DEPTH_BYTES = 2048
"""Bytes of one column up to which k is not cut: results are then written once."""
_DEPTH_BYTES = 1024
"""Bytes of one column's part of k in a panel. Panels as deep as the whole are as fast but where
lines of the right operand lie a power of two apart: fewer lines, of more columns, suffer less."""
_ROWS_OF_WIDE_PANELS = 128
"""Up to so many rows, reading the right operand weighs more than multiplying: it is read in
lines as long as possible, a few at a time."""
_LEAST_DEPTH = 32
_LONG_PANEL_BYTES = 4096
"""Bytes of one column's part of k in panels that are packed once: results are added to fewer times,
and a few columns fill the cache. Longer ones gain little, and lose digits of the sums."""
_SHARE_OF_L3 = 8
"""A core's part of the L3 cache holds so many blocks of the result between the parts of k."""
_WORTH_PACKING = 4
"""Elements of k from which on a panel is used often enough."""
_LINE_BYTES = 64
"""Of a cache."""
_WAYS = 8
"""Of an L1 cache that the system tells nothing about."""


TALLEST, TALLEST_COPIED = 12, 13
"""Rows of a register tile of several vectors, read in place or copied: the addresses of more do
not fit into general registers, and with 14 LLVM keeps sums of f32 on the stack (320 instead of
415 GFLOP/s)."""


def default_panels(motif: Motif, facts: Facts) -> PanelKnobs:
    """Return the choice of the rule (see the module's docstring)."""
    lanes = max(1, facts.vector_bits // LANE_BITS)
    pairs = {o.dtype for o in motif.inputs} == {"bf16"} and PAIRS_FEATURE in facts.features
    m, n, k = (motif.dims[r] for r in ("m", "n", "k"))
    vector = "m" if unit_role(motif.outputs[0]) == "m" else "n"
    rows, columns = (n, m) if vector == "m" else (m, n)
    weight = motif.inputs[0 if vector == "m" else 1]
    prepared = weight.packable and FEWEST_PREPARED <= rows <= MOST_PREPARED
    if along_k(motif) and k >= lanes and min(m, n) <= FEW_ROWS and not prepared:
        return _dots(motif, facts, lanes, pairs=pairs)
    problem = _Problem(
        motif=motif, facts=facts, vector=vector, rows=rows, columns=columns, k=k,
        batch=motif.dims["batch"], lanes=lanes, depth_bytes=2 if pairs else 4, prepared=prepared,
        amx=pairs and ENGINE_FEATURE in facts.features and suits_engine(rows, k, lanes),
    )  # fmt: skip
    return _tiles(problem, pairs=pairs)


def _tiles(problem: _Problem, *, pairs: bool) -> PanelKnobs:
    # With hardly any depth, the result's memory is the limit: it is written row by row.
    most_rows = problem.rows if problem.k >= _WORTH_PACKING else 1
    if problem.amx:
        rows, vectors = engine_tile(problem.rows, problem.columns)
    else:
        rows, vectors = register_tile(
            most_rows, problem.columns, problem.lanes, problem.facts.vector_registers,
            tallest=TALLEST_COPIED if _copies(problem) else TALLEST,
        )  # fmt: skip
    width = vectors * problem.lanes
    depth = _depth(problem)
    block_rows, block_columns = _block(problem, rows, width, depth)
    often = block_rows > rows and problem.k >= _WORTH_PACKING
    pack = problem.prepared or not problem.side_by_side or often or problem.amx
    copy = (block_columns > 2 * width and _copies(problem)) or problem.amx
    return PanelKnobs(
        tile=_tile(problem, block_rows, block_columns),
        vector=problem.vector, lanes=problem.lanes, rows=rows, columns=vectors, depth=depth,
        unroll=4, copy=copy, pack=pack, pairs=pairs, amx=problem.amx, prepared=problem.prepared,
    )  # fmt: skip


def _depth(problem: _Problem) -> int:
    """Return the part of k that is worked on at a time."""
    column_bytes = problem.k * problem.depth_bytes
    if column_bytes <= _WHOLE_DEPTH_BYTES:
        return max(2, problem.k)
    part = _DEPTH_BYTES // problem.depth_bytes
    if problem.prepared and not problem.amx:
        part = _LONG_PANEL_BYTES // problem.depth_bytes
    if problem.wide:
        share = -(-problem.columns // problem.facts.cores) * problem.depth_bytes
        part = min(part, max(_LEAST_DEPTH, _panel_bytes(problem.facts) // share))
    parts = -(-problem.k // part)
    return -(-problem.k // parts // _LEAST_DEPTH) * _LEAST_DEPTH


def _panel_bytes(facts: Facts) -> int:
    """Return what a block's packed columns may take of the L2 cache."""
    return facts.cache_bytes.get("L2", 512 * 1024) // 2


def _copies(problem: _Problem) -> bool:
    """Return whether a tile's rows are copied before they are used many times.

    Scalars that lie side by side along k are read as well where they are, if the cache can hold
    a tile's rows at all. Across k each is in a line of its own, and lines a power of two apart
    would throw each other out of the cache; narrow ones would be widened once for each column tile.
    """
    row_operand = problem.motif.inputs[1 if problem.vector == "m" else 0]
    in_place = unit_role(row_operand) in ("k", "") and row_operand.dtype == "f32"
    tallest = min(problem.rows, TALLEST)
    kept = tallest <= _lines_kept(row_operand, problem.row_role, problem.facts)
    return problem.k > 1 and not (in_place and kept)


def _lines_kept(operand: Operand, role: str, facts: Facts) -> int:
    """Return how many rows of an operand the L1 cache can hold a line of at the same time.

    Addresses that differ by a multiple of the cache's size over its ways compete for as many
    lines as it has ways. 12 rows of 4 KiB are all such in the usual caches: 12 ways (48 KiB) keep
    them, with 8 ways (32 KiB) each comes from L2 again, which makes 2048 cubed 11 to 26 % slower.
    """
    after = [i for i, own in enumerate(operand_roles(operand)) if own == role]
    stride = 4 * math.prod(operand.shape[after[-1] + 1 :]) if after else _LINE_BYTES
    ways = facts.cache_ways.get("L1d", _WAYS)
    apart = facts.cache_bytes.get("L1d", _WAYS * 4096) // ways
    return ways * (apart // max(_LINE_BYTES, math.gcd(stride, apart)))


def register_tile(
    rows: int, columns: int, lanes: int, registers: int, *, tallest: int = TALLEST
) -> tuple[int, int]:
    """Return rows and vectors of the register tile that takes the fewest steps.

    A step multiplies each accumulator once; loads are free while they are fewer. The right
    vectors come from the L2 cache, so that among equals the higher tile is the better.
    """
    best, best_cost = (1, 1), math.inf
    for height in range(1, min(rows, registers) + 1):
        widest = min(max(4, _LATENCY // height), -(-columns // lanes))
        for vectors in range(1, widest + 1):
            too_tall = vectors > 1 and height > tallest
            if too_tall or height * vectors + vectors + 1 > registers:
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
    room = _panel_bytes(problem.facts)
    most = max(width, room // (depth * problem.depth_bytes) // width * width)
    column_parts = -(-problem.columns // most)
    products = problem.batch * problem.rows * problem.columns * problem.k
    wanted = cores * BLOCKS_PER_CORE if products >= SERIAL_PRODUCTS and cores > 1 else 1
    if problem.wide:  # cutting rows would pack, that is read, every panel once more
        column_parts = -(-column_parts // min(cores, wanted)) * min(cores, wanted)
        return problem.rows, _even(problem.columns, column_parts, width)
    # The next part of k, and what is fused, find the block of the result in the cache.
    shared = problem.facts.cache_bytes.get("L3", 0) // (cores * _SHARE_OF_L3)
    room = max(cache, shared)
    row_parts = -(-problem.rows * min(most, problem.columns) * 4 // room)
    blocks = problem.batch * column_parts * row_parts
    if blocks < wanted:
        row_parts *= min(-(-wanted // blocks), max(1, problem.rows // (4 * rows)))
        blocks *= row_parts
    if blocks < wanted:
        column_parts *= -(-wanted // blocks)
    elif wanted > 1:
        row_parts = _same_for_all(problem, column_parts, row_parts, rows)
    block_rows = _even(problem.rows, row_parts, rows)
    return block_rows, min(_even(problem.columns, column_parts, width), max(most, width))


def _same_for_all(problem: _Problem, column_parts: int, row_parts: int, rows: int) -> int:
    """Return into how many parts to cut the rows so that few blocks are as many on each core."""
    cores, across = problem.facts.cores, problem.batch * column_parts
    most = max(row_parts, problem.rows // (4 * rows))
    few = across * row_parts < _MANY_BLOCKS * cores
    for parts in range(row_parts, min(most, row_parts + cores - 1) + 1) if few else ():
        if across * parts % cores == 0:
            return parts
    return row_parts


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
