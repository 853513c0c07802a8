// REJECT: scans-to-loops
// The last accumulated value is an output that loops here do not carry out.
// CHECK: the final value of a scan is used
func.func @used(%x: tensor<4x9xf32>) -> tensor<4xf32> {
  %y = tensor.empty() : tensor<4x9xf32>
  %acc = tensor.empty() : tensor<4xf32>
  %r:2 = tm_tensor.scan dimension(1) inclusive(true)
      ins(%x : tensor<4x9xf32>) outs(%y, %acc : tensor<4x9xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    tm_tensor.yield %s : f32
  } -> tensor<4x9xf32>, tensor<4xf32>
  return %r#1 : tensor<4xf32>
}
