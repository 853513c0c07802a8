"""`transform.bellrock.offer_large_tiles`: convolutions that the user lets be less exact.

Missing upstream: nothing there knows what a user allows. Minimal filtering in tiles of 4 x 4
results needs fewer products than in tiles of 2 x 2, and loses more to rounding
(docs/design/0014). Where the user allows it, this op says so on each convolution of which it is
known that the error stays small, and whose transformed filter has a place in a share of the
function's memory, those of the largest results first: `bellrock.large_tiles`, which selection
reads.

    %r = linalg.generic (n, f, h, w, c, i, j) ins(%x, %w) {bellrock.large_tiles, ...}
"""

# No postponed annotations here: the dialect reads the field types from them.
import math

from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.convolution.filter_transform import Filters, read_filters
from bellrock.dialects.convolution.minimal_filtering import ALGORITHMS, TWO
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.live_bytes import tensor_bytes
from bellrock.dialects.prepared_room import Room, is_fixed
from bellrock.errors import PipelineError
from bellrock.payload.motif import MotifKind, find_motif
from bellrock.payload.motifs.convolution import LARGE_TILES
from bellrock.payload.motifs.structured import read_structured

FEWEST_SUMMED = 32
"""Products summed for a result, beside those of a tile: with fewer, the transforms' rounding is no
longer small beside what summing loses in any order."""


@edits_in_place(lambda op, **given: _offer_all(op, **given), options=("tile", "percent"))
class OfferLargeTilesOp(Bellrock.Operation, name="offer_large_tiles"):
    """Mark the convolutions that may be computed in large tiles (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]
    tile: ir.IntegerAttr
    """Results along an axis of the largest tile that the user allows."""
    percent: ir.IntegerAttr
    """Of the function's memory that copies of weights may take beside it."""


def _offer_all(root: ir.Operation, *, tile: int, percent: int) -> None:
    if tile not in ALGORITHMS:
        raise PipelineError(
            "minimal filtering has no tiles of this size", got=tile, allowed=sorted(ALGORITHMS)
        )
    if tile == TWO.outputs:
        return
    for function in ops_named(root, "func.func"):
        _offer_in(function, tile, percent)


def _offer_in(function: ir.Operation, tile: int, percent: int) -> None:
    found: list[tuple[ir.Operation, Filters]] = []
    for op in ops_named(function, "linalg.generic"):
        filters = _filters(op)
        if filters is not None and is_fixed(filters.value, function):
            found.append((op, filters))
    left = Room.of(function, percent).left_bytes if found else 0
    for op, filters in sorted(found, key=lambda each: -tensor_bytes(each[0].results[0])):
        size = filters.transformed_bytes(ALGORITHMS[tile])
        if size > left:
            continue
        left -= size
        op.attributes[LARGE_TILES] = ir.UnitAttr.get(function.context)


def _filters(op: ir.Operation) -> Filters | None:
    """Return the filter of a convolution that is exact enough in large tiles."""
    motif = find_motif(op)
    if motif is None or motif.kind is not MotifKind.CONVOLUTION or motif.variant:
        return None
    steps = (*motif.lists["strides"][-2:], *motif.lists["dilations"][-2:])
    structured = read_structured(op)
    if set(motif.dtypes) != {"f32"} or set(steps) != {1} or structured is None:
        return None
    filters = read_filters(structured)
    if filters is None or math.prod(filters.sizes[i] for i in filters.reduced) < FEWEST_SUMMED:
        return None
    return filters


OPS = (OfferLargeTilesOp,)
