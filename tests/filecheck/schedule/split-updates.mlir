// SCHEDULES: split-updates
// The quotients of a pooling's image are computed once, not once for each window that sees them.
// CHECK-DAG: #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1 + d2, d3)>
// CHECK-LABEL: func.func @windows
// CHECK: %[[Q:.*]] = linalg.generic {{.*}}["parallel", "parallel", "parallel"]} ins(%arg0, %arg1 : tensor<5x9x3xf32>, tensor<9x3xf32>)
// CHECK: arith.divf
// CHECK: linalg.generic {indexing_maps = [#[[IMAGE]], {{.*}} ins(%[[Q]], %arg2 : tensor<5x9x3xf32>, tensor<2xf32>)
// CHECK-NOT: arith.divf
// CHECK: return
func.func @windows(%x: tensor<5x9x3xf32>, %s: tensor<9x3xf32>, %w: tensor<2xf32>, %o: tensor<5x8x3xf32>) -> tensor<5x8x3xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(c, i, w, j) -> (c, i + w, j)>, affine_map<(c, i, w, j) -> (i + w, j)>, affine_map<(c, i, w, j) -> (w)>, affine_map<(c, i, w, j) -> (c, i, j)>], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%x, %s, %w : tensor<5x9x3xf32>, tensor<9x3xf32>, tensor<2xf32>) outs(%o : tensor<5x8x3xf32>) {
  ^bb0(%a: f32, %b: f32, %n: f32, %c: f32):
    %q = arith.divf %a, %b : f32
    %m = arith.maximumf %q, %c : f32
    linalg.yield %m : f32
  } -> tensor<5x8x3xf32>
  return %r : tensor<5x8x3xf32>
}

// The loss of each row is gathered by an op without a reduction.
// CHECK-LABEL: func.func @gathered
// CHECK: %[[G:.*]] = linalg.generic {{.*}}["parallel"]} ins(%arg1 : tensor<6xindex>)
// CHECK: linalg.index 0
// CHECK: tensor.extract %arg0
// CHECK: linalg.generic {{.*}}["reduction"]} ins(%[[G]] : tensor<6xf32>)
// CHECK-NOT: tensor.extract
// CHECK: return
func.func @gathered(%x: tensor<6x40xf32>, %k: tensor<6xindex>, %o: tensor<f32>) -> tensor<f32> {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%k : tensor<6xindex>) outs(%o : tensor<f32>) {
  ^bb0(%a: index, %c: f32):
    %i = linalg.index 0 : index
    %v = tensor.extract %x[%i, %a] : tensor<6x40xf32>
    %n = arith.negf %v : f32
    %t = arith.addf %n, %c : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}

// The gathered rows of a bag are more than anything that is read for them.
// CHECK-LABEL: func.func @bag
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @bag(%x: tensor<40x8xf32>, %k: tensor<6x5xindex>, %o: tensor<6x8xf32>) -> tensor<6x8xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(i, n, d) -> (i, n)>, affine_map<(i, n, d) -> (i, d)>], iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%k : tensor<6x5xindex>) outs(%o : tensor<6x8xf32>) {
  ^bb0(%a: index, %c: f32):
    %d = linalg.index 2 : index
    %v = tensor.extract %x[%a, %d] : tensor<40x8xf32>
    %t = arith.addf %v, %c : f32
    linalg.yield %t : f32
  } -> tensor<6x8xf32>
  return %r : tensor<6x8xf32>
}

// A plain pooling, and a reduction without windows, stay as they are.
// CHECK-LABEL: func.func @plain
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @plain(%x: tensor<9xf32>, %w: tensor<2xf32>, %o: tensor<8xf32>) -> tensor<8xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(i, w) -> (i + w)>, affine_map<(i, w) -> (w)>, affine_map<(i, w) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : tensor<9xf32>, tensor<2xf32>) outs(%o : tensor<8xf32>) {
  ^bb0(%a: f32, %n: f32, %c: f32):
    %m = arith.maximumf %a, %c : f32
    linalg.yield %m : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}
