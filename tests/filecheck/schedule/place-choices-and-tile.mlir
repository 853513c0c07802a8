// SCHEDULES: place-choices, tile-kernels
// The product's choice cuts the loops of the op that was fused after it.
// CHECK-LABEL: func.func @kernel
// CHECK: scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (16, 32) step (4, 8) shared_outs
// CHECK: linalg.generic {{.*}}"reduction"
// CHECK: linalg.generic
// CHECK: arith.negf
// CHECK: tensor.parallel_insert_slice
func.func @kernel(%a: tensor<16x64xf32>, %b: tensor<64x32xf32>, %init: tensor<16x32xf32>, %out: tensor<16x32xf32>) -> tensor<16x32xf32> {
  %c = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<16x64xf32>, tensor<64x32xf32>) outs(%init : tensor<16x32xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {tile = array<i64: 4, 8, 0>, order = array<i64>}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<16x32xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<16x32xf32>) outs(%out : tensor<16x32xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.negf %p : f32
    linalg.yield %s : f32
  } -> tensor<16x32xf32>
  return %d : tensor<16x32xf32>
}
