"""`transform.bellrock.call_builtins`: functions of `math` as OpenCL's extended instructions.

Missing upstream: `convert-math-to-llvm` has an intrinsic for some functions only, and the SPIR-V
backend for fewer. The backend turns a call of `__spirv_ocl_NAME`, with the name mangled as C++
does, into the instruction; its error is what OpenCL C states for the function (sin and cos 4 ulp,
pow 16).

Rewrite, in a gpu.module:
    %y = math.sin %x : f32
  ->
    %y = llvm.call spir_funccc @_Z15__spirv_ocl_sinf(%x) : (f32) -> f32

Narrower floats widen to f32, and round once. Leaves alone: what has no such instruction.
`gpu.shuffle` becomes a call of `sub_group_shuffle_xor` or another of its kind: upstream does that
only in functions that state their sub-group size, which kernels here do at the very end.
"""

# No postponed annotations here: the dialect reads the field types from them.

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named

_NAMES = {
    name: name
    for name in (
        "acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 "
        "expm1 floor log log10 log1p log2 round sin sinh sqrt rsqrt tan tanh trunc fma"
    ).split()
} | {"powf": "pow", "fpowi": "pown", "roundeven": "rint", "absf": "fabs"}
"""Function of `math` -> extended instruction."""
PREFIX = "__spirv_ocl_"
_LETTERS = {"f32": "f", "f64": "d", "i32": "i", "i64": "l"}


@edits_in_place(lambda op: _call_all(op))
class CallBuiltinsOp(Bellrock.Operation, name="call_builtins"):
    """Call built-in functions in the device modules below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


def _call_all(root: ir.Operation) -> None:
    for module in ops_named(root, "gpu.module"):
        found: list[ir.Operation] = []

        def visit(op: ir.Operation, found: list[ir.Operation] = found) -> ir.WalkResult:
            if op.name.removeprefix("math.") in _NAMES and op.name.startswith("math."):
                found.append(op)
            return ir.WalkResult.ADVANCE

        module.walk(visit)
        for op in found:
            with ir.InsertionPoint(op), op.location:
                _call(op, module)
        for op in ops_named(module, "gpu.shuffle"):
            with ir.InsertionPoint(op), op.location:
                _shuffle(op, module)


def _shuffle(op: ir.Operation, module: ir.Operation) -> None:
    """Exchange values in a sub-group; all its lanes are there, so the result is always valid."""
    value, offset = op.operands[0], op.operands[1]
    mode = str(op.attributes["mode"]).removeprefix("#gpu<shuffle_mode ").removesuffix(">")
    name = "sub_group_shuffle" if mode == "idx" else f"sub_group_shuffle_{mode}"
    symbol = _symbol(name, [value.type, offset.type])
    _declare(module, symbol, [value.type, offset.type], value.type, convergent=True)
    found = _called(symbol, [value, offset], value.type, convergent=True)
    op.results[0].replace_all_uses_with(found)
    i1 = ir.IntegerType.get_signless(1)
    op.results[1].replace_all_uses_with(arith.ConstantOp(i1, 1).result)
    op.erase()


def _call(op: ir.Operation, module: ir.Operation) -> None:
    result = op.results[0].type
    kind = _wide(result)
    if kind is None:
        return
    operands = [_widened(v, kind) for v in op.operands]
    name = _NAMES[op.name.removeprefix("math.")]
    types = [v.type for v in operands]
    symbol = mangled(name, types)
    _declare(module, symbol, types, kind)
    found = _called(symbol, operands, kind)
    if kind != result:
        found = arith.TruncFOp(result, found).result
    op.results[0].replace_all_uses_with(found)
    op.erase()


def _called(
    symbol: str, operands: list[ir.Value], kind: ir.Type, *, convergent: bool = False
) -> ir.Value:
    attributes: dict[str, ir.Attribute] = {
        "callee": ir.FlatSymbolRefAttr.get(symbol),
        "CConv": ir.Attribute.parse("#llvm.cconv<spir_funccc>"),
        "operandSegmentSizes": ir.DenseI32ArrayAttr.get([len(operands), 0]),
        "op_bundle_sizes": ir.DenseI32ArrayAttr.get([]),
    }
    if convergent:
        attributes["convergent"] = ir.UnitAttr.get()
    return ir.Operation.create("llvm.call", [kind], operands, attributes).results[0]


def _wide(kind: ir.Type) -> ir.Type | None:
    """Return the type that a function of this result computes in; None where there is none."""
    element = ir.VectorType(kind).element_type if isinstance(kind, ir.VectorType) else kind
    if isinstance(element, (ir.F16Type, ir.BF16Type)):
        element = ir.F32Type.get()
    if not isinstance(element, (ir.F32Type, ir.F64Type)):
        return None
    if isinstance(kind, ir.VectorType):
        return ir.VectorType.get(kind.shape, element)
    return element


def _widened(value: ir.Value, kind: ir.Type) -> ir.Value:
    element = kind.element_type if isinstance(kind, ir.VectorType) else kind
    own = value.type.element_type if isinstance(value.type, ir.VectorType) else value.type
    if isinstance(own, (ir.F16Type, ir.BF16Type)):
        return arith.ExtFOp(kind, value).result
    if isinstance(own, ir.IntegerType) and own.width != 32:
        return arith.TruncIOp(ir.IntegerType.get_signless(32), value).result
    assert own == element or isinstance(own, ir.IntegerType)
    return value


def mangled(name: str, types: list[ir.Type]) -> str:
    """Return the mangled name of an extended instruction on operands of these types."""
    return _symbol(PREFIX + name, types)


def _symbol(name: str, types: list[ir.Type]) -> str:
    """Return the mangled name of a function on operands of these types."""
    parts: list[str] = []
    for kind in types:
        if isinstance(kind, ir.VectorType):
            parts.append(f"Dv{kind.shape[0]}_{_LETTERS[str(kind.element_type)]}")
        else:
            parts.append(_LETTERS[str(kind)])
    # A repeated vector type is a substitution in the mangling.
    whole = ["S_" if p.startswith("Dv") and p in parts[:i] else p for i, p in enumerate(parts)]
    return f"_Z{len(name)}{name}{''.join(whole)}"


def _declare(
    module: ir.Operation, symbol: str, types: list[ir.Type], result: ir.Type, *,
    convergent: bool = False,
) -> None:  # fmt: skip
    block = module.regions[0].blocks[0]
    known = {
        ir.StringAttr(op.operation.attributes["sym_name"]).value
        for op in block.operations
        if "sym_name" in op.operation.attributes
    }
    if symbol in known:
        return
    kinds = ", ".join(str(t) for t in types)
    with ir.InsertionPoint(block.operations[0]):
        ir.Operation.create(
            "llvm.func",
            regions=1,
            attributes={
                "sym_name": ir.StringAttr.get(symbol),
                "function_type": ir.TypeAttr.get(ir.Type.parse(f"!llvm.func<{result} ({kinds})>")),
                "CConv": ir.Attribute.parse("#llvm.cconv<spir_funccc>"),
                "linkage": ir.Attribute.parse("#llvm.linkage<external>"),
                "visibility_": ir.IntegerAttr.get(ir.IntegerType.get_signless(64), 0),
                "no_unwind": ir.UnitAttr.get(),
                "will_return": ir.UnitAttr.get(),
                **({"convergent": ir.UnitAttr.get()} if convergent else {}),
            },
        )


OPS = (CallBuiltinsOp,)
