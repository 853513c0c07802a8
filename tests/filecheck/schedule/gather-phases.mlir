// SCHEDULES: gather-phases
// Four taps at a spread of two: each phase meets two. The first result is of the second phase.
// CHECK-LABEL: func.func @spread
// CHECK: tensor.insert_slice %arg0 into %{{.*}}[0, 0, 1] [1, 3, 5] [1, 1, 1] {bellrock.pad} : tensor<1x3x5xf16> into tensor<1x3x7xf16>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<2x4x3x2xf16>)
// CHECK: tensor.extract %arg1
// CHECK: arith.select
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x3x7xf16>, tensor<2x4x3x2xf16>) outs(%{{.*}} : tensor<1x4x6x2xf32>)
// CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0], [1], [2, 3]] : tensor<1x4x6x2xf32> into tensor<1x4x12xf32>
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 1] [1, 4, 10] [1, 1, 1]
#image = affine_map<(n, f, o, c, k) -> (n, c, o + k)>
#gaps = affine_map<(n, f, o, c, k) -> (n, c, o + k * 2)>
#filter = affine_map<(n, f, o, c, k) -> (f, c, k)>
#result = affine_map<(n, f, o, c, k) -> (n, f, o)>
func.func @spread(%x: tensor<1x3x5xf16>, %w: tensor<4x3x4xf16>) -> tensor<1x4x10xf32> {
  %h = arith.constant 0.0 : f16
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x3x13xf16>
  %f = linalg.fill ins(%h : f16) outs(%e : tensor<1x3x13xf16>) -> tensor<1x3x13xf16>
  %p = tensor.insert_slice %x into %f[0, 0, 2] [1, 3, 5] [1, 1, 2] : tensor<1x3x5xf16> into tensor<1x3x13xf16>
  %o = tensor.empty() : tensor<1x4x10xf32>
  %i = linalg.fill ins(%z : f32) outs(%o : tensor<1x4x10xf32>) -> tensor<1x4x10xf32>
  %r = linalg.generic {indexing_maps = [#image, #filter, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%p, %w : tensor<1x3x13xf16>, tensor<4x3x4xf16>) outs(%i : tensor<1x4x10xf32>) {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %g = arith.extf %a : f16 to f32
    %c = arith.extf %b : f16 to f32
    %m = arith.mulf %g, %c : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x4x10xf32>
  return %r : tensor<1x4x10xf32>
}

// Taps with gaps between them are left alone.
// CHECK-LABEL: func.func @dilated
// CHECK: tensor.insert_slice %{{.*}} [1, 3, 5] [1, 1, 2]
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
func.func @dilated(%x: tensor<1x3x5xf16>, %w: tensor<4x3x4xf16>) -> tensor<1x4x7xf32> {
  %h = arith.constant 0.0 : f16
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x3x13xf16>
  %f = linalg.fill ins(%h : f16) outs(%e : tensor<1x3x13xf16>) -> tensor<1x3x13xf16>
  %p = tensor.insert_slice %x into %f[0, 0, 2] [1, 3, 5] [1, 1, 2] : tensor<1x3x5xf16> into tensor<1x3x13xf16>
  %o = tensor.empty() : tensor<1x4x7xf32>
  %i = linalg.fill ins(%z : f32) outs(%o : tensor<1x4x7xf32>) -> tensor<1x4x7xf32>
  %r = linalg.generic {indexing_maps = [#gaps, #filter, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%p, %w : tensor<1x3x13xf16>, tensor<4x3x4xf16>) outs(%i : tensor<1x4x7xf32>) {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %g = arith.extf %a : f16 to f32
    %c = arith.extf %b : f16 to f32
    %m = arith.mulf %g, %c : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x4x7xf32>
  return %r : tensor<1x4x7xf32>
}
