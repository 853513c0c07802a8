// SCHEDULES: positions-ahead
// The positions of a strip are stored by a loop without updates, which then read them in order.
// CHECK-LABEL: func.func @add
// CHECK: %[[T:.*]] = memref.alloca() : memref<512xindex>
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c512
// CHECK: scf.for
// CHECK: memref.load %arg1
// CHECK: memref.store %{{.*}}, %[[T]]
// CHECK-NOT: memref.store
// CHECK: scf.for
// CHECK-NOT: memref.load %arg1
// CHECK: %[[P:.*]] = memref.load %[[T]]
// CHECK: arith.addf
// CHECK: memref.store %{{.*}}, %arg0[%[[P]]]
func.func @add(%y: memref<50xf32>, %index: memref<900xi64>, %x: memref<900xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 900 : index
  %last = arith.constant 49 : index
  scf.for %k = %c0 to %n step %c1 {
    %i = memref.load %index[%k] : memref<900xi64>
    %j = arith.index_cast %i : i64 to index
    %a = arith.maxsi %j, %c0 : index
    %p = arith.minsi %a, %last : index
    %old = memref.load %y[%p] : memref<50xf32>
    %new = memref.load %x[%k] : memref<900xf32>
    %sum = arith.addf %old, %new : f32
    memref.store %sum, %y[%p] : memref<50xf32>
  }
  return
}

// A position that is read from what the loop writes cannot be known ahead; a short loop is not worth it.
// CHECK-LABEL: func.func @follow
// CHECK-NOT: memref.alloca
func.func @follow(%y: memref<900xindex>, %few: memref<8xindex>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %n = arith.constant 900 : index
  scf.for %k = %c0 to %n step %c1 {
    %p = memref.load %y[%k] : memref<900xindex>
    memref.store %k, %y[%p] : memref<900xindex>
  }
  scf.for %k = %c0 to %c8 step %c1 {
    %p = memref.load %few[%k] : memref<8xindex>
    memref.store %k, %y[%p] : memref<900xindex>
  }
  return
}
