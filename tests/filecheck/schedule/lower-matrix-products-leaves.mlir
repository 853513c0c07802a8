// SCHEDULES: lower-matrix-products
// A row of the result is summed up after the product: left as it is, for the generic path.
// CHECK-LABEL: func.func @k
// CHECK-SAME: tensor<5x9xbf16>
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT: gpu.launch
module attributes {gpu.container_module} {
func.func @k(%a: tensor<5x9xbf16>, %b: tensor<9x7xbf16>, %bias: tensor<7xbf16>, %o: tensor<5xf32>) -> tensor<5xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<5x9xbf16>, tensor<9x7xbf16>) outs(%f : tensor<5x7xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default",
        knobs = "dpas", work_group = array<i64: 8, 16>, sub_group = array<i64: 8, 16>, k_step = 32 : i64,
        load_a = array<i64: 16, 16>, load_b = array<i64: 16, 16>,
        prefetch_a = array<i64: 8, 16>, prefetch_b = array<i64: 8, 16>,
        prefetch_depth = 1 : i64, dpas = array<i64: 8, 16, 16>, grf = 256 : i64, split_k = 1 : i64}} {
  ^bb0(%x: bf16, %y: bf16, %s: f32):
    %xx = arith.extf %x : bf16 to f32
    %yy = arith.extf %y : bf16 to f32
    %m = arith.mulf %xx, %yy : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>],
      iterator_types = ["parallel", "reduction"]} ins(%p : tensor<5x7xf32>) outs(%o : tensor<5xf32>) {
  ^bb0(%in: f32, %s: f32):
    %r = arith.addf %in, %s : f32
    linalg.yield %r : f32
  } -> tensor<5xf32>
  return %q : tensor<5xf32>
}
}
