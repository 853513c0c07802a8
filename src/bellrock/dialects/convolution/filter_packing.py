"""`transform.bellrock.pack_filters`: filters in the order in which tiles read them, as ops.

Missing upstream: `linalg.pack` packs into whole tiles with a value around them; a last panel that
starts early enough to be whole needs no such value, and no special case where it is read. And
the packing has to be an op of its own before kernels are outlined, so that it is prepared once
per set of weights (docs/design/0008).

Rewrite (of a convolution whose choice is `direct-convolution` with `packed`):
    %r = linalg.generic (n, f, h, w, c, i, j) ins(%x, %w) { %o + %x * %w }
  ->
    %p = linalg.generic (p, c, i, j, q) { tensor.extract %w[min(p * panel, last) + q, c, i, j] }
    %r = linalg.generic (n, f, h, w, c, i, j) ins(%x, %w, %p) { %o + %x * %w }

A filter that is no fixed argument, or for whose copy there is no room, is read where it is. The
convolution still says what it computes: its body does not use `%p`, which only its lowering reads.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.buffer_uses import element_bytes
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.given_choice import CHOICE, choice_of
from bellrock.dialects.live_bytes import tensor_bytes
from bellrock.dialects.prepared_room import Room, add_unused_input, is_fixed
from bellrock.dialects.revised_choices import by_signature, revise
from bellrock.payload.motifs.access import Access, is_projection, loops_in
from bellrock.payload.motifs.contraction import read_product_sum
from bellrock.payload.motifs.structured import Structured, read_structured

KNOBS = "direct-convolution"
PACKED = "packed"


@edits_in_place(lambda op, **given: _pack_all(op, **given), options=("percent",))
class PackFiltersOp(Bellrock.Operation, name="pack_filters"):
    """Pack the filters of the convolutions below the handle."""

    target: ext.Operand[transform.AnyOpType]
    percent: ir.IntegerAttr
    """Of the function's memory that copies of weights may take beside it."""


def _pack_all(root: ir.Operation, *, percent: int) -> None:
    for function in ops_named(root, "func.func"):
        wanted = [op for op in ops_named(function, "linalg.generic") if _is_chosen(op)]
        room = Room.of(function, percent) if wanted else None
        groups = by_signature(wanted)
        for ops in sorted(groups, key=lambda each: -tensor_bytes(each[0].results[0])):
            found = [p for p in (_packing(op, function) for op in ops) if p is not None]
            size = sum(packing.size_bytes for packing in found)
            if room is None or len(found) < len(ops) or not room.take(size):
                revise(function, ops, _in_place(ir.DictAttr(ops[0].attributes[CHOICE])))
                continue
            for op, packing in zip(ops, found, strict=True):
                with ir.InsertionPoint(op), op.location:
                    add_unused_input(op, packing.emit())


def _packing(op: ir.Operation, function: ir.Operation) -> "Packing | None":
    """Return how the filter of a convolution is packed; None where it cannot be kept."""
    structured = read_structured(op)
    filters = None if structured is None else _read(structured)
    if filters is None or not is_fixed(filters.value, function):
        return None
    panel = ir.IntegerAttr(ir.DictAttr(op.attributes[CHOICE])["channels"]).value
    return Packing(filters, min(panel, filters.out_channels))


def _in_place(choice: ir.DictAttr) -> ir.DictAttr:
    """Return a choice that leaves the filter where it is."""
    kept = {item.name: item.attr for item in choice}
    return ir.DictAttr.get(kept | {PACKED: ir.BoolAttr.get(False, choice.context)}, choice.context)


def _is_chosen(op: ir.Operation) -> bool:
    choice = choice_of(op, KNOBS)
    return choice is not None and PACKED in choice and ir.BoolAttr(choice[PACKED]).value


