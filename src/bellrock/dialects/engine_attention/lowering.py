"""`transform.bellrock.lower_engine_attentions`: an attention's kernel on matrix engines.

Missing upstream: tiling and fusing cannot carry a softmax over blocks of keys, since what was
summed so far has to be scaled again when the maximum grows; and tiles have to divide the matrices.

Rewrite (kernel of a function by itself):
    func @k(%q: tensor<..>, %k: tensor<..>, %v: tensor<..>, %out: tensor<..>) {
      scores, scale and mask, maximum, exponentials, total, weights, output }
  ->
    func @k(%q: memref<..>, ...) {
      gpu.launch queries x features x batch {
        scf.for keys { xegpu.dpas keys x queries; softmax; xegpu.dpas values x weights } } }

Needs: static shapes, queries, keys and values in one of f16 and bf16 when they are multiplied.
`settle_engine_attentions` finds out, before kernels are made, which attentions are otherwise: the
last product of these is chosen to be a kernel by itself, on matrix engines, as is the first.
"""

# No postponed annotations here: the dialect reads the field types from them.
from collections.abc import Iterator

from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.attention.chosen import ENGINE_KNOBS, chosen_attention
from bellrock.dialects.attention.reading import AttentionKernel, read_kernel
from bellrock.dialects.engine_attention.lanes import Choice, emit_attention
from bellrock.dialects.extension import Bellrock, edits_in_place, module_op, ops_named
from bellrock.dialects.grouping import Group
from bellrock.dialects.matrix_engine.lowering import KNOBS as PRODUCT_KNOBS
from bellrock.dialects.matrix_engine.lowering import REGISTERS
from bellrock.dialects.outlining import CHOICE, anchor_of, drafted
from bellrock.dialects.replacing import read_sizes, replace
from bellrock.dialects.revised_choices import by_signature, revise

_ELEMENTS = ("f16", "bf16")
_PRODUCT = {
    "work_group": (32, 64), "sub_group": (16, 32), "load_a": (16, 16), "load_b": (16, 16),
    "prefetch_a": (16, 16), "prefetch_b": (16, 16), "dpas": (8, 16, 16),
    "k_step": 32, "prefetch_depth": 0, "grf": 256, "split_k": 1,
}  # fmt: skip
"""Tiles that fit any product, for the last one of an attention that is not one kernel."""


@edits_in_place(lambda op: _lower_all(op))
class LowerEngineAttentionsOp(Bellrock.Operation, name="lower_engine_attentions"):
    """Lower the kernels of the handle's module whose choice is `dpas-attention`."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: _settle_all(op))
class SettleEngineAttentionsOp(Bellrock.Operation, name="settle_engine_attentions"):
    """Choose products for the attentions below the handle that cannot be one kernel."""

    target: ext.Operand[transform.AnyOpType]


def _lower_all(root: ir.Operation) -> None:
    for function in ops_named(root, "func.func"):
        anchor = anchor_of(function)
        given = None if anchor is None else read_sizes(anchor, ENGINE_KNOBS)
        kernel = None if anchor is None or given is None else _read(function, anchor)
        if given is None or kernel is None:
            continue
        held = bool(given["held"])
        numbers = {n: int(given[n]) for n in (
            "queries", "keys", "features", "sub_groups", "prefetch_depth")}  # fmt: skip
        choice = Choice(**numbers, registers=int(given["grf"]), held=held)
        replace(function, lambda new, k=kernel, c=choice: _emit(k, c, new))


def _emit(kernel: AttentionKernel, choice: Choice, arguments: list[ir.Value]) -> None:
    """Emit the body of the new function that the arguments are of."""
    function = ir.InsertionPoint.current.block.owner.operation
    i64 = ir.IntegerType.get_signless(64)
    function.attributes[REGISTERS] = ir.IntegerAttr.get(i64, choice.registers)
    emit_attention(kernel, choice, arguments)


def _read(function: ir.Operation, anchor: ir.Operation) -> AttentionKernel | None:
    """Return a kernel, if all factors of its products are multiplied in one narrow type."""
    kernel = read_kernel(function, anchor)
    if kernel is None:
        return None
    factors = (kernel.query_factor, kernel.key_factor, kernel.value_factor)
    inputs = {o.argument for o in (kernel.queries, kernel.keys, kernel.values)}
    types = {str(f.element) for f in factors}
    fits = (
        len(types) == 1
        and types <= set(_ELEMENTS)
        and kernel.result.argument not in inputs
        and min(*kernel.shape, kernel.depth_size, kernel.feature_size) > 0
    )
    return kernel if fits else None


def _settle_all(root: ir.Operation) -> None:
    for function in ops_named(root, "func.func"):
        chosen = list(_chosen(function))
        refused = {op for op, parts in chosen if not _is_one_kernel(op, parts)}
        for ops in by_signature([op for op, _ in chosen]):
            # One row of the lock is for all of them.
            if not refused.isdisjoint(ops):
                revise(function, ops, _product_choice(ops[0]))


def _is_one_kernel(op: ir.Operation, parts: list[ir.Operation]) -> bool:
    """Whether an attention can be lowered, found by drafting its kernel."""
    with ir.InsertionPoint.at_block_begin(module_op(op).regions[0].blocks[0]), op.location:
        trial = drafted(Group(parts, anchor=op, closed=True))
    anchor = anchor_of(trial)
    readable = anchor is not None and _read(trial, anchor) is not None
    trial.erase()
    return readable


def _chosen(function: ir.Operation) -> Iterator[tuple[ir.Operation, list[ir.Operation]]]:
    """Yield the last products of attentions that are to be one kernel, with all ops of it."""
    for op in ops_named(function, "linalg.generic"):
        if CHOICE in op.attributes and read_sizes(op, ENGINE_KNOBS) is not None:
            parts = chosen_attention(op)
            yield op, [op] if parts is None else in_order(parts)


def in_order(ops: list[ir.Operation]) -> list[ir.Operation]:
    """Return ops of one block as they stand there."""
    wanted = set(ops)
    return [o.operation for o in ops[0].block.operations if o.operation in wanted]


def _product_choice(op: ir.Operation) -> ir.DictAttr:
    """Return a choice that any product can have."""
    context = op.context
    i64 = ir.IntegerType.get_signless(64, context)
    given: dict[str, ir.Attribute] = {
        name: ir.DenseI64ArrayAttr.get(list(value), context)
        if isinstance(value, tuple)
        else ir.IntegerAttr.get(i64, value)
        for name, value in _PRODUCT.items()
    }
    given["by"] = ir.DictAttr(op.attributes[CHOICE])["by"]
    given["knobs"] = ir.StringAttr.get(PRODUCT_KNOBS, context)
    return ir.DictAttr.get(given, context)


OPS = (LowerEngineAttentionsOp, SettleEngineAttentionsOp)
