// SCHEDULES: expand-math(scales=1)
// One op multiplies a scalar by the power of two; it takes no vectors.
// CHECK-LABEL: func @exp_of_a_scalar
// CHECK: llvm.intr.ldexp(%{{.*}}, %{{.*}}) : (f32, i32) -> f32
// CHECK-NEXT: return
func.func @exp_of_a_scalar(%x: f32) -> f32 {
  %y = math.exp %x : f32
  return %y : f32
}
// CHECK-LABEL: func @exp_of_a_line
// CHECK-NOT: llvm.intr.ldexp
// CHECK: return
func.func @exp_of_a_line(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}
