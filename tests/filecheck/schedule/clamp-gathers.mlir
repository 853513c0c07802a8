// SCHEDULES: clamp-gathers
// A computed index is clamped and its assert goes; a loop index is left alone.
// CHECK-LABEL: func.func @gather
// CHECK: %[[INDEX:.*]] = arith.index_cast
// CHECK-NOT: cf.assert
// CHECK: %[[LOW:.*]] = arith.maxsi %[[INDEX]]
// CHECK: %[[SAFE:.*]] = arith.minsi %[[LOW]]
// CHECK: tensor.extract %{{.*}}[%{{.*}}, %[[SAFE]]]
func.func @gather(%table: tensor<4x9xf32>, %which: tensor<4xi64>) -> tensor<4xf32> {
  %empty = tensor.empty() : tensor<4xf32>
  %nine = arith.constant 9 : i64
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%which : tensor<4xi64>) outs(%empty : tensor<4xf32>) {
  ^bb0(%in: i64, %out: f32):
    %row = linalg.index 0 : index
    %column = arith.index_cast %in : i64 to index
    %ok = arith.cmpi slt, %in, %nine : i64
    cf.assert %ok, "out of range"
    %e = tensor.extract %table[%row, %column] : tensor<4x9xf32>
    linalg.yield %e : f32
  } -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// What is clamped already stays as it is.
// CHECK-LABEL: func.func @clamped
// CHECK: %[[LOW:.*]] = arith.maxsi
// CHECK: %[[SAFE:.*]] = arith.minsi %[[LOW]]
// CHECK-NEXT: tensor.extract %{{.*}}[%[[SAFE]]]
func.func @clamped(%table: tensor<9xf32>, %i: index) -> f32 {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %low = arith.maxsi %i, %c0 : index
  %safe = arith.minsi %low, %c8 : index
  %e = tensor.extract %table[%safe] : tensor<9xf32>
  return %e : f32
}

// Clamped, but to another size.
// CHECK-LABEL: func.func @wider
// CHECK: %[[WIDE:.*]] = arith.minsi
// CHECK: %[[LOW:.*]] = arith.maxsi %[[WIDE]]
// CHECK: %[[SAFE:.*]] = arith.minsi %[[LOW]]
// CHECK: tensor.extract %{{.*}}[%[[SAFE]]]
func.func @wider(%table: tensor<8xf32>, %i: index) -> f32 {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %low = arith.maxsi %i, %c0 : index
  %wide = arith.minsi %low, %c8 : index
  %e = tensor.extract %table[%wide] : tensor<8xf32>
  return %e : f32
}
