"""Inspection of whole payloads: rows, executions, totals, the door, patterns, the roofline."""

from __future__ import annotations

import time

import pytest

from bellrock.errors import PayloadError
from bellrock.payload import DType, Payload, Role, TensorSpec, generate
from bellrock.payload.context import parse_payload
from bellrock.payload.graph import entry_function, read_graph
from bellrock.payload.inspect import inspect_payload, short_location
from bellrock.payload.motif import MotifKind
from bellrock.target.base import Facts

LOOP = """
func.func @main(%w: tensor<4x4xf32>, %x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %zero = arith.constant 0.0 : f32
  %r = scf.for %i = %c0 to %c5 step %c1 iter_args(%h = %x) -> (tensor<3x4xf32>) {
    %s = scf.for %j = %c0 to %c5 step %c1 iter_args(%g = %h) -> (tensor<3x4xf32>) {
      %e = tensor.empty() : tensor<3x4xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3x4xf32>) -> tensor<3x4xf32>
      %p = linalg.matmul ins(%g, %w : tensor<3x4xf32>, tensor<4x4xf32>)
          outs(%f : tensor<3x4xf32>) -> tensor<3x4xf32>
      scf.yield %p : tensor<3x4xf32>
    }
    scf.yield %s : tensor<3x4xf32>
  }
  return %r : tensor<3x4xf32>
}"""


def facts(**rates: float) -> Facts:
    return Facts(
        device="a machine",
        cores=2,
        vector_bits=256,
        vector_registers=16,
        cache_bytes={},
        features=frozenset(),
        peak_flops_per_s={name: rate for name, rate in rates.items() if name != "DRAM"},
        bandwidth_bytes_per_s={"DRAM": rates["DRAM"]} if "DRAM" in rates else {},
    )


def test_totals_of_a_matmul() -> None:
    found = inspect_payload(generate.matmul(5, 7, 3))
    assert [row.motif.kind for row in found.rows] == [MotifKind.FILL, MotifKind.CONTRACTION]
    assert found.flops == 2 * 5 * 7 * 3
    assert found.bytes_read == 4 * (15 + 21)
    assert found.bytes_written == 4 * (35 + 35)  # the fill, and the product
    assert found.compulsory_bytes == 4 * (15 + 21 + 35)
    assert found.intensity == found.flops / found.compulsory_bytes
    assert found.flops_by_dtype == {"f32": 210}
    assert found.others == {"arith.constant": 1, "func.return": 1, "tensor.empty": 1}
    assert found.warnings == ()


def test_door_of_a_text() -> None:
    found = inspect_payload(generate.contraction({"m": 5, "n": 7, "k": 3}, dtype="bf16"))
    assert found.arguments == (
        TensorSpec(name="arg0", shape=(5, 3), dtype=DType.BF16),
        TensorSpec(name="arg1", shape=(3, 7), dtype=DType.BF16),
    )
    assert found.results == (
        TensorSpec(name="result0", shape=(5, 7), dtype=DType.BF16, role=Role.RESULT),
    )


def test_door_of_a_payload_is_its_own() -> None:
    weight = TensorSpec(name="weight", shape=(3, 7), dtype=DType.F32, role=Role.PARAMETER)
    payload = Payload(
        name="layer",
        arguments=(TensorSpec(name="x", shape=(5, 3), dtype=DType.F32), weight),
        results=(TensorSpec(name="y", shape=(5, 7), dtype=DType.F32, role=Role.RESULT),),
        fingerprint="",
        build=lambda: generate.matmul(5, 7, 3),
    )
    found = inspect_payload(payload)
    assert found.name == "layer"
    assert found.arguments[1] is weight


def test_ops_in_loops_run_as_often_as_the_loops_say() -> None:
    found = inspect_payload(LOOP)
    outer, inner, fill, product = found.rows
    assert (outer.executions, inner.executions) == (1, 5)
    assert fill.executions == product.executions == 25
    assert product.flops == 25 * 2 * 3 * 4 * 4
    assert product.motif.flops == 2 * 3 * 4 * 4
    assert found.flops == product.flops
    # However often the loop reads the weight, it must come from memory once only.
    assert found.compulsory_bytes == 4 * (16 + 12 + 12)


