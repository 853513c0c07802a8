// SCHEDULES: split-reductions(longest_of_one=2048 fewest=256)
// One operand: short pieces, where there are many work-items. Products are left to their own rule.
// CHECK-LABEL: func.func @sum
// CHECK: tensor.expand_shape {{.*}} output_shape [8, 16, 256]
// CHECK-LABEL: func.func @scaled_sum
// CHECK-NOT: tensor.expand_shape
// CHECK: return
// CHECK-LABEL: func.func @loss
// CHECK: tensor.expand_shape {{.*}} output_shape [16, 256]
func.func @sum(%x: tensor<8x4096xf32>, %s: tensor<8xf32>) -> tensor<8xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<8x4096xf32>) outs(%s : tensor<8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %v = arith.addf %o, %p : f32
    linalg.yield %v : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}
func.func @scaled_sum(%x: tensor<8x4096xf32>, %y: tensor<4096xf32>, %s: tensor<8xf32>) -> tensor<8xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x, %y : tensor<8x4096xf32>, tensor<4096xf32>) outs(%s : tensor<8xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %w = arith.mulf %p, %q : f32
    %v = arith.addf %o, %w : f32
    linalg.yield %v : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}
func.func @loss(%x: tensor<4096xf32>, %y: tensor<4096xf32>, %s: tensor<f32>) -> tensor<f32> {
  %r = linalg.generic {indexing_maps = [affine_map<(k) -> (k)>, affine_map<(k) -> (k)>, affine_map<(k) -> ()>], iterator_types = ["reduction"]} ins(%x, %y : tensor<4096xf32>, tensor<4096xf32>) outs(%s : tensor<f32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %w = arith.subf %p, %q : f32
    %v = arith.addf %o, %w : f32
    linalg.yield %v : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}
