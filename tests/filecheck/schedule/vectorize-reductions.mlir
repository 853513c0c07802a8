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
