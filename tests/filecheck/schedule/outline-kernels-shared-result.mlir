// SCHEDULES: generalize, outline-kernels
// A result that two ops read is made by a kernel of its own: neither reader may swallow it.
// CHECK-LABEL: func.func @main
// CHECK: %[[SUM:.*]] = call @k_reduction_
// CHECK: call @k_elementwise_{{[0-9a-f]+}}(%[[SUM]]
// CHECK: call @k_elementwise_{{[0-9a-f]+}}(%[[SUM]]
func.func @main(%x: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %s = linalg.reduce ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) dimensions = [1]
      (%in: f32, %acc: f32) { %a = arith.addf %in, %acc : f32 linalg.yield %a : f32 }
  %e = linalg.exp ins(%s : tensor<4xf32>) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %l = linalg.log ins(%s : tensor<4xf32>) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  return %e, %l : tensor<4xf32>, tensor<4xf32>
}