def test_unknown_trip_count_is_counted_once_and_said() -> None:
    text = LOOP.replace("%x: tensor<3x4xf32>)", "%x: tensor<3x4xf32>, %n: tensor<index>)").replace(
        "  %r = scf.for %i = %c0 to %c5", "  %m = tensor.extract %n[] : tensor<index>\n"
        "  %r = scf.for %i = %c0 to %m",
    )  # fmt: skip
    with pytest.raises(PayloadError, match="arg2 has a type that is not supported"):
        inspect_payload(text)
    text = text.replace("tensor<index>", "tensor<i64>").replace("  %r", "", 1)
    text = text.replace("%m = tensor.extract", "%q = tensor.extract").replace(
        " = scf.for %i", "  %m = arith.index_cast %q : i64 to index\n  %r = scf.for %i"
    )
    found = inspect_payload(text)
    assert found.rows[-1].executions == 5
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("the trip count of the scf.for")
    assert found.warnings[0].endswith("is unknown: counted once")


def test_a_gathered_table_need_not_be_read_whole() -> None:
    text = """
func.func @main(%table: tensor<1000x8xf32>, %row: tensor<1xi64>) -> tensor<1x8xf32> {
  %part = tensor.extract_slice %table[3, 0] [1, 8] [1, 1]
      : tensor<1000x8xf32> to tensor<1x8xf32>
  return %part : tensor<1x8xf32>
}"""
    assert inspect_payload(text).compulsory_bytes == 32 + 32  # and `row` is not read at all


def test_softmax_pattern() -> None:
    found = inspect_payload(generate.softmax(4, 8))
    (group,) = found.groups
    assert group.kind is MotifKind.SOFTMAX
    assert group.dims == {"parallel": 4, "reduced": 8}
    kinds = [found.rows[i].motif.variant for i in group.nodes]
    assert kinds == ["max", "subf", "exp", "add", "divf"]
    assert [row.group for row in found.rows if row.motif.kind is MotifKind.FILL] == [None, None]


def test_a_sum_of_exponentials_alone_is_no_softmax() -> None:
    text = generate.softmax(4, 8)
    divided = text.index("  %r = linalg.generic")
    text = text[:divided] + "  return %x : tensor<4x8xf32>\n}\n"
    assert inspect_payload(text).groups == ()


NORM = """
#full = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#id = affine_map<(i) -> (i)>
func.func @main(%a: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %n = arith.constant 8.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %f = tensor.empty() : tensor<4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%f : tensor<4xf32>) -> tensor<4xf32>
  %sq = linalg.mul ins(%a, %a : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>)
      -> tensor<4x8xf32>
  %sum = linalg.reduce { arith.addf } ins(%sq : tensor<4x8xf32>) outs(%init : tensor<4xf32>)
      dimensions = [1]
  %root = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%sum : tensor<4xf32>) outs(%f : tensor<4xf32>) {
  ^bb0(%x: f32, %o: f32):
    %m = arith.divf %x, %n : f32
    %s = math.rsqrt %m : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %r = linalg.generic {indexing_maps = [#full, #row, #full],
      iterator_types = ["parallel", "parallel"]}
      ins(%a, %root : tensor<4x8xf32>, tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %s = arith.mulf %x, %y : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}"""


def test_normalisation_pattern() -> None:
    found = inspect_payload(NORM)
    (group,) = found.groups
    assert (group.kind, group.variant) == (MotifKind.NORMALISATION, "computed")
    assert group.dims == {"parallel": 4, "reduced": 8}
    assert len(group.nodes) == 4  # square, sum, root, product


def test_a_root_that_scales_nothing_is_no_normalisation() -> None:
    cut = NORM.index("  %r = linalg.generic")
    text = NORM[:cut] + "  return %sq : tensor<4x8xf32>\n}"
    assert inspect_payload(text).groups == ()


