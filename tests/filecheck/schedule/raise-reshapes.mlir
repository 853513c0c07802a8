// SCHEDULES: raise-reshapes
// The centred row is computed once more, as an image; an exponential that others read is not.
// CHECK-LABEL: func.func @centred
// CHECK: %[[D:.*]] = linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<6x4087xf32>, tensor<6xf32>)
// CHECK: %[[X:.*]] = tensor.expand_shape %arg0
// CHECK: %[[E:.*]] = linalg.generic {{.*}} ins(%[[X]], %arg1 : tensor<6x61x67xf32>, tensor<6xf32>)
// CHECK: arith.subf
// CHECK: return %[[D]], %[[E]]
#full = affine_map<(g, i) -> (g, i)>
#group = affine_map<(g, i) -> (g)>
func.func @centred(%x: tensor<6x4087xf32>, %m: tensor<6xf32>) -> (tensor<6x4087xf32>, tensor<6x61x67xf32>) {
  %e = tensor.empty() : tensor<6x4087xf32>
  %d = linalg.generic {indexing_maps = [#full, #group, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<6x4087xf32>, tensor<6xf32>) outs(%e : tensor<6x4087xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.subf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<6x4087xf32>
  %r = tensor.expand_shape %d [[0], [1, 2]] output_shape [6, 61, 67] : tensor<6x4087xf32> into tensor<6x61x67xf32>
  return %d, %r : tensor<6x4087xf32>, tensor<6x61x67xf32>
}

// CHECK-LABEL: func.func @dear
// CHECK: %[[D:.*]] = linalg.generic
// CHECK: tensor.expand_shape %[[D]]
// CHECK-NOT: linalg.generic
func.func @dear(%x: tensor<6x4087xf32>) -> (tensor<6x4087xf32>, tensor<6x61x67xf32>) {
  %e = tensor.empty() : tensor<6x4087xf32>
  %d = linalg.generic {indexing_maps = [#full, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<6x4087xf32>) outs(%e : tensor<6x4087xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  } -> tensor<6x4087xf32>
  %r = tensor.expand_shape %d [[0], [1, 2]] output_shape [6, 61, 67] : tensor<6x4087xf32> into tensor<6x61x67xf32>
  return %d, %r : tensor<6x4087xf32>, tensor<6x61x67xf32>
}
