// SCHEDULES: load-constants
// A table becomes data of the kernel that copies it; its users read the copy.
// CHECK-LABEL: func.func @table
// CHECK: %[[C:[a-z0-9_]+]] = arith.constant {bellrock.inside} dense<[1.000000e+00, 2.500000e+00]> : tensor<2xf32>
// CHECK: %[[D:[a-z0-9_]+]] = linalg.copy {{.*}}ins(%[[C]] : tensor<2xf32>) outs(%{{.*}} : tensor<2xf32>)
// CHECK: return %[[D]]
func.func @table() -> tensor<2xf32> {
  %c = arith.constant dense<[1.0, 2.5]> : tensor<2xf32>
  return %c : tensor<2xf32>
}

// One value everywhere is filled in, and numbers are no tables.
// CHECK-LABEL: func.func @plain
// CHECK-NOT: linalg.copy
// CHECK: return
func.func @plain() -> (tensor<2xf32>, f32) {
  %c = arith.constant dense<1.0> : tensor<2xf32>
  %d = arith.constant 2.0 : f32
  return %c, %d : tensor<2xf32>, f32
}
