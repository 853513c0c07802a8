// SCHEDULES: split-reductions
#all = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#none = affine_map<(d0, d1) -> ()>
#line = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>
// Of two loops the outer one is cut; pieces of one row need no reshaping.
// CHECK-LABEL: func.func @all(
// CHECK: %[[ZERO:.*]] = linalg.fill {{.*}} -> tensor<1024xf32>
// CHECK: %[[P:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]} ins(%arg0 : tensor<1024x3072xf32>) outs(%[[ZERO]]
// CHECK: arith.mulf
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction"]} ins(%[[P]] : tensor<1024xf32>) outs(%arg1 : tensor<f32>)
// CHECK-NOT: arith.mulf
// CHECK: return
func.func @all(%x: tensor<1024x3072xf32>, %init: tensor<f32>) -> tensor<f32> {
  %r = linalg.generic {indexing_maps = [#all, #none], iterator_types = ["reduction", "reduction"]} ins(%x : tensor<1024x3072xf32>) outs(%init : tensor<f32>) {
  ^bb0(%a: f32, %s: f32):
    %m = arith.mulf %a, %a : f32
    %n = arith.addf %m, %s : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}
// A prime number: what is left over goes into the initial value, the rest starts from nothing.
// CHECK-LABEL: func.func @prime(
// CHECK: %[[REST:.*]] = tensor.extract_slice %arg0[65536] [1] [1]
// CHECK: %[[INIT:.*]] = linalg.generic {{.*}} ins(%[[REST]] : tensor<1xi32>) outs(%arg1
// CHECK: %[[MAIN:.*]] = tensor.extract_slice %arg0[0] [65536] [1]
// CHECK: %[[PIECES:.*]] = tensor.expand_shape %[[MAIN]] {{\[}}[0, 1]] output_shape [64, 1024]
// CHECK: %[[ONES:.*]] = arith.constant -1 : i32
// CHECK: linalg.fill ins(%[[ONES]]
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%[[PIECES]] : tensor<64x1024xi32>)
// CHECK: linalg.generic {{.*}} ins(%[[P]] : tensor<64xi32>) outs(%[[INIT]]
func.func @prime(%x: tensor<65537xi32>, %init: tensor<i32>) -> tensor<i32> {
  %r = linalg.generic {indexing_maps = [#line, #scalar], iterator_types = ["reduction"]} ins(%x : tensor<65537xi32>) outs(%init : tensor<i32>) {
  ^bb0(%a: i32, %s: i32):
    %n = arith.andi %s, %a : i32
    linalg.yield %n : i32
  } -> tensor<i32>
  return %r : tensor<i32>
}
// Left alone: a short one, one whose results are many, one that is no plain combination.
// CHECK-LABEL: func.func @alone(
// CHECK-COUNT-3: linalg.generic
// CHECK-NOT: linalg.generic
func.func @alone(%x: tensor<9x32767xf32>, %a: tensor<9xf32>, %y: tensor<4097x32768xf32>, %b: tensor<4097xf32>, %z: tensor<40000xf32>, %c: tensor<f32>) -> (tensor<9xf32>, tensor<4097xf32>, tensor<f32>) {
  %r = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<9x32767xf32>) outs(%a : tensor<9xf32>) {
  ^bb0(%e: f32, %s: f32):
    %n = arith.addf %e, %s : f32
    linalg.yield %n : f32
  } -> tensor<9xf32>
  %q = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]} ins(%y : tensor<4097x32768xf32>) outs(%b : tensor<4097xf32>) {
  ^bb0(%e: f32, %s: f32):
    %n = arith.addf %e, %s : f32
    linalg.yield %n : f32
  } -> tensor<4097xf32>
  %p = linalg.generic {indexing_maps = [#line, #scalar], iterator_types = ["reduction"]} ins(%z : tensor<40000xf32>) outs(%c : tensor<f32>) {
  ^bb0(%e: f32, %s: f32):
    %n = arith.subf %e, %s : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  return %r, %q, %p : tensor<9xf32>, tensor<4097xf32>, tensor<f32>
}
// A small product of great depth: pieces of k are a batch, whose results are added.
// CHECK-LABEL: func.func @deep(
// CHECK: %[[P:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%{{.*}}, %{{.*}} : tensor<20x4x8192xf32>, tensor<4x8192x30xf32>)
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction", "parallel", "parallel"]} ins(%[[P]] : tensor<4x20x30xf32>)
func.func @deep(%x: tensor<20x32768xf32>, %y: tensor<32768x30xf32>, %init: tensor<20x30xf32>) -> tensor<20x30xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<20x32768xf32>, tensor<32768x30xf32>) outs(%init : tensor<20x30xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %m, %s : f32
    linalg.yield %n : f32
  } -> tensor<20x30xf32>
  return %r : tensor<20x30xf32>
}
// Many inner products are work enough, and so is a large result.
// CHECK-LABEL: func.func @shared(
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT: linalg.generic
func.func @shared(%x: tensor<200x32768xf32>, %v: tensor<32768xf32>, %i: tensor<200xf32>, %y: tensor<32768x400xf32>, %j: tensor<200x400xf32>) -> (tensor<200xf32>, tensor<200x400xf32>) {
  %r = linalg.generic {indexing_maps = [#all, affine_map<(d0, d1) -> (d1)>, #row], iterator_types = ["parallel", "reduction"]} ins(%x, %v : tensor<200x32768xf32>, tensor<32768xf32>) outs(%i : tensor<200xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %m, %s : f32
    linalg.yield %n : f32
  } -> tensor<200xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<200x32768xf32>, tensor<32768x400xf32>) outs(%j : tensor<200x400xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %m, %s : f32
    linalg.yield %n : f32
  } -> tensor<200x400xf32>
  return %r, %q : tensor<200xf32>, tensor<200x400xf32>
}
