// SCHEDULES: reduce-by-groups
// CHECK-NOT: gpu.launch

// Columns: work-items beside each other read beside each other already.
// CHECK-LABEL: func.func @columns
func.func @columns(%x: memref<1000x9xf32>, %y: memref<9xf32>) attributes {bellrock.group = array<i64: 256, 1, 64>} {
  linalg.generic {indexing_maps = [affine_map<(r, k) -> (k, r)>, affine_map<(r, k) -> (r)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<1000x9xf32>) outs(%y : memref<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  }
  return
}

// Rows shorter than two for each lane of a sub-group.
// CHECK-LABEL: func.func @short
func.func @short(%x: memref<9x31xf32>, %y: memref<9xf32>) attributes {bellrock.group = array<i64: 256, 1, 16>} {
  linalg.generic {indexing_maps = [affine_map<(r, k) -> (r, k)>, affine_map<(r, k) -> (r)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<9x31xf32>) outs(%y : memref<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  }
  return
}

// A difference has no neutral element that could start a part.
// CHECK-LABEL: func.func @other_combiner
func.func @other_combiner(%x: memref<9x1000xf32>, %y: memref<9xf32>) attributes {bellrock.group = array<i64: 256, 1, 64>} {
  linalg.generic {indexing_maps = [affine_map<(r, k) -> (r, k)>, affine_map<(r, k) -> (r)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<9x1000xf32>) outs(%y : memref<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.subf %o, %a : f32
    linalg.yield %s : f32
  }
  return
}
