// SCHEDULES: alias-scopes
// CHECK-LABEL: llvm.func @kernel
// CHECK: llvm.load %arg0 {alias_scopes = [#[[IN:.*]]], noalias_scopes = [#[[OUT:.*]]]}
// CHECK: llvm.store %{{.*}}, %{{.*}} {alias_scopes = [#[[OUT]]], noalias_scopes = [#[[IN]]]}
llvm.func @kernel(%in: !llvm.ptr, %out: !llvm.ptr) {
  %c1 = llvm.mlir.constant(1 : i64) : i64
  %v = llvm.load %in : !llvm.ptr -> f32
  %p = llvm.getelementptr %out[%c1] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  llvm.store %v, %p : f32, !llvm.ptr
  llvm.return
}
