// SCHEDULES: hoist-preparation
// The packed weight and a small table leave the function, one of them out of a loop; what
// only repeats a weight, and what needs an input, stay.
// CHECK-LABEL: func.func @main_prepare(
// CHECK-SAME: %[[W:.*]]: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<8xf32>)
// CHECK-SAME: bellrock.prepares = array<i64: 1>
// CHECK-SAME: bellrock.value_bytes = array<i64: 16384, 32>
// CHECK: %[[V:.*]] = tensor.collapse_shape %[[W]]
// CHECK: %[[P:.*]] = call @k_pack(%[[V]]
// CHECK: %[[T:.*]] = call @k_table(
// CHECK: return %[[P]], %[[T]]
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:.*]]: tensor<64x64xf32>, %[[W:.*]]: tensor<64x64xf32>{{[^,]*}}, %[[P:.*]]: tensor<64x64xf32>, %[[T:.*]]: tensor<8xf32>)
// CHECK-NOT: @k_pack
// CHECK-NOT: @k_table
// CHECK: call @k_repeat(%[[W]]
// CHECK: scf.for
// CHECK: call @k_use(%{{.*}}, %[[P]]
// CHECK: call @k_other(%{{.*}}, %[[T]]
func.func @main(%x: tensor<64x64xf32>, %w: tensor<64x64xf32> {bellrock.fixed}) -> (tensor<64x64xf32>, tensor<64x64x64xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<64x64xf32>
  %f = tensor.empty() : tensor<64x64x64xf32>
  %g = tensor.empty() : tensor<8xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %many = func.call @k_repeat(%w, %f) : (tensor<64x64xf32>, tensor<64x64x64xf32>) -> tensor<64x64x64xf32>
  %last = scf.for %i = %c0 to %c9 step %c1 iter_args(%s = %x) -> tensor<64x64xf32> {
    %v = tensor.collapse_shape %w [[0, 1]] : tensor<64x64xf32> into tensor<4096xf32>
    %p = func.call @k_pack(%v, %e) : (tensor<4096xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
    %n = func.call @k_use(%s, %p, %e) : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
    scf.yield %n : tensor<64x64xf32>
  }
  %t = func.call @k_table(%g) : (tensor<8xf32>) -> tensor<8xf32>
  %o = func.call @k_other(%last, %t, %g) : (tensor<64x64xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %last, %many, %o : tensor<64x64xf32>, tensor<64x64x64xf32>, tensor<8xf32>
}
// Nobody says which arguments are fixed: nothing is prepared.
// CHECK-LABEL: func.func @unmarked(
// CHECK: call @k_table(
// CHECK-NOT: _prepare
func.func @unmarked(%x: tensor<64x64xf32>) -> tensor<8xf32> {
  %g = tensor.empty() : tensor<8xf32>
  %t = func.call @k_table(%g) : (tensor<8xf32>) -> tensor<8xf32>
  return %t : tensor<8xf32>
}
func.func private @k_repeat(tensor<64x64xf32>, tensor<64x64x64xf32>) -> tensor<64x64x64xf32> attributes {bellrock.kernel = "data-movement"}
func.func private @k_pack(tensor<4096xf32>, tensor<64x64xf32>) -> tensor<64x64xf32> attributes {bellrock.kernel = "data-movement"}
func.func private @k_use(tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32> attributes {bellrock.kernel = "contraction"}
func.func private @k_table(tensor<8xf32>) -> tensor<8xf32> attributes {bellrock.kernel = "elementwise"}
func.func private @k_other(tensor<64x64xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32> attributes {bellrock.kernel = "reduction"}
