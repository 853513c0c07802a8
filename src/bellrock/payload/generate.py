"""Small payloads as MLIR text, one function a kind, for tests of any room.

Flows in: sizes and element types. Flows out: the text of a module with one function `@main`, whose
arguments are the operands in order. Accumulators are filled with the combiner's neutral element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SPATIAL = {1: "w", 2: "hw", 3: "dhw"}


def tensor_type(shape: Sequence[int], dtype: str = "f32") -> str:
    """Return a tensor type, e.g. `tensor<2x3xf32>`."""
    return f"tensor<{''.join(f'{size}x' for size in shape)}{dtype}>"


def contraction(
    sizes: Mapping[str, int],
    layouts: tuple[str, str, str] = ("mk", "kn", "mn"),
    *,
    loops: str = "",
    dtype: str = "f32",
    accumulator: str = "",
    swapped: bool = False,
) -> str:
    """Return a contraction as a generic, with any dimensions in any order.

    Args:
        sizes: of each dimension, by its letter.
        layouts: letters of the two inputs and the output, outermost first.
        loops: order of the loops; that of `sizes` when left out.
        dtype: of the inputs.
        accumulator: of the output; `dtype` when left out. Inputs are extended to it.
        swapped: multiply the second input by the first.
    """
    accumulator = accumulator or dtype
    order = loops or "".join(sizes)
    kinds = ['"parallel"' if d in layouts[2] else '"reduction"' for d in order]
    types = [
        tensor_type([sizes[d] for d in layout], t)
        for layout, t in zip(layouts, (dtype, dtype, accumulator), strict=True)
    ]
    casts, factors = "", ["%x", "%y"]
    if accumulator != dtype:
        casts = "".join(f"    {v}w = arith.extf {v} : {dtype} to {accumulator}\n" for v in factors)
        factors = [f"{v}w" for v in factors]
    if swapped:
        factors.reverse()
    body = (
        f"  ^bb0(%x: {dtype}, %y: {dtype}, %acc: {accumulator}):\n{casts}"
        f"    %p = arith.mulf {', '.join(factors)} : {accumulator}\n"
        f"    %s = arith.addf %acc, %p : {accumulator}\n"
        f"    linalg.yield %s : {accumulator}\n"
    )
    lines = _filled(types[2], accumulator) + (
        f"  %r = linalg.generic {{indexing_maps = [{', '.join(_map(order, x) for x in layouts)}],\n"
        f"    iterator_types = [{', '.join(kinds)}]}}\n"
        f"    ins(%a, %b : {types[0]}, {types[1]}) outs(%init : {types[2]}) {{\n{body}"
        f"  }} -> {types[2]}\n"
    )
    return _function([("a", types[0]), ("b", types[1])], lines, "%r", types[2])


def matmul(m: int, n: int, k: int, dtype: str = "f32") -> str:
    """Return a `linalg.matmul` of `(m, k)` by `(k, n)`."""
    return named(
        "linalg.matmul",
        [tensor_type((m, k), dtype), tensor_type((k, n), dtype)],
        tensor_type((m, n), dtype),
        dtype=dtype,
    )


def named(
    op: str, inputs: Sequence[str], output: str, *, attributes: str = "", dtype: str = "f32",
    neutral: str = "0.0",
) -> str:  # fmt: skip
    """Return one named linalg op that accumulates.

    Args:
        op: its name.
        inputs: types of its inputs.
        output: type of its output, which is filled with `neutral` first.
        attributes: between the name and the operands, as MLIR writes them.
        dtype: element type of the output.
        neutral: what the output is filled with.
    """
    names = [f"%{chr(ord('a') + i)}" for i in range(len(inputs))]
    lines = _filled(output, dtype, neutral) + (
        f"  %r = {op} {attributes} ins({', '.join(names)} : {', '.join(inputs)}) "
        f"outs(%init : {output}) -> {output}\n"
    )
    arguments = [(name[1:], type_) for name, type_ in zip(names, inputs, strict=True)]
    return _function(arguments, lines, "%r", output)


def convolution(
    image: Sequence[int],
    kernel: Sequence[int],
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    dtype: str = "f32",
) -> str:
    """Return a convolution without padding, channels first.

    Args:
        image: `(n, c, spatial...)`, one to three spatial dimensions.
        kernel: `(f, c / groups, spatial...)`.
        stride: in every spatial dimension.
        dilation: in every spatial dimension.
        groups: more than one only with two spatial dimensions.
        dtype: of all operands.
    """
    rank = len(image) - 2
    n, c, *spatial = image
    f, inner, *window = kernel
    out = [(s - dilation * (w - 1) - 1) // stride + 1 for s, w in zip(spatial, window, strict=True)]
    dims = _SPATIAL[rank]
    if groups == 1:
        name = f"linalg.conv_{rank}d_nc{dims}_fc{dims}"
        shapes = [list(image), list(kernel), [n, f, *out]]
    else:
        name = f"linalg.conv_{rank}d_ngc{dims}_gfc{dims}"
        shapes = [
            [n, groups, c // groups, *spatial],
            [groups, f // groups, inner, *window],
            [n, groups, f // groups, *out],
        ]
    types = [tensor_type(s, dtype) for s in shapes]
    return named(
        name,
        types[:2],
        types[2],
        attributes=_window_attributes(rank, stride, dilation),
        dtype=dtype,
    )


def depthwise_convolution(image: Sequence[int], window: Sequence[int], *, stride: int = 1) -> str:
    """Return a 2-D depthwise convolution of `(n, c, h, w)` by `(c, kh, kw)`."""
    n, c, *spatial = image
    out = [(s - w) // stride + 1 for s, w in zip(spatial, window, strict=True)]
    types = [tensor_type(s) for s in ([*image], [c, *window], [n, c, *out])]
    return named(
        "linalg.depthwise_conv_2d_nchw_chw",
        types[:2],
        types[2],
        attributes=_window_attributes(2, stride, 1),
    )


def pooling(
    image: Sequence[int], window: Sequence[int], *, combiner: str = "max", stride: int = 1,
    dilation: int = 1,
) -> str:  # fmt: skip
    """Return a 2-D pooling, channels first.

    Args:
        image: `(n, c, h, w)`.
        window: `(kh, kw)`.
        combiner: `max` or `sum`.
        stride: in both dimensions.
        dilation: in both dimensions.
    """
    n, c, *spatial = image
    out = [(s - dilation * (w - 1) - 1) // stride + 1 for s, w in zip(spatial, window, strict=True)]
    types = [tensor_type(s) for s in ([*image], [*window], [n, c, *out])]
    return named(
        f"linalg.pooling_nchw_{combiner}",
        types[:2],
        types[2],
        attributes=_window_attributes(2, stride, dilation),
        neutral="0xFF800000" if combiner == "max" else "0.0",
    )


def elementwise(shape: Sequence[int], ops: Sequence[str], dtype: str = "f32") -> str:
    """Return a chain of one-operand named ops, e.g. `["exp", "tanh"]`."""
    type_ = tensor_type(shape, dtype)
    lines, last = f"  %e = tensor.empty() : {type_}\n", "%a"
    for i, op in enumerate(ops):
        lines += f"  %r{i} = linalg.{op} ins({last} : {type_}) outs(%e : {type_}) -> {type_}\n"
        last = f"%r{i}"
    return _function([("a", type_)], lines, last, type_)


def reduction(
    shape: Sequence[int], dimensions: Sequence[int], *, combiner: str = "arith.addf",
    dtype: str = "f32",
) -> str:  # fmt: skip
    """Return a `linalg.reduce` over some dimensions."""
    source = tensor_type(shape, dtype)
    target = tensor_type([s for i, s in enumerate(shape) if i not in dimensions], dtype)
    lines = _filled(target, dtype) + (
        f"  %r = linalg.reduce {{ {combiner} }} ins(%a : {source}) outs(%init : {target}) "
        f"dimensions = {list(dimensions)}\n"
    )
    return _function([("a", source)], lines, "%r", target)


def transpose(shape: Sequence[int], permutation: Sequence[int], dtype: str = "f32") -> str:
    """Return a `linalg.transpose`."""
    source = tensor_type(shape, dtype)
    target = tensor_type([shape[p] for p in permutation], dtype)
    lines = (
        f"  %e = tensor.empty() : {target}\n"
        f"  %r = linalg.transpose ins(%a : {source}) outs(%e : {target}) "
        f"permutation = {list(permutation)}\n"
    )
    return _function([("a", source)], lines, "%r", target)


def broadcast(shape: Sequence[int], dimensions: Mapping[int, int], dtype: str = "f32") -> str:
    """Return a `linalg.broadcast` that adds dimensions (position: size)."""
    result = list(shape)
    for position in sorted(dimensions):
        result.insert(position, dimensions[position])
    source, target = tensor_type(shape, dtype), tensor_type(result, dtype)
    lines = (
        f"  %e = tensor.empty() : {target}\n"
        f"  %r = linalg.broadcast ins(%a : {source}) outs(%e : {target}) "
        f"dimensions = {sorted(dimensions)}\n"
    )
    return _function([("a", source)], lines, "%r", target)


def scan(shape: Sequence[int], dimension: int) -> str:
    """Return an inclusive cumulative sum of f32 along a dimension."""
    source = tensor_type(shape)
    carried = tensor_type([s for i, s in enumerate(shape) if i != dimension])
    lines = (
        _filled(source, "f32")
        + _filled(carried, "f32", name="carry")
        + f"  %r:2 = tm_tensor.scan dimension({dimension}) inclusive(true) ins(%a : {source}) "
        f"outs(%init, %carry : {source}, {carried}) {{\n"
        "  ^bb0(%x: f32, %y: f32):\n"
        "    %s = arith.addf %x, %y : f32\n"
        "    tm_tensor.yield %s : f32\n"
        f"  }} -> {source}, {carried}\n"
    )
    return _function([("a", source)], lines, "%r#0", source)


def softmax(rows: int, columns: int) -> str:
    """Return a softmax over the columns of an f32 matrix, unfused as importers make it."""
    full, row = tensor_type((rows, columns)), tensor_type((rows,))
    lines = (
        f"  %e = tensor.empty() : {full}\n"
        + _filled(row, "f32", "0xFF800000", name="low")
        + _filled(row, "f32", name="zero")
        + f"  %m = linalg.reduce {{ arith.maximumf }} ins(%a : {full}) outs(%low : {row}) "
        "dimensions = [1]\n" + _rowwise("d", "arith.subf", "%a", "%m", rows, columns)
        + f"  %x = linalg.exp ins(%d : {full}) outs(%e : {full}) -> {full}\n"
        f"  %s = linalg.reduce {{ arith.addf }} ins(%x : {full}) outs(%zero : {row}) "
        "dimensions = [1]\n" + _rowwise("r", "arith.divf", "%x", "%s", rows, columns)
    )  # fmt: skip
    return _function([("a", full)], lines, "%r", full)


def _rowwise(name: str, op: str, left: str, right: str, rows: int, columns: int) -> str:
    """Return an op between a matrix and a vector that is broadcast along the rows."""
    full, row = tensor_type((rows, columns)), tensor_type((rows,))
    maps = [_map("ij", "ij"), _map("ij", "i"), _map("ij", "ij")]
    return (
        f"  %{name} = linalg.generic {{indexing_maps = [{', '.join(maps)}], "
        'iterator_types = ["parallel", "parallel"]}\n'
        f"    ins({left}, {right} : {full}, {row}) outs(%e : {full}) {{\n"
        "  ^bb0(%p: f32, %q: f32, %o: f32):\n"
        f"    %v = {op} %p, %q : f32\n    linalg.yield %v : f32\n  }} -> {full}\n"
    )


def _window_attributes(rank: int, stride: int, dilation: int) -> str:
    kind = f"vector<{rank}xi64>"
    return f"{{strides = dense<{stride}> : {kind}, dilations = dense<{dilation}> : {kind}}}"


def _map(loops: str, layout: str) -> str:
    indices = ", ".join(f"d{loops.index(d)}" for d in layout)
    return f"affine_map<({', '.join(f'd{i}' for i in range(len(loops)))}) -> ({indices})>"


def _filled(type_: str, dtype: str, value: str = "0.0", *, name: str = "init") -> str:
    return (
        f"  %{name}_c = arith.constant {value} : {dtype}\n"
        f"  %{name}_e = tensor.empty() : {type_}\n"
        f"  %{name} = linalg.fill ins(%{name}_c : {dtype}) outs(%{name}_e : {type_}) -> {type_}\n"
    )


def _function(
    arguments: Sequence[tuple[str, str]], lines: str, result: str, result_type: str
) -> str:
    door = ", ".join(f"%{name}: {type_}" for name, type_ in arguments)
    return (
        f"func.func @main({door}) -> {result_type} {{\n{lines}"
        f"  return {result} : {result_type}\n}}\n"
    )
