// SCHEDULES: offer-packing(percent=0)
// No memory is given, so nothing is offered.
// CHECK-NOT: bellrock.packable
// CHECK: return
func.func @main(%x: tensor<8x64xf32>, %w: tensor<96x64xf32> {bellrock.fixed}, %y: tensor<8x96xf32>) -> tensor<8x96xf32> {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %w : tensor<8x64xf32>, tensor<96x64xf32>) outs(%y : tensor<8x96xf32>) -> tensor<8x96xf32>
  return %r : tensor<8x96xf32>
}
