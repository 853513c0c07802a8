// SCHEDULES: hoist-invariants
// The logarithm of a pixel's sum is taken once, not for each channel.
// CHECK-LABEL: func.func @pixels
// CHECK: %[[L:.*]] = linalg.generic {{.*}} ins(%arg1 : tensor<99xf32>)
// CHECK: math.log
// CHECK: linalg.generic {{.*}} ins(%arg0, %[[L]] : tensor<21x99xf32>, tensor<99xf32>)
// CHECK-NOT: math.log
// CHECK: arith.subf
#full = affine_map<(c, p) -> (c, p)>
#pixel = affine_map<(c, p) -> (p)>
func.func @pixels(%x: tensor<21x99xf32>, %s: tensor<99xf32>) -> tensor<21x99xf32> {
  %e = tensor.empty() : tensor<21x99xf32>
  %r = linalg.generic {indexing_maps = [#full, #pixel, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<21x99xf32>, tensor<99xf32>) outs(%e : tensor<21x99xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %l = math.log %b : f32
    %0 = arith.subf %a, %l : f32
    linalg.yield %0 : f32
  } -> tensor<21x99xf32>
  return %r : tensor<21x99xf32>
}

// A quotient becomes a product; what the body still needs itself stays an input.
// CHECK-LABEL: func.func @quotient
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%arg1 : tensor<99xf32>)
// CHECK: arith.divf
// CHECK: linalg.generic {{.*}} ins(%arg0, %arg1, %[[R]]
// CHECK-NOT: arith.divf
// CHECK: arith.mulf
func.func @quotient(%x: tensor<21x99xf32>, %s: tensor<99xf32>) -> tensor<21x99xf32> {
  %e = tensor.empty() : tensor<21x99xf32>
  %r = linalg.generic {indexing_maps = [#full, #pixel, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<21x99xf32>, tensor<99xf32>) outs(%e : tensor<21x99xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %0 = arith.divf %d, %b : f32
    linalg.yield %0 : f32
  } -> tensor<21x99xf32>
  return %r : tensor<21x99xf32>
}

// Not: what is new at each element, what is cheap, what few elements share.
// CHECK-LABEL: func.func @kept
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT: linalg.generic
func.func @kept(%x: tensor<21x99xf32>, %s: tensor<99xf32>, %y: tensor<3x99xf32>) -> (tensor<21x99xf32>, tensor<3x99xf32>) {
  %e = tensor.empty() : tensor<21x99xf32>
  %r = linalg.generic {indexing_maps = [#full, #pixel, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<21x99xf32>, tensor<99xf32>) outs(%e : tensor<21x99xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %b, %b : f32
    %d = arith.subf %a, %m : f32
    %0 = math.exp %d : f32
    linalg.yield %0 : f32
  } -> tensor<21x99xf32>
  %f = tensor.empty() : tensor<3x99xf32>
  %q = linalg.generic {indexing_maps = [#full, #pixel, #full], iterator_types = ["parallel", "parallel"]}
      ins(%y, %s : tensor<3x99xf32>, tensor<99xf32>) outs(%f : tensor<3x99xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %l = math.log %b : f32
    %0 = arith.subf %a, %l : f32
    linalg.yield %0 : f32
  } -> tensor<3x99xf32>
  return %r, %q : tensor<21x99xf32>, tensor<3x99xf32>
}
