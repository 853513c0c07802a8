"""Motifs of single ops: named and generic forms, against hand formulas."""

from __future__ import annotations

import pytest
from torch_mlir import ir

from bellrock.payload import generate
from bellrock.payload.context import parse_payload
from bellrock.payload.motif import DYNAMIC, Motif, MotifKind, find_motif


def motifs_in(text: str) -> list[Motif]:
    """Return the motifs of a text's ops, without those of fills."""
    found: list[Motif] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        motif = find_motif(op)
        if motif is not None and motif.kind is not MotifKind.FILL:
            found.append(motif)
        return ir.WalkResult.ADVANCE

    module = parse_payload(text, name="test")
    with module.context:
        module.operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def only(text: str) -> Motif:
    (motif,) = motifs_in(text)
    return motif


MATMULS = {
    "named": generate.matmul(5, 7, 3),
    "generic": generate.contraction({"m": 5, "n": 7, "k": 3}),
    "generic, factors swapped": generate.contraction({"m": 5, "n": 7, "k": 3}, swapped=True),
    "linalg.contract": generate.named(
        "linalg.contract",
        ["tensor<5x3xf32>", "tensor<3x7xf32>"],
        "tensor<5x7xf32>",
        attributes="indexing_maps = [affine_map<(m, n, k) -> (m, k)>, "
        "affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]",
    ),
}


@pytest.mark.parametrize("text", MATMULS.values(), ids=MATMULS.keys())
def test_matmul_in_any_form(text: str) -> None:
    motif = only(text)
    assert motif.kind is MotifKind.CONTRACTION
    assert motif.dims == {"batch": 1, "m": 5, "n": 7, "k": 3}
    assert motif.layouts == ("mk", "kn", "mn")
    assert motif.roles == ("m", "n", "k")
    assert motif.loops == (5, 7, 3)
    assert motif.iterators == ("parallel", "parallel", "reduction")
    assert motif.plain
    assert motif.flops == 2 * 5 * 7 * 3
    assert motif.bytes_read == 4 * (5 * 3 + 3 * 7)
    assert motif.bytes_written == 4 * 5 * 7


def test_equal_computations_have_equal_signatures() -> None:
    signatures = {only(text).signature() for text in MATMULS.values()}
    assert signatures == {"contraction [batch=1 m=5 n=7 k=3] (mk:f32, kn:f32) -> (mn:f32)"}


def test_accumulator_that_holds_a_value_is_read() -> None:
    text = (
        "func.func @main(%a: tensor<5x3xf32>, %b: tensor<3x7xf32>, %c: tensor<5x7xf32>)"
        " -> tensor<5x7xf32> {\n"
        "  %0 = linalg.matmul ins(%a, %b : tensor<5x3xf32>, tensor<3x7xf32>)"
        " outs(%c : tensor<5x7xf32>) -> tensor<5x7xf32>\n"
        "  return %0 : tensor<5x7xf32>\n}"
    )
    assert only(text).bytes_read == 4 * (5 * 3 + 3 * 7 + 5 * 7)


def test_the_same_operand_twice_is_read_once() -> None:
    text = generate.matmul(4, 4, 4).replace("%b : ", "%a : ").replace("ins(%a, %b", "ins(%a, %a")
    assert only(text).bytes_read == 4 * 16


def test_mixed_types_accumulate_in_the_wider() -> None:
    text = generate.contraction({"m": 4, "n": 8, "k": 16}, dtype="bf16", accumulator="f32")
    motif = only(text)
    assert motif.dtypes == ("bf16", "bf16", "f32")
    assert motif.accumulator == "f32"
    assert motif.plain
    assert motif.bytes_read == 2 * (4 * 16 + 16 * 8)
    assert motif.bytes_written == 4 * 4 * 8


