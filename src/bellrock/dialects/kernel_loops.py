"""Transform ops on the loops of a kernel, before and after it is tiled.

`place_tiles`: the anchor's choice counts its own loops; what is tiled is the kernel's root
(the last fused op). Sets `bellrock.tile` on the root, in the root's loops.
`order_loops`: merge loops over neighbouring dimensions (`merge_loops`), and permute
the loops of generics as `bellrock.order` says, or, where it says
nothing, so that the innermost runs along memory (see `loop_order`); upstream's
`structured.interchange` takes the order from the schedule's text only, not as a parameter.
`relax_reductions`: allow the combiner of a reduction to be reassociated (its error stays
within what `verify` derives for any order), products to contract into fused multiply-add, and
the division of a row by one number to become a product with its reciprocal.
`stub_kernels`: replace the bodies of compiled kernels by what they read and write.
`declare_kernels`: drop those bodies, once the host function is bufferised.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import arith, ext, func, linalg, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.given_choice import choice_of
from bellrock.dialects.grouping import init_index, is_tensor
from bellrock.dialects.loop_order import order_along_memory
from bellrock.dialects.merge_loops import merge_loops
from bellrock.dialects.outlining import KERNEL, anchor_of
from bellrock.dialects.varying import varying_values

TILE = "bellrock.tile"
ORDER = "bellrock.order"


@edits_in_place(lambda op: _place(op))
class PlaceTilesOp(Bellrock.Operation, name="place_tiles"):
    """Turn the anchor's choice into `bellrock.tile` on the root of each kernel."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: _order_all(op))
class OrderLoopsOp(Bellrock.Operation, name="order_loops"):
    """Permute the loops of every generic that carries `bellrock.order`."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: _relax(op))
class RelaxReductionsOp(Bellrock.Operation, name="relax_reductions"):
    """Set fast-math flags where the result's error bound allows any order of summation."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: stub_kernels(op))
class StubKernelsOp(Bellrock.Operation, name="stub_kernels"):
    """Replace kernel bodies by one op that reads all inputs and writes all destinations."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: _declare_all(op))
class DeclareKernelsOp(Bellrock.Operation, name="declare_kernels"):
    """Leave of each kernel function only its declaration."""

    target: ext.Operand[transform.AnyOpType]


def _declare_all(root: ir.Operation) -> None:
    for function in ops_named(root, "func.func"):
        if KERNEL in function.attributes and len(function.regions[0].blocks):
            with ir.InsertionPoint(function), function.location:
                kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
                name = ir.StringAttr(function.attributes["sym_name"]).value
                declared = func.FuncOp(name, kind, visibility="private")
                declared.attributes[KERNEL] = function.attributes[KERNEL]
            function.erase()


def _place(function: ir.Operation) -> None:
    anchor = anchor_of(function)
    choice = choice_of(anchor)
    if anchor is None or choice is None:
        return
    if "order" in choice:
        anchor.attributes[ORDER] = choice["order"]
    tile = list(choice["tile"]) if "tile" in choice else []
    root = anchor
    while (consumer := _fused_consumer(root)) is not None:
        result_map = maps_of(root)[-1]
        tile = [tile[ir.AffineDimExpr(e).position] if tile else 0 for e in result_map.results]
        root = consumer
    if any(tile):
        root.attributes[TILE] = ir.DenseI64ArrayAttr.get(tile, root.context)


def _fused_consumer(op: ir.Operation) -> ir.Operation | None:
    """Return the elementwise op of the kernel that reads an op's result, if one does."""
    if op.name != "linalg.generic" or len(op.results) != 1:
        return None
    users = [u.owner.operation for u in op.results[0].uses]
    return users[0] if len(users) == 1 and users[0].name == "linalg.generic" else None


def _order_all(root: ir.Operation) -> None:
    for name in ("linalg.copy", "linalg.generic"):
        for op in ops_named(root, name):
            if ORDER not in op.attributes or not list(op.attributes[ORDER]):
                merge_loops(op)
    for op in ops_named(root, "linalg.generic"):
        order: list[int] = []
        if ORDER in op.attributes:
            order = list(op.attributes[ORDER])
            del op.attributes[ORDER]
        order = order or order_along_memory(op)
        if order != sorted(order):
            permute_loops(op, order)


def permute_loops(op: ir.Operation, order: list[int]) -> None:
    """Make loop `order[i]` of a generic its loop `i`, in place.

    Rewrite: maps (d0, d1, d2) with order [0, 2, 1] -> the same maps with d1 and d2 swapped.
    """
    count = len(order)
    position = {old: new for new, old in enumerate(order)}
    dims = [ir.AffineExpr.get_dim(position[d], op.context) for d in range(count)]
    renamed = ir.AffineMap.get(count, 0, dims, op.context)
    maps = [
        ir.AffineMap.get(count, 0, [e.compose(renamed) for e in m.results], op.context)
        for m in maps_of(op)
    ]
    op.attributes["indexing_maps"] = ir.ArrayAttr.get(
        [ir.AffineMapAttr.get(m) for m in maps], op.context
    )
    kinds = list(ir.ArrayAttr(op.attributes["iterator_types"]))
    op.attributes["iterator_types"] = ir.ArrayAttr.get([kinds[d] for d in order], op.context)
    i64 = ir.IntegerType.get_signless(64, op.context)
    for index in ops_named(op, "linalg.index"):
        old = ir.IntegerAttr(index.attributes["dim"]).value
        index.attributes["dim"] = ir.IntegerAttr.get(i64, position[old])


