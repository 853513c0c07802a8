// SCHEDULES: order-kernels
// Each output comes as soon as its state is not needed for the next one any more.
// CHECK-LABEL: func.func @main
// CHECK: %[[H1:.*]] = call @k_step(%arg0
// CHECK: %[[H2:.*]] = call @k_step(%[[H1]]
// CHECK: %[[Y1:.*]] = call @k_row(%[[H1]], %arg1
// CHECK: %[[H3:.*]] = call @k_step(%[[H2]]
// CHECK: %[[Y2:.*]] = call @k_row(%[[H2]], %[[Y1]]
// CHECK: call @k_row(%[[H3]], %[[Y2]]
func.func @main(%h0: tensor<64xf32>, %y0: tensor<3xf32>) -> tensor<3xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %e1 = tensor.empty() : tensor<64xf32>
  %e2 = tensor.empty() : tensor<64xf32>
  %e3 = tensor.empty() : tensor<64xf32>
  %h1 = call @k_step(%h0, %e1) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %h2 = call @k_step(%h1, %e2) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %h3 = call @k_step(%h2, %e3) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %y1 = call @k_row(%h1, %y0, %c0) : (tensor<64xf32>, tensor<3xf32>, index) -> tensor<3xf32>
  %y2 = call @k_row(%h2, %y1, %c1) : (tensor<64xf32>, tensor<3xf32>, index) -> tensor<3xf32>
  %y3 = call @k_row(%h3, %y2, %c2) : (tensor<64xf32>, tensor<3xf32>, index) -> tensor<3xf32>
  return %y3 : tensor<3xf32>
}
func.func private @k_step(%a: tensor<64xf32>, %b: tensor<64xf32>) -> tensor<64xf32> attributes {bellrock.kernel = "elementwise"} {
  %r = linalg.copy ins(%a : tensor<64xf32>) outs(%b : tensor<64xf32>) -> tensor<64xf32>
  return %r : tensor<64xf32>
}
func.func private @k_row(%a: tensor<64xf32>, %b: tensor<3xf32>, %i: index) -> tensor<3xf32> attributes {bellrock.kernel = "data-movement"} {
  %s = tensor.extract_slice %a[5] [1] [1] : tensor<64xf32> to tensor<1xf32>
  %r = tensor.insert_slice %s into %b[%i] [1] [1] : tensor<1xf32> into tensor<3xf32>
  return %r : tensor<3xf32>
}
