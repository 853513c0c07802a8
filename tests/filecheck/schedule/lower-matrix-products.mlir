// SCHEDULES: lower-matrix-products
// Both factors by 2-d block loads (B lies as n x k: transposed), the epilogue in registers, the
// result by 2-d block stores, which drop what is outside.
// CHECK-LABEL: func.func @k
// CHECK-SAME: memref<4608xf16>
// CHECK: gpu.launch
// CHECK-DAG: xegpu.create_nd_tdesc {{.*}}shape : [64, 72], strides : [72, 1]
// CHECK-DAG: xegpu.create_nd_tdesc {{.*}}shape : [48, 72], strides : [72, 1]
// CHECK: xegpu.prefetch_nd
// CHECK: scf.for
// CHECK: xegpu.load_nd
// CHECK-SAME: vector<8xf16>
// CHECK-COUNT-2: xegpu.load_nd {{.*}}transpose = array<i64: 1, 0>
// CHECK-COUNT-2: xegpu.dpas
// CHECK: arith.cmpf ugt, {{.*}} : vector<8xf32>
// CHECK: xegpu.store_nd {{.*}} !xegpu.tensor_desc<8x16xf16>
module attributes {gpu.container_module} {
func.func @k(%a: tensor<64x72xf16>, %b: tensor<48x72xf16>, %bias: tensor<48xf16>, %o: tensor<64x48xf16>) -> tensor<64x48xf16> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x48xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<64x48xf32>) -> tensor<64x48xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x72xf16>, tensor<48x72xf16>) outs(%f : tensor<64x48xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default",
        knobs = "dpas", work_group = array<i64: 16, 32>, sub_group = array<i64: 8, 32>, k_step = 32 : i64,
        load_a = array<i64: 8, 16>, load_b = array<i64: 16, 16>,
        prefetch_a = array<i64: 8, 16>, prefetch_b = array<i64: 8, 16>,
        prefetch_depth = 1 : i64, dpas = array<i64: 8, 16, 16>, grf = 256 : i64, split_k = 1 : i64}} {
  ^bb0(%x: f16, %y: f16, %s: f32):
    %xx = arith.extf %x : f16 to f32
    %yy = arith.extf %y : f16 to f32
    %m = arith.mulf %xx, %yy : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<64x48xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%p, %bias : tensor<64x48xf32>, tensor<48xf16>) outs(%o : tensor<64x48xf16>) {
  ^bb0(%in: f32, %bi: f16, %oo: f16):
    %be = arith.extf %bi : f16 to f32
    %v0 = arith.addf %in, %be : f32
    %cmp = arith.cmpf ugt, %v0, %z : f32
    %v = arith.select %cmp, %v0, %z : f32
    %t = arith.truncf %v : f32 to f16
    linalg.yield %t : f16
  } -> tensor<64x48xf16>
  return %q : tensor<64x48xf16>
}
}
