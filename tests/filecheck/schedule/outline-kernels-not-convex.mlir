// SCHEDULES: generalize, outline-kernels
// The quotient shares rows with the sum, but also needs a product that needs the sum: one kernel
// of both could never run. It has to stay behind the product.
// CHECK-LABEL: func.func @main
// CHECK: %[[SUM:.*]] = call @k_reduction_
// CHECK: %[[PRODUCT:.*]] = call @k_contraction_{{[0-9a-f]+}}(%[[SUM]]
// CHECK: call @k_elementwise_{{[0-9a-f]+}}(%{{.*}}%[[PRODUCT]]
func.func @main(%x: tensor<64x32x8xf32>, %w: tensor<32x32xf32>) -> tensor<64x32xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x32xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x32xf32>) -> tensor<64x32xf32>
  %s = linalg.reduce ins(%x : tensor<64x32x8xf32>) outs(%init : tensor<64x32xf32>) dimensions = [2]
      (%in: f32, %acc: f32) { %a = arith.addf %in, %acc : f32 linalg.yield %a : f32 }
  %p = linalg.matmul ins(%s, %w : tensor<64x32xf32>, tensor<32x32xf32>) outs(%init : tensor<64x32xf32>) -> tensor<64x32xf32>
  %t = linalg.exp ins(%p : tensor<64x32xf32>) outs(%empty : tensor<64x32xf32>) -> tensor<64x32xf32>
  %u = linalg.div ins(%s, %t : tensor<64x32xf32>, tensor<64x32xf32>) outs(%empty : tensor<64x32xf32>) -> tensor<64x32xf32>
  %v = linalg.add ins(%u, %t : tensor<64x32xf32>, tensor<64x32xf32>) outs(%empty : tensor<64x32xf32>) -> tensor<64x32xf32>
  return %v : tensor<64x32xf32>
}
