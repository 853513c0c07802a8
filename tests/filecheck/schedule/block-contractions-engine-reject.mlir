// REJECT: block-contractions
// CHECK: a matrix engine needs to know the length of k, and parts of whole tiles
// CHECK-SAME: k of 70 in parts of 24
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @product(%a: memref<20x70xbf16>, %b: memref<70x45xbf16>, %c: memref<20x45xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<20x70xbf16>, memref<70x45xbf16>) outs(%c : memref<20x45xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "panels", tile = array<i64: 0, 0, 0>, vector = "n", lanes = 16 : i64,
        rows = 20 : i64, columns = 2 : i64, depth = 24 : i64, unroll = 4 : i64, copy = true, pack = true, pairs = true, amx = true}} {
  ^bb0(%p: bf16, %q: bf16, %o: f32):
    %x = arith.extf %p : bf16 to f32
    %y = arith.extf %q : bf16 to f32
    %m = arith.mulf %x, %y : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  }
  return
}
