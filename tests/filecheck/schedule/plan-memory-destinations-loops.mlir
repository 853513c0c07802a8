// SCHEDULES: plan-memory
// A result that a loop writes is in use from the loop's start: what is needed inside of the loop has
// no place in it, what is needed before has. A result that is written after the loop may be used in it.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %{{.*}}: memref<16xf32>, %[[OUT:arg[0-9]+]]: memref<16xf32>, %[[LATE:arg[0-9]+]]: memref<16xf32>, %[[SPACE:.*]]: memref<
// CHECK: call @k(%{{.*}}, %[[OUT]])
// CHECK: call @k(%[[OUT]], %[[LATE]])
// CHECK: scf.for
// CHECK: %[[B:.*]] = memref.view %[[SPACE]]
// CHECK: call @k(%[[LATE]], %[[B]])
// CHECK: call @k(%[[B]], %[[OUT]])
// CHECK: }
// CHECK: call @k(%[[OUT]], %[[LATE]])
func.func private @k(memref<16xf32>, memref<16xf32>)
func.func @main(%x: memref<16xf32>, %out: memref<16xf32>, %late: memref<16xf32>) attributes {bellrock.first_destination = 1 : i64} {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %a = memref.alloc() : memref<16xf32>
  call @k(%x, %a) : (memref<16xf32>, memref<16xf32>) -> ()
  %c = memref.alloc() : memref<16xf32>
  call @k(%a, %c) : (memref<16xf32>, memref<16xf32>) -> ()
  scf.for %i = %zero to %four step %one {
    %b = memref.alloc() : memref<16xf32>
    func.call @k(%c, %b) : (memref<16xf32>, memref<16xf32>) -> ()
    func.call @k(%b, %out) : (memref<16xf32>, memref<16xf32>) -> ()
  }
  call @k(%out, %late) : (memref<16xf32>, memref<16xf32>) -> ()
  return
}

// A view of the result that is made early is no use of it.
// CHECK-LABEL: func.func @early
// CHECK-SAME: %[[X:.*]]: memref<16xf32>, %[[PLACE:.*]]: memref<4x4xf32>, %{{.*}}: memref<64xi8>
// CHECK: %[[FLAT:.*]] = memref.collapse_shape %[[PLACE]]
// CHECK: %[[A:.*]] = memref.reinterpret_cast %[[PLACE]]
// CHECK: call @k(%[[X]], %[[A]])
// CHECK: call @k(%[[A]], %[[B:[a-z0-9_]+]])
// CHECK: call @k(%[[B]], %[[FLAT]])
func.func @early(%x: memref<16xf32>, %out: memref<4x4xf32>) attributes {bellrock.first_destination = 1 : i64} {
  %flat = memref.collapse_shape %out [[0, 1]] : memref<4x4xf32> into memref<16xf32>
  %a = memref.alloc() : memref<16xf32>
  call @k(%x, %a) : (memref<16xf32>, memref<16xf32>) -> ()
  %b = memref.alloc() : memref<16xf32>
  call @k(%a, %b) : (memref<16xf32>, memref<16xf32>) -> ()
  call @k(%b, %flat) : (memref<16xf32>, memref<16xf32>) -> ()
  return
}
