// SCHEDULES: align-softmaxes
// The total reads exponentials that are split in two: it is made whole, and its result is split.
// CHECK-LABEL: func.func @split
// CHECK: math.exp
// CHECK-NOT: tensor.expand_shape
// CHECK: linalg.generic {{.*}}["parallel", "reduction"]} ins(%{{.*}} : tensor<12x5xf32>) outs(%{{.*}} : tensor<12xf32>)
// CHECK: tensor.expand_shape %{{.*}} {{\[\[}}0, 1]] output_shape [3, 4] : tensor<12xf32> into tensor<3x4xf32>
#id = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#id3 = affine_map<(g, q, k) -> (g, q, k)>
#row3 = affine_map<(g, q, k) -> (g, q)>
#swap3 = affine_map<(g, q, k) -> (q, g)>
func.func @split(%s: tensor<12x5xf32>, %m: tensor<12xf32>) -> tensor<3x4xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<12x5xf32>
  %n = tensor.empty() : tensor<3x4xf32>
  %f = linalg.fill ins(%z : f32) outs(%n : tensor<3x4xf32>) -> tensor<3x4xf32>
  %x = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<12x5xf32>, tensor<12xf32>) outs(%e : tensor<12x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %g = math.exp %d : f32
    linalg.yield %g : f32
  } -> tensor<12x5xf32>
  %y = tensor.expand_shape %x [[0, 1], [2]] output_shape [3, 4, 5] : tensor<12x5xf32> into tensor<3x4x5xf32>
  %t = linalg.generic {indexing_maps = [#id3, #row3], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%y : tensor<3x4x5xf32>) outs(%f : tensor<3x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %g = arith.addf %a, %o : f32
    linalg.yield %g : f32
  } -> tensor<3x4xf32>
  return %t : tensor<3x4xf32>
}

// Units that are added and dropped again do not hide what is split.
// CHECK-LABEL: func.func @units
// CHECK: linalg.generic {{.*}}["parallel", "reduction"]} ins(%{{.*}} : tensor<12x5xf32>)
func.func @units(%s: tensor<12x5xf32>, %m: tensor<12xf32>) -> tensor<3x4xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<12x5xf32>
  %n = tensor.empty() : tensor<3x4xf32>
  %f = linalg.fill ins(%z : f32) outs(%n : tensor<3x4xf32>) -> tensor<3x4xf32>
  %x = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<12x5xf32>, tensor<12xf32>) outs(%e : tensor<12x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %g = math.exp %d : f32
    linalg.yield %g : f32
  } -> tensor<12x5xf32>
  %u = tensor.expand_shape %x [[0, 1, 2, 3], [4]] output_shape [1, 3, 1, 4, 5] : tensor<12x5xf32> into tensor<1x3x1x4x5xf32>
  %y = tensor.collapse_shape %u [[0, 1], [2, 3], [4]] : tensor<1x3x1x4x5xf32> into tensor<3x4x5xf32>
  %t = linalg.generic {indexing_maps = [#id3, #row3], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%y : tensor<3x4x5xf32>) outs(%f : tensor<3x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %g = arith.addf %a, %o : f32
    linalg.yield %g : f32
  } -> tensor<3x4xf32>
  return %t : tensor<3x4xf32>
}

// Scores that are put together for their softmax are not.
// CHECK-LABEL: func.func @joined
// CHECK: linalg.generic {{.*}}["parallel", "parallel", "reduction"]} ins(%arg0 : tensor<3x4x5xf32>)
// CHECK: linalg.generic {{.*}}["parallel", "parallel", "parallel"]} ins(%arg0, %{{.*}} : tensor<3x4x5xf32>, tensor<3x4xf32>)
// CHECK: math.exp
func.func @joined(%s: tensor<3x4x5xf32>) -> tensor<12x5xf32> {
  %z = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<12x5xf32>
  %n = tensor.empty() : tensor<12xf32>
  %f = linalg.fill ins(%z : f32) outs(%n : tensor<12xf32>) -> tensor<12xf32>
  %c = tensor.collapse_shape %s [[0, 1], [2]] : tensor<3x4x5xf32> into tensor<12x5xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%c : tensor<12x5xf32>) outs(%f : tensor<12xf32>) {
  ^bb0(%a: f32, %o: f32):
    %g = arith.maximumf %a, %o : f32
    linalg.yield %g : f32
  } -> tensor<12xf32>
  %x = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%c, %m : tensor<12x5xf32>, tensor<12xf32>) outs(%e : tensor<12x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %g = math.exp %d : f32
    linalg.yield %g : f32
  } -> tensor<12x5xf32>
  return %x : tensor<12x5xf32>
}

// A reader that turns the parts round keeps them.
// CHECK-LABEL: func.func @turned
// CHECK: tensor.expand_shape %{{.*}} into tensor<3x4x5xf32>
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<3x4x5xf32>)
func.func @turned(%s: tensor<12x5xf32>, %m: tensor<12xf32>) -> tensor<4x3xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<12x5xf32>
  %n = tensor.empty() : tensor<4x3xf32>
  %f = linalg.fill ins(%z : f32) outs(%n : tensor<4x3xf32>) -> tensor<4x3xf32>
  %x = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<12x5xf32>, tensor<12xf32>) outs(%e : tensor<12x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %g = math.exp %d : f32
    linalg.yield %g : f32
  } -> tensor<12x5xf32>
  %y = tensor.expand_shape %x [[0, 1], [2]] output_shape [3, 4, 5] : tensor<12x5xf32> into tensor<3x4x5xf32>
  %t = linalg.generic {indexing_maps = [#id3, #swap3], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%y : tensor<3x4x5xf32>) outs(%f : tensor<4x3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %g = arith.addf %a, %o : f32
    linalg.yield %g : f32
  } -> tensor<4x3xf32>
  return %t : tensor<4x3xf32>
}
