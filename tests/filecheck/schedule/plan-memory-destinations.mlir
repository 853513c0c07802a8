// SCHEDULES: plan-memory
// Results' memory holds buffers until the result is first written: one in the shape of its own, and
// one that is needed later in the same place. A buffer that is read when the result is written, one of
// other elements, and one that is larger stay in the workspace.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:arg[0-9]+]]: memref<16xf32>, %[[OUT:arg[0-9]+]]: memref<4x8xf32>, %{{.*}}: memref<[[SIZE:[0-9]+]]xi8>)
// CHECK-SAME: bellrock.workspace_bytes = [[SIZE]] : i64
// CHECK: %[[A:.*]] = memref.reinterpret_cast %[[OUT]] to offset: [0], sizes: [16], strides: [1] : memref<4x8xf32> to memref<16xf32>
// CHECK: call @k(%[[X]], %[[A]])
// CHECK: %[[B:.*]] = memref.view
// CHECK: call @k(%[[A]], %[[B]])
// CHECK: %[[C:.*]] = memref.reinterpret_cast %[[OUT]] to offset: [0], sizes: [2, 8], strides: [8, 1] : memref<4x8xf32> to memref<2x8xf32>
// CHECK: call @wider(%[[B]], %[[C]])
// CHECK: memref.view %{{.*}} to memref<16xi32>
// CHECK: memref.view %{{.*}} to memref<64xf32>
// CHECK: %[[D:.*]] = memref.view %{{.*}} to memref<16xf32>
// CHECK: call @last(%[[D]], %[[OUT]])
// CHECK-NOT: memref.alloc
func.func private @k(memref<16xf32>, memref<16xf32>)
func.func private @wider(memref<16xf32>, memref<2x8xf32>)
func.func private @whole(memref<2x8xf32>, memref<16xi32>)
func.func private @large(memref<16xi32>, memref<64xf32>)
func.func private @small(memref<64xf32>, memref<16xf32>)
func.func private @last(memref<16xf32>, memref<4x8xf32>)
func.func @main(%x: memref<16xf32>, %out: memref<4x8xf32>) attributes {bellrock.first_destination = 1 : i64} {
  %a = memref.alloc() : memref<16xf32>
  call @k(%x, %a) : (memref<16xf32>, memref<16xf32>) -> ()
  %b = memref.alloc() : memref<16xf32>
  call @k(%a, %b) : (memref<16xf32>, memref<16xf32>) -> ()
  %c = memref.alloc() : memref<2x8xf32>
  call @wider(%b, %c) : (memref<16xf32>, memref<2x8xf32>) -> ()
  %i = memref.alloc() : memref<16xi32>
  call @whole(%c, %i) : (memref<2x8xf32>, memref<16xi32>) -> ()
  %l = memref.alloc() : memref<64xf32>
  call @large(%i, %l) : (memref<16xi32>, memref<64xf32>) -> ()
  %d = memref.alloc() : memref<16xf32>
  call @small(%l, %d) : (memref<64xf32>, memref<16xf32>) -> ()
  call @last(%d, %out) : (memref<16xf32>, memref<4x8xf32>) -> ()
  return
}
