// SCHEDULES: generalize, offer-packing(percent=50)
// Of three weights of 3 MiB there is room (half of 7.3 MiB) for one: that of the fewest rows. What is made of a weight
// counts as one (the second contraction, for the left operand); an operand that is an input does not.
// CHECK-LABEL: func.func @main
// CHECK: linalg.generic
// CHECK-NOT: bellrock.packable
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{.*}}, %arg0
// CHECK-SAME: bellrock.packable = array<i64: 0>
// CHECK: linalg.generic
// CHECK-NOT: bellrock.packable
// CHECK: return
func.func @main(%x: tensor<768x64xf32>, %v: tensor<1024x768xf32> {bellrock.fixed}, %w: tensor<768x1024xf32> {bellrock.fixed}, %z: tensor<128x768xf32>) -> (tensor<128x1024xf32>, tensor<1024x64xf32>, tensor<64x64xf32>) {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<128x1024xf32>
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<128x1024xf32>) -> tensor<128x1024xf32>
  %a = linalg.matmul ins(%z, %w : tensor<128x768xf32>, tensor<768x1024xf32>) outs(%f : tensor<128x1024xf32>) -> tensor<128x1024xf32>
  %flat = tensor.collapse_shape %v [[0, 1]] : tensor<1024x768xf32> into tensor<786432xf32>
  %wide = tensor.expand_shape %flat [[0, 1]] output_shape [1024, 768] : tensor<786432xf32> into tensor<1024x768xf32>
  %g = tensor.empty() : tensor<1024x64xf32>
  %h = linalg.fill ins(%c : f32) outs(%g : tensor<1024x64xf32>) -> tensor<1024x64xf32>
  %b = linalg.matmul ins(%wide, %x : tensor<1024x768xf32>, tensor<768x64xf32>) outs(%h : tensor<1024x64xf32>) -> tensor<1024x64xf32>
  %i = tensor.empty() : tensor<64x64xf32>
  %j = linalg.fill ins(%c : f32) outs(%i : tensor<64x64xf32>) -> tensor<64x64xf32>
  %d = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %x : tensor<768x64xf32>, tensor<768x64xf32>) outs(%j : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %a, %b, %d : tensor<128x1024xf32>, tensor<1024x64xf32>, tensor<64x64xf32>
}
