// SCHEDULES: lower-winograd
// Tiles of 4 x 4: phases of 4 columns are shuffled out of whole vectors; the image's transform takes 12 multiply-adds for
// each of 12 rows and columns; 36 products are summed over 4 input channels and then 16; 10 x 6 additions go back.
// CHECK-LABEL: func.func @kernel(
// CHECK-SAME: %[[X:arg0]]: memref<4000xf32>, %{{.*}}: memref<1440xf32>, %[[U:arg2]]: memref<5760xf32>, %[[Y:arg3]]: memref<1024xf32>
// CHECK: scf.forall (%{{.*}}) in (2)
// CHECK-COUNT-4: vector.maskedload %[[X]]
// CHECK-COUNT-8: vector.shuffle
// CHECK-NOT: vector.gather
// CHECK-COUNT-144: vector.fma
// CHECK-NOT: vector.fma
// CHECK: memref.load %[[U]]
// CHECK-COUNT-80: vector.fma
// CHECK-NOT: vector.fma
// CHECK-COUNT-4: arith.addf
// CHECK-COUNT-60: arith.{{addf|subf}}
// CHECK-NOT: {{addf|subf}}
// CHECK-COUNT-8: vector.shuffle
// CHECK: vector.maskedstore %[[Y]]
// CHECK: return
// CHECK-NOT: linalg
#x = affine_map<(n, f, h, w, c, i, j) -> (n, c, h + i, w + j)>
#w = affine_map<(n, f, h, w, c, i, j) -> (f, c, i, j)>
#u = affine_map<(n, f, h, w, c, i, j) -> (0, 0, 0, 0, 0)>
#y = affine_map<(n, f, h, w, c, i, j) -> (n, f, h, w)>
func.func @kernel(%x: tensor<2x20x10x10xf32>, %w: tensor<8x20x3x3xf32>, %u: tensor<6x6x2x20x4xf32>, %y: tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #u, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w, %u : tensor<2x20x10x10xf32>, tensor<8x20x3x3xf32>, tensor<6x6x2x20x4xf32>) outs(%init : tensor<2x8x8x8xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", knobs = "winograd", channels = 4 : i64, vectors = 1 : i64, lanes = 16 : i64, rows = 2 : i64, columns = 0 : i64, images = 1 : i64, channel_group = 4 : i64, channel_block = 0 : i64, parallel = true, tile = 4 : i64}} {
  ^bb0(%p: f32, %q: f32, %t: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x8x8x8xf32>
  return %c : tensor<2x8x8x8xf32>
}
