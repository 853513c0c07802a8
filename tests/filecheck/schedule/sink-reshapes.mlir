// SCHEDULES: sink-reshapes
// The maximum and the exponentials are made by groups of heads, as the scores came and as the product wants them.
// CHECK-LABEL: func.func @shared
// CHECK-NOT: tensor.collapse_shape %arg0
// CHECK: %[[M:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<2x3x5x7xf32>)
// CHECK: arith.maximumf
// CHECK: tensor<2x3x5xf32>
// CHECK: linalg.generic {{.*}} ins(%arg0, %{{.*}} : tensor<2x3x5x7xf32>, tensor<2x3x5xf32>)
// CHECK: math.exp
// CHECK: tensor<2x3x5x7xf32>
#full = affine_map<(h, q, k) -> (h, q, k)>
#row = affine_map<(h, q, k) -> (h, q)>
func.func @shared(%s: tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32> {
  %low = arith.constant 0xFF800000 : f32
  %c = tensor.collapse_shape %s [[0, 1], [2], [3]] : tensor<2x3x5x7xf32> into tensor<6x5x7xf32>
  %e0 = tensor.empty() : tensor<6x5xf32>
  %f = linalg.fill ins(%low : f32) outs(%e0 : tensor<6x5xf32>) -> tensor<6x5xf32>
  %m = linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%c : tensor<6x5x7xf32>) outs(%f : tensor<6x5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.maximumf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<6x5xf32>
  %e1 = tensor.empty() : tensor<6x5x7xf32>
  %p = linalg.generic {indexing_maps = [#full, #row, #full], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c, %m : tensor<6x5x7xf32>, tensor<6x5xf32>) outs(%e1 : tensor<6x5x7xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.subf %a, %b : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<6x5x7xf32>
  %r = tensor.expand_shape %p [[0, 1], [2], [3]] output_shape [2, 3, 5, 7] : tensor<6x5x7xf32> into tensor<2x3x5x7xf32>
  return %r : tensor<2x3x5x7xf32>
}
