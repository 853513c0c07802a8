// SCHEDULES: pack-weights
// Panels of 32 columns, the last one short: columns past the end repeat the last. Both contractions read
// the same ones; the body still multiplies the weight itself.
// CHECK: #[[PANEL:.*]] = affine_map<(d0, d1, d2) -> (d1 floordiv 32, 0, 0)>
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:.*]]: tensor<8x64xf32>, %[[W:.*]]: tensor<70x64xf32>
// CHECK: %[[P:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<3x64x32xf32>) attrs
// CHECK: arith.minsi %{{.*}}, %c69
// CHECK: tensor.extract %[[W]]
// CHECK-NOT: tensor.extract
// CHECK: linalg.generic {{.*}}#[[PANEL]]{{.*}} ins(%[[X]], %[[W]], %[[P]] : {{.*}} outs(%{{.*}} : tensor<8x70xf32>)
// CHECK-NOT: bellrock.packable
// CHECK: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: f32, %[[O:.*]]: f32)
// CHECK: arith.mulf %[[A]], %[[B]]
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[W]], %[[P]]
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @main(%x: tensor<8x64xf32>, %w: tensor<70x64xf32>, %y: tensor<8x70xf32>) -> (tensor<8x70xf32>, tensor<8x70xf32>) {
  %r = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x64xf32>, tensor<70x64xf32>) outs(%y : tensor<8x70xf32>)
      attrs = {bellrock.packable = array<i64: 1>, bellrock.choice = {by = "default", knobs = "panels", vector = "n", lanes = 16 : i64, columns = 2 : i64, pairs = false, prepared = true, tile = array<i64: 0, 0, 0>}} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x70xf32>
  %q = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x64xf32>, tensor<70x64xf32>) outs(%r : tensor<8x70xf32>)
      attrs = {bellrock.packable = array<i64: 1>, bellrock.choice = {by = "default", knobs = "panels", vector = "n", lanes = 16 : i64, columns = 2 : i64, pairs = false, prepared = true, tile = array<i64: 0, 0, 0>}} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x70xf32>
  return %r, %q : tensor<8x70xf32>, tensor<8x70xf32>
}
