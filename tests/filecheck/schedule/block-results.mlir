// SCHEDULES: block-results
// The product is summed in the result of the op that reads it: no temporary is left.
// CHECK-LABEL: func.func @same_type
// CHECK-NOT: memref.alloc
// CHECK: %[[OUT:.*]] = memref.subview %arg2
// CHECK: linalg.fill {{.*}} outs(%[[OUT]]
// CHECK: linalg.generic {{.*}} ins(%[[OUT]] {{.*}} outs(%[[OUT]]
// CHECK-NOT: memref.dealloc
#map = affine_map<(i, j) -> (i, j)>
func.func @same_type(%a: memref<100x8xf32>, %b: memref<8xf32>, %c: memref<100x8xf32>) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) = (0) to (100) step (32) {
    %n = affine.min affine_map<(d) -> (100 - d, 32)>(%i)
    %t = memref.alloc(%n) : memref<?x8xf32>
    linalg.fill ins(%zero : f32) outs(%t : memref<?x8xf32>)
    %o = memref.subview %c[%i, 0] [%n, 8] [1, 1] : memref<100x8xf32> to memref<?x8xf32, strided<[8, 1], offset: ?>>
    linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
        ins(%t : memref<?x8xf32>) outs(%o : memref<?x8xf32, strided<[8, 1], offset: ?>>) {
    ^bb0(%p: f32, %q: f32):
      %s = arith.negf %p : f32
      linalg.yield %s : f32
    }
    memref.dealloc %t : memref<?x8xf32>
  }
  return
}

// Of another type: as large as the largest block, on the stack of the thread.
// CHECK-LABEL: func.func @other_type
// CHECK: scf.forall
// CHECK: %[[STACK:.*]] = memref.alloca() {{.*}} : memref<32x8xf32>
// CHECK: %[[PART:.*]] = memref.subview %[[STACK]]
// CHECK: linalg.generic {{.*}} ins(%[[PART]]
// CHECK-NOT: memref.dealloc
func.func @other_type(%c: memref<100x8xbf16>) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) = (0) to (100) step (32) {
    %n = affine.min affine_map<(d) -> (100 - d, 32)>(%i)
    %t = memref.alloc(%n) : memref<?x8xf32>
    linalg.fill ins(%zero : f32) outs(%t : memref<?x8xf32>)
    %o = memref.subview %c[%i, 0] [%n, 8] [1, 1] : memref<100x8xbf16> to memref<?x8xbf16, strided<[8, 1], offset: ?>>
    linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
        ins(%t : memref<?x8xf32>) outs(%o : memref<?x8xbf16, strided<[8, 1], offset: ?>>) {
    ^bb0(%p: f32, %q: bf16):
      %s = arith.truncf %p : f32 to bf16
      linalg.yield %s : bf16
    }
    memref.dealloc %t : memref<?x8xf32>
  }
  return
}

// A destination that something else reads is left alone; so is what is not bounded.
// CHECK-LABEL: func.func @shared
// CHECK: memref.alloc
// CHECK: memref.dealloc
func.func @shared(%c: memref<?x8xf32>, %n: index) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (2) {
    %t = memref.alloc(%n) : memref<?x8xf32>
    linalg.fill ins(%zero : f32) outs(%t : memref<?x8xf32>)
    linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]}
        ins(%t, %c : memref<?x8xf32>, memref<?x8xf32>) outs(%c : memref<?x8xf32>) {
    ^bb0(%p: f32, %r: f32, %q: f32):
      %s = arith.addf %p, %r : f32
      linalg.yield %s : f32
    }
    memref.dealloc %t : memref<?x8xf32>
  }
  return
}
