// SCHEDULES: generalize, outline-kernels
// A product that two ops read is made by a kernel of its own: neither reader may swallow it.
// CHECK-LABEL: func.func @main
// CHECK: %[[PRODUCT:.*]] = call @k_contraction_
// CHECK: call @k_elementwise_{{[0-9a-f]+}}(%[[PRODUCT]]
// CHECK: call @k_elementwise_{{[0-9a-f]+}}(%[[PRODUCT]]
func.func @main(%x: tensor<4x8xf32>, %y: tensor<8x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  %s = linalg.matmul ins(%x, %y : tensor<4x8xf32>, tensor<8x4xf32>) outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
  %e = linalg.exp ins(%s : tensor<4x4xf32>) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  %l = linalg.log ins(%s : tensor<4x4xf32>) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %e, %l : tensor<4x4xf32>, tensor<4x4xf32>
}
