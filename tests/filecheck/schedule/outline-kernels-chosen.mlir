// SCHEDULES: outline-kernels
// What is looked up in a table is no code of a lane: it does not join a product on matrix engines,
// the absolute value does. A product that is computed in another way takes both.
// CHECK-LABEL: func.func @engines
// CHECK: call @[[PRODUCT:k_contraction_[0-9a-f]+]]
// CHECK: call @[[LOOKED_UP:k_elementwise_[0-9a-f]+]]
// CHECK-LABEL: func.func @loops
// CHECK: call @[[BOTH:k_contraction_[0-9a-f]+]]
// CHECK-NOT: call
// CHECK: return
// CHECK: func.func private @[[PRODUCT]]
// CHECK: math.absf
// CHECK: func.func private @[[LOOKED_UP]]
// CHECK-NOT: math.absf
// CHECK: tensor.extract
// CHECK: func.func private @[[BOTH]]
// CHECK: math.absf
// CHECK: tensor.extract
func.func @engines(%a: tensor<5x9xbf16>, %b: tensor<9x7xbf16>, %rows: tensor<5xindex>, %table: tensor<20x7xf32>) -> tensor<5x7xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<5x9xbf16>, tensor<9x7xbf16>) outs(%f : tensor<5x7xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "dpas"}} {
  ^bb0(%x: bf16, %y: bf16, %s: f32):
    %xx = arith.extf %x : bf16 to f32
    %yy = arith.extf %y : bf16 to f32
    %m = arith.mulf %xx, %yy : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]} ins(%p : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%in: f32, %s: f32):
    %r = math.absf %in : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]} ins(%q, %rows : tensor<5x7xf32>, tensor<5xindex>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%in: f32, %row: index, %s: f32):
    %column = linalg.index 1 : index
    %other = tensor.extract %table[%row, %column] : tensor<20x7xf32>
    %r = arith.addf %in, %other : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  return %t : tensor<5x7xf32>
}
func.func @loops(%a: tensor<5x9xbf16>, %b: tensor<9x7xbf16>, %rows: tensor<5xindex>, %table: tensor<20x7xf32>) -> tensor<5x7xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<5x9xbf16>, tensor<9x7xbf16>) outs(%f : tensor<5x7xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "simt"}} {
  ^bb0(%x: bf16, %y: bf16, %s: f32):
    %xx = arith.extf %x : bf16 to f32
    %yy = arith.extf %y : bf16 to f32
    %m = arith.mulf %xx, %yy : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]} ins(%p : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%in: f32, %s: f32):
    %r = math.absf %in : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]} ins(%q, %rows : tensor<5x7xf32>, tensor<5xindex>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%in: f32, %row: index, %s: f32):
    %column = linalg.index 1 : index
    %other = tensor.extract %table[%row, %column] : tensor<20x7xf32>
    %r = arith.addf %in, %other : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  return %t : tensor<5x7xf32>
}
