"""Mends of the LLVM dialect: what upstream leaves in a form that SPIR-V or its backend refuses.

Flows in: a `gpu.module` in the LLVM dialect. Flows out: the same, in place, as every loader
gets it: the SPIR-V and what is interpreted are made of one and the same code.
"""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.dialects import llvm

from bellrock.dialects.device.calls import ARGUMENTS
from bellrock.errors import CompileError
from bellrock.target.xegpu.tables import as_integers

_DYNAMIC = ir.ShapedType.get_dynamic_stride_or_offset()
_MOVES = {
    "llvm.load", "llvm.store", "llvm.bitcast", "llvm.select", "llvm.br", "llvm.cond_br",
    "llvm.mlir.constant", "llvm.mlir.undef", "llvm.mlir.poison", "llvm.mlir.zero", "llvm.alloca",
    "llvm.extractelement", "llvm.insertelement", "llvm.shufflevector", "llvm.getelementptr",
    "llvm.freeze", "llvm.extractvalue", "llvm.insertvalue",
}  # fmt: skip
"""Ops that move values and do not look at them."""
_LONGEST = 16
"""Elements of a vector in SPIR-V."""
_TYPED = ("elem_type", "value", "function_type", "global_type")
"""Attributes that are or have a type."""


def mend(module: ir.Operation, *, sub_group: int) -> None:
    """Apply all mends to a `gpu.module`.

    Args:
        module: in the LLVM dialect; the module's context must be the current one.
        sub_group: work-items of a sub-group of each kernel.

    Raises:
        CompileError: the module has something that no mend knows.
    """
    for function in kernels_of(module):
        bare_arguments(function)
        i32 = ir.IntegerType.get_signless(32)
        function.attributes["intel_reqd_sub_group_size"] = ir.IntegerAttr.get(i32, sub_group)
    parts_of_words(module)
    bytes_for_bits(module)
    integers_for_bf16(module)
    extrema_with_nan(module)


