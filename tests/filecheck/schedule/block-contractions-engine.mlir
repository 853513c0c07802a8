// SCHEDULES: block-contractions
// Sums of 20 x 32 are in four tiles that the loop over k carries: 16 rows and 4. A step is 16 pairs of
// k; the last 3 pairs, of 70 elements in all, are multiplied once with shorter tiles.
// CHECK-LABEL: func.func @product
// CHECK-NOT: linalg.
// CHECK-DAG: %[[ROWS:.*]] = memref.alloca() {{.*}} : memref<20x48xi32>
// CHECK-DAG: %[[PANELS:.*]] = memref.alloca() {{.*}} : memref<2x48x32xi32>
// CHECK-DAG: %[[SUMS:.*]] = memref.alloca() {{.*}} : memref<20x32xf32>
// CHECK: vector.store {{.*}} %[[PANELS]]
// CHECK: vector.store {{.*}} %[[ROWS]]
// CHECK-COUNT-2: x86.amx.tile_zero : !x86.amx.tile<16x16xf32>
// CHECK-COUNT-2: x86.amx.tile_zero : !x86.amx.tile<4x16xf32>
// CHECK: %[[WHOLE:.*]]:4 = scf.for {{.*}} iter_args
// CHECK: x86.amx.tile_load %[[PANELS]]{{.*}} into !x86.amx.tile<16x32xbf16>
// CHECK: x86.amx.tile_load %[[ROWS]]{{.*}} into !x86.amx.tile<16x32xbf16>
// CHECK: x86.amx.tile_mulf
// CHECK: x86.amx.tile_load %[[ROWS]]{{.*}} into !x86.amx.tile<4x32xbf16>
// CHECK: scf.yield
// CHECK: x86.amx.tile_load %[[PANELS]]{{.*}} into !x86.amx.tile<3x32xbf16>
// CHECK: x86.amx.tile_load %[[ROWS]]{{.*}} into !x86.amx.tile<16x6xbf16>
// CHECK: x86.amx.tile_mulf {{.*}} %[[WHOLE]]#0
// CHECK: x86.amx.tile_load %[[ROWS]]{{.*}} into !x86.amx.tile<4x6xbf16>
// CHECK: x86.amx.tile_store %[[SUMS]]
// CHECK: vector.load %[[SUMS]]
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @product(%a: memref<20x70xbf16>, %b: memref<70x45xbf16>, %c: memref<20x45xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<20x45xf32>)
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<20x70xbf16>, memref<70x45xbf16>) outs(%c : memref<20x45xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "panels", tile = array<i64: 0, 0, 0>, vector = "n", lanes = 16 : i64,
        rows = 20 : i64, columns = 2 : i64, depth = 96 : i64, unroll = 4 : i64, copy = true, pack = true, pairs = true, amx = true}} {
  ^bb0(%p: bf16, %q: bf16, %o: f32):
    %x = arith.extf %p : bf16 to f32
    %y = arith.extf %q : bf16 to f32
    %m = arith.mulf %x, %y : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  }
  return
}
