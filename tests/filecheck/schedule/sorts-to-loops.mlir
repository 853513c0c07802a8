// SCHEDULES: sorts-to-loops
// Lines are iterations of a parallel loop, each copied into its result and sorted there.
// CHECK-LABEL: func.func @lines
// CHECK: scf.forall (%[[I:.*]]) in (4) shared_outs
// CHECK: linalg.copy
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.for
// CHECK: arith.cmpf oge
// CHECK: arith.cmpf uno
// CHECK: arith.cmpi slt
// CHECK: tensor.insert
// CHECK: tensor.parallel_insert_slice
// CHECK-NOT: tm_tensor
func.func @lines(%x: tensor<4x9xf32>, %i: tensor<4x9xi64>) -> (tensor<4x9xf32>, tensor<4x9xi64>) {
  %r:2 = tm_tensor.sort dimension(1) outs(%x, %i : tensor<4x9xf32>, tensor<4x9xi64>) {
  ^bb0(%a: f32, %b: f32, %c: i64, %d: i64):
    %s = arith.cmpf oge, %a, %b : f32
    tm_tensor.yield %s : i1
  } -> tensor<4x9xf32>, tensor<4x9xi64>
  return %r#0, %r#1 : tensor<4x9xf32>, tensor<4x9xi64>
}

// Another dimension comes last first. Nothing tells equal elements apart.
// CHECK-LABEL: func.func @columns
// CHECK: linalg.transpose
// CHECK: scf.forall (%{{.*}}) in (9)
// CHECK-NOT: arith.cmpi slt
// CHECK: linalg.transpose
func.func @columns(%x: tensor<4x9xi32>) -> tensor<4x9xi32> {
  %r = tm_tensor.sort dimension(0) outs(%x : tensor<4x9xi32>) {
  ^bb0(%a: i32, %b: i32):
    %s = arith.cmpi sle, %a, %b : i32
    tm_tensor.yield %s : i1
  } -> tensor<4x9xi32>
  return %r : tensor<4x9xi32>
}

// Positions that nobody reads are not sorted along.
// CHECK-LABEL: func.func @values
// CHECK: scf.forall (%{{.*}}) in (4) shared_outs(%{{[a-z0-9_]+}} = %{{[a-z0-9_]+}}) -> (tensor<4x9xf32>)
func.func @values(%x: tensor<4x9xf32>, %i: tensor<4x9xi64>) -> tensor<4x9xf32> {
  %r:2 = tm_tensor.sort dimension(1) outs(%x, %i : tensor<4x9xf32>, tensor<4x9xi64>) {
  ^bb0(%a: f32, %b: f32, %c: i64, %d: i64):
    %s = arith.cmpf ole, %a, %b : f32
    tm_tensor.yield %s : i1
  } -> tensor<4x9xf32>, tensor<4x9xi64>
  return %r#0 : tensor<4x9xf32>
}
