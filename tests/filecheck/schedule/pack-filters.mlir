// SCHEDULES: pack-filters
// The packed filter: 3 panels of 2 output channels for 5, of which the last starts one channel early; then input
// channels, taps, channel of the panel. The convolution has one more input that its body does not use.
// CHECK-LABEL: func.func @main
// CHECK-SAME: bellrock.prepared_bytes = 432 : i64
// CHECK: %[[P:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<3x2x3x3x2xf32>) attrs = {{.*}}knobs = "blocks"
// CHECK: %[[PANEL:.*]] = linalg.index 0
// CHECK: %[[START:.*]] = arith.muli %[[PANEL]], %{{.*}}
// CHECK: %[[FIRST:.*]] = arith.minui %[[START]], %{{.*}}
// CHECK: %[[CHANNEL:.*]] = linalg.index 4
// CHECK: %[[F:.*]] = arith.addi %[[FIRST]], %[[CHANNEL]]
// CHECK: tensor.extract %arg1[%[[F]],
// CHECK: %[[R:.*]] = linalg.generic
// CHECK-SAME: ins(%arg0, %arg1, %[[P]] : tensor<2x2x8x8xf32>, tensor<5x2x3x3xf32>, tensor<3x2x3x3x2xf32>)
// CHECK-SAME: knobs = "direct-convolution"
// CHECK: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: f32, %[[O:.*]]: f32)
// CHECK: arith.mulf %[[A]], %[[B]]
// CHECK: return %[[R]]
#x = affine_map<(n, f, h, w, c, i, j) -> (n, c, h + i, w + j)>
#w = affine_map<(n, f, h, w, c, i, j) -> (f, c, i, j)>
#y = affine_map<(n, f, h, w, c, i, j) -> (n, f, h, w)>
func.func @main(%x: tensor<2x2x8x8xf32>, %w: tensor<5x2x3x3xf32> {bellrock.fixed}, %y: tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x2x8x8xf32>, tensor<5x2x3x3xf32>) outs(%init : tensor<2x5x6x6xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "direct-convolution", channels = 2 : i64, vectors = 1 : i64, lanes = 16 : i64, rows = 2 : i64, columns = 0 : i64, channel_block = 0 : i64, parallel = true, packed = true}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x5x6x6xf32>
  return %c : tensor<2x5x6x6xf32>
}
