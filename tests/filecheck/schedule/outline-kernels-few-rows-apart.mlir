// SCHEDULES: generalize, outline-kernels(fewest_rows=9)
// Eight long rows would leave one of nine cores without work: a kernel for the sums, and one that reads
// them, whose rows can be cut.
// CHECK-LABEL: func.func @main
// CHECK: call @k_reduction
// CHECK: call @k_elementwise
// CHECK: return
func.func @main(%x: tensor<8x80000xf32>) -> tensor<8x80000xf32> {
  %zero = arith.constant 0.0 : f32
  %full = tensor.empty() : tensor<8x80000xf32>
  %empty = tensor.empty() : tensor<8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<8xf32>) -> tensor<8xf32>
  %s = linalg.reduce ins(%x : tensor<8x80000xf32>) outs(%init : tensor<8xf32>) dimensions = [1]
      (%in: f32, %acc: f32) { %a = arith.addf %in, %acc : f32 linalg.yield %a : f32 }
  %q = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<8x80000xf32>, tensor<8xf32>) outs(%full : tensor<8x80000xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.divf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<8x80000xf32>
  return %q : tensor<8x80000xf32>
}
