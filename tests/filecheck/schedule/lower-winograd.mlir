// SCHEDULES: lower-winograd
// Blocks over images and rows of 2x2 results; the image is packed and transformed (32 additions), 16 products are
// summed over the input channels in registers (4 channels x 1 vector x 2 channels), and transformed back.
// CHECK-LABEL: func.func @kernel(
// CHECK-SAME: %[[X:arg0]]: memref<256xf32>, %[[W:arg1]]: memref<144xf32>, %[[U:arg2]]: memref<256xf32>, %[[Y:arg3]]: memref<576xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (2, 2)
// CHECK: vector.maskedload %[[X]]
// CHECK-COUNT-32: arith.{{addf|subf}}
// CHECK: memref.load %[[U]]
// CHECK-COUNT-8: vector.fma
// CHECK-NOT: vector.fma
// CHECK-COUNT-24: arith.{{addf|subf}}
// CHECK-NOT: {{addf|subf}}
// CHECK: vector.maskedstore %[[Y]]
// CHECK: return
// CHECK-NOT: linalg
#x = affine_map<(n, f, h, w, c, i, j) -> (n, c, h + i, w + j)>
#w = affine_map<(n, f, h, w, c, i, j) -> (f, c, i, j)>
#u = affine_map<(n, f, h, w, c, i, j) -> (0, 0, 0, 0, 0)>
#y = affine_map<(n, f, h, w, c, i, j) -> (n, f, h, w)>
func.func @kernel(%x: tensor<2x2x8x8xf32>, %w: tensor<8x2x3x3xf32>, %u: tensor<4x4x2x2x4xf32>, %y: tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #u, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w, %u : tensor<2x2x8x8xf32>, tensor<8x2x3x3xf32>, tensor<4x4x2x2x4xf32>) outs(%init : tensor<2x8x6x6xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", knobs = "winograd", channels = 4 : i64, vectors = 2 : i64, lanes = 16 : i64, rows = 2 : i64, columns = 0 : i64, images = 1 : i64, channel_group = 4 : i64, channel_block = 0 : i64, parallel = true}} {
  ^bb0(%p: f32, %q: f32, %t: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x8x6x6xf32>
  return %c : tensor<2x8x6x6xf32>
}
