// SCHEDULES: trim-windows
// Windows of 2 at stride 2 over 5 elements read 4; a transposed read of a whole input stays.
// CHECK-LABEL: func.func @pool
// CHECK: %[[S:.*]] = tensor.extract_slice %arg0[0, 0] [3, 4] [1, 1] : tensor<3x5xf32> to tensor<3x4xf32>
// CHECK: linalg.generic {{.*}} ins(%[[S]], %arg1 : tensor<3x4xf32>, tensor<2xf32>)
func.func @pool(%x: tensor<3x5xf32>, %w: tensor<2xf32>, %init: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(c, o, k) -> (c, o * 2 + k)>, affine_map<(c, o, k) -> (k)>, affine_map<(c, o, k) -> (c, o)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<3x5xf32>, tensor<2xf32>) outs(%init : tensor<3x2xf32>) {
  ^bb0(%in: f32, %z: f32, %out: f32):
    %m = arith.maximumf %in, %out : f32
    linalg.yield %m : f32
  } -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}
