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
