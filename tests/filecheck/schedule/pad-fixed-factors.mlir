// SCHEDULES: pad-fixed-factors
// The weight's rows of 37 elements get zeros behind them, up to whole cache lines; the product reads
// the weight as a part of the copy. The other factor is no weight: it is copied at each call.
// CHECK-LABEL: func.func @main
// CHECK: %[[PADDED:.*]] = linalg.generic {{.*}} outs({{.*}} : tensor<259x64xf16>)
// CHECK: %[[WEIGHT:.*]] = tensor.extract_slice %[[PADDED]][0, 0] [259, 37] [1, 1]
// CHECK: linalg.generic {{.*}} ins(%arg0, %[[WEIGHT]] : tensor<257x37xf16>, tensor<259x37xf16>)
// CHECK-SAME: bellrock.padded = array<i64: 1>
// Rows of 40 elements can be loaded as they are, and rows of 5 would make the copy six times as large.
// CHECK-LABEL: func.func @as_they_are
// CHECK-NOT: tensor.extract_slice
// CHECK: return
func.func @main(%x: tensor<257x37xf16>, %w: tensor<259x37xf16> {bellrock.fixed}, %x2: tensor<257x40xf16>, %w2: tensor<259x40xf16> {bellrock.fixed}) -> (tensor<257x259xf32>, tensor<257x259xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<257x259xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<257x259xf32>) -> tensor<257x259xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<257x37xf16>, tensor<259x37xf16>) outs(%f : tensor<257x259xf32>)
      attrs = {bellrock.choice = {by = "default",
        knobs = "dpas", work_group = array<i64: 8, 16>, sub_group = array<i64: 8, 16>, k_step = 32 : i64,
        load_a = array<i64: 16, 16>, load_b = array<i64: 16, 16>,
        prefetch_a = array<i64: 8, 16>, prefetch_b = array<i64: 8, 16>,
        prefetch_depth = 1 : i64, dpas = array<i64: 8, 16, 16>, grf = 256 : i64, split_k = 1 : i64}} {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %aa = arith.extf %a : f16 to f32
    %bb = arith.extf %b : f16 to f32
    %m = arith.mulf %aa, %bb : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<257x259xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x2, %w2 : tensor<257x40xf16>, tensor<259x40xf16>) outs(%f : tensor<257x259xf32>)
      attrs = {bellrock.choice = {by = "default",
        knobs = "dpas", work_group = array<i64: 8, 16>, sub_group = array<i64: 8, 16>, k_step = 32 : i64,
        load_a = array<i64: 16, 16>, load_b = array<i64: 16, 16>,
        prefetch_a = array<i64: 8, 16>, prefetch_b = array<i64: 8, 16>,
        prefetch_depth = 1 : i64, dpas = array<i64: 8, 16, 16>, grf = 256 : i64, split_k = 1 : i64}} {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %aa = arith.extf %a : f16 to f32
    %bb = arith.extf %b : f16 to f32
    %m = arith.mulf %aa, %bb : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<257x259xf32>
  return %r, %q : tensor<257x259xf32>, tensor<257x259xf32>
}

func.func @as_they_are(%x: tensor<257x40xf16>, %w: tensor<259x40xf16> {bellrock.fixed}, %x2: tensor<257x5xf16>, %w2: tensor<259x5xf16> {bellrock.fixed}) -> (tensor<257x259xf32>, tensor<257x259xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<257x259xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<257x259xf32>) -> tensor<257x259xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<257x40xf16>, tensor<259x40xf16>) outs(%f : tensor<257x259xf32>)
      attrs = {bellrock.choice = {by = "default",
        knobs = "dpas", work_group = array<i64: 8, 16>, sub_group = array<i64: 8, 16>, k_step = 32 : i64,
        load_a = array<i64: 16, 16>, load_b = array<i64: 16, 16>,
        prefetch_a = array<i64: 8, 16>, prefetch_b = array<i64: 8, 16>,
        prefetch_depth = 1 : i64, dpas = array<i64: 8, 16, 16>, grf = 256 : i64, split_k = 1 : i64}} {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %aa = arith.extf %a : f16 to f32
    %bb = arith.extf %b : f16 to f32
    %m = arith.mulf %aa, %bb : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<257x259xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x2, %w2 : tensor<257x5xf16>, tensor<259x5xf16>) outs(%f : tensor<257x259xf32>)
      attrs = {bellrock.choice = {by = "default",
        knobs = "dpas", work_group = array<i64: 8, 16>, sub_group = array<i64: 8, 16>, k_step = 32 : i64,
        load_a = array<i64: 16, 16>, load_b = array<i64: 16, 16>,
        prefetch_a = array<i64: 8, 16>, prefetch_b = array<i64: 8, 16>,
        prefetch_depth = 1 : i64, dpas = array<i64: 8, 16, 16>, grf = 256 : i64, split_k = 1 : i64}} {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %aa = arith.extf %a : f16 to f32
    %bb = arith.extf %b : f16 to f32
    %m = arith.mulf %aa, %bb : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<257x259xf32>
  return %r, %q : tensor<257x259xf32>, tensor<257x259xf32>
}
