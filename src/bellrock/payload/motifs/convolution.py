"""Convolutions: a contraction of which one operand is read through a window.

Flows in: `Structured`. Flows out: a `Motif` with batch, channels, groups, spatial sizes,
strides and dilations, or None. Depthwise is the case of one channel in each group.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.payload.motifs.access import is_projection, loops_in
from bellrock.payload.motifs.base import DYNAMIC, Motif, MotifKind, product
from bellrock.payload.motifs.contraction import letters_of, read_product_sum
from bellrock.payload.motifs.movement import stuffs
from bellrock.payload.motifs.structured import Structured
from bellrock.payload.motifs.window import Window, read_window

TRANSPOSED = "transposed"
"""Variant of a convolution over an image with zeros between its elements: most of its products
are with zeros, which a lowering may leave out."""
LARGE_TILES = "bellrock.large_tiles"
"""Attribute of an op that may be computed by large tiles of minimal filtering, which lose more to
rounding (`dialects/convolution/large_tiles`). A stage before selection says so where the user
allows it."""
INEXACT = "inexact"
"""Variant of a convolution with that attribute."""
_VIEWS = {"tensor.expand_shape", "tensor.extract_slice"}

_ROLES = {
    # (in image outside the window, in filter, in output)
    (True, False, True): "batch",
    (False, True, True): "out_channel",
    (True, True, False): "in_channel",
    (True, True, True): "group",
}
_LETTERS = {"batch": "n", "out_channel": "f", "in_channel": "c", "group": "g"}


def match(op: Structured) -> Motif | None:
    """Return the motif if the op is a convolution."""
    product_sum = read_product_sum(op)
    if product_sum is None or not product_sum.plain:
        return None
    sides = [min(product_sum.left), min(product_sum.right)]
    images = [i for i in sides if not is_projection(op.accesses[i])]
    if len(images) != 1 or not is_projection(op.accesses[op.input_count]):
        return None
    image = images[0]
    window = read_window(op, op.accesses[image], op.shapes[image])
    if window is None:
        return None
    roles = _roles(op, image, sides[1 - sides.index(image)], window)
    if roles is None:
        return None
    lists = {name: op.sizes([i for i, r in enumerate(roles) if r == name]) for name in _LETTERS}
    return op.motif(
        MotifKind.CONVOLUTION,
        variant=_variant(op, op.values[image]),
        dims=_dims(lists),
        lists=window.lists(op),
        roles=roles,
        letters=_letters(roles, window),
        accumulator=product_sum.dtype,
        flops_per_point=product_sum.flops,
    )


def _variant(op: Structured, image: ir.Value) -> str:
    if _is_stuffed(image):
        return TRANSPOSED
    return INEXACT if LARGE_TILES in op.op.attributes else ""


def _is_stuffed(image: ir.Value) -> bool:
    """Whether an image has zeros between its elements, by a slice put in with gaps."""
    while not isinstance(image, ir.BlockArgument):
        maker = ir.OpResult(image).owner.operation
        if maker.name not in _VIEWS:
            return maker.name == "tensor.insert_slice" and stuffs(maker)
        image = maker.operands[0]
    return False


def _roles(op: Structured, image: int, kernel: int, window: Window) -> list[str] | None:
    spatial = {d.output: "output" for d in window.dims}
    spatial |= {d.kernel: "kernel" for d in window.dims}
    outside = frozenset(e.loop for e in op.accesses[image] if e.loop is not None)
    weights, output = loops_in(op.accesses[kernel]), op.output_loops
    roles: list[str] = []
    for i in range(len(op.loops)):
        role = spatial.get(i) or _ROLES.get((i in outside, i in weights, i in output))
        if role is None or (role == "kernel" and i not in weights):
            return None
        if role == "output" and i in weights:
            return None  # a filter that differs at each position is not a convolution
        roles.append(role)
    return roles


def _dims(lists: dict[str, tuple[int, ...]]) -> dict[str, int]:
    groups = product(lists["group"])
    inner, outer = product(lists["in_channel"]), product(lists["out_channel"])
    return {
        "batch": product(lists["batch"]),
        "groups": groups,
        "in_channels": DYNAMIC if DYNAMIC in (groups, inner) else groups * inner,
        "out_channels": DYNAMIC if DYNAMIC in (groups, outer) else groups * outer,
    }


def _letters(roles: list[str], window: Window) -> list[str]:
    spatial = window.letters()
    known = [r for r in roles if r in _LETTERS]
    named = iter(letters_of(known, _LETTERS))
    return [spatial[i] if i in spatial else next(named) for i in range(len(roles))]
