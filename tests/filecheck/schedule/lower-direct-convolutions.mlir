// SCHEDULES: lower-direct-convolutions
// Blocks over images and rows: packed input on the stack, channels and taps in one unrolled block, the
// last panel of output channels moved up to be whole, bias and relu on the way to the result.
// CHECK-LABEL: func.func @kernel(
// CHECK-SAME: %[[X:arg0]]: memref<256xf32>, %[[W:arg1]]: memref<90xf32>, %[[B:arg2]]: memref<5xf32>, %[[Y:arg3]]: memref<360xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (2, 3)
// CHECK: memref.alloca() {alignment = 4096 : i64} : memref<{{.*}}xf32>
// CHECK: vector.maskedload %[[X]]
// CHECK-COUNT-72: vector.fma
// CHECK-NOT: vector.fma
// CHECK: memref.load %[[B]]
// CHECK: arith.maximumf
// CHECK: vector.maskedstore %[[Y]]
// CHECK: return
// CHECK-NOT: linalg
#x = affine_map<(n, f, h, w, c, i, j) -> (n, c, h + i, w + j)>
#w = affine_map<(n, f, h, w, c, i, j) -> (f, c, i, j)>
#y = affine_map<(n, f, h, w, c, i, j) -> (n, f, h, w)>
#id = affine_map<(n, f, h, w) -> (n, f, h, w)>
#f = affine_map<(n, f, h, w) -> (f)>
func.func @kernel(%x: tensor<2x2x8x8xf32>, %w: tensor<5x2x3x3xf32>, %b: tensor<5xf32>, %y: tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x2x8x8xf32>, tensor<5x2x3x3xf32>) outs(%init : tensor<2x5x6x6xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", knobs = "direct-convolution", channels = 4 : i64, vectors = 1 : i64, lanes = 16 : i64, rows = 2 : i64, columns = 0 : i64, channel_block = 0 : i64, parallel = true}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x5x6x6xf32>
  %r = linalg.generic {indexing_maps = [#id, #f, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %b : tensor<2x5x6x6xf32>, tensor<5xf32>) outs(%y : tensor<2x5x6x6xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    %z = arith.maximumf %s, %zero : f32
    linalg.yield %z : f32
  } -> tensor<2x5x6x6xf32>
  return %r : tensor<2x5x6x6xf32>
}
