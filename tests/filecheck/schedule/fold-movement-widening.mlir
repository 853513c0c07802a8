// SCHEDULES: fold-movement
// A product reads the narrow, untransposed weight and widens it itself; other readers of the
// widened one keep it.
// CHECK: #[[TRANSPOSED:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-LABEL: func.func @linear
// CHECK: %[[WIDE:.*]] = linalg.generic {{.*}} ins(%arg1 : tensor<6x5xbf16>)
// CHECK: linalg.generic {{.*}}#[[TRANSPOSED]]{{.*}} ins(%arg0, %arg1 : tensor<3x5xf32>, tensor<6x5xbf16>)
// CHECK-NEXT: ^bb0(%{{.*}}: f32, %[[W:.*]]: bf16, %{{.*}}: f32):
// CHECK-NEXT: arith.extf %[[W]] : bf16 to f32
// CHECK: linalg.generic {{.*}} ins(%[[WIDE]]
func.func @linear(%x: tensor<3x5xf32>, %w: tensor<6x5xbf16>, %t: tensor<5x6xf32>, %o: tensor<3x6xf32>) -> (tensor<3x6xf32>, tensor<5x6xf32>) {
  %wide = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<6x5xbf16>) outs(%t : tensor<5x6xf32>) {
  ^bb0(%p: bf16, %q: f32):
    %e = arith.extf %p : bf16 to f32
    linalg.yield %e : f32
  } -> tensor<5x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %wide : tensor<3x5xf32>, tensor<5x6xf32>) outs(%o : tensor<3x6xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %s, %m : f32
    linalg.yield %a : f32
  } -> tensor<3x6xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%wide : tensor<5x6xf32>) outs(%t : tensor<5x6xf32>) {
  ^bb0(%p: f32, %q: f32):
    %e = math.exp %p : f32
    linalg.yield %e : f32
  } -> tensor<5x6xf32>
  return %r, %n : tensor<3x6xf32>, tensor<5x6xf32>
}
