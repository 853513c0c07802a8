// SCHEDULES: tile-rows
// A kernel too small for a parallel region is left whole.
// CHECK-LABEL: func.func @kernel
// CHECK-NOT: scf.forall
// CHECK: bellrock.anchor
#full = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @kernel(%x: tensor<8x16xf32>, %out: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<8xf32>) -> tensor<8xf32>
  %s = linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf32>) outs(%init : tensor<8xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", knobs = "rows", cache_bytes = 65536 : i64, columns = 1024 : i64, iterations = 2048 : i64, blocks = 4 : i64}} {
  ^bb0(%in: f32, %acc: f32):
    %a = arith.addf %in, %acc : f32
    linalg.yield %a : f32
  } -> tensor<8xf32>
  %r = linalg.generic {indexing_maps = [#full, #row, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<8x16xf32>, tensor<8xf32>) outs(%out : tensor<8x16xf32>) {
  ^bb0(%in: f32, %sum: f32, %o: f32):
    %i = linalg.index 0 : index
    %k = arith.index_cast %i : index to i32
    %f = arith.sitofp %k : i32 to f32
    %d = arith.divf %in, %sum : f32
    %e = arith.addf %d, %f : f32
    linalg.yield %e : f32
  } -> tensor<8x16xf32>
  return %r : tensor<8x16xf32>
}
