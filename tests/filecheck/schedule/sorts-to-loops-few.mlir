// SCHEDULES: sorts-to-loops
// The two first of each line are selected: nothing of a line's length is written, and positions that are
// numbers of elements are not read.
// CHECK-LABEL: func.func @few
// CHECK-SAME: %[[X:.*]]: tensor<4x99xf32>
// CHECK: scf.forall (%[[I:.*]]) in (4) shared_outs({{.*}}) -> (tensor<4x2xf32>, tensor<4x2xi64>)
// CHECK: scf.for %{{.*}} step %c128
// CHECK: scf.for {{.*}} -> (i1)
// CHECK: tensor.extract %[[X]][%[[I]],
// CHECK: scf.if
// CHECK: tensor.parallel_insert_slice {{.*}} : tensor<2xf32> into tensor<4x2xf32>
// CHECK-NOT: tensor<4x99xi64> to
func.func @few(%x: tensor<4x99xf32>) -> (tensor<4x2xf32>, tensor<4x1xi64>) {
  %e = tensor.empty() : tensor<4x99xi64>
  %i = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<4x99xi64>) {
  ^bb0(%o: i64):
    %j = linalg.index 1 : index
    %n = arith.index_cast %j : index to i64
    linalg.yield %n : i64
  } -> tensor<4x99xi64>
  %r:2 = tm_tensor.sort dimension(1) outs(%x, %i : tensor<4x99xf32>, tensor<4x99xi64>) {
  ^bb0(%a: f32, %b: f32, %c: i64, %d: i64):
    %s = arith.cmpf oge, %a, %b : f32
    tm_tensor.yield %s : i1
  } -> tensor<4x99xf32>, tensor<4x99xi64>
  %v = tensor.extract_slice %r#0[0, 0] [4, 2] [1, 1] : tensor<4x99xf32> to tensor<4x2xf32>
  %p = tensor.extract_slice %r#1[0, 1] [4, 1] [1, 1] : tensor<4x99xi64> to tensor<4x1xi64>
  return %v, %p : tensor<4x2xf32>, tensor<4x1xi64>
}

// Twenty of 99 are as many exchanges in a line of the worst order as a sort: all are sorted.
// CHECK-LABEL: func.func @many
// CHECK: scf.forall {{.*}} -> (tensor<4x99xf32>)
func.func @many(%x: tensor<4x99xf32>) -> tensor<4x20xf32> {
  %r = tm_tensor.sort dimension(1) outs(%x : tensor<4x99xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.cmpf oge, %a, %b : f32
    tm_tensor.yield %s : i1
  } -> tensor<4x99xf32>
  %v = tensor.extract_slice %r[0, 0] [4, 20] [1, 1] : tensor<4x99xf32> to tensor<4x20xf32>
  return %v : tensor<4x20xf32>
}
