// SCHEDULES: offer-large-tiles(tile=4 percent=8)
// A weight of 3 x 3 taps over 32 channels may be transformed for tiles of 4 x 4; one over fewer channels, a filter
// that is no weight, and a convolution for which there is no memory left may not.
// CHECK-LABEL: func.func @weight
// CHECK: linalg.generic
// CHECK-SAME: bellrock.large_tiles
// CHECK-LABEL: func.func @few_channels
// CHECK-NOT: bellrock.large_tiles
// CHECK-LABEL: func.func @no_weight
// CHECK-NOT: bellrock.large_tiles
// CHECK-LABEL: func.func @no_room_left
// CHECK-NOT: bellrock.large_tiles
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
func.func @few_channels(%x: tensor<2x31x8x8xf32>, %w: tensor<8x31x3x3xf32> {bellrock.fixed}, %y: tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32> {
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x31x8x8xf32>, tensor<8x31x3x3xf32>) outs(%y : tensor<2x8x6x6xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x8x6x6xf32>
  return %c : tensor<2x8x6x6xf32>
}
func.func @no_weight(%x: tensor<2x32x8x8xf32>, %w: tensor<8x32x3x3xf32>, %y: tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32> {
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x32x8x8xf32>, tensor<8x32x3x3xf32>) outs(%y : tensor<2x8x6x6xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x8x6x6xf32>
  return %c : tensor<2x8x6x6xf32>
}
func.func @no_room_left(%x: tensor<2x32x8x8xf32>, %w: tensor<8x32x3x3xf32> {bellrock.fixed}, %y: tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32> attributes {bellrock.prepared_bytes = 1014272 : i64} {
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x32x8x8xf32>, tensor<8x32x3x3xf32>) outs(%y : tensor<2x8x6x6xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x8x6x6xf32>
  return %c : tensor<2x8x6x6xf32>
}
