"""Where the tensors of a kernel lie in memory: strides from arguments, through views.

Flows in: tensor values of a kernel function, affine maps. Flows out: `Source` (argument, offset,
strides by dimension) and `Operand` (the same by loop), from which addresses are computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.payload.motifs.access import Access


@dataclass(frozen=True, slots=True)
class Source:
    """A tensor as part of a function argument, which is dense."""

    argument: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def dense(self) -> bool:
        """Whether elements follow each other without gaps, in order."""
        return self.strides == row_major(self.shape)


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor as an op reads or writes it: address = offset + sum of loop * stride."""

    argument: int
    offset: int
    strides: Mapping[int, int]
    """By loop; a loop that does not move it has no entry."""

    def stride(self, loop: int | None) -> int:
        """Return the step in elements along a loop."""
        return 0 if loop is None else self.strides.get(loop, 0)


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a dense tensor."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def owner_of(value: ir.Value) -> ir.Operation | None:
    """Return the op that makes a value, or None for an argument."""
    owner = value.owner
    return None if isinstance(owner, ir.Block) else owner.operation


def source_of(value: ir.Value) -> Source | None:
    """Return where a tensor lies, if it is (a static view of) an argument."""
    kind = value.type
    if not isinstance(kind, ir.RankedTensorType) or not kind.has_static_shape:
        return None
    shape = tuple(kind.shape)
    owner = owner_of(value)
    if owner is None:
        return Source(ir.BlockArgument(value).arg_number, 0, shape, row_major(shape))
    if owner.name in ("tensor.expand_shape", "tensor.collapse_shape", "tensor.cast"):
        inner = source_of(owner.operands[0])
        if inner is None or not inner.dense:
            return None
        return Source(inner.argument, inner.offset, shape, row_major(shape))
    if owner.name == "tensor.extract_slice":
        inner = source_of(owner.operands[0])
        return None if inner is None else _sliced(inner, owner, shape)
    return None


def _sliced(inner: Source, op: ir.Operation, shape: tuple[int, ...]) -> Source | None:
    offsets, sizes, steps = (
        tuple(ir.DenseI64ArrayAttr(op.attributes[n]))
        for n in ("static_offsets", "static_sizes", "static_strides")
    )
    if len(op.operands) != 1 or sizes != shape:
        return None
    offset = inner.offset + sum(o * s for o, s in zip(offsets, inner.strides, strict=True))
    strides = tuple(n * s for n, s in zip(steps, inner.strides, strict=True))
    return Source(inner.argument, offset, shape, strides)


def operand_of(
    source: Source, access: Access, loops: Sequence[int] | None = None
) -> Operand | None:
    """Return a tensor's strides by loop, if it is indexed linearly.

    Args:
        source: of the tensor.
        access: how it is indexed.
        loops: the loop that each loop of `access` stands for; the same when not given.
    """
    strides: dict[int, int] = {}
    offset = source.offset
    for expr, step in zip(access, source.strides, strict=True):
        if not expr.linear:
            return None
        offset += expr.constant * step
        for number, factor in expr.terms:
            loop = number if loops is None else loops[number]
            strides[loop] = strides.get(loop, 0) + factor * step
    return Operand(source.argument, offset, strides)
