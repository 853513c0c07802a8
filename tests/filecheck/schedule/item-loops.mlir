// SCHEDULES: item-loops
// A product reduces in a register, and writes once; its result's rows lie along work-items.
// CHECK-LABEL: func.func @product
// CHECK: scf.parallel (%[[M:[a-z0-9_]+]], %[[N:[a-z0-9_]+]]) =
// CHECK: %[[Z:[a-z0-9_]+]] = memref.load %arg2[%[[M]], %[[N]]]
// CHECK: %[[S:[a-z0-9_]+]] = scf.for %[[K:[a-z0-9_]+]] = %{{.*}} iter_args(%[[A:[a-z0-9_]+]] = %[[Z]]) -> (f32)
// CHECK: memref.load %arg0[%[[M]], %[[K]]]
// CHECK: memref.load %arg1[%[[K]], %[[N]]]
// CHECK: memref.store %[[S]], %arg2[%[[M]], %[[N]]]
func.func @product(%x: memref<7x5xf32>, %w: memref<5x3xf32>, %y: memref<7x3xf32>) {
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<7x5xf32>, memref<5x3xf32>) outs(%y : memref<7x3xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %r = arith.addf %o, %m : f32
    linalg.yield %r : f32
  }
  return
}

// A transposed result: its own contiguous loop is the innermost; the index keeps its meaning.
// CHECK-LABEL: func.func @turned
// CHECK: scf.parallel (%[[J:[a-z0-9_]+]], %[[I:[a-z0-9_]+]]) =
// CHECK: arith.index_cast %[[I]]
// CHECK: memref.store %{{.*}}, %arg0[%[[J]], %[[I]]]
func.func @turned(%y: memref<64x48xi64>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>], iterator_types = ["parallel", "parallel"]} outs(%y : memref<64x48xi64>) {
  ^bb0(%o: i64):
    %i = linalg.index 0 : index
    %c = arith.index_cast %i : index to i64
    linalg.yield %c : i64
  }
  return
}

// A window: both loops of an index expression have their bounds from where they stand alone.
// CHECK-LABEL: func.func @window
// CHECK: scf.parallel (%[[P:[a-z0-9_]+]]) =
// CHECK: scf.for %[[T:[a-z0-9_]+]] =
// CHECK: affine.apply #{{.*}}(%[[P]], %[[T]])
func.func @window(%x: memref<9xf32>, %w: memref<3xf32>, %y: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(p, t) -> (p * 2 + t)>, affine_map<(p, t) -> (t)>, affine_map<(p, t) -> (p)>], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : memref<9xf32>, memref<3xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.maximumf %p, %o : f32
    linalg.yield %m : f32
  }
  return
}

// Within a work-item loops are sequential.
// CHECK-LABEL: func.func @inside
// CHECK: scf.parallel (%[[B:[a-z0-9_]+]]) =
// CHECK-NOT: scf.parallel
// CHECK: scf.for
// CHECK: memref.store
func.func @inside(%y: memref<4x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %z = arith.constant 0.0 : f32
  scf.parallel (%b) = (%c0) to (%c4) step (%c1) {
    %row = memref.subview %y[%b, 0] [1, 8] [1, 1] : memref<4x8xf32> to memref<8xf32, strided<[1], offset: ?>>
    linalg.generic {indexing_maps = [affine_map<(i) -> ()>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%z : f32) outs(%row : memref<8xf32, strided<[1], offset: ?>>) {
    ^bb0(%p: f32, %o: f32):
      linalg.yield %p : f32
    }
  }
  return
}

// A long sum of one work-item is one of sums: rounding errors of each piece stay its own.
// CHECK-LABEL: func.func @long_sum
// CHECK: scf.parallel
// CHECK: %[[ALL:[a-z0-9_]+]] = scf.for %[[B:[a-z0-9_]+]] = %c0{{[_0-9]*}} to %c1000{{[_0-9]*}} step %c128{{[_0-9]*}} iter_args(%[[SUM:[a-z0-9_]+]] =
// CHECK: %[[END:[a-z0-9_]+]] = arith.minui
// CHECK: %[[PART:[a-z0-9_]+]] = scf.for %{{.*}} = %[[B]] to %[[END]] step %c1{{[_0-9]*}} iter_args(%{{.*}} = %cst
// CHECK: arith.addf %[[SUM]], %[[PART]]
// CHECK: memref.store %[[ALL]]
func.func @long_sum(%x: memref<1000x9xf32>, %y: memref<9xf32>) {
  linalg.generic {indexing_maps = [affine_map<(r, k) -> (k, r)>, affine_map<(r, k) -> (r)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<1000x9xf32>) outs(%y : memref<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  }
  return
}
