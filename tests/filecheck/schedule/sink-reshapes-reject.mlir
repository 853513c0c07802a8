// SCHEDULES: sink-reshapes
// What is collapsed is reduced: one long loop stays one.
// CHECK-LABEL: func.func @group
// CHECK: %[[C:.*]] = tensor.collapse_shape %arg0
// CHECK: linalg.generic {{.*}} ins(%[[C]] : tensor<5x42xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[C]], %{{.*}} : tensor<5x42xf32>, tensor<5xf32>)
#full = affine_map<(g, i) -> (g, i)>
#row = affine_map<(g, i) -> (g)>
func.func @group(%x: tensor<5x6x7xf32>) -> tensor<5x6x7xf32> {
  %zero = arith.constant 0.0 : f32
  %c = tensor.collapse_shape %x [[0], [1, 2]] : tensor<5x6x7xf32> into tensor<5x42xf32>
  %e0 = tensor.empty() : tensor<5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e0 : tensor<5xf32>) -> tensor<5xf32>
  %m = linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]}
      ins(%c : tensor<5x42xf32>) outs(%f : tensor<5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<5xf32>
  %e1 = tensor.empty() : tensor<5x42xf32>
  %p = linalg.generic {indexing_maps = [#full, #row, #full], iterator_types = ["parallel", "parallel"]}
      ins(%c, %m : tensor<5x42xf32>, tensor<5xf32>) outs(%e1 : tensor<5x42xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.subf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<5x42xf32>
  %r = tensor.expand_shape %p [[0], [1, 2]] output_shape [5, 6, 7] : tensor<5x42xf32> into tensor<5x6x7xf32>
  return %r : tensor<5x6x7xf32>
}
