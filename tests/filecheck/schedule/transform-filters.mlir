// SCHEDULES: transform-filters
// The filter with its output channels along memory; the transformed one: products by two axes, panels of
// 4 output channels, input channels, channel of the panel; then the convolution itself, with one more input
// that its body does not use.
// CHECK: %[[T:.*]] = linalg.generic
// CHECK-SAME: ins(%arg1 : tensor<8x2x3x3xf32>) outs(%{{.*}} : tensor<2x3x3x8xf32>)
// CHECK: %[[G:.*]] = arith.constant dense<{{.*}}> : tensor<4x4x3x3xf32>
// CHECK: %[[U:.*]] = linalg.generic
// CHECK-SAME: ins(%[[T]], %[[T]], %[[T]], %[[T]], %[[T]], %[[T]], %[[T]], %[[T]], %[[T]], %[[G]],
// CHECK-SAME: outs(%{{.*}} : tensor<4x4x2x2x4xf32>) attrs = {{.*}}knobs = "blocks"
// CHECK: ^bb0
// CHECK: %[[R:.*]] = linalg.generic
// CHECK-SAME: ins(%arg0, %arg1, %[[U]] : tensor<2x2x8x8xf32>, tensor<8x2x3x3xf32>, tensor<4x4x2x2x4xf32>)
// CHECK-SAME: knobs = "winograd"
// CHECK: ^bb0(%[[P:.*]]: f32, %[[Q:.*]]: f32, %{{.*}}: f32, %[[O:.*]]: f32)
// CHECK: arith.mulf %[[P]], %[[Q]]
// CHECK: arith.addf %[[O]]
// CHECK: return %[[R]]
#x = affine_map<(n, f, h, w, c, i, j) -> (n, c, h + i, w + j)>
#w = affine_map<(n, f, h, w, c, i, j) -> (f, c, i, j)>
#y = affine_map<(n, f, h, w, c, i, j) -> (n, f, h, w)>
func.func @main(%x: tensor<2x2x8x8xf32>, %w: tensor<8x2x3x3xf32>, %y: tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x2x8x8xf32>, tensor<8x2x3x3xf32>) outs(%init : tensor<2x8x6x6xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "winograd", channels = 4 : i64, vectors = 2 : i64, lanes = 16 : i64, rows = 2 : i64, columns = 0 : i64, images = 1 : i64, channel_group = 4 : i64, channel_block = 0 : i64, parallel = true}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x8x6x6xf32>
  return %c : tensor<2x8x6x6xf32>
}
