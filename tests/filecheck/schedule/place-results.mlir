// SCHEDULES: place-results
// A buffer that is copied to a result in another shape is that result.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:arg[0-9]+]]: memref<6x5xf32>, %[[OUT:arg[0-9]+]]: memref<2x3x5xf32>
// CHECK-NOT: memref.alloc
// CHECK: %[[FLAT:.*]] = memref.collapse_shape %[[OUT]] {{\[}}[0, 1, 2]]
// CHECK: %[[PLACE:.*]] = memref.expand_shape %[[FLAT]] {{\[}}[0, 1]] output_shape [6, 5]
// CHECK: call @k(%[[X]], %[[PLACE]])
// CHECK-NOT: memref.copy
// CHECK: return
func.func private @k(memref<6x5xf32>, memref<6x5xf32>)
func.func @main(%x: memref<6x5xf32>, %out: memref<2x3x5xf32>) {
  %b = memref.alloc() : memref<6x5xf32>
  call @k(%x, %b) : (memref<6x5xf32>, memref<6x5xf32>) -> ()
  %r = memref.expand_shape %b [[0, 1], [2]] output_shape [2, 3, 5] : memref<6x5xf32> into memref<2x3x5xf32>
  memref.copy %r, %out : memref<2x3x5xf32> to memref<2x3x5xf32>
  return
}