@pytest.mark.parametrize(
    ("op", "inputs", "output", "dims", "layouts"),
    [
        (
            "linalg.batch_matmul", ["tensor<2x5x3xf32>", "tensor<2x3x7xf32>"], "tensor<2x5x7xf32>",
            {"batch": 2, "m": 5, "n": 7, "k": 3}, ("bmk", "bkn", "bmn"),
        ),
        (
            "linalg.matvec", ["tensor<5x3xf32>", "tensor<3xf32>"], "tensor<5xf32>",
            {"batch": 1, "m": 5, "n": 1, "k": 3}, ("mk", "k", "m"),
        ),
        (
            "linalg.vecmat", ["tensor<3xf32>", "tensor<3x7xf32>"], "tensor<7xf32>",
            {"batch": 1, "m": 1, "n": 7, "k": 3}, ("k", "kn", "n"),
        ),
        (
            "linalg.dot", ["tensor<9xf32>", "tensor<9xf32>"], "tensor<f32>",
            {"batch": 1, "m": 1, "n": 1, "k": 9}, ("k", "k", ""),
        ),
        (
            "linalg.mmt4d", ["tensor<2x3x8x1xf32>", "tensor<4x3x16x1xf32>"],
            "tensor<2x4x8x16xf32>",
            {"batch": 1, "m": 16, "n": 64, "k": 3}, ("m0k0m1k1", "n0k0n1k1", "m0n0m1n1"),
        ),
    ],
)  # fmt: skip
def test_named_contractions(
    op: str, inputs: list[str], output: str, dims: dict[str, int], layouts: tuple[str, ...]
) -> None:
    motif = only(generate.named(op, inputs, output))
    assert motif.kind is MotifKind.CONTRACTION
    assert motif.dims == dims
    assert motif.layouts == layouts
    points = dims["batch"] * dims["m"] * dims["n"] * dims["k"]
    assert motif.flops == 2 * points


