// SCHEDULES: launch-rows
// CHECK-NOT: gpu.launch

// Columns: neighbours in memory are in different rows; a work-item for each reads beside the next.
// CHECK-LABEL: func.func @columns
// CHECK: scf.forall
#column = affine_map<(k, r) -> (k, r)>
#number = affine_map<(k, r) -> (r)>
func.func @columns(%x: memref<1000x99xf32>, %y: memref<99xf32>) attributes {bellrock.group = array<i64: 256, 1, 64>} {
  scf.forall (%i) in (99) {
    %part = memref.subview %x[0, %i] [1000, 1] [1, 1] : memref<1000x99xf32> to memref<1000x1xf32, strided<[99, 1], offset: ?>>
    %out = memref.subview %y[%i] [1] [1] : memref<99xf32> to memref<1xf32, strided<[1], offset: ?>>
    linalg.generic {indexing_maps = [#column, #number], iterator_types = ["reduction", "parallel"]}
        ins(%part : memref<1000x1xf32, strided<[99, 1], offset: ?>>) outs(%out : memref<1xf32, strided<[1], offset: ?>>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.addf %o, %a : f32
      linalg.yield %s : f32
    }
  }
  return
}

// Rows of less than two elements for each lane of a sub-group.
// CHECK-LABEL: func.func @short
// CHECK: scf.forall
#row = affine_map<(r, k) -> (r, k)>
#total = affine_map<(r, k) -> (r)>
func.func @short(%x: memref<99x31xf32>, %y: memref<99xf32>) attributes {bellrock.group = array<i64: 256, 1, 16>} {
  scf.forall (%i) in (99) {
    %part = memref.subview %x[%i, 0] [1, 31] [1, 1] : memref<99x31xf32> to memref<1x31xf32, strided<[31, 1], offset: ?>>
    %out = memref.subview %y[%i] [1] [1] : memref<99xf32> to memref<1xf32, strided<[1], offset: ?>>
    linalg.generic {indexing_maps = [#row, #total], iterator_types = ["parallel", "reduction"]}
        ins(%part : memref<1x31xf32, strided<[31, 1], offset: ?>>) outs(%out : memref<1xf32, strided<[1], offset: ?>>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.addf %o, %a : f32
      linalg.yield %s : f32
    }
  }
  return
}

// A chain that is no scan: what is carried goes through a difference.
// CHECK-LABEL: func.func @other_chain
// CHECK: scf.forall
func.func @other_chain(%x: memref<64x1000xf32>, %y: memref<64x1000xf32>) attributes {bellrock.group = array<i64: 256, 1, 16>} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c1000 = arith.constant 1000 : index
  scf.forall (%i) in (64) {
    %last = scf.for %k = %c0 to %c1000 step %c1 iter_args(%old = %zero) -> (f32) {
      %a = memref.load %x[%i, %k] : memref<64x1000xf32>
      %s = arith.subf %a, %old : f32
      memref.store %s, %y[%i, %k] : memref<64x1000xf32>
      scf.yield %s : f32
    }
  }
  return
}
