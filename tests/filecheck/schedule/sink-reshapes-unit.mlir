// SCHEDULES: sink-reshapes
// A batch of one: what follows the sums works in their shape, and the next pad takes it in that.
// CHECK-LABEL: func.func @epilogue
// CHECK: %[[S:.*]] = linalg.generic {{.*}}"reduction"{{.*}} ins(%arg0, %arg1
// CHECK-NOT: tensor.collapse_shape %[[S]]
// CHECK: %[[A:.*]] = linalg.generic {{.*}} ins(%[[S]], %{{.*}} : tensor<1x5x7xf32>, tensor<1x5x7xf32>)
// CHECK: arith.addf
// CHECK: tensor.insert_slice %[[A]] into {{.*}} : tensor<1x5x7xf32> into tensor<1x7x9xf32>
#a = affine_map<(n, i, j, k) -> (n, i, k)>
#b = affine_map<(n, i, j, k) -> (j, k)>
#c = affine_map<(n, i, j, k) -> (n, i, j)>
#id = affine_map<(i, j) -> (i, j)>
func.func @epilogue(%x: tensor<1x5x3xf32>, %w: tensor<7x3xf32>, %y: tensor<5x7xf32>) -> (tensor<1x7x9xf32>, tensor<5x7xf32>) {
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
  %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%c, %y : tensor<5x7xf32>, tensor<5x7xf32>) outs(%e1 : tensor<5x7xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %0 = arith.addf %l, %r : f32
    linalg.yield %0 : f32
  } -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<1x7x9xf32>
  %g = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x7x9xf32>) -> tensor<1x7x9xf32>
  %q = tensor.insert_slice %p into %g[0, 1, 1] [1, 5, 7] [1, 1, 1] : tensor<5x7xf32> into tensor<1x7x9xf32>
  return %q, %p : tensor<1x7x9xf32>, tensor<5x7xf32>
}
