// SCHEDULES: generalize-transposes
// A transpose becomes a generic; a convolution, and a fill, stay named.
// CHECK: linalg.generic
// CHECK-NOT: linalg.transpose
// CHECK: linalg.fill
// CHECK: linalg.conv_2d_nchw_fchw
func.func @main(%x: tensor<8x2x4x4xf32>, %w: tensor<3x2x1x1xf32>, %e: tensor<2x8x4x4xf32>, %y: tensor<8x3x4x4xf32>) -> (tensor<2x8x4x4xf32>, tensor<8x3x4x4xf32>) {
  %t = linalg.transpose ins(%x : tensor<8x2x4x4xf32>) outs(%e : tensor<2x8x4x4xf32>) permutation = [1, 0, 2, 3]
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<8x3x4x4xf32>) -> tensor<8x3x4x4xf32>
  %c = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<8x2x4x4xf32>, tensor<3x2x1x1xf32>) outs(%init : tensor<8x3x4x4xf32>) -> tensor<8x3x4x4xf32>
  return %t, %c : tensor<2x8x4x4xf32>, tensor<8x3x4x4xf32>
}
