// SCHEDULES: lower-poolings
// A pad of zeros is not what a maximum starts from: the kernel is left for the generic path.
// CHECK-LABEL: func.func @pool
// CHECK: tensor.insert_slice
// CHECK: linalg.generic
#x = affine_map<(c, h, w, i, j) -> (c, h * 2 + i, w * 2 + j)>
#k = affine_map<(c, h, w, i, j) -> (i, j)>
#y = affine_map<(c, h, w, i, j) -> (c, h, w)>
func.func @pool(%x: tensor<4x6x20xf32>, %out: tensor<4x3x10xf32>) -> tensor<4x3x10xf32> {
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8x22xf32>
  %base = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8x22xf32>) -> tensor<4x8x22xf32>
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
