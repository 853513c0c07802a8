// SCHEDULES: settle-indices
// A reversed index of a loop of 4 is never negative and never beyond 3: neither select nor clamps are left.
// CHECK-LABEL: func.func @reversed
// CHECK: %[[R:.*]] = arith.subi %c3, %{{.*}} : index
// CHECK: tensor.extract %arg0[%{{.*}}, %[[R]]]
func.func @reversed(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %empty = tensor.empty() : tensor<8x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%empty : tensor<8x4xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %back = arith.subi %c3, %j : index
    %negative = arith.cmpi slt, %back, %c0 : index
    %wrapped = arith.addi %back, %c4 : index
    %chosen = arith.select %negative, %wrapped, %back : index
    %low = arith.maxsi %chosen, %c0 : index
    %safe = arith.minsi %low, %c3 : index
    %e = tensor.extract %x[%i, %safe] : tensor<8x4xf32>
    linalg.yield %e : f32
  } -> tensor<8x4xf32>
  return %r : tensor<8x4xf32>
}

// One further and it may be: the clamp from below stays, that from above goes.
// CHECK-LABEL: func.func @further
// CHECK: %[[B:.*]] = arith.subi %c2, %{{.*}} : index
// CHECK: %[[L:.*]] = arith.maxsi %[[B]], %c0 : index
// CHECK: tensor.extract %arg0[%[[L]]]
func.func @further(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %empty = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%empty : tensor<4xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %back = arith.subi %c2, %i : index
    %low = arith.maxsi %back, %c0 : index
    %safe = arith.minsi %low, %c3 : index
    %e = tensor.extract %x[%safe] : tensor<4xf32>
    linalg.yield %e : f32
  } -> tensor<4xf32>
  return %r : tensor<4xf32>
}
