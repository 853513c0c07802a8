// SCHEDULES: pack-weights
// Not chosen, or the columns are not what may be packed (vectors run along m): left as it is.
// CHECK-NOT: tensor.extract
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{.*}}, %{{.*}} : tensor<8x64xf32>, tensor<64x70xf32>)
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{.*}}, %{{.*}} : tensor<8x64xf32>, tensor<64x70xf32>)
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @main(%x: tensor<8x64xf32>, %w: tensor<64x70xf32>, %y: tensor<8x70xf32>) -> tensor<8x70xf32> {
  %r = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x70xf32>) outs(%y : tensor<8x70xf32>)
      attrs = {bellrock.packable = array<i64: 1>, bellrock.choice = {by = "default", knobs = "panels", vector = "n", lanes = 16 : i64, columns = 2 : i64, pairs = false, prepared = false, tile = array<i64: 0, 0, 0>}} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x70xf32>
  %q = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x70xf32>) outs(%r : tensor<8x70xf32>)
      attrs = {bellrock.packable = array<i64: 1>, bellrock.choice = {by = "default", knobs = "panels", vector = "m", lanes = 16 : i64, columns = 2 : i64, pairs = false, prepared = true, tile = array<i64: 0, 0, 0>}} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x70xf32>
  return %q : tensor<8x70xf32>
}