_EXTREMA = {"arith.maximumf", "arith.minimumf", "arith.maxnumf", "arith.minnumf"}
_COMBINERS = {"arith.addf", "arith.mulf", *_EXTREMA}


def _relax(root: ir.Operation) -> None:
    # Which zero is the largest of several is not told apart by any comparison of results.
    contract, reassociate, extremum, reciprocal = (
        ir.Attribute.parse(f"#arith.fastmath<{flags}>", root.context)
        for flags in ("contract", "reassoc,contract", "reassoc,nsz,contract", "arcp,contract")
    )
    for generic in ops_named(root, "linalg.generic"):
        block = generic.regions[0].blocks[0]
        carried = list(block.arguments)[init_index(generic) :]
        reduces = any("reduction" in str(a) for a in generic.attributes["iterator_types"])
        varying = varying_values(generic)
        for inner in block.operations:
            op = inner.operation
            if op.name == "arith.divf" and op.operands[1] not in varying:
                op.attributes["fastmath"] = reciprocal
            if op.name not in _COMBINERS and op.name != "arith.subf":
                continue
            combines = reduces and any(v in carried for v in op.operands)
            relaxed = combines and op.name in _COMBINERS
            if op.name in _EXTREMA:
                op.attributes["fastmath"] = extremum
            else:
                op.attributes["fastmath"] = reassociate if relaxed else contract


def kernel_functions(root: ir.Operation) -> list[tuple[str, str, str]]:
    """Return (symbol, text of a module with it alone, motif of its anchor) of each kernel.

    In order of their names' appearance; the function is public in its own module.
    """
    found: list[tuple[str, str, str]] = []
    for function in ops_named(root, "func.func"):
        if KERNEL not in function.attributes:
            continue
        name = ir.StringAttr(function.attributes["sym_name"]).value
        motif = ir.StringAttr(function.attributes[KERNEL]).value
        visibility = function.attributes["sym_visibility"]
        del function.attributes["sym_visibility"]
        text = function.get_asm(use_local_scope=True)
        function.attributes["sym_visibility"] = visibility
        found.append((name, f"module {{\n{text}\n}}\n", motif))
    return found


def stub_kernels(root: ir.Operation) -> None:
    """Give every compiled kernel a body that only reads and writes what the kernel does."""
    for function in ops_named(root, "func.func"):
        if KERNEL in function.attributes:
            _stub(function)


def _stub(function: ir.Operation) -> None:
    block = function.regions[0].blocks[0]
    results = list(list(block.operations)[-1].operation.operands)
    written = [written_argument(v) for v in results]
    reads = [a for a in block.arguments if is_tensor(a) and a not in written]
    for op in reversed(list(block.operations)):
        op.operation.erase()
    with ir.InsertionPoint(block), function.location:
        if not written:
            func.ReturnOp([])
            return
        maps = [_origin(a.type.rank) for a in [*reads, *written]]
        op = linalg.GenericOp([a.type for a in written], reads, written,
                              ir.ArrayAttr.get(maps), ir.ArrayAttr.get([]))  # fmt: skip
        types = [a.type.element_type for a in [*reads, *written]]
        body = op.regions[0].blocks.append(*types)
        with ir.InsertionPoint(body):
            _yield_something(list(body.arguments), len(reads))
        func.ReturnOp(list(op.results))


def _yield_something(arguments: list[ir.Value], reads: int) -> None:
    """Yield values that depend on every argument, in a way that does not fold.

    An argument that the body does not use counts as not read, and bufferisation would let
    a later kernel overwrite it; a result that is its destination's old value counts as not
    written, and bufferisation would pass on undefined contents.
    """
    outputs = arguments[reads:]
    condition = arith.constant(ir.IntegerType.get_signless(1), value=1)
    for value in arguments[:reads]:
        condition = arith.andi(condition, _is_zero(value))
    linalg.YieldOp([arith.select(condition, _changed(v), _zero(v.type)) for v in outputs])


def _changed(value: ir.Value) -> ir.Value:
    """Return a value that needs the old one and differs from it."""
    if isinstance(value.type, ir.FloatType):
        return arith.addf(value, arith.constant(value.type, value=1.0))
    return arith.xori(value, arith.constant(value.type, value=1))


def _zero(kind: ir.Type) -> ir.Value:
    return arith.constant(kind, value=0.0 if isinstance(kind, ir.FloatType) else 0)


def _is_zero(value: ir.Value) -> ir.Value:
    if isinstance(value.type, ir.FloatType):
        return arith.cmpf(arith.CmpFPredicate.OEQ, value, _zero(value.type))
    return arith.cmpi(arith.CmpIPredicate.eq, value, _zero(value.type))


def _origin(rank: int) -> ir.Attribute:
    zeros = [ir.AffineExpr.get_constant(0)] * rank
    return ir.AffineMapAttr.get(ir.AffineMap.get(0, 0, zeros))


def written_argument(value: ir.Value) -> ir.Value:
    """Follow a kernel's result down its destinations to the argument that holds it."""
    from bellrock.dialects.outlining import destination_of

    while not isinstance(value.owner, ir.Block):
        value = destination_of(value.owner.operation, value)
    return value


OPS = (PlaceTilesOp, OrderLoopsOp, RelaxReductionsOp, StubKernelsOp, DeclareKernelsOp)
