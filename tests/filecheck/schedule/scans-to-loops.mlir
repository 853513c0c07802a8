// SCHEDULES: scans-to-loops
// CHECK-LABEL: func.func @inclusive
// CHECK: scf.forall (%[[I:.*]]) in (4) shared_outs
// CHECK: scf.for %{{.*}} = %c1
// CHECK: tensor.extract
// CHECK: arith.addf
// CHECK: tensor.insert
// CHECK: tensor.parallel_insert_slice
// CHECK-NOT: tm_tensor
func.func @inclusive(%x: tensor<4x9xf32>) -> tensor<4x9xf32> {
  %y = tensor.empty() : tensor<4x9xf32>
  %acc = tensor.empty() : tensor<4xf32>
  %r:2 = tm_tensor.scan dimension(1) inclusive(true) {bellrock.tile = array<i64: 1, 0>}
      ins(%x : tensor<4x9xf32>) outs(%y, %acc : tensor<4x9xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    tm_tensor.yield %s : f32
  } -> tensor<4x9xf32>, tensor<4xf32>
  return %r#0 : tensor<4x9xf32>
}
