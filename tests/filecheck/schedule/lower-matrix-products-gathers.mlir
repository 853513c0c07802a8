// SCHEDULES: lower-matrix-products
// Rows of 18 and 14 bytes, which block loads refuse: element by element, zero beyond the depth,
// and only elements of the result are written.
// CHECK-LABEL: func.func @k
// CHECK-NOT: xegpu.create_nd_tdesc
// CHECK: gpu.launch
// CHECK: arith.minsi
// CHECK-COUNT-8: memref.load
// CHECK: arith.select {{.*}} vector<8xbf16>
// CHECK-COUNT-16: memref.load
// CHECK: arith.select {{.*}} vector<16xbf16>
// CHECK: xegpu.dpas {{.*}} : vector<8xbf16>, vector<16xbf16>, vector<8xf32>
// CHECK: scf.if
// CHECK: memref.store
module attributes {gpu.container_module} {
func.func @k(%a: tensor<5x9xbf16>, %b: tensor<9x7xbf16>, %bias: tensor<7xbf16>, %o: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%z : f32) outs(%o : tensor<5x7xf32>) -> tensor<5x7xf32>
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
  return %p : tensor<5x7xf32>
}
}