def parts_of_words(module: ir.Operation) -> None:
    """Take parts of vectors before they are seen as narrower elements: 16 is the most there are.

    Rewrite (of a block of 16 words in each work-item):
        %v = llvm.bitcast %w : vector<16xi32> to vector<32xf16>
        %p = llvm.shufflevector %v, %u [16, 17, .., 31]
      ->
        %q = llvm.shufflevector %w, %w [8, 9, .., 15]
        %p = llvm.bitcast %q : vector<8xi32> to vector<16xf16>
    """
    for op in ops_of(module):
        if op.name != "llvm.shufflevector" or isinstance(op.operands[0].owner, ir.Block):
            continue
        cast = op.operands[0].owner.operation
        if cast.name != "llvm.bitcast":
            continue
        words, kind = cast.operands[0], ir.VectorType(op.operands[0].type)
        mask = list(ir.DenseI32ArrayAttr(op.attributes["mask"]))
        if kind.shape[0] <= _LONGEST or not isinstance(words.type, ir.VectorType):
            continue
        ratio, rest = divmod(kind.shape[0], words.type.shape[0])
        in_order = mask == list(range(mask[0], mask[0] + len(mask)))
        if (
            rest
            or not in_order
            or mask[0] % ratio
            or len(mask) % ratio
            or mask[-1] >= kind.shape[0]
        ):
            continue
        first = mask[0] // ratio
        part = ir.VectorType.get([len(mask) // ratio], words.type.element_type)
        with ir.InsertionPoint(op), op.location:
            order = ir.DenseI32ArrayAttr.get(list(range(first, first + part.shape[0])))
            found = llvm.ShuffleVectorOp(part, words, words, order)
            seen = llvm.BitcastOp(op.results[0].type, found.results[0])
        op.results[0].replace_all_uses_with(seen.results[0])
        op.erase()
        if not list(cast.results[0].uses):
            cast.erase()


def ops_of(root: ir.Operation) -> list[ir.Operation]:
    """Return all ops below `root`, inner ones first."""
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        found.append(op)
        return ir.WalkResult.ADVANCE

    root.walk(visit)
    return found[:-1]


def kernels_of(module: ir.Operation) -> list[ir.Operation]:
    """Return the kernels of a `gpu.module` in the LLVM dialect."""
    return [
        op.operation
        for op in module.regions[0].blocks[0].operations
        if op.operation.name == "llvm.func" and "gpu.kernel" in op.operation.attributes
    ]


def bare_arguments(function: ir.Operation) -> None:
    """Pass each buffer as one pointer: all else that its descriptor says is known.

    Rewrite (for memref<4x8xf32>):
        (%allocated, %aligned, %offset, %rows, %columns, %row_stride, %column_stride)
      ->
        (%aligned) with 0, 4, 8, 8, 1 for the others
    """
    if ARGUMENTS not in function.attributes:
        return
    kinds = [ir.TypeAttr(a).value for a in ir.ArrayAttr(function.attributes[ARGUMENTS])]
    block = function.regions[0].blocks[0]
    arguments = list(block.arguments)
    dropped: list[int] = []
    at = 0
    with ir.InsertionPoint.at_block_begin(block), function.location:
        for kind in kinds:
            if not isinstance(kind, ir.MemRefType):
                at += 1
                continue
            known = _descriptor(kind)
            arguments[at].replace_all_uses_with(arguments[at + 1])
            dropped.append(at)
            for i, value in enumerate(known):
                constant = llvm.ConstantOp(_i64(), ir.IntegerAttr.get(_i64(), value)).result
                arguments[at + 2 + i].replace_all_uses_with(constant)
                dropped.append(at + 2 + i)
            at += 2 + len(known)
    for i in reversed(dropped):
        block.erase_argument(i)
    types = ", ".join(str(a.type).removeprefix("!llvm.") for a in block.arguments)
    function.attributes["function_type"] = ir.TypeAttr.get(
        ir.Type.parse(f"!llvm.func<void ({types})>")
    )


def _i64() -> ir.Type:
    return ir.IntegerType.get_signless(64)


def _descriptor(kind: ir.MemRefType) -> list[int]:
    """Return the offset, sizes and strides of a buffer."""
    strides, offset = kind.get_strides_and_offset()
    known = [offset, *kind.shape, *strides]
    if offset or _DYNAMIC in known or ir.ShapedType.get_dynamic_size() in kind.shape:
        raise CompileError(
            "a kernel takes a buffer that is not contiguous or of unknown size", got=str(kind)
        )
    return known


def bytes_for_bits(module: ir.Operation) -> None:
    """Keep booleans in memory as bytes: SPIR-V's have no size.

    Rewrite:
        %b = llvm.load %p : !llvm.ptr -> i1
      ->
        %c = llvm.load %p : !llvm.ptr -> i8
        %b = llvm.icmp "ne" %c, 0
    """
    i1, i8 = ir.IntegerType.get_signless(1), ir.IntegerType.get_signless(8)
    for op in ops_of(module):
        if op.name in ("llvm.getelementptr", "llvm.alloca"):
            if ir.TypeAttr(op.attributes["elem_type"]).value == i1:
                op.attributes["elem_type"] = ir.TypeAttr.get(i8)
        elif op.name == "llvm.mlir.global":
            _bytes_for_table(op)
        elif op.name == "llvm.load" and op.results[0].type == i1:
            with ir.InsertionPoint.after(op), op.location:
                zero = llvm.ConstantOp(i8, ir.IntegerAttr.get(i8, 0)).result
                whole = llvm.LoadOp(i8, op.operands[0]).result
                bit = llvm.ICmpOp(llvm.ICmpPredicate.ne, whole, zero).result
            op.results[0].replace_all_uses_with(bit)
            op.erase()
        elif op.name == "llvm.store" and op.operands[0].type == i1:
            with ir.InsertionPoint(op), op.location:
                op.operands[0] = llvm.ZExtOp(i8, op.operands[0]).result


def _bytes_for_table(op: ir.Operation) -> None:
    """Make a constant table of booleans one of bytes."""
    if "value" not in op.attributes:
        return
    value, kind = op.attributes["value"], str(ir.TypeAttr(op.attributes["global_type"]).value)
    i1 = ir.IntegerType.get_signless(1)
    if isinstance(value, ir.DenseElementsAttr) and ir.ShapedType(value.type).element_type == i1:
        op.attributes["value"] = as_integers(value)
        op.attributes["global_type"] = ir.TypeAttr.get(ir.Type.parse(kind.replace("x i1", "x i8")))


_EXTREMA = {
    "llvm.intr.maximum": llvm.FCmpPredicate.ugt, "llvm.intr.minimum": llvm.FCmpPredicate.ult,
}  # fmt: skip


def extrema_with_nan(module: ir.Operation) -> None:
    """Compare and select for extrema: the backend takes OpenCL's, which drop what is no number.

    Rewrite:
        %m = llvm.intr.maximum(%a, %b)
      ->
        %n = select (a > b, or one of them is no number), a, b
        %m = select (b is no number), b, n
    """
    for op in ops_of(module):
        if op.name not in _EXTREMA:
            continue
        first, second = op.operands
        with ir.InsertionPoint(op), op.location:
            taken = llvm.FCmpOp(_EXTREMA[op.name], first, second).result
            found = llvm.SelectOp(taken, first, second).result
            if not _is_constant(second):  # which would not be written for what is no number
                odd = llvm.FCmpOp(llvm.FCmpPredicate.uno, second, second).result
                found = llvm.SelectOp(odd, second, found).result
        op.results[0].replace_all_uses_with(found)
        op.erase()


def _is_constant(value: ir.Value) -> bool:
    return not isinstance(value.owner, ir.Block) and value.owner.name == "llvm.mlir.constant"


def integers_for_bf16(module: ir.Operation) -> None:
    """Move bf16 as 16-bit integers: without an extension SPIR-V has no such float.

    Arithmetic on it has become arithmetic in f32 and on bits before.
    """
    for op in ops_of(module):
        holders = [*op.results, *(a for r in op.regions for b in r.blocks for a in b.arguments)]
        touched = any(_has_bf16(v.type) for v in [*holders, *op.operands])
        named = [name for name in _TYPED if name in op.attributes]
        if not touched and not any("bf16" in str(op.attributes[name]) for name in named):
            continue
        if touched and op.name not in _MOVES and op.name != "llvm.func":
            raise CompileError("arithmetic in bf16 is left in a kernel", got=str(op)[:200])
        for name in named:
            op.attributes[name] = _without_bf16(op.attributes[name])
        for value in holders:
            if _has_bf16(value.type):
                value.set_type(ir.Type.parse(str(value.type).replace("bf16", "i16")))


def _has_bf16(kind: ir.Type) -> bool:
    return "bf16" in str(kind)


def _without_bf16(attribute: ir.Attribute) -> ir.Attribute:
    i16 = ir.IntegerType.get_signless(16)
    if isinstance(attribute, ir.FloatAttr) and isinstance(attribute.type, ir.BF16Type):
        return ir.IntegerAttr.get(i16, _bits(attribute.value))
    if isinstance(attribute, ir.DenseElementsAttr) and _has_bf16(attribute.type):
        return as_integers(attribute)
    if isinstance(attribute, ir.TypeAttr) and _has_bf16(attribute.value):
        return ir.TypeAttr.get(ir.Type.parse(str(attribute.value).replace("bf16", "i16")))
    return attribute


def _bits(value: float) -> int:
    """Return the bits of a number that bf16 has exactly, as a signed integer."""
    import struct

    bits = int.from_bytes(struct.pack("<f", value), "little") >> 16
    return bits - (1 << 16) if bits >= 1 << 15 else bits
