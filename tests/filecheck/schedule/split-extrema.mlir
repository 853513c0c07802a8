// SCHEDULES: split-extrema
// The extremum first, then the least index at which it (or a NaN) stands, in the destination.
// CHECK-LABEL: func.func @argmax
// CHECK: %[[BEST:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<4x8xf32>) {{.*}}bellrock.anchor
// CHECK-NEXT: bb0
// CHECK-NEXT: arith.maximumf
// CHECK-NEXT: linalg.yield
// CHECK: %[[START:.*]] = linalg.fill ins(%{{.*}} : i32)
// CHECK: %[[LEAST:.*]] = linalg.generic {{.*}} ins(%arg0, %[[BEST]]{{.*}} outs(%[[START]]
// CHECK: arith.cmpf oeq
// CHECK: arith.cmpf uno
// CHECK: arith.minsi %{{.*}} : i32
// CHECK: linalg.generic {{.*}} ins(%[[LEAST]] : tensor<4xi32>) outs(%arg2 : tensor<4xi64>)
// CHECK: arith.extsi
// CHECK-LABEL: func.func @other_comparison
// CHECK: arith.cmpf oge
// CHECK-NOT: arith.minsi
#full = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @argmax(%x: tensor<4x8xf32>, %v: tensor<4xf32>, %p: tensor<4xi64>) -> tensor<4xi64> {
  %r:2 = linalg.generic {indexing_maps = [#full, #row, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%v, %p : tensor<4xf32>, tensor<4xi64>) attrs = {bellrock.anchor} {
  ^bb0(%a: f32, %best: f32, %at: i64):
    %i = linalg.index 1 : index
    %k = arith.index_cast %i : index to i64
    %m = arith.maximumf %a, %best : f32
    %c = arith.cmpf ogt, %a, %best : f32
    %s = arith.select %c, %k, %at : i64
    linalg.yield %m, %s : f32, i64
  } -> (tensor<4xf32>, tensor<4xi64>)
  return %r#1 : tensor<4xi64>
}
func.func @other_comparison(%x: tensor<4x8xf32>, %v: tensor<4xf32>, %p: tensor<4xi64>) -> tensor<4xi64> {
  %r:2 = linalg.generic {indexing_maps = [#full, #row, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%v, %p : tensor<4xf32>, tensor<4xi64>) {
  ^bb0(%a: f32, %best: f32, %at: i64):
    %i = linalg.index 1 : index
    %k = arith.index_cast %i : index to i64
    %m = arith.maximumf %a, %best : f32
    %c = arith.cmpf oge, %a, %best : f32
    %s = arith.select %c, %k, %at : i64
    linalg.yield %m, %s : f32, i64
  } -> (tensor<4xf32>, tensor<4xi64>)
  return %r#1 : tensor<4xi64>
}
