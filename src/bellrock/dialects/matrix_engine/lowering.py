"""`transform.bellrock.lower_matrix_products`: a contraction's kernel on matrix engines.

Missing upstream: tiles of whole work-groups and sub-groups have to divide the matrices, operands
have to lie as 2-d block loads want them, and what is fused to a product has to be distributed by
layouts. Here every lane's code is made directly, for any sizes.

Rewrite (kernel of a function by itself):
    func @k(%a: tensor<..>, %b: tensor<..>, %out: tensor<..>) {
      elementwise ops, product, elementwise ops }
  ->
    func @k(%a: memref<..>, %b: memref<..>, %out: memref<..>) {
      gpu.launch columns x rows x batch {
        scf.for depth { xegpu.load_nd a, b; xegpu.dpas }; elementwise ops; xegpu.store_nd } }

Needs: static shapes, factors in f16 or bf16, sums in f32. A function that is otherwise is left
alone;
`settle_matrix_products` finds such functions among outlined kernels, before each is compiled as its
choice says: without a choice they take the generic path.
"""

# No postponed annotations here: the dialect reads the field types from them.
from collections.abc import Iterator

from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.given_choice import CHOICE, choice_of
from bellrock.dialects.matrix_engine.product import emit_product
from bellrock.dialects.matrix_engine.reading import EngineKernel, read_engine_kernel
from bellrock.dialects.matrix_engine.tile import Choice
from bellrock.dialects.outlining import anchor_of
from bellrock.dialects.replacing import replace

KNOBS = "dpas"
REGISTERS = "bellrock.registers"
"""Attribute of a kernel function: the registers of a thread that its tiles are made for."""


@edits_in_place(lambda op: _lower_all(op))
class LowerMatrixProductsOp(Bellrock.Operation, name="lower_matrix_products"):
    """Lower the kernels of the handle's module whose choice is `dpas`."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: _settle_all(op))
class SettleMatrixProductsOp(Bellrock.Operation, name="settle_matrix_products"):
    """Take the choice `dpas` from kernels of the handle's module that cannot be lowered so."""

    target: ext.Operand[transform.AnyOpType]


def _lower_all(root: ir.Operation) -> None:
    for function, anchor, choice in _chosen(root):
        kernel = read_engine_kernel(function, anchor)
        if kernel is not None:
            replace(function, lambda new, k=kernel, c=choice: _emit(k, c, new))


def _emit(kernel: EngineKernel, choice: Choice, arguments: list[ir.Value]) -> None:
    """Emit the body of the new function that the arguments are of."""
    function = ir.InsertionPoint.current.block.owner.operation
    i64 = ir.IntegerType.get_signless(64)
    function.attributes[REGISTERS] = ir.IntegerAttr.get(i64, choice.registers)
    emit_product(kernel, choice, arguments)


def _settle_all(root: ir.Operation) -> None:
    for function, anchor, _ in _chosen(root):
        if read_engine_kernel(function, anchor) is None:
            del anchor.attributes[CHOICE]


def _chosen(root: ir.Operation) -> Iterator[tuple[ir.Operation, ir.Operation, Choice]]:
    """Yield the functions with their anchors and choices, if those are `dpas`."""
    for function in ops_named(root, "func.func"):
        anchor = anchor_of(function)
        choice = None if anchor is None else read_choice(anchor)
        if anchor is not None and choice is not None:
            yield function, anchor, choice


def read_choice(anchor: ir.Operation) -> Choice | None:
    """Return the tiles of an anchor's choice, if it is of these knobs."""
    given = choice_of(anchor, KNOBS)
    if given is None:
        return None

    def pair(name: str) -> tuple[int, int]:
        first, second = ir.DenseI64ArrayAttr(given[name])
        return first, second

    return Choice(
        work_group=pair("work_group"),
        sub_group=pair("sub_group"),
        k_step=ir.IntegerAttr(given["k_step"]).value,
        load_a=pair("load_a"),
        load_b=pair("load_b"),
        prefetch_a=pair("prefetch_a"),
        prefetch_b=pair("prefetch_b"),
        prefetch_depth=ir.IntegerAttr(given["prefetch_depth"]).value,
        split_k=ir.IntegerAttr(given["split_k"]).value,
        registers=ir.IntegerAttr(given["grf"]).value,
    )


OPS = (LowerMatrixProductsOp, SettleMatrixProductsOp)
