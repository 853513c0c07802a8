// SCHEDULES: place-results
// What a loop fills and is then returned is filled in its place; a new state is made where the old
// one was, if all that reads the old one comes before.
// CHECK-LABEL: func.func @fills
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: scf.for
// CHECK: func.call @row(%{{.*}}, %arg1)
// CHECK-NOT: memref.copy
// CHECK-LABEL: func.func @steps
// CHECK: %[[T:.*]] = memref.alloc
// CHECK: scf.for
// CHECK: call @k(%arg0, %[[T]])
// CHECK-NEXT: call @k(%[[T]], %arg0)
// CHECK-NOT: memref.copy
// CHECK-LABEL: func.func @reads_later
// CHECK: scf.for
// CHECK: call @k(%arg0, %[[N:[a-z0-9_]+]])
// CHECK: call @k(%arg0, %{{.*}})
// CHECK: memref.copy %[[N]], %arg0
// CHECK-LABEL: func.func @reads_in_loop
// CHECK: memref.copy
func.func private @k(memref<5xf32>, memref<5xf32>)
func.func private @row(index, memref<5xf32>)
func.func @fills(%n: index, %out: memref<5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = memref.alloc() : memref<5xf32>
  memref.copy %out, %b : memref<5xf32> to memref<5xf32>
  scf.for %i = %c0 to %n step %c1 {
    func.call @row(%i, %b) : (index, memref<5xf32>) -> ()
  }
  memref.copy %b, %out : memref<5xf32> to memref<5xf32>
  return
}
func.func @steps(%state: memref<5xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t = memref.alloc() : memref<5xf32>
  scf.for %i = %c0 to %n step %c1 {
    func.call @k(%state, %t) : (memref<5xf32>, memref<5xf32>) -> ()
    %new = memref.alloc() : memref<5xf32>
    func.call @k(%t, %new) : (memref<5xf32>, memref<5xf32>) -> ()
    memref.copy %new, %state : memref<5xf32> to memref<5xf32>
  }
  return
}
func.func @reads_later(%state: memref<5xf32>, %n: index, %other: memref<5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %new = memref.alloc() : memref<5xf32>
    func.call @k(%state, %new) : (memref<5xf32>, memref<5xf32>) -> ()
    func.call @k(%state, %other) : (memref<5xf32>, memref<5xf32>) -> ()
    memref.copy %new, %state : memref<5xf32> to memref<5xf32>
  }
  return
}
func.func @reads_in_loop(%state: memref<5xf32>, %n: index, %other: memref<5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %new = memref.alloc() : memref<5xf32>
  scf.for %i = %c0 to %n step %c1 {
    func.call @k(%state, %other) : (memref<5xf32>, memref<5xf32>) -> ()
    func.call @k(%other, %new) : (memref<5xf32>, memref<5xf32>) -> ()
  }
  memref.copy %new, %state : memref<5xf32> to memref<5xf32>
  return
}
