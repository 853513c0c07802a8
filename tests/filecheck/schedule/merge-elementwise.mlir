// SCHEDULES: merge-elementwise
// A state that is a result, what is made of it, and its copy into a row: one op of three results.
// CHECK-LABEL: func.func @step
// CHECK: %[[S:.*]] = tensor.extract_slice %arg2[3, 0]
// CHECK: %[[R:.*]]:3 = linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<7xf32>, tensor<7xf32>) outs(%{{.*}}, %{{.*}}, %[[S]] :
// CHECK: %[[C:.*]] = arith.addf
// CHECK: %[[H:.*]] = math.tanh %[[C]]
// CHECK: linalg.yield %[[C]], %[[H]], %[[H]] : f32, f32, f32
// CHECK: tensor.insert_slice %[[R]]#2 into %arg2[3, 0]
// CHECK-NOT: linalg
// CHECK: return %[[R]]#0, %[[R]]#1
#id = affine_map<(i) -> (i)>
func.func @step(%x: tensor<7xf32>, %y: tensor<7xf32>, %rows: tensor<5x7xf32>) -> (tensor<7xf32>, tensor<7xf32>, tensor<5x7xf32>) {
  %e = tensor.empty() : tensor<7xf32>
  %c = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%x, %y : tensor<7xf32>, tensor<7xf32>) outs(%e : tensor<7xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<7xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%c : tensor<7xf32>) outs(%e : tensor<7xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.tanh %a : f32
    linalg.yield %0 : f32
  } -> tensor<7xf32>
  %s = tensor.extract_slice %rows[3, 0] [1, 7] [1, 1] : tensor<5x7xf32> to tensor<7xf32>
  %k = linalg.copy ins(%h : tensor<7xf32>) outs(%s : tensor<7xf32>) -> tensor<7xf32>
  %r = tensor.insert_slice %k into %rows[3, 0] [1, 7] [1, 1] : tensor<7xf32> into tensor<5x7xf32>
  return %c, %h, %r : tensor<7xf32>, tensor<7xf32>, tensor<5x7xf32>
}
