// SCHEDULES: transform-filters
// Without room it is the direct way, in blocks of half the rows (2 rows of tiles, 4 of results) and as many columns.
// CHECK-NOT: tensor<6x6
// CHECK: bellrock.revised_choices = {{.*}}knobs = "direct-convolution"
// CHECK: linalg.generic
// CHECK-SAME: columns = 4 : i64
// CHECK-SAME: knobs = "direct-convolution"
// CHECK-SAME: rows = 4 : i64
// CHECK-NOT: tile
// CHECK: return
#x = affine_map<(n, f, h, w, c, i, j) -> (n, c, h + i, w + j)>
#w = affine_map<(n, f, h, w, c, i, j) -> (f, c, i, j)>
#y = affine_map<(n, f, h, w, c, i, j) -> (n, f, h, w)>
func.func @main(%x: tensor<2x2x8x8xf32>, %w: tensor<8x2x3x3xf32>, %y: tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32> attributes {bellrock.prepared_bytes = 1048272 : i64} {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x2x8x8xf32>, tensor<8x2x3x3xf32>) outs(%init : tensor<2x8x6x6xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "winograd", channels = 4 : i64, vectors = 2 : i64, lanes = 16 : i64, rows = 0 : i64, columns = 1 : i64, images = 1 : i64, channel_group = 4 : i64, channel_block = 0 : i64, parallel = true, tile = 4 : i64}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x8x6x6xf32>
  return %c : tensor<2x8x6x6xf32>
}
