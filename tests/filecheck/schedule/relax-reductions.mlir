// SCHEDULES: relax-reductions
// Only the op that combines into the accumulator may be reassociated.
// CHECK-LABEL: func.func @sum
// CHECK: arith.mulf %{{.*}}, %{{.*}} fastmath<contract>
// CHECK: arith.addf %{{.*}}, %{{.*}} fastmath<reassoc,contract>
// CHECK-LABEL: func.func @chain
// CHECK: arith.addf %{{.*}}, %{{.*}} fastmath<contract>
// CHECK-LABEL: func.func @rows
// CHECK: arith.divf %{{.*}}, %{{.*}} fastmath<arcp,contract>
// CHECK: arith.divf %{{.*}}, %{{.*}} : f32
func.func @sum(%x: memref<4x8xf32>, %r: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x8xf32>) outs(%r : memref<4xf32>) {
  ^bb0(%p: f32, %o: f32):
    %m = arith.mulf %p, %p : f32
    %s = arith.addf %m, %o : f32
    linalg.yield %s : f32
  }
  return
}
func.func @chain(%x: memref<4xf32>, %r: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : memref<4xf32>) outs(%r : memref<4xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.addf %p, %o : f32
    linalg.yield %s : f32
  }
  return
}
func.func @rows(%x: memref<4x8xf32>, %n: memref<4xf32>, %r: memref<4x8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %n : memref<4x8xf32>, memref<4xf32>) outs(%r : memref<4x8xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.divf %p, %q : f32
    %t = arith.divf %q, %s : f32
    linalg.yield %t : f32
  }
  return
}
