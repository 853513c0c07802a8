// SCHEDULES: expand-math
// CHECK-LABEL: func @exp_of_a_scalar
// CHECK-NOT: math.exp
// CHECK: math.fma %{{.*}}, %{{.*}}, %{{.*}} : f32
// CHECK: return
func.func @exp_of_a_scalar(%x: f32) -> f32 {
  %y = math.exp %x : f32
  return %y : f32
}
// CHECK-LABEL: func @exp2_of_a_vector
// CHECK-NOT: math.exp2
// CHECK: math.fma %{{.*}}, %{{.*}}, %{{.*}} : vector<4x8xf32>
// CHECK: arith.bitcast %{{.*}} : vector<4x8xi32> to vector<4x8xf32>
// CHECK: return
func.func @exp2_of_a_vector(%x: vector<4x8xf32>) -> vector<4x8xf32> {
  %y = math.exp2 %x : vector<4x8xf32>
  return %y : vector<4x8xf32>
}
// CHECK-LABEL: func @narrow_types_round_once
// CHECK: arith.extf %arg0 : bf16 to f32
// CHECK-NOT: arith.truncf
// CHECK: math.copysign
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK-NEXT: return
func.func @narrow_types_round_once(%x: bf16) -> bf16 {
  %y = math.tanh %x : bf16
  return %y : bf16
}
// CHECK-LABEL: func @small_powers_are_products
// CHECK-NEXT: arith.constant
// CHECK-NEXT: %[[X2:.*]] = arith.mulf %arg0, %arg0 : f32
// CHECK-NEXT: %[[X3:.*]] = arith.mulf %arg0, %[[X2]] : f32
// CHECK-NEXT: return %[[X3]]
func.func @small_powers_are_products(%x: f32) -> f32 {
  %three = arith.constant 3.0 : f32
  %y = math.powf %x, %three : f32
  return %y : f32
}
// Not covered: binary64, vectors of unknown length, exponents that are not known.
// CHECK-LABEL: func @left_alone
// CHECK: math.exp %arg0 : f64
// CHECK: math.exp %arg1 : vector<[4]xf32>
// CHECK: math.fpowi %arg2, %arg3 : f32, i32
// CHECK: math.sqrt %arg2 : f32
func.func @left_alone(%a: f64, %b: vector<[4]xf32>, %c: f32, %d: i32)
    -> (f64, vector<[4]xf32>, f32, f32) {
  %w = math.exp %a : f64
  %x = math.exp %b : vector<[4]xf32>
  %y = math.fpowi %c, %d : f32, i32
  %z = math.sqrt %c : f32
  return %w, %x, %y, %z : f64, vector<[4]xf32>, f32, f32
}
