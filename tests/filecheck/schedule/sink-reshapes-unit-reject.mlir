// SCHEDULES: sink-reshapes
// Two read the sums, and none is expanded again: neither can join their kernel, so nothing moves.
// CHECK-LABEL: func.func @shared
// CHECK: %[[C:.*]] = tensor.collapse_shape
// CHECK: ins(%[[C]] : tensor<5x7xf32>)
// CHECK: ins(%[[C]] : tensor<5x7xf32>)
#a = affine_map<(n, i, j, k) -> (n, i, k)>
#b = affine_map<(n, i, j, k) -> (j, k)>
#c = affine_map<(n, i, j, k) -> (n, i, j)>
#id = affine_map<(i, j) -> (i, j)>
func.func @shared(%x: tensor<1x5x3xf32>, %w: tensor<7x3xf32>) -> (tensor<5x7xf32>, tensor<5x7xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x5x7xf32>) -> tensor<1x5x7xf32>
  %s = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<1x5x3xf32>, tensor<7x3xf32>) outs(%f : tensor<1x5x7xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %0 = arith.mulf %l, %r : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x5x7xf32>
  %c = tensor.collapse_shape %s [[0, 1], [2]] : tensor<1x5x7xf32> into tensor<5x7xf32>
  %e1 = tensor.empty() : tensor<5x7xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<5x7xf32>) outs(%e1 : tensor<5x7xf32>) {
  ^bb0(%l: f32, %o: f32):
    %0 = math.exp %l : f32
    linalg.yield %0 : f32
  } -> tensor<5x7xf32>
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<5x7xf32>) outs(%e1 : tensor<5x7xf32>) {
  ^bb0(%l: f32, %o: f32):
    %0 = math.sqrt %l : f32
    linalg.yield %0 : f32
  } -> tensor<5x7xf32>
  return %p, %q : tensor<5x7xf32>, tensor<5x7xf32>
}
