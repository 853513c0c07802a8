// SCHEDULES: vectorize-reductions
// Rows of 100: two whole groups would not fit, so one of four vectors of 16, two more, and 4 lanes.
// CHECK-LABEL: func.func @sums
// CHECK: scf.for
// CHECK-COUNT-6: vector.load %arg0
// CHECK: %[[MASK:.*]] = arith.constant dense<[true, true, true, true, false
// CHECK: %[[TAIL:.*]] = vector.maskedload %arg0{{.*}}%[[MASK]]
// CHECK: arith.mulf %[[TAIL]], %[[TAIL]] : vector<16xf32>
// CHECK: arith.select %[[MASK]]
// CHECK: vector.reduction <add>{{.*}}reassoc
// CHECK: memref.store
// CHECK-NOT: memref.prefetch
// CHECK-NOT: linalg.generic
func.func @sums(%x: memref<8x100xf32>, %s: memref<8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x100xf32>) outs(%s : memref<8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %q = arith.mulf %p, %p : f32
    %r = arith.addf %o, %q fastmath<reassoc> : f32
    linalg.yield %r : f32
  }
  return
}

// What comes from beyond the caches is asked for ahead, once for all passes over a block.
// CHECK-LABEL: func.func @spread
// CHECK-COUNT-4: memref.prefetch
// CHECK-NOT: memref.prefetch
func.func @spread(%x: memref<4096x128xf32>, %m: memref<4096xf32>, %s: memref<4096xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4096x128xf32>) outs(%m : memref<4096xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = arith.addf %o, %p fastmath<reassoc> : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x, %m : memref<4096x128xf32>, memref<4096xf32>) outs(%s : memref<4096xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %d = arith.subf %p, %q : f32
    %r = arith.maximumf %o, %d fastmath<reassoc> : f32
    linalg.yield %r : f32
  }
  return
}

// What is reduced is kept, too, and comes of a function: both in vectors, with a masked tail.
// CHECK-LABEL: func.func @kept
// CHECK: scf.for
// CHECK: math.exp %{{.*}} : vector<16xf32>
// CHECK: vector.store %{{.*}}, %arg1
// CHECK: vector.maskedload %arg0
// CHECK: vector.maskedstore %arg1
// CHECK: vector.reduction <add>
// CHECK-NOT: linalg.generic
func.func @kept(%x: memref<8x100xf32>, %y: memref<8x100xf32>, %s: memref<8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x100xf32>) outs(%y, %s : memref<8x100xf32>, memref<8xf32>) {
  ^bb0(%p: f32, %k: f32, %o: f32):
    %q = math.exp %p : f32
    %r = arith.addf %o, %q fastmath<reassoc> : f32
    linalg.yield %q, %r : f32, f32
  }
  return
}

// Of two passes over a block of 64 KiB the one with a function asks for all of the next block.
// CHECK-LABEL: func.func @ahead
// CHECK-NOT: memref.prefetch
// CHECK: arith.maximumf
// CHECK-NOT: memref.prefetch
// CHECK: vector.reduction <maximumf>
// CHECK: memref.prefetch %{{.*}}, read, locality<2>, data
// CHECK: math.exp
func.func @ahead(%x: memref<64x16384xf32>, %m: memref<64xf32>, %s: memref<64xf32>) {
  scf.forall (%i) in (64) {
    %v = memref.subview %x[%i, 0] [1, 16384] [1, 1] : memref<64x16384xf32> to memref<1x16384xf32, strided<[16384, 1], offset: ?>>
    %n = memref.subview %m[%i] [1] [1] : memref<64xf32> to memref<1xf32, strided<[1], offset: ?>>
    %t = memref.subview %s[%i] [1] [1] : memref<64xf32> to memref<1xf32, strided<[1], offset: ?>>
    linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
        ins(%v : memref<1x16384xf32, strided<[16384, 1], offset: ?>>) outs(%n : memref<1xf32, strided<[1], offset: ?>>) {
    ^bb0(%p: f32, %o: f32):
      %r = arith.maximumf %o, %p fastmath<reassoc> : f32
      linalg.yield %r : f32
    }
    linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
        ins(%v : memref<1x16384xf32, strided<[16384, 1], offset: ?>>) outs(%t : memref<1xf32, strided<[1], offset: ?>>) {
    ^bb0(%p: f32, %o: f32):
      %q = math.exp %p : f32
      %r = arith.addf %o, %q fastmath<reassoc> : f32
      linalg.yield %r : f32
    }
  }
  return
}

// A pass that reads two tensors from memory asks for neither: the processor has two streams to follow.
// CHECK-LABEL: func.func @difference
// CHECK-NOT: memref.prefetch
// CHECK: vector.reduction <add>
// CHECK-NOT: memref.prefetch
func.func @difference(%x: memref<4096x128xf32>, %y: memref<4096x128xf32>, %s: memref<4096xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x, %y : memref<4096x128xf32>, memref<4096x128xf32>) outs(%s : memref<4096xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %d = arith.subf %p, %q : f32
    %e = arith.mulf %d, %d : f32
    %r = arith.addf %o, %e fastmath<reassoc> : f32
    linalg.yield %r : f32
  }
  return
}
