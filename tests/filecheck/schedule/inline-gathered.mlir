// SCHEDULES: inline-gathered
// One element of each row is computed where it is read; what is read at the op's own index becomes an operand.
// CHECK-LABEL: func.func @loss
// CHECK-COUNT-1: linalg.generic
// CHECK-SAME: ["parallel"]} ins(%arg2, %arg1 : tensor<6xindex>, tensor<6xf32>)
// CHECK-NEXT: ^bb0(%[[K:.*]]: index, %[[S:.*]]: f32, %{{.*}}: f32)
// CHECK: %[[I:.*]] = linalg.index 0
// CHECK: %[[X:.*]] = tensor.extract %arg0[%[[I]], %[[K]]]
// CHECK: %[[L:.*]] = math.log %[[S]]
// CHECK: arith.subf %[[X]], %[[L]]
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @loss(%x: tensor<6x40xf32>, %s: tensor<6xf32>, %k: tensor<6xindex>, %o: tensor<6xf32>) -> tensor<6xf32> {
  %e = tensor.empty() : tensor<6x40xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<6x40xf32>, tensor<6xf32>) outs(%e : tensor<6x40xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %l = math.log %b : f32
    %d = arith.subf %a, %l : f32
    linalg.yield %d : f32
  } -> tensor<6x40xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%k : tensor<6xindex>) outs(%o : tensor<6xf32>) {
  ^bb0(%a: index, %c: f32):
    %i = linalg.index 0 : index
    %v = tensor.extract %y[%i, %a] : tensor<6x40xf32>
    linalg.yield %v : f32
  } -> tensor<6xf32>
  return %r : tensor<6xf32>
}

// What is read as often as it has elements is computed once.
// CHECK-LABEL: func.func @shuffled
// CHECK: math.log
// CHECK: linalg.generic
// CHECK: tensor.extract
func.func @shuffled(%x: tensor<40xf32>, %k: tensor<40xindex>, %o: tensor<40xf32>) -> tensor<40xf32> {
  %e = tensor.empty() : tensor<40xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<40xf32>) outs(%e : tensor<40xf32>) {
  ^bb0(%a: f32, %c: f32):
    %l = math.log %a : f32
    linalg.yield %l : f32
  } -> tensor<40xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%k : tensor<40xindex>) outs(%o : tensor<40xf32>) {
  ^bb0(%a: index, %c: f32):
    %v = tensor.extract %y[%a] : tensor<40xf32>
    linalg.yield %v : f32
  } -> tensor<40xf32>
  return %r : tensor<40xf32>
}

// What leaves is there anyway, and its operand, made for it alone, would have to be kept as well.
// CHECK-LABEL: func.func @left
// CHECK: %[[Z:.*]] = linalg.generic
// CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%[[Z]] :
// CHECK: tensor.extract %[[Y]][
func.func @left(%x: tensor<4x400xf32>, %k: tensor<4xindex>, %o: tensor<4xf32>) -> (tensor<4x400xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4x400xf32>
  %one = arith.constant 1.0 : f32
  %z = linalg.generic {indexing_maps = [affine_map<(i, j, n) -> (i, n)>, affine_map<(i, j, n) -> (i, j)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<4x400xf32>) outs(%e : tensor<4x400xf32>) {
  ^bb0(%a: f32, %b: f32):
    %l = arith.addf %a, %b : f32
    linalg.yield %l : f32
  } -> tensor<4x400xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%z : tensor<4x400xf32>) outs(%e : tensor<4x400xf32>) {
  ^bb0(%a: f32, %b: f32):
    %l = arith.addf %a, %one : f32
    linalg.yield %l : f32
  } -> tensor<4x400xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%k : tensor<4xindex>) outs(%o : tensor<4xf32>) {
  ^bb0(%a: index, %c: f32):
    %i = linalg.index 0 : index
    %v = tensor.extract %y[%i, %a] : tensor<4x400xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %y, %r : tensor<4x400xf32>, tensor<4xf32>
}
