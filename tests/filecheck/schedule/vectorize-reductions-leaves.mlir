// SCHEDULES: vectorize-reductions
// Left to LLVM: sums in their order, steps of more than one, rows shorter than a vector, whole
// numbers, what reads its old value along the row, functions in binary64.
#full = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
// CHECK-LABEL: func.func @in_order
// CHECK: linalg.generic
func.func @in_order(%x: memref<8x100xf32>, %s: memref<8xf32>) {
  linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x100xf32>) outs(%s : memref<8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  }
  return
}

// CHECK-LABEL: func.func @strided
// CHECK: linalg.generic
func.func @strided(%x: memref<8x100xf32, strided<[200, 2]>>, %s: memref<8xf32>) {
  linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x100xf32, strided<[200, 2]>>) outs(%s : memref<8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = arith.addf %o, %p fastmath<reassoc> : f32
    linalg.yield %r : f32
  }
  return
}

// CHECK-LABEL: func.func @short
// CHECK: linalg.generic
func.func @short(%x: memref<8x15xf32>, %s: memref<8xf32>) {
  linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x15xf32>) outs(%s : memref<8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = arith.addf %o, %p fastmath<reassoc> : f32
    linalg.yield %r : f32
  }
  return
}

// CHECK-LABEL: func.func @whole_numbers
// CHECK: linalg.generic
func.func @whole_numbers(%x: memref<8x100xi32>, %s: memref<8xi32>) {
  linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x100xi32>) outs(%s : memref<8xi32>) {
  ^bb0(%p: i32, %o: i32):
    %r = arith.addi %o, %p : i32
    linalg.yield %r : i32
  }
  return
}

// CHECK-LABEL: func.func @updated
// CHECK: linalg.generic
func.func @updated(%x: memref<8x100xf32>, %y: memref<8x100xf32>, %s: memref<8xf32>) {
  linalg.generic {indexing_maps = [#full, #full, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x100xf32>) outs(%y, %s : memref<8x100xf32>, memref<8xf32>) {
  ^bb0(%p: f32, %k: f32, %o: f32):
    %q = arith.mulf %p, %k : f32
    %r = arith.addf %o, %q fastmath<reassoc> : f32
    linalg.yield %q, %r : f32, f32
  }
  return
}

// CHECK-LABEL: func.func @functions
// CHECK: linalg.generic
func.func @functions(%x: memref<8x100xf64>, %s: memref<8xf64>) {
  linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x100xf64>) outs(%s : memref<8xf64>) {
  ^bb0(%p: f64, %o: f64):
    %q = math.exp %p : f64
    %r = arith.addf %o, %q fastmath<reassoc> : f64
    linalg.yield %r : f64
  }
  return
}