def test_several_loops_of_one_role_are_multiplied_and_listed() -> None:
    motif = only(
        generate.contraction({"p": 2, "q": 3, "n": 5, "k": 7, "l": 11}, ("pqkl", "lnk", "pqn"))
    )
    assert motif.dims == {"batch": 1, "m": 6, "n": 5, "k": 77}
    assert motif.lists == {"batch": (), "m": (2, 3), "n": (5,), "k": (7, 11)}
    assert motif.layouts == ("m0m1k0k1", "k1nk0", "m0m1n")


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolutions(rank: int) -> None:
    image, window, out = (9, 10, 11)[:rank], (2, 3, 2)[:rank], []
    for size, kernel in zip(image, window, strict=True):
        out.append((size - 2 * (kernel - 1) - 1) // 3 + 1)
    motif = only(generate.convolution((2, 5, *image), (7, 5, *window), stride=3, dilation=2))
    assert motif.kind is MotifKind.CONVOLUTION
    assert motif.dims == {"batch": 2, "groups": 1, "in_channels": 5, "out_channels": 7}
    assert motif.lists == {
        "input": image,
        "output": tuple(out),
        "kernel": window,
        "strides": (3,) * rank,
        "dilations": (2,) * rank,
    }
    points = 2 * 7 * 5
    for size in (*out, *window):
        points *= size
    assert motif.flops == 2 * points
    assert motif.roles.count("output") == motif.roles.count("kernel") == rank


def test_convolution_layouts() -> None:
    motif = only(generate.convolution((1, 3, 8, 8), (4, 3, 3, 3), stride=2))
    assert motif.layouts == ("nc(2h+kh)(2w+kw)", "fckhkw", "nfhw")
    assert motif.roles == (
        "batch", "out_channel", "output", "output", "in_channel", "kernel", "kernel",
    )  # fmt: skip


def test_grouped_convolution_counts_channels_of_all_groups() -> None:
    motif = only(generate.convolution((2, 6, 8, 8), (4, 3, 3, 3), groups=2))
    assert motif.dims == {"batch": 2, "groups": 2, "in_channels": 6, "out_channels": 4}
    assert motif.flops == 2 * (2 * 4 * 6 * 6) * (6 // 2) * 9
    assert motif.layouts == ("ngc(h+kh)(w+kw)", "gfckhkw", "ngfhw")


def test_depthwise_convolution_has_a_channel_in_each_group() -> None:
    motif = only(generate.depthwise_convolution((2, 6, 8, 8), (3, 3)))
    assert motif.kind is MotifKind.CONVOLUTION
    assert motif.dims == {"batch": 2, "groups": 6, "in_channels": 6, "out_channels": 6}
    assert motif.flops == 2 * (2 * 6 * 6 * 6) * 9


def test_strided_pointwise_convolution_whose_window_was_folded_away() -> None:
    text = """
#image = affine_map<(n, f, h, w, c) -> (n, c, h * 2, w * 2)>
#kernel = affine_map<(n, f, h, w, c) -> (f, c)>
#out = affine_map<(n, f, h, w, c) -> (n, f, h, w)>
func.func @main(%a: tensor<1x3x7x7xf32>, %b: tensor<5x3xf32>, %c: tensor<1x5x4x4xf32>)
    -> tensor<1x5x4x4xf32> {
  %r = linalg.generic {indexing_maps = [#image, #kernel, #out],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<1x3x7x7xf32>, tensor<5x3xf32>) outs(%c : tensor<1x5x4x4xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x5x4x4xf32>
  return %r : tensor<1x5x4x4xf32>
}"""
    motif = only(text)
    assert motif.kind is MotifKind.CONVOLUTION
    assert motif.dims == {"batch": 1, "groups": 1, "in_channels": 3, "out_channels": 5}
    assert motif.lists["kernel"] == (1, 1)
    assert motif.lists["strides"] == (2, 2)
    assert motif.lists["output"] == (4, 4)


@pytest.mark.parametrize(("combiner", "variant"), [("max", "max"), ("sum", "add")])
def test_poolings(combiner: str, variant: str) -> None:
    motif = only(generate.pooling((2, 3, 8, 8), (3, 3), combiner=combiner, stride=2))
    assert motif.kind is MotifKind.POOLING
    assert motif.variant == variant
    assert motif.dims == {"parallel": 6}
    assert motif.lists == {
        "parallel": (2, 3), "input": (8, 8), "output": (3, 3), "kernel": (3, 3),
        "strides": (2, 2), "dilations": (1, 1),
    }  # fmt: skip
    assert motif.flops == 6 * 9 * 9
    # The window operand only gives its size: nobody reads it.
    assert motif.bytes_read == 4 * 2 * 3 * 8 * 8


@pytest.mark.parametrize(
    ("combiner", "variant", "flops"),
    [
        ("arith.addf", "add", 60),
        ("arith.maximumf", "max", 60),
        ("arith.minnumf", "min", 60),
        ("arith.mulf", "mul", 60),
    ],
)
def test_reductions(combiner: str, variant: str, flops: int) -> None:
    motif = only(generate.reduction((3, 4, 5), (0, 2), combiner=combiner))
    assert motif.kind is MotifKind.REDUCTION
    assert motif.variant == variant
    assert motif.dims == {"parallel": 4, "reduced": 15}
    assert motif.lists == {"parallel": (4,), "reduced": (3, 5)}
    assert motif.layouts == ("r0p0r1", "p0")
    assert motif.plain
    assert motif.flops == flops


def _row_reduction(body: str, results: str = "f32") -> str:
    """Return a generic that reduces the columns of a 4x8 matrix with a body of its own."""
    outs = ["%low", "%position"][: len(results.split())]
    types = ["tensor<4xf32>", "tensor<4xi64>"][: len(outs)]
    arguments = ["%acc: f32", "%at: i64"][: len(outs)]
    maps = ["#full"] + ["#row"] * len(outs)
    kept = f"({', '.join(types)})" if len(types) > 1 else types[0]
    return f"""
#full = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @main(%a: tensor<4x8xf32>, %low: tensor<4xf32>, %position: tensor<4xi64>)
    -> tensor<4xf32> {{
  %r{":2" if len(outs) > 1 else ""} = linalg.generic {{indexing_maps = [{", ".join(maps)}],
      iterator_types = ["parallel", "reduction"]}}
      ins(%a : tensor<4x8xf32>) outs({", ".join(outs)} : {", ".join(types)}) {{
  ^bb0(%x: f32, {", ".join(arguments)}):
{body}
  }} -> {kept}
  return %r{"#0" if len(outs) > 1 else ""} : tensor<4xf32>
}}"""


@pytest.mark.parametrize(
    ("predicate", "first", "second", "variant"),
    [
        ("ogt", "%x", "%acc", "max"),
        ("olt", "%x", "%acc", "min"),
        ("olt", "%acc", "%x", "max"),
        ("uge", "%acc", "%x", "min"),
        ("one", "%x", "%acc", "custom"),
    ],
)
def test_comparison_and_selection_of_an_extremum(
    predicate: str, first: str, second: str, variant: str
) -> None:
    body = (
        f"    %c = arith.cmpf {predicate}, {first}, {second} : f32\n"
        "    %s = arith.select %c, %x, %acc : f32\n"
        "    linalg.yield %s : f32"
    )
    motif = only(_row_reduction(body))
    assert motif.kind is MotifKind.REDUCTION
    assert motif.variant == variant


def test_arg_max() -> None:
    body = (
        "    %i = linalg.index 1 : index\n"
        "    %j = arith.index_cast %i : index to i64\n"
        "    %m = arith.maximumf %x, %acc : f32\n"
        "    %c = arith.cmpf ogt, %x, %acc : f32\n"
        "    %s = arith.select %c, %j, %at : i64\n"
        "    linalg.yield %m, %s : f32, i64"
    )
    motif = only(_row_reduction(body, "f32 i64"))
    assert motif.kind is MotifKind.REDUCTION
    assert motif.variant == "arg-max"
    assert motif.dims == {"parallel": 4, "reduced": 8}
    assert not motif.plain


def test_a_sum_of_squares_is_a_reduction_and_no_contraction() -> None:
    body = (
        "    %p = arith.mulf %x, %x : f32\n"
        "    %s = arith.addf %acc, %p : f32\n"
        "    linalg.yield %s : f32"
    )
    motif = only(_row_reduction(body))
    assert motif.kind is MotifKind.REDUCTION
    assert motif.variant == "add"
    assert not motif.plain
    assert motif.flops == 2 * 32


def test_a_body_that_does_not_accumulate_is_custom() -> None:
    body = "    %s = arith.subf %acc, %x : f32\n    linalg.yield %s : f32"
    assert only(_row_reduction(body)).variant == "custom"


def test_elementwise_chain() -> None:
    first, second = motifs_in(generate.elementwise((3, 5), ["exp", "tanh"]))
    assert [first.kind, second.kind] == [MotifKind.ELEMENTWISE] * 2
    assert (first.variant, second.variant) == ("exp", "tanh")
    assert first.dims == {"elements": 15}
    assert first.flops == 15
    assert first.bytes_read == first.bytes_written == 60


def test_casts_and_comparisons_are_no_flops() -> None:
    text = """
#id = affine_map<(i) -> (i)>
func.func @main(%a: tensor<8xbf16>, %o: tensor<8xi1>) -> tensor<8xi1> {
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%a : tensor<8xbf16>) outs(%o : tensor<8xi1>) {
  ^bb0(%x: bf16, %y: i1):
    %w = arith.extf %x : bf16 to f32
    %c = arith.cmpf ogt, %w, %w : f32
    linalg.yield %c : i1
  } -> tensor<8xi1>
  return %r : tensor<8xi1>
}"""
    motif = only(text)
    assert motif.kind is MotifKind.ELEMENTWISE
    assert motif.flops == 0
    assert motif.bytes_read == 16
    assert motif.bytes_written == 8  # an i1 is stored as one byte
    assert motif.accumulator == "f32"


def test_transpose_and_broadcast_move_data() -> None:
    transpose = only(generate.transpose((3, 5), (1, 0)))
    assert (transpose.kind, transpose.variant) == (MotifKind.DATA_MOVEMENT, "transpose")
    assert transpose.layouts == ("p1p0", "p0p1")
    assert transpose.flops == 0
    broadcast = only(generate.broadcast((5,), {0: 3}))
    assert (broadcast.kind, broadcast.variant) == (MotifKind.DATA_MOVEMENT, "broadcast")
    assert (broadcast.bytes_read, broadcast.bytes_written) == (20, 60)


def test_gather() -> None:
    text = """
#id = affine_map<(i) -> (i)>
#wide = affine_map<(i, j) -> (i)>
#full = affine_map<(i, j) -> (i, j)>
func.func @main(%table: tensor<100x8xf32>, %ids: tensor<3xi64>, %o: tensor<3x8xf32>)
    -> tensor<3x8xf32> {
  %r = linalg.generic {indexing_maps = [#wide, #full], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<3xi64>) outs(%o : tensor<3x8xf32>) {
  ^bb0(%i: i64, %y: f32):
    %row = arith.index_cast %i : i64 to index
    %column = linalg.index 1 : index
    %v = tensor.extract %table[%row, %column] : tensor<100x8xf32>
    linalg.yield %v : f32
  } -> tensor<3x8xf32>
  return %r : tensor<3x8xf32>
}"""
    motif = only(text)
    assert (motif.kind, motif.variant) == (MotifKind.DATA_MOVEMENT, "gather")
    assert motif.bytes_read == 3 * 8 + 24 * 4  # ids, and what is read of the table
    assert motif.flops == 0


TENSOR_OPS = """
func.func @main(%a: tensor<4x6xf32>, %b: tensor<2x6xf32>) -> tensor<4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %pad = tensor.pad %b low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<2x6xf32> to tensor<4x6xf32>
  %join = tensor.concat dim(0) %b, %b : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
  %part = tensor.extract_slice %a[1, 0] [2, 6] [1, 1] : tensor<4x6xf32> to tensor<2x6xf32>
  %put = tensor.insert_slice %part into %join[1, 0] [2, 6] [1, 1]
      : tensor<2x6xf32> into tensor<4x6xf32>
  %view = tensor.collapse_shape %put [[0, 1]] : tensor<4x6xf32> into tensor<24xf32>
  %back = tensor.expand_shape %view [[0, 1]] output_shape [4, 6]
      : tensor<24xf32> into tensor<4x6xf32>
  return %back : tensor<4x6xf32>
}"""


def test_data_movement_outside_linalg_and_views_that_move_nothing() -> None:
    found = {m.variant: (m.bytes_read, m.bytes_written) for m in motifs_in(TENSOR_OPS)}
    assert found == {
        "pad": (48, 96),
        "concat": (96, 96),
        "extract-slice": (48, 48),
        "insert-slice": (48, 48),
    }


def test_scan() -> None:
    motif = only(generate.scan((3, 8), 1))
    assert (motif.kind, motif.variant) == (MotifKind.SCAN, "add")
    assert motif.dims == {"parallel": 3, "length": 8}
    assert motif.layouts == ("p0r0", "p0r0", "p0")
    assert motif.flops == 24
    assert (motif.bytes_read, motif.bytes_written) == (96, 96 + 12)


def test_scatter() -> None:
    text = """
func.func @main(%a: tensor<8xf32>, %i: tensor<3x1xi32>, %u: tensor<3xf32>) -> tensor<8xf32> {
  %r = tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(false)
      ins(%u, %i : tensor<3xf32>, tensor<3x1xi32>) outs(%a : tensor<8xf32>) {
  ^bb0(%new: f32, %old: f32):
    %s = arith.addf %old, %new : f32
    tm_tensor.yield %s : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}"""
    motif = only(text)
    assert (motif.kind, motif.variant) == (MotifKind.SCATTER, "add")
    assert motif.dims == {"elements": 3}
    assert motif.flops == 3
    assert (motif.bytes_read, motif.bytes_written) == (12 + 12, 12)


def test_softmax_op() -> None:
    text = """
func.func @main(%a: tensor<3x8xf32>, %o: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %r = linalg.softmax dimension(1) ins(%a : tensor<3x8xf32>) outs(%o : tensor<3x8xf32>)
      -> tensor<3x8xf32>
  return %r : tensor<3x8xf32>
}"""
    motif = only(text)
    assert motif.kind is MotifKind.SOFTMAX
    assert motif.dims == {"parallel": 3, "reduced": 8}
    assert motif.flops == 5 * 24


@pytest.mark.parametrize(("upper", "trips"), [("%c7", 4), ("%c0", 0), ("%n", DYNAMIC)])
def test_loop(upper: str, trips: int) -> None:
    text = f"""
func.func @main(%a: tensor<3xf32>, %n: index) -> tensor<3xf32> {{
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %i = %c0 to {upper} step %c2 iter_args(%x = %a) -> (tensor<3xf32>) {{
    scf.yield %x : tensor<3xf32>
  }}
  return %r : tensor<3xf32>
}}"""
    motif = only(text)
    assert motif.kind is MotifKind.LOOP
    assert motif.dims == {"trips": trips}


def test_forall_trip_counts() -> None:
    text = """
func.func @main(%a: tensor<16x9xf32>) -> tensor<16x9xf32> {
  %r = scf.forall (%i, %j) = (0, 1) to (16, 9) step (4, 3) shared_outs(%o = %a)
      -> (tensor<16x9xf32>) {
    scf.forall.in_parallel {
    }
  }
  return %r : tensor<16x9xf32>
}"""
    motif = only(text)
    assert motif.lists == {"trips": (4, 3)}
    assert motif.iterators == ("parallel", "parallel")


def test_dynamic_sizes_are_unknown_and_not_guessed() -> None:
    text = """
func.func @main(%a: tensor<?x3xf32>, %b: tensor<3x7xf32>, %c: tensor<?x7xf32>)
    -> tensor<?x7xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<?x3xf32>, tensor<3x7xf32>)
      outs(%c : tensor<?x7xf32>) -> tensor<?x7xf32>
  return %0 : tensor<?x7xf32>
}"""
    motif = only(text)
    assert motif.dims == {"batch": 1, "m": DYNAMIC, "n": 7, "k": 3}
    assert (motif.flops, motif.bytes_read, motif.bytes_written) == (None, None, None)


def test_location_is_kept() -> None:
    text = generate.matmul(2, 3, 4).replace(
        "-> tensor<2x3xf32>\n  return", '-> tensor<2x3xf32> loc("model.py":12:3)\n  return'
    )
    assert only(text).location == '"model.py":12:3'


def test_structure_decides_and_not_the_name() -> None:
    # A convolution that is written as a matmul of windows of one element.
    conv = only(generate.convolution((1, 3, 4, 4), (5, 3, 1, 1)))
    assert conv.kind is MotifKind.CONVOLUTION
    assert conv.lists["kernel"] == (1, 1)


REJECTS = {
    "no product": "    %s = arith.addf %z, %x : f32\n    linalg.yield %s : f32",
    "a product of one operand": (
        "    %p = arith.mulf %x, %x : f32\n    %s = arith.addf %z, %p : f32\n"
        "    linalg.yield %s : f32"
    ),
    "a maximum of products": (
        "    %p = arith.mulf %x, %y : f32\n    %s = arith.maximumf %z, %p : f32\n"
        "    linalg.yield %s : f32"
    ),
    "the accumulator in the product": (
        "    %q = arith.mulf %x, %z : f32\n    %p = arith.mulf %q, %y : f32\n"
        "    %s = arith.addf %z, %p : f32\n    linalg.yield %s : f32"
    ),
}


@pytest.mark.parametrize("body", REJECTS.values(), ids=REJECTS.keys())
def test_what_is_no_contraction(body: str) -> None:
    text = generate.contraction({"m": 4, "n": 8, "k": 16})
    start, end = text.index("    %p ="), text.index("  } ->")
    text = (text[:start] + body + "\n" + text[end:]).replace("%acc: f32", "%z: f32")
    assert only(text).kind is MotifKind.REDUCTION


def test_a_contraction_of_a_computed_operand_is_not_plain() -> None:
    text = generate.contraction({"m": 4, "n": 8, "k": 16}).replace(
        "    %p = arith.mulf %x, %y", "    %e = math.exp %x : f32\n    %p = arith.mulf %e, %y"
    )
    motif = only(text)
    assert motif.kind is MotifKind.CONTRACTION
    assert not motif.plain
    assert motif.flops == 3 * 4 * 8 * 16
    assert " fused " in motif.signature()
