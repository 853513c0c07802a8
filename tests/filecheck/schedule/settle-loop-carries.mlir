// SCHEDULES: settle-loop-carries
// Carried values stay in the loop's buffers; a swap reads both before it writes; a start
// value that is used elsewhere is copied.
// CHECK-LABEL: func.func @swap
// CHECK: %[[A:.*]] = bufferization.alloc_tensor() copy(%arg0)
// CHECK: %[[B:.*]] = bufferization.alloc_tensor() copy(%arg1)
// CHECK: scf.for {{.*}} iter_args(%[[P:.*]] = %[[A]], %[[Q:.*]] = %[[B]])
// CHECK: %[[OLDQ:.*]] = bufferization.alloc_tensor() copy(%[[Q]])
// CHECK: %[[OLDP:.*]] = bufferization.alloc_tensor() copy(%[[P]])
// CHECK: %[[X:.*]] = bufferization.materialize_in_destination %[[OLDQ]] in %[[P]]
// CHECK: %[[Y:.*]] = bufferization.materialize_in_destination %[[OLDP]] in %[[Q]]
// CHECK: scf.yield %[[X]], %[[Y]]
func.func @swap(%a: tensor<4xf32>, %b: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%p = %a, %q = %b) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.yield %q, %p : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
