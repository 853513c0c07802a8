// SCHEDULES: fill-splats
// CHECK-LABEL: func.func @splat
// CHECK: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<3x5xf32>
// CHECK: linalg.fill ins(%[[ONE]] : f32) outs(%[[EMPTY]]
// Constants whose elements differ stay data.
// CHECK: arith.constant dense<[1, 2]>
func.func @splat() -> (tensor<3x5xf32>, tensor<2xi64>) {
  %ones = arith.constant dense<1.0> : tensor<3x5xf32>
  %data = arith.constant dense<[1, 2]> : tensor<2xi64>
  return %ones, %data : tensor<3x5xf32>, tensor<2xi64>
}
