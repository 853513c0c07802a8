// SCHEDULES: short-rows
// A row of 8 is one vector; what the row shares is broadcast.
// CHECK-LABEL: func.func @panel
// CHECK: scf.for
// CHECK: %[[X:.*]] = vector.load %arg0[%{{.*}}] : memref<50x8xf32>, vector<8xf32>
// CHECK: %[[S:.*]] = memref.load %arg1
// CHECK: %[[B:.*]] = vector.broadcast %[[S]] : f32 to vector<8xf32>
// CHECK: %[[P:.*]] = arith.mulf %[[X]], %[[B]] : vector<8xf32>
// CHECK: vector.store %[[P]], %arg2
func.func @panel(%x: memref<50x8xf32>, %s: memref<50xf32>, %y: memref<50x8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : memref<50x8xf32>, memref<50xf32>) outs(%y : memref<50x8xf32>) {
  ^bb0(%in: f32, %by: f32, %out: f32):
    %p = arith.mulf %in, %by : f32
    linalg.yield %p : f32
  }
  return
}

// Backwards: the vector that ends where the row starts, its lanes the other way round.
// CHECK-LABEL: func.func @backwards
// CHECK: %[[V:.*]] = memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [50, 3], strides: [3, 1]
// CHECK: %[[X:.*]] = vector.load %[[V]]
// CHECK: %[[R:.*]] = vector.shuffle %[[X]], %[[X]] [2, 1, 0]
// CHECK: vector.store %[[R]], %arg1
func.func @backwards(%x: memref<50x3xf32, strided<[3, -1], offset: 2>>, %y: memref<50x3xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<50x3xf32, strided<[3, -1], offset: 2>>) outs(%y : memref<50x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

// Rows that are long enough for LLVM's vectors, that are read across, that call functions, or that
// are several results.
// CHECK-LABEL: func.func @leaves
// CHECK-NOT: vector.
// CHECK: return
func.func @leaves(%x: memref<50x16xf32>, %t: memref<8x50xf32>, %y: memref<50x16xf32>, %z: memref<50x8xf32>, %w: memref<50x8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<50x16xf32>) outs(%y : memref<50x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<8x50xf32>) outs(%z : memref<50x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      outs(%z : memref<50x8xf32>) {
  ^bb0(%out: f32):
    %e = math.exp %out : f32
    linalg.yield %e : f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      outs(%z, %w : memref<50x8xf32>, memref<50x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %b, %a : f32, f32
  }
  return
}
