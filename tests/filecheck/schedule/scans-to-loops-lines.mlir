// SCHEDULES: scans-to-loops
// A scan along memory goes by vectors: four shifted sums, the carry, and what is left by elements.
// CHECK-LABEL: func.func @lines
// CHECK: scf.forall (%[[I:.*]]) in (64)
// CHECK: scf.for %[[J:.*]] = {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[CARRY:.*]] = %{{.*}}) -> (tensor<40xf32>, vector<16xf32>)
// CHECK: vector.transfer_read %arg0[%[[I]], %[[J]]]
// CHECK-COUNT-4: vector.shuffle
// CHECK: arith.addf %[[CARRY]]
// CHECK: vector.transfer_write
// CHECK: vector.shuffle {{.*}} [15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15]
// CHECK: scf.for
// CHECK: tensor.extract
// CHECK: tensor.parallel_insert_slice
// CHECK-LABEL: func.func @other_combiner
// CHECK-NOT: vector.shuffle
func.func @lines(%x: tensor<64x40xf32>, %out: tensor<64x40xf32>, %init: tensor<64xf32>) -> tensor<64x40xf32> {
  %0:2 = tm_tensor.scan dimension(1) inclusive(true) {bellrock.tile = array<i64: 8, 0>}
      ins(%x : tensor<64x40xf32>) outs(%out, %init : tensor<64x40xf32>, tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    tm_tensor.yield %s : f32
  } -> tensor<64x40xf32>, tensor<64xf32>
  return %0#0 : tensor<64x40xf32>
}
func.func @other_combiner(%x: tensor<64x40xf32>, %out: tensor<64x40xf32>, %init: tensor<64xf32>) -> tensor<64x40xf32> {
  %0:2 = tm_tensor.scan dimension(1) inclusive(true) {bellrock.tile = array<i64: 8, 0>}
      ins(%x : tensor<64x40xf32>) outs(%out, %init : tensor<64x40xf32>, tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    %t = arith.mulf %s, %b : f32
    tm_tensor.yield %t : f32
  } -> tensor<64x40xf32>, tensor<64xf32>
  return %0#0 : tensor<64x40xf32>
}