def test_attention_takes_its_softmax_in() -> None:
    text = generate.softmax(4, 8)
    text = text.replace("func.func @main(%a: tensor<4x8xf32>) -> tensor<4x8xf32> {\n", (
        "func.func @main(%query: tensor<4x5xf32>, %k: tensor<5x8xf32>, %value: tensor<8x5xf32>)"
        " -> tensor<4x5xf32> {\n"
        "  %scores = tensor.empty() : tensor<4x8xf32>\n"
        "  %a = linalg.matmul ins(%query, %k : tensor<4x5xf32>, tensor<5x8xf32>)"
        " outs(%scores : tensor<4x8xf32>) -> tensor<4x8xf32>\n"
    )).replace("  return %r : tensor<4x8xf32>", (
        "  %out = tensor.empty() : tensor<4x5xf32>\n"
        "  %y = linalg.matmul ins(%r, %value : tensor<4x8xf32>, tensor<8x5xf32>)"
        " outs(%out : tensor<4x5xf32>) -> tensor<4x5xf32>\n"
        "  return %y : tensor<4x5xf32>"
    ))  # fmt: skip
    found = inspect_payload(text)
    (group,) = found.groups
    assert group.kind is MotifKind.ATTENTION
    assert len(group.nodes) == 7
    assert group.dims == {"parallel": 4, "reduced": 8}


def test_roofline_bound() -> None:
    text = generate.matmul(50, 70, 30)
    compute = inspect_payload(text, facts=facts(f32=1e3, DRAM=1e9)).roofline
    assert compute is not None
    assert compute.bound == "compute"
    assert compute.seconds == compute.compute_seconds == pytest.approx(210000 / 1e3)
    memory = inspect_payload(text, facts=facts(f32=1e12, DRAM=1e3)).roofline
    assert memory is not None
    assert memory.bound == "memory"
    assert memory.seconds == memory.memory_seconds == 4 * (1500 + 2100 + 3500) / 1e3


def test_roofline_takes_the_highest_peak_for_a_dtype_without_one() -> None:
    found = inspect_payload(generate.matmul(5, 7, 3), facts=facts(bf16=100.0, f64=10.0, DRAM=1e9))
    assert found.roofline is not None
    assert found.roofline.compute_seconds == 210 / 100


def test_no_roofline_without_rates() -> None:
    text = generate.matmul(5, 7, 3)
    assert inspect_payload(text, facts=facts(f32=1e9)).roofline is None
    assert inspect_payload(text, facts=facts(DRAM=1e9)).roofline is None
    assert inspect_payload(text).roofline is None


def test_a_call_is_followed() -> None:
    text = generate.matmul(5, 7, 3).replace("@main", "@inner") + (
        "func.func @main(%a: tensor<5x3xf32>, %b: tensor<3x7xf32>) -> tensor<5x7xf32> {\n"
        "  %0 = call @inner(%a, %b) : (tensor<5x3xf32>, tensor<3x7xf32>) -> tensor<5x7xf32>\n"
        "  %1 = call @inner(%a, %b) : (tensor<5x3xf32>, tensor<3x7xf32>) -> tensor<5x7xf32>\n"
        "  return %1 : tensor<5x7xf32>\n}"
    )
    assert inspect_payload(text).flops == 2 * 210


def test_text_that_is_not_mlir() -> None:
    with pytest.raises(PayloadError) as error:
        inspect_payload("func.func @main(", name="broken")
    assert str(error.value).startswith("broken: not valid MLIR; got error: ")


def test_module_without_the_entry() -> None:
    text = generate.matmul(2, 2, 2).replace("@main", "@f")
    both = text + generate.matmul(2, 2, 2).replace("@main", "@g")
    assert inspect_payload(text).flops == 16  # the only function is the entry
    with pytest.raises(PayloadError) as error:
        inspect_payload(both, name="two")
    assert str(error.value) == "two: the module has no function @main; allowed: @f, @g."


@pytest.mark.parametrize(
    ("location", "short"),
    [
        ('callsite("/x/site-packages/torch/nn/linear.py":134:0 at "/y/model.py":7:0)',
         "model.py:7"),
        ('"/x/site-packages/torch/nn/linear.py":134:0', "linear.py:134"),
        ('"-":12:5', "line 12"),
        ("", ""),
    ],
)  # fmt: skip
def test_short_location(location: str, short: str) -> None:
    assert short_location(location) == short


def test_reading_two_thousand_ops_is_quick() -> None:
    module = parse_payload(generate.elementwise((4, 8), ["exp"] * 2000), name="chain")
    with module.context:
        function = entry_function(module, entry="main", name="chain")
        started = time.process_time()
        graph = read_graph(function)
        seconds = time.process_time() - started
    assert len(graph.nodes) == 2000
    assert seconds < 3  # about 0.6 on a laptop: the margin is for busy machines
