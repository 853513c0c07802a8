// REJECT: offer-large-tiles(tile=3 percent=8)
// CHECK: minimal filtering has no tiles of this size
#x = affine_map<(n, f, h, w, c, i, j) -> (n, c, h + i, w + j)>
#w = affine_map<(n, f, h, w, c, i, j) -> (f, c, i, j)>
#y = affine_map<(n, f, h, w, c, i, j) -> (n, f, h, w)>
func.func @weight(%x: tensor<2x32x8x8xf32>, %w: tensor<8x32x3x3xf32> {bellrock.fixed}, %y: tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32> {
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x32x8x8xf32>, tensor<8x32x3x3xf32>) outs(%y : tensor<2x8x6x6xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x8x6x6xf32>
  return %c : tensor<2x8x6x6xf32>
}
