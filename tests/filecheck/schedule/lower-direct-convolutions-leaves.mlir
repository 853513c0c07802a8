// SCHEDULES: lower-direct-convolutions
// An op after the convolution that reads memory by a computed index has no form on vectors:
// the kernel stays as it is, for the generic path, with blocks that the cores share.
// CHECK-LABEL: func.func @kernel(
// CHECK-SAME: tensor<2x9xf32>
// CHECK: linalg.generic
// CHECK-SAME: bellrock.choice = {by = "default", knobs = "blocks", tile = array<i64: 1, 1, 0>}
// CHECK: tensor.extract
#x = affine_map<(n, w, j) -> (n, w + j)>
#w = affine_map<(n, w, j) -> (j)>
#y = affine_map<(n, w, j) -> (n, w)>
#id = affine_map<(n, w) -> (n, w)>
func.func @kernel(%x: tensor<2x9xf32>, %w: tensor<3xf32>, %t: tensor<7xf32>, %y: tensor<2x7xf32>) -> tensor<2x7xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x7xf32>) -> tensor<2x7xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<2x9xf32>, tensor<3xf32>) outs(%init : tensor<2x7xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", knobs = "direct-convolution", channels = 1 : i64, vectors = 4 : i64, lanes = 16 : i64, rows = 0 : i64, columns = 0 : i64, channel_block = 0 : i64, parallel = true}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<2x7xf32>) outs(%y : tensor<2x7xf32>) {
  ^bb0(%p: f32, %o: f32):
    %i = linalg.index 1 : index
    %e = tensor.extract %t[%i] : tensor<7xf32>
    %s = arith.addf %p, %e : f32
    linalg.yield %s : f32
  } -> tensor<2x7xf32>
  return %r : tensor<2x7xf32>
}
