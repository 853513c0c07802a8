// SCHEDULES: lower-flash-attention
// Queries are half of rows that start where an argument says: both are part of how they are read.
// CHECK-LABEL: func @attention
// CHECK-SAME: (%arg0: memref<1024xf32>, %[[AT:.*]]: index, %arg2: memref<1024xf32>, %arg3: memref<1024xf32>, %arg4: memref<512xf32>)
// CHECK: %[[OFFSET:.*]] = arith.muli %[[AT]]
// CHECK: scf.forall
// CHECK: arith.addi %[[OFFSET]]
// CHECK: %[[ROW:.*]] = vector.maskedload %arg0
// CHECK: arith.mulf %[[ROW]]
// CHECK: vector.shuffle
// CHECK-NOT: linalg
#q = affine_map<(b, q, k, d) -> (b, q, d)>
#k = affine_map<(b, q, k, d) -> (b, k, d)>
#s = affine_map<(b, q, k, d) -> (b, q, k)>
#id = affine_map<(b, q, k) -> (b, q, k)>
#row = affine_map<(b, q, k) -> (b, q)>
#p = affine_map<(b, q, f, k) -> (b, q, k)>
#t = affine_map<(b, q, f, k) -> (b, q)>
#v = affine_map<(b, q, f, k) -> (b, k, f)>
#o = affine_map<(b, q, f, k) -> (b, q, f)>
func.func @attention(%x: tensor<2x64x8xf32>, %at: index, %k: tensor<2x64x8xf32>, %v: tensor<2x64x8xf32>,
                     %out: tensor<2x32x8xf32>) -> tensor<2x32x8xf32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %part = tensor.extract_slice %x[0, %at, 0] [2, 32, 8] [1, 1, 1] : tensor<2x64x8xf32> to tensor<2x32x8xf32>
  %eq = tensor.empty() : tensor<2x32x8xf32>
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%part : tensor<2x32x8xf32>) outs(%eq : tensor<2x32x8xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.mulf %a, %half : f32
    linalg.yield %0 : f32
  } -> tensor<2x32x8xf32>
  %low = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<2x32x64xf32>
  %e1 = tensor.empty() : tensor<2x32xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x32x64xf32>) -> tensor<2x32x64xf32>
  %s = linalg.generic {indexing_maps = [#q, #k, #s],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x32x8xf32>, tensor<2x64x8xf32>) outs(%f0 : tensor<2x32x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
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
  %f3 = linalg.fill ins(%zero : f32) outs(%out : tensor<2x32x8xf32>) -> tensor<2x32x8xf32>
  %o = linalg.generic {indexing_maps = [#p, #t, #v, #o],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %t, %v : tensor<2x32x64xf32>, tensor<2x32xf32>, tensor<2x64x8xf32>)
      outs(%f3 : tensor<2x32x8xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", keys = 48 : i64,
        knobs = "flash-attention", lanes = 16 : i64, parallel = true, rows = 4 : i64,
        vectors = 2 : i64}} {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32):
    %0 = arith.divf %a, %b : f32
    %1 = arith.mulf %0, %c : f32
    %2 = arith.addf %d, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<2x32x8xf32>
  return %o : tensor<2x32x8xf32>
}
