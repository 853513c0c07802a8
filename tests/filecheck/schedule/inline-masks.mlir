// SCHEDULES: inline-masks
// The comparison is made where it is read: a mask in memory keeps the sum from being vectorised.
// CHECK-LABEL: func.func @counted
// CHECK-NOT: -> tensor<9xi1>
// CHECK: arith.cmpf
// CHECK: arith.extui
// CHECK: arith.cmpf
// CHECK: arith.select
// CHECK-NOT: -> tensor<9xi1>
// CHECK: return
func.func @counted(%x: tensor<9xf32>, %n: tensor<i64>, %o: tensor<9xf32>) -> (tensor<i64>, tensor<9xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9xi1>
  %m = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<9xf32>) outs(%e : tensor<9xi1>) {
  ^bb0(%a: f32, %b: i1):
    %c = arith.cmpf ogt, %a, %zero : f32
    linalg.yield %c : i1
  } -> tensor<9xi1>
  %s = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%m : tensor<9xi1>) outs(%n : tensor<i64>) {
  ^bb0(%a: i1, %b: i64):
    %c = arith.extui %a : i1 to i64
    %d = arith.addi %b, %c : i64
    linalg.yield %d : i64
  } -> tensor<i64>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%m, %x : tensor<9xi1>, tensor<9xf32>) outs(%o : tensor<9xf32>) {
  ^bb0(%a: i1, %b: f32, %c: f32):
    %d = arith.select %a, %b, %zero : f32
    linalg.yield %d : f32
  } -> tensor<9xf32>
  return %s, %r : tensor<i64>, tensor<9xf32>
}

// A mask that leaves is made.
// CHECK-LABEL: func.func @result
// CHECK: -> tensor<9xi1>
// CHECK: arith.cmpf
func.func @result(%x: tensor<9xf32>, %e: tensor<9xi1>) -> tensor<9xi1> {
  %zero = arith.constant 0.0 : f32
  %m = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<9xf32>) outs(%e : tensor<9xi1>) {
  ^bb0(%a: f32, %b: i1):
    %c = arith.cmpf ogt, %a, %zero : f32
    linalg.yield %c : i1
  } -> tensor<9xi1>
  return %m : tensor<9xi1>
}
