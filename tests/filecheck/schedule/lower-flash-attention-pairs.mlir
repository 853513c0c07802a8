// SCHEDULES: lower-flash-attention
// Keys and values are joined into pairs of bf16 along what is summed, and so are the exponentials: weights that the
// model rounds to bf16. Sums, maxima and totals are of f32, and the result is narrowed as it is stored.
// CHECK-LABEL: func @attention
// CHECK-SAME: (%arg0: memref<512xbf16>, %arg1: memref<1024xbf16>, %arg2: memref<1024xbf16>, %arg3: memref<512xbf16>)
// CHECK: scf.forall
// CHECK: vector.shuffle
// CHECK: x86.avx512.dot
// CHECK: math.exp
// CHECK: arith.truncf {{.*}} : vector<16xf32> to vector<16xbf16>
// CHECK: vector.interleave
// CHECK: x86.avx512.dot
// CHECK: vector.shuffle
// CHECK: arith.truncf
// CHECK: vector.maskedstore
// CHECK-NOT: linalg
#q = affine_map<(b, q, k, d) -> (b, q, d)>
#k = affine_map<(b, q, k, d) -> (b, k, d)>
#s = affine_map<(b, q, k, d) -> (b, q, k)>
#id = affine_map<(b, q, k) -> (b, q, k)>
#row = affine_map<(b, q, k) -> (b, q)>
#p = affine_map<(b, q, f, k) -> (b, q, k)>
#v = affine_map<(b, q, f, k) -> (b, k, f)>
#o = affine_map<(b, q, f, k) -> (b, q, f)>
func.func @attention(%q: tensor<2x32x8xbf16>, %k: tensor<2x64x8xbf16>, %v: tensor<2x64x8xbf16>,
                     %out: tensor<2x32x8xbf16>) -> tensor<2x32x8xbf16> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<2x32x64xf32>
  %e1 = tensor.empty() : tensor<2x32xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x32x64xf32>) -> tensor<2x32x64xf32>
  %s = linalg.generic {indexing_maps = [#q, #k, #s],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x32x8xbf16>, tensor<2x64x8xbf16>) outs(%f0 : tensor<2x32x64xf32>) {
  ^bb0(%a: bf16, %b: bf16, %c: f32):
    %x = arith.extf %a : bf16 to f32
    %y = arith.extf %b : bf16 to f32
    %0 = arith.mulf %x, %y : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x32x64xf32>
  %masked = linalg.generic {indexing_maps = [#id, #id],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x32x64xf32>) outs(%e0 : tensor<2x32x64xf32>) {
  ^bb0(%a: f32, %c: f32):
    %query = linalg.index 1 : index
    %key = linalg.index 2 : index
    %seen = arith.cmpi sle, %key, %query : index
    %0 = arith.select %seen, %a, %low : f32
    linalg.yield %0 : f32
  } -> tensor<2x32x64xf32>
  %f1 = linalg.fill ins(%low : f32) outs(%e1 : tensor<2x32xf32>) -> tensor<2x32xf32>
  %m = linalg.generic {indexing_maps = [#id, #row],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%masked : tensor<2x32x64xf32>) outs(%f1 : tensor<2x32xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.maximumf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<2x32xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%masked, %m : tensor<2x32x64xf32>, tensor<2x32xf32>) outs(%e0 : tensor<2x32x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x32x64xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x32xf32>) -> tensor<2x32xf32>
  %t = linalg.generic {indexing_maps = [#id, #row],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%p : tensor<2x32x64xf32>) outs(%f2 : tensor<2x32xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<2x32xf32>
  %ew = tensor.empty() : tensor<2x32x64xbf16>
  %w = linalg.generic {indexing_maps = [#id, #row, #id],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p, %t : tensor<2x32x64xf32>, tensor<2x32xf32>) outs(%ew : tensor<2x32x64xbf16>) {
  ^bb0(%a: f32, %b: f32, %c: bf16):
    %0 = arith.divf %a, %b : f32
    %1 = arith.truncf %0 : f32 to bf16
    linalg.yield %1 : bf16
  } -> tensor<2x32x64xbf16>
  %e2 = tensor.empty() : tensor<2x32x8xf32>
  %f3 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x32x8xf32>) -> tensor<2x32x8xf32>
  %o = linalg.generic {indexing_maps = [#p, #v, #o],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%w, %v : tensor<2x32x64xbf16>, tensor<2x64x8xbf16>)
      outs(%f3 : tensor<2x32x8xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", keys = 48 : i64,
        knobs = "flash-attention", lanes = 16 : i64, pairs = true, parallel = true, rows = 4 : i64,
        vectors = 2 : i64}} {
  ^bb0(%a: bf16, %b: bf16, %c: f32):
    %x = arith.extf %a : bf16 to f32
    %y = arith.extf %b : bf16 to f32
    %0 = arith.mulf %x, %y : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x32x8xf32>
  %n = linalg.generic {indexing_maps = [#id, #id],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%o : tensor<2x32x8xf32>) outs(%out : tensor<2x32x8xbf16>) {
  ^bb0(%a: f32, %c: bf16):
    %0 = arith.truncf %a : f32 to bf16
    linalg.yield %0 : bf16
  } -> tensor<2x32x8xbf16>
  return %n : tensor<2x32x8xbf16>
}
