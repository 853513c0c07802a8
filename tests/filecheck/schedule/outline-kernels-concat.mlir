// SCHEDULES: copy-inserted-slices, outline-kernels
// What is made in a slice of a new tensor is inserted into that very tensor: the kernel's destination.
// With an empty tensor for each it would be made elsewhere, and copied.
// CHECK-LABEL: func.func private @k_data_movement
// CHECK-SAME: (%arg0: tensor<4x8xf32>, %arg1: tensor<8x8xf32>)
// CHECK-NOT: tensor.empty
// CHECK: %[[S:.*]] = tensor.extract_slice %arg1[0, 0]
// CHECK: %[[C:.*]] = linalg.copy {{.*}} outs(%[[S]]
// CHECK: tensor.insert_slice %[[C]] into %arg1[0, 0]
// CHECK-NOT: tensor.empty
func.func @concat(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> tensor<8x8xf32> {
  %into = tensor.empty() : tensor<8x8xf32>
  %a = tensor.insert_slice %x into %into[0, 0] [4, 8] [1, 1] : tensor<4x8xf32> into tensor<8x8xf32>
  %b = tensor.insert_slice %y into %a[4, 0] [4, 8] [1, 1] : tensor<4x8xf32> into tensor<8x8xf32>
  return %b : tensor<8x8xf32>
}
