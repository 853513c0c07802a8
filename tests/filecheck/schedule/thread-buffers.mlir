// SCHEDULES: thread-buffers
// CHECK-LABEL: func.func @main
// CHECK: omp.parallel
// CHECK-NEXT: memref.alloca
// CHECK: scf.for
// CHECK-NOT: memref.alloca()
func.func @main(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %v = arith.constant 1.0 : f32
  omp.parallel {
    scf.for %i = %c0 to %n step %c1 {
      %b = memref.alloca() : memref<4xf32>
      memref.store %v, %b[%c0] : memref<4xf32>
    }
    omp.terminator
  }
  return
}
