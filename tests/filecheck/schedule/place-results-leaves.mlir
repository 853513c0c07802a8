// SCHEDULES: place-results
// Stay copies: of a buffer that is written later, into a result that something else writes, of an
// input, and one of two: from the other result.
// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]] = memref.alloc
// CHECK: memref.copy %[[A]], %{{.*}} : memref<6x5xf32> to memref<6x5xf32>
// CHECK: call @k(%{{.*}}, %[[A]])
// CHECK: %[[B:.*]] = memref.alloc
// CHECK: memref.copy %[[B]], %{{.*}} : memref<6x5xf32> to memref<6x5xf32>
// CHECK: memref.copy %{{.*}}, %{{.*}} : memref<6x5xf32> to memref<6x5xf32>
// CHECK: call @k(%{{.*}}, %[[F:arg[0-9]+]])
// CHECK-NEXT: memref.copy %[[F]], %{{.*}} : memref<6x5xf32> to memref<6x5xf32>
// CHECK-NOT: memref.copy
func.func private @k(memref<6x5xf32>, memref<6x5xf32>)
func.func @main(%x: memref<6x5xf32>, %a: memref<6x5xf32>, %b: memref<6x5xf32>, %c: memref<6x5xf32>, %e: memref<6x5xf32>, %f: memref<6x5xf32>) {
  %0 = memref.alloc() : memref<6x5xf32>
  memref.copy %0, %a : memref<6x5xf32> to memref<6x5xf32>
  call @k(%x, %0) : (memref<6x5xf32>, memref<6x5xf32>) -> ()
  %1 = memref.alloc() : memref<6x5xf32>
  call @k(%x, %1) : (memref<6x5xf32>, memref<6x5xf32>) -> ()
  call @k(%x, %b) : (memref<6x5xf32>, memref<6x5xf32>) -> ()
  memref.copy %1, %b : memref<6x5xf32> to memref<6x5xf32>
  memref.copy %x, %c : memref<6x5xf32> to memref<6x5xf32>
  %2 = memref.alloc() : memref<6x5xf32>
  call @k(%x, %2) : (memref<6x5xf32>, memref<6x5xf32>) -> ()
  memref.copy %2, %e : memref<6x5xf32> to memref<6x5xf32>
  memref.copy %2, %f : memref<6x5xf32> to memref<6x5xf32>
  return
}
