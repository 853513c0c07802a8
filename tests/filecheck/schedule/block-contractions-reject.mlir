// REJECT: block-contractions
// CHECK: a packed contraction has two operands and a result
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @product(%a: memref<17x32xf32>, %d: memref<17x32xf32>, %b: memref<32x45xf32>, %c: memref<17x45xf32>) {
  linalg.generic {indexing_maps = [#a, #a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %d, %b : memref<17x32xf32>, memref<17x32xf32>, memref<32x45xf32>) outs(%c : memref<17x45xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "panels", tile = array<i64: 0, 0, 0>, vector = "n", lanes = 16 : i64,
        rows = 4 : i64, columns = 2 : i64, depth = 32 : i64, unroll = 4 : i64, copy = true, pack = true, pairs = false}} {
  ^bb0(%p: f32, %r: f32, %q: f32, %o: f32):
    %t = arith.addf %p, %r : f32
    %m = arith.mulf %t, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  }
  return
}
