"""`transform.bellrock.call_launches`: launches become calls that whoever loads the program serves.

Missing upstream: `gpu-to-llvm` calls a runtime library of its own, with a module handle
and streams that each function would keep. Here the host's code only says what to launch:

    void bellrock_launch(const char *kernel, int64_t grid_x, grid_y, grid_z,
                         int64_t group_x, group_y, group_z,
                         int64_t count, void **arguments, int64_t *argument_bytes)
    void *bellrock_allocate(int64_t bytes)
    void bellrock_free(void *memory)

The grid counts work-groups; `arguments[i]` points to the value of the i-th argument: a device
address or a scalar. All of it happens in order.

Rewrite:
    gpu.launch_func @m::@k blocks in (%g, 1, 1) threads in (%t, 1, 1) args(%x : memref<4xf32>)
  ->
    memref.store (address of %x) to a slot; its address and size to two more
    func.call @bellrock_launch(name, %g, 1, 1, %t, 1, 1, 1, slots, sizes)

`share_modules`: the kernels of a function share one `gpu.module`; outlining makes one for each.
Needs: `gpu-kernel-outlining`; buffers without offset and of known sizes.
"""

# No postponed annotations here: the dialect reads the field types from them.

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, func, memref, transform

from bellrock.dialects.device.item_loops import index_constant
from bellrock.dialects.device.private import bytes_of
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.errors import CompileError

LAUNCH, ALLOCATE, FREE = "bellrock_launch", "bellrock_allocate", "bellrock_free"
ARGUMENTS = "bellrock.arguments"
"""Attribute of a kernel: the types of its arguments, before buffers become descriptors."""
_SLOT_BYTES = 8


@edits_in_place(lambda op: _call_all(op))
class CallLaunchesOp(Bellrock.Operation, name="call_launches"):
    """Turn launches, and buffers of the device, into calls below the handle's functions."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: _share(op))
class ShareModulesOp(Bellrock.Operation, name="share_modules"):
    """Move the kernels of the handle's modules into the first `gpu.module` of each."""

    target: ext.Operand[transform.AnyOpType]


def _share(root: ir.Operation) -> None:
    modules = ops_named(root, "gpu.module")
    if not modules:
        return
    home = modules[0]
    name = ir.StringAttr(home.attributes["sym_name"]).value
    # Outlining names all kernels of a function alike, but each of their modules differently.
    for launch in ops_named(root, "gpu.launch_func"):
        launch.attributes["kernel"] = ir.SymbolRefAttr.get([name, _names(launch)[0]])
    last = home.regions[0].blocks[0].operations[0].operation
    for module in modules:
        for op in list(module.regions[0].blocks[0].operations):
            if op.operation.name == "gpu.func":
                op.operation.attributes["sym_name"] = module.attributes["sym_name"]
                kinds = [ir.TypeAttr.get(a.type) for a in op.regions[0].blocks[0].arguments]
                op.operation.attributes[ARGUMENTS] = ir.ArrayAttr.get(kinds)
            elif module != home and _has_symbol(home, op.operation):
                continue  # outlining copies what several kernels use into each of their modules
            if module != home:
                op.operation.move_after(last)
                last = op.operation
        if module != home:
            module.erase()
    _drop_unused(root)


def _has_symbol(module: ir.Operation, op: ir.Operation) -> bool:
    own = op.attributes["sym_name"]
    return any(
        "sym_name" in other.operation.attributes and other.operation.attributes["sym_name"] == own
        for other in module.regions[0].blocks[0].operations
    )


def _drop_unused(root: ir.Operation) -> None:
    """Drop the host's own copies of variables that only device modules use."""
    body = root.regions[0].blocks[0]
    functions = [op.operation for op in body.operations if op.operation.name == "func.func"]
    used = {
        ir.FlatSymbolRefAttr(use.attributes["name"]).value
        for function in functions
        for use in ops_named(function, "memref.get_global")
    }
    variables = [o.operation for o in body.operations if o.operation.name == "memref.global"]
    for op in variables:
        if ir.StringAttr(op.attributes["sym_name"]).value not in used:
            op.erase()


def _names(launch: ir.Operation) -> list[str]:
    return list(ir.SymbolRefAttr(launch.attributes["kernel"]).value)


def _call_all(function: ir.Operation) -> None:
    if len(function.regions[0].blocks):
        _Calls(function).make()


def _i64() -> ir.Type:
    return ir.IntegerType.get_signless(64)


def _wide(value: ir.Value) -> ir.Value:
    """Return the bits of a scalar, in 64."""
    kind = value.type
    if isinstance(kind, ir.IndexType):
        return arith.IndexCastOp(_i64(), value).result
    if isinstance(kind, ir.FloatType):
        value = arith.BitcastOp(ir.IntegerType.get_signless(kind.width), value).result
    if ir.IntegerType(value.type).width < 64:
        return arith.ExtUIOp(_i64(), value).result
    return value


def _number(value: int) -> ir.Value:
    return arith.ConstantOp(_i64(), value).result


