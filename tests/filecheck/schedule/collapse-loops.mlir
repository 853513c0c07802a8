// SCHEDULES: collapse-loops
// The lines of an image are contiguous, and what belongs to a channel is the same for all of them.
// CHECK: #[[X:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK: #[[M:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-LABEL: func.func @scale
// CHECK: %[[X0:.*]] = memref.reinterpret_cast {{.*}} sizes: [8, 3660], strides: [3660, 1]
// CHECK: %[[Y0:.*]] = memref.reinterpret_cast {{.*}} sizes: [8, 3660], strides: [3660, 1]
// CHECK: linalg.generic {indexing_maps = [#[[X]], #[[M]], #[[X]]], iterator_types = ["parallel", "parallel"]} ins(%[[X0]], %arg1
func.func @scale(%x: memref<8x60x61xf32>, %m: memref<8xf32>, %y: memref<8x60x61xf32>) {
  linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a)>, affine_map<(a, b, c) -> (a, b, c)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %m : memref<8x60x61xf32>, memref<8xf32>) outs(%y : memref<8x60x61xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %r = arith.mulf %p, %q : f32
    linalg.yield %r : f32
  }
  return
}

// A mean over an image goes over one loop; a block of lines keeps its offset.
// CHECK-LABEL: func.func @sum_of_block
// CHECK: %[[BASE:.*]], %[[AT:.*]], %{{.*}}:3, %{{.*}}:3 = memref.extract_strided_metadata
// CHECK: memref.reinterpret_cast %[[BASE]] to offset: [%[[AT]]], sizes: [1, 1830], strides: [3660, 1]
// CHECK: iterator_types = ["parallel", "reduction"]
func.func @sum_of_block(%x: memref<1x30x61xf32, strided<[3660, 61, 1], offset: ?>>, %s: memref<1xf32>) {
  linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a)>], iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%x : memref<1x30x61xf32, strided<[3660, 61, 1], offset: ?>>) outs(%s : memref<1xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  }
  return
}

// The last block may be of fewer images.
// CHECK-LABEL: func.func @last_block
// CHECK: %[[N:.*]] = arith.muli
// CHECK: memref.reinterpret_cast {{.*}} to offset: [{{.*}}], sizes: [%[[N]]], strides: [1]
// CHECK: iterator_types = ["parallel"]
func.func @last_block(%x: memref<1x?x60x61xf32, strided<[113460, 3660, 61, 1], offset: ?>>) {
  linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%x : memref<1x?x60x61xf32, strided<[113460, 3660, 61, 1], offset: ?>>) {
  ^bb0(%o: f32):
    %r = arith.addf %o, %o : f32
    linalg.yield %r : f32
  }
  return
}

// Not: part of each line, a transposition, an index that is read, loops of two kinds.
// CHECK-LABEL: func.func @parts_of_lines
// CHECK-NOT: reinterpret_cast
func.func @parts_of_lines(%x: memref<60x61xf32, strided<[64, 1]>>, %y: memref<60x61xf32>) {
  linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<60x61xf32, strided<[64, 1]>>) outs(%y : memref<60x61xf32>) {
  ^bb0(%p: f32, %o: f32):
    linalg.yield %p : f32
  }
  return
}

// CHECK-LABEL: func.func @transposed
// CHECK-NOT: reinterpret_cast
func.func @transposed(%x: memref<61x60xf32>, %y: memref<60x61xf32>) {
  linalg.generic {indexing_maps = [affine_map<(a, b) -> (b, a)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<61x60xf32>) outs(%y : memref<60x61xf32>) {
  ^bb0(%p: f32, %o: f32):
    linalg.yield %p : f32
  }
  return
}

// CHECK-LABEL: func.func @positions
// CHECK-NOT: reinterpret_cast
func.func @positions(%y: memref<60x61xindex>) {
  linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
      outs(%y : memref<60x61xindex>) {
  ^bb0(%o: index):
    %i = linalg.index 1 : index
    linalg.yield %i : index
  }
  return
}

// CHECK-LABEL: func.func @row_sums
// CHECK-NOT: reinterpret_cast
func.func @row_sums(%x: memref<60x61xf32>, %s: memref<60xf32>) {
  linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<60x61xf32>) outs(%s : memref<60xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  }
  return
}
