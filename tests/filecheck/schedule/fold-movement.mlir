// SCHEDULES: generalize, fold-movement
// The transposed weight is read through the product's own map.
// CHECK: #[[W:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-LABEL: func.func @linear
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[W]], #{{.*}}], iterator_types = ["parallel", "parallel", "reduction"]} ins(%arg0, %arg1
func.func @linear(%x: tensor<4x8xf32>, %w: tensor<2x8xf32>, %init: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %empty = tensor.empty() : tensor<8x2xf32>
  %t = linalg.transpose ins(%w : tensor<2x8xf32>) outs(%empty : tensor<8x2xf32>) permutation = [1, 0]
  %c = linalg.matmul ins(%x, %t : tensor<4x8xf32>, tensor<8x2xf32>) outs(%init : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %c : tensor<4x2xf32>
}