def _address(buffer: ir.Value) -> ir.Value:
    pointer = memref.ExtractAlignedPointerAsIndexOp(buffer).result
    return arith.IndexCastOp(_i64(), pointer).result


def _call(
    module: ir.Operation, name: str, operands: list[ir.Value], *, returns: bool = False
) -> func.CallOp:
    results = [_i64()] if returns else []
    known = {ir.StringAttr(f.attributes["sym_name"]).value for f in ops_named(module, "func.func")}
    if name not in known:
        with ir.InsertionPoint(module.regions[0].blocks[0]):
            kind = ir.FunctionType.get([v.type for v in operands], results)
            func.FuncOp(name, kind, visibility="private")
    return func.CallOp(results, ir.FlatSymbolRefAttr.get(name), operands)


class _Calls:
    """The calls of one function."""

    def __init__(self, function: ir.Operation) -> None:
        self._function = function
        self._module = function.parent.operation
        self._launches = ops_named(function, "gpu.launch_func")
        self._addresses: dict[ir.Value, ir.Value] = {}
        """Of the buffers that the function allocates."""

    def make(self) -> None:
        """Replace launches and allocations by calls."""
        buffers = ops_named(self._function, "memref.alloc")
        for op in buffers:
            with ir.InsertionPoint(op), op.location:
                self._allocate(op)
        slots = self._slots() if self._launches else ()
        for op in self._launches:
            with ir.InsertionPoint(op), op.location:
                self._launch(op, slots)
            op.erase()
        for op in ops_named(self._function, "memref.dealloc"):
            with ir.InsertionPoint(op), op.location:
                _call(self._module, FREE, [self._address(op.operands[0])])
            op.erase()
        for op in buffers:
            for use in op.results[0].uses:
                raise CompileError(
                    "the host uses a buffer of the device", got=f"{op}: {use.owner.operation.name}"
                )
            op.erase()

    def _allocate(self, op: ir.Operation) -> None:
        kind = ir.MemRefType(op.results[0].type)
        if len(op.operands):
            raise CompileError("a kernel makes a buffer whose size is not known", got=str(kind))
        call = _call(self._module, ALLOCATE, [_number(bytes_of(kind))], returns=True)
        self._addresses[op.results[0]] = call.results[0]

    def _address(self, buffer: ir.Value) -> ir.Value:
        return self._addresses.get(buffer) or _address(buffer)

    def _slots(self) -> tuple[ir.Value, ir.Value, ir.Value]:
        """Return arrays on the host's stack: values, their addresses, their sizes."""
        count = max(1, *(len(_given(op)) for op in self._launches))
        kind = ir.MemRefType.get([count], _i64())
        block = self._function.regions[0].blocks[0]
        with ir.InsertionPoint(block.operations[0]), self._function.location:
            values, pointers, widths = (memref.AllocaOp(kind, [], []).result for _ in range(3))
            return values, pointers, widths

    def _launch(self, op: ir.Operation, slots: tuple[ir.Value, ...]) -> None:
        start = ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"])[0]
        sizes = [_wide(v) for v in list(op.operands)[start : start + 6]]
        values, pointers, widths = slots
        base = _address(values)
        given = _given(op)
        for i, value in enumerate(given):
            bits, width = self._argument(value)
            at = index_constant(i)
            memref.StoreOp(bits, values, [at])
            memref.StoreOp(arith.AddIOp(base, _number(i * _SLOT_BYTES)).result, pointers, [at])
            memref.StoreOp(_number(width), widths, [at])
        name = _name(self._module, _names(op)[1])
        arrays = [_number(len(given)), _address(pointers), _address(widths)]
        _call(self._module, LAUNCH, [name, *sizes, *arrays])

    def _argument(self, value: ir.Value) -> tuple[ir.Value, int]:
        """Return the bits of an argument and its size in bytes."""
        kind = value.type
        if isinstance(kind, ir.MemRefType):
            return self._address(value), _SLOT_BYTES
        width = 64 if isinstance(kind, ir.IndexType) else kind.width
        return _wide(value), max(1, width // 8)


def _given(launch: ir.Operation) -> list[ir.Value]:
    """Return the arguments of a launch's kernel."""
    segments = list(ir.DenseI32ArrayAttr(launch.attributes["operandSegmentSizes"]))
    start = sum(segments[:11])
    return list(launch.operands)[start : start + segments[11]]


def _name(module: ir.Operation, name: str) -> ir.Value:
    """Return the address of a kernel's name, as C has it."""
    data = name.encode() + b"\0"
    i8 = ir.IntegerType.get_signless(8)
    kind = ir.MemRefType.get([len(data)], i8)
    symbol = f"{name}_name"
    with ir.InsertionPoint(module.regions[0].blocks[0]):
        contents = ir.DenseElementsAttr.get(
            [ir.IntegerAttr.get(i8, byte) for byte in data],
            ir.RankedTensorType.get([len(data)], i8),
        )
        memref.GlobalOp(symbol, kind, sym_visibility="private", initial_value=contents,
                        constant=True)  # fmt: skip
    return _address(memref.GetGlobalOp(kind, symbol).result)


OPS = (CallLaunchesOp, ShareModulesOp)
