// SCHEDULES: lower-poolings
// The pad is gone: rows of the window that lie outside are left out, and the row buffer has margins.
// Rows of 20 are combined in two vectors, the second masked; steps of 2 are shuffles.
// CHECK-LABEL: func @pool
// CHECK-SAME: (%arg0: memref<480xf32>, %arg1: memref<120xf32>)
// CHECK: memref.alloca
// CHECK: vector.store
// CHECK: scf.for
// CHECK: arith.minsi
// CHECK: arith.maxsi
// CHECK: scf.for
// CHECK: vector.load
// CHECK: vector.maskedload
// CHECK: arith.maximumf
// CHECK: vector.shuffle
// CHECK: arith.maximumf
// CHECK: vector.maskedstore
// CHECK-NOT: linalg
#x = affine_map<(c, h, w, i, j) -> (c, h * 2 + i, w * 2 + j)>
#k = affine_map<(c, h, w, i, j) -> (i, j)>
#y = affine_map<(c, h, w, i, j) -> (c, h, w)>
func.func @pool(%x: tensor<4x6x20xf32>, %out: tensor<4x3x10xf32>) -> tensor<4x3x10xf32> {
  %low = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<4x8x22xf32>
  %base = linalg.fill ins(%low : f32) outs(%e : tensor<4x8x22xf32>) -> tensor<4x8x22xf32>
  %pad = tensor.insert_slice %x into %base[0, 1, 1] [4, 6, 20] [1, 1, 1] {bellrock.pad} : tensor<4x6x20xf32> into tensor<4x8x22xf32>
  %cut = tensor.extract_slice %pad[0, 0, 0] [4, 7, 21] [1, 1, 1] : tensor<4x8x22xf32> to tensor<4x7x21xf32>
  %window = tensor.empty() : tensor<3x3xf32>
  %init = linalg.fill ins(%low : f32) outs(%out : tensor<4x3x10xf32>) -> tensor<4x3x10xf32>
  %y = linalg.generic {indexing_maps = [#x, #k, #y],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%cut, %window : tensor<4x7x21xf32>, tensor<3x3xf32>) outs(%init : tensor<4x3x10xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", columns = 10 : i64,
        knobs = "windows", lanes = 16 : i64, parallel = true, rows = 3 : i64}} {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.maximumf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<4x3x10xf32>
  return %y : tensor<4x3x10xf32>
}
