// SCHEDULES: sorts-to-loops
// A single line has no loop around it: the host would fold that, and keep the slices.
// CHECK-LABEL: func.func @one
// CHECK-NOT: scf.forall
// CHECK: tensor.collapse_shape
// CHECK-NOT: scf.forall
// CHECK: tensor.expand_shape
func.func @one(%x: tensor<1x9xf32>) -> tensor<1x9xf32> {
  %r = tm_tensor.sort dimension(1) outs(%x : tensor<1x9xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.cmpf ole, %a, %b : f32
    tm_tensor.yield %s : i1
  } -> tensor<1x9xf32>
  return %r : tensor<1x9xf32>
}
