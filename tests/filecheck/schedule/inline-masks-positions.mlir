// SCHEDULES: inline-masks
// What is made of positions alone is made where it is read, by all that read it.
// CHECK-LABEL: func.func @main
// CHECK-NOT: outs({{.*}}tensor<7xi64>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<7x7xf32>)
// CHECK: linalg.index 1
// CHECK: linalg.index 0
// CHECK: arith.cmpi sge
// CHECK-NOT: linalg.generic
#line = affine_map<(i) -> (i)>
#rows = affine_map<(i, j) -> (i)>
#columns = affine_map<(i, j) -> (j)>
#both = affine_map<(i, j) -> (i, j)>
func.func @main(%x: tensor<7x7xf32>) -> tensor<7x7xf32> {
  %e = tensor.empty() : tensor<7xi64>
  %p = linalg.generic {indexing_maps = [#line], iterator_types = ["parallel"]} outs(%e : tensor<7xi64>) {
  ^bb0(%o: i64):
    %i = linalg.index 0 : index
    %k = arith.index_cast %i : index to i64
    linalg.yield %k : i64
  } -> tensor<7xi64>
  %zero = arith.constant 0.0 : f32
  %r = tensor.empty() : tensor<7x7xf32>
  %m = linalg.generic {indexing_maps = [#rows, #columns, #both, #both], iterator_types = ["parallel", "parallel"]}
      ins(%p, %p, %x : tensor<7xi64>, tensor<7xi64>, tensor<7x7xf32>) outs(%r : tensor<7x7xf32>) {
  ^bb0(%a: i64, %b: i64, %v: f32, %o: f32):
    %c = arith.cmpi sge, %a, %b : i64
    %s = arith.select %c, %v, %zero : f32
    linalg.yield %s : f32
  } -> tensor<7x7xf32>
  return %m : tensor<7x7xf32>
}
