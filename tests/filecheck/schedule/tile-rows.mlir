// SCHEDULES: tile-rows
// Both ops of the kernel are cut together along their rows, each once; 101 rows are six blocks
// of 16 and what is left; an index counts from the start of the loop.
// CHECK-LABEL: func.func @kernel
// CHECK: %[[MAIN:.*]] = scf.forall (%[[I:.*]]) = (0) to (96) step (16) shared_outs(%[[OUT:.*]] = %arg1)
// CHECK: %[[X:.*]] = tensor.extract_slice %arg0[%[[I]], 0] [16, 128] [1, 1]
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}}"reduction"]} ins(%[[X]]
// CHECK-NOT: bellrock
// CHECK: %[[ROW:.*]] = linalg.index 0
// CHECK-NEXT: arith.addi %[[ROW]], %[[I]]
// CHECK: scf.forall.in_parallel
// CHECK: tensor.parallel_insert_slice {{.*}} into %[[OUT]][%[[I]], 0] [16, 128]
// CHECK: scf.forall (%{{.*}}) = (96) to (101) step (5) shared_outs(%{{.*}} = %[[MAIN]])
// CHECK: tensor.parallel_insert_slice {{.*}} [5, 128]
// CHECK-NOT: scf.forall
#full = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @kernel(%x: tensor<101x128xf32>, %out: tensor<101x128xf32>) -> tensor<101x128xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<101xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<101xf32>) -> tensor<101xf32>
  %s = linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<101x128xf32>) outs(%init : tensor<101xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", knobs = "rows", cache_bytes = 65536 : i64, columns = 1024 : i64, iterations = 16384 : i64, blocks = 4 : i64}} {
  ^bb0(%in: f32, %acc: f32):
    %a = arith.addf %in, %acc : f32
    linalg.yield %a : f32
  } -> tensor<101xf32>
  %r = linalg.generic {indexing_maps = [#full, #row, #full], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<101x128xf32>, tensor<101xf32>) outs(%out : tensor<101x128xf32>) {
  ^bb0(%in: f32, %sum: f32, %o: f32):
    %i = linalg.index 0 : index
    %k = arith.index_cast %i : index to i32
    %f = arith.sitofp %k : i32 to f32
    %d = arith.divf %in, %sum : f32
    %e = arith.addf %d, %f : f32
    linalg.yield %e : f32
  } -> tensor<101x128xf32>
  return %r : tensor<101x128xf32>
}