@dataclass(frozen=True, slots=True)
class Filters:
    """The filter of a convolution, and what its dimensions are."""

    value: ir.Value
    access: Access
    groups: tuple[int, ...]
    """Loops."""
    out_channel: int
    """Loop."""
    reduced: tuple[int, ...]
    """Loops, as the image has them: the input channel, then the taps along each axis."""
    sizes: tuple[int, ...]
    """By loop."""

    @property
    def out_channels(self) -> int:
        """Output channels of a group."""
        return self.sizes[self.out_channel]


def _read(op: Structured) -> Filters | None:
    """Return the filter of a convolution; its roles are in `payload/motifs/convolution`."""
    product_sum = read_product_sum(op)
    if product_sum is None:
        return None
    sides = [min(product_sum.left), min(product_sum.right)]
    images = [i for i in sides if not is_projection(op.accesses[i])]
    if len(images) != 1:
        return None
    (number,) = (i for i in sides if i not in images)
    output, image, access = op.output_loops, op.accesses[images[0]], op.accesses[number]
    known, imaged = loops_in(access), loops_in(image)
    outer = [i for i in known if i in output and i not in imaged]
    reduced = [loop for e in image for loop, _ in e.terms if loop not in output]
    if (
        op.dtypes[number] != "f32"
        or len(outer) != 1
        or set(reduced) != {i for i in known if i not in output}
    ):
        return None
    groups = sorted(i for i in known if i in output and i in imaged)
    return Filters(op.values[number], access, tuple(groups), outer[0], tuple(reduced), op.loops)


@dataclass(frozen=True, slots=True)
class Packing:
    """A filter by groups, panels of output channels, reduced loops, channel of a panel."""

    filters: Filters
    panel: int

    @property
    def shape(self) -> list[int]:
        """Sizes of the packed filter."""
        sizes = self.filters.sizes
        outer = [*(sizes[i] for i in self.filters.groups), -(-self._channels // self.panel)]
        return [*outer, *(sizes[i] for i in self.filters.reduced), self.panel]

    @property
    def size_bytes(self) -> int:
        """What the packed filter takes."""
        element = ir.RankedTensorType(self.filters.value.type).element_type
        return math.prod(self.shape) * element_bytes(element)

    @property
    def _channels(self) -> int:
        return self.filters.out_channels

    def emit(self) -> ir.Value:
        """Emit the packing, at the insertion point."""
        shape = self.shape
        rank = len(shape)
        kind = ir.RankedTensorType(self.filters.value.type)
        empty = tensor.EmptyOp(shape, kind.element_type).result
        maps = ir.ArrayAttr.get([ir.AffineMapAttr.get(ir.AffineMap.get_identity(rank))])
        parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
        made = linalg.GenericOp(
            [empty.type], [], [empty], maps, ir.ArrayAttr.get([parallel] * rank)
        )
        with ir.InsertionPoint(made.regions[0].blocks.append(kind.element_type)):
            linalg.YieldOp([tensor.extract(self.filters.value, self._place(rank))])
        made.operation.attributes[CHOICE] = ir.DictAttr.get(
            {"by": ir.StringAttr.get("default"), "knobs": ir.StringAttr.get("blocks"),
             "tile": ir.DenseI64ArrayAttr.get([0] * len(self.filters.groups) + [1]
                                              + [0] * (len(self.filters.reduced) + 1))}
        )  # fmt: skip
        return made.results[0]

    def _place(self, rank: int) -> list[ir.Value]:
        """Emit the indices in the filter, of a point of the packed one."""
        index = ir.IndexType.get()
        filters, count = self.filters, len(self.filters.groups)
        at = {loop: _index(i) for i, loop in enumerate(filters.groups)}
        at |= {loop: _index(count + 1 + i) for i, loop in enumerate(filters.reduced)}
        start = arith.muli(_index(count), arith.constant(index, self.panel))
        start = arith.minui(start, arith.constant(index, self._channels - self.panel))
        at[filters.out_channel] = arith.addi(start, _index(rank - 1))
        return [arith.constant(index, e.constant) if e.loop is None else at[e.loop]
                for e in filters.access]  # fmt: skip


def _index(loop: int) -> ir.Value:
    return linalg.IndexOp(loop).result


OPS = (PackFiltersOp,)
