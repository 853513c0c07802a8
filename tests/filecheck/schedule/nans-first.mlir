// SCHEDULES: nans-first
// A number that is none is taken where the best one so far is a number.
// CHECK-LABEL: func.func @one
// CHECK: %[[BETTER:.*]] = arith.cmpf ogt, %[[VALUE:.*]], %[[BEST:.*]] : f32
// CHECK: %[[NONE:.*]] = arith.cmpf uno, %[[VALUE]], %[[VALUE]]
// CHECK: %[[SOME:.*]] = arith.cmpf ord, %[[BEST]], %[[BEST]]
// CHECK: %[[FIRST:.*]] = arith.andi %[[NONE]], %[[SOME]]
// CHECK: %[[TAKEN:.*]] = arith.ori %[[BETTER]], %[[FIRST]]
// CHECK: arith.select %[[TAKEN]]
func.func @one(%x: tensor<9xf32>, %f: tensor<f32>, %h: tensor<i64>) -> tensor<i64> {
  %m, %p = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<9xf32>) outs(%f, %h : tensor<f32>, tensor<i64>) {
  ^bb0(%a: f32, %b: f32, %c: i64):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i64
    %v = arith.maximumf %a, %b : f32
    %t = arith.cmpf ogt, %a, %b : f32
    %s = arith.select %t, %n, %c : i64
    linalg.yield %v, %s : f32, i64
  } -> (tensor<f32>, tensor<i64>)
  return %p : tensor<i64>
}

// So is it where the position is counted over two loops.
// CHECK-LABEL: func.func @two_loops
// CHECK: arith.cmpf olt
// CHECK: arith.cmpf uno
// CHECK: arith.cmpf ord
func.func @two_loops(%x: tensor<9x3xf32>, %f: tensor<f32>, %h: tensor<i64>) -> tensor<i64> {
  %three = arith.constant 3 : index
  %m, %p = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%x : tensor<9x3xf32>) outs(%f, %h : tensor<f32>, tensor<i64>) {
  ^bb0(%a: f32, %b: f32, %c: i64):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %k = arith.muli %i, %three : index
    %l = arith.addi %k, %j : index
    %n = arith.index_cast %l : index to i64
    %v = arith.minimumf %a, %b : f32
    %t = arith.cmpf olt, %a, %b : f32
    %s = arith.select %t, %n, %c : i64
    linalg.yield %v, %s : f32, i64
  } -> (tensor<f32>, tensor<i64>)
  return %p : tensor<i64>
}

// Comparisons that find no position stay as they are.
// CHECK-LABEL: func.func @rectified
// CHECK: arith.cmpf
// CHECK-NOT: arith.cmpf
// CHECK: return
func.func @rectified(%x: tensor<9xf32>, %o: tensor<9xf32>) -> tensor<9xf32> {
  %zero = arith.constant 0.0 : f32
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<9xf32>) outs(%o : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = arith.cmpf ogt, %a, %zero : f32
    %s = arith.select %t, %a, %zero : f32
    linalg.yield %s : f32
  } -> tensor<9xf32>
  return %r : tensor<9xf32>
}
