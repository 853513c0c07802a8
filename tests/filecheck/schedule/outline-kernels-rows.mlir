// SCHEDULES: generalize, outline-kernels
// A reduction, what makes its input and what reads its result share their rows: one kernel, even
// where the outside reads one of them (%e), too.
// CHECK-LABEL: func.func @main
// CHECK: %[[ROWS:.*]]:2 = call @k_reduction_{{[0-9a-f]+}}(%arg0, %{{[0-9]+}}, %{{[0-9]+}})
// CHECK-NOT: call
// CHECK: return %[[ROWS]]#0, %[[ROWS]]#1
// CHECK: func.func private @k_reduction_
// CHECK: math.exp
// CHECK: arith.addf
// CHECK-SAME: f32
// CHECK: arith.divf
func.func @main(%x: tensor<64x80xf32>) -> (tensor<64x80xf32>, tensor<64x80xf32>) {
  %zero = arith.constant 0.0 : f32
  %full = tensor.empty() : tensor<64x80xf32>
  %empty = tensor.empty() : tensor<64xf32>
  %e = linalg.exp ins(%x : tensor<64x80xf32>) outs(%full : tensor<64x80xf32>) -> tensor<64x80xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64xf32>) -> tensor<64xf32>
  %s = linalg.reduce ins(%e : tensor<64x80xf32>) outs(%init : tensor<64xf32>) dimensions = [1]
      (%in: f32, %acc: f32) { %a = arith.addf %in, %acc : f32 linalg.yield %a : f32 }
  %q = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%e, %s : tensor<64x80xf32>, tensor<64xf32>) outs(%full : tensor<64x80xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.divf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<64x80xf32>
  return %e, %q : tensor<64x80xf32>, tensor<64x80xf32>
}
