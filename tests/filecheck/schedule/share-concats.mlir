// SCHEDULES: share-concats
// CHECK-LABEL: func.func @dense
// CHECK: %[[P:.*]] = tensor.concat dim(1) %arg0, %arg1 :
// CHECK: %[[Q:.*]] = tensor.concat dim(1) %[[P]], %arg2 :
// Another dimension shares nothing.
// CHECK: %[[R:.*]] = tensor.concat dim(0) %arg0, %arg1, %arg1 :
// CHECK: return %[[P]], %[[Q]], %[[R]]
func.func @dense(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>, %c: tensor<2x5xf32>) -> (tensor<2x6xf32>, tensor<2x11xf32>, tensor<6x3xf32>) {
  %p = tensor.concat dim(1) %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>
  %q = tensor.concat dim(1) %a, %b, %c : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x5xf32>) -> tensor<2x11xf32>
  %r = tensor.concat dim(0) %a, %b, %b : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<6x3xf32>
  return %p, %q, %r : tensor<2x6xf32>, tensor<2x11xf32>, tensor<6x3xf32>
}
