// SCHEDULES: expand-math(scales=1)
// One op multiplies by the power of two: a scalar, or a whole register of them.
// CHECK-LABEL: func @exp_of_a_scalar
// CHECK: llvm.intr.ldexp(%{{.*}}, %{{.*}}) : (f32, i32) -> f32
// CHECK-NEXT: return
func.func @exp_of_a_scalar(%x: f32) -> f32 {
  %y = math.exp %x : f32
  return %y : f32
}
// CHECK-LABEL: func @exp_of_a_line
// CHECK: %[[P:.*]] = arith.addf
// CHECK: x86.avx512.mask.scalef %[[P]], %{{.*}}, %[[P]]
// CHECK-NEXT: return
func.func @exp_of_a_line(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}
// CHECK-LABEL: func @exp_of_a_short_line
// CHECK-NOT: scalef
// CHECK: return
func.func @exp_of_a_short_line(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.exp %x : vector<8xf32>
  return %y : vector<8xf32>
}
