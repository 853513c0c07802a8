// SCHEDULES: split-positions
// Each of 256 pieces finds its extremum; the first piece with the largest has the position.
// CHECK-LABEL: func.func @one
// CHECK: tensor.expand_shape %arg0 {{.*}} into tensor<256x256xf32>
// CHECK: %[[PIECES:.*]]:2 = linalg.generic {{.*}}["parallel", "reduction"]} {{.*}} outs({{.*}} : tensor<256xf32>, tensor<256xi64>)
// CHECK: linalg.index 1
// CHECK: %[[BEST:.*]]:2 = linalg.generic {{.*}}["reduction"]} ins(%[[PIECES]]#0 : tensor<256xf32>)
// CHECK: linalg.index 0
// CHECK: %[[AT:.*]] = linalg.generic {{.*}} ins(%[[BEST]]#1 : tensor<i64>)
// CHECK: tensor.extract %[[PIECES]]#1
// CHECK: arith.muli %{{.*}}, %c256
// CHECK: return %[[BEST]]#0, %[[AT]]
func.func @one(%x: tensor<65536xf32>) -> (tensor<f32>, tensor<i64>) {
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0 : i64
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%low : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %g = tensor.empty() : tensor<i64>
  %h = linalg.fill ins(%zero : i64) outs(%g : tensor<i64>) -> tensor<i64>
  %m, %p = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<65536xf32>) outs(%f, %h : tensor<f32>, tensor<i64>) {
  ^bb0(%a: f32, %b: f32, %c: i64):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i64
    %v = arith.maximumf %a, %b : f32
    %t = arith.cmpf ogt, %a, %b : f32
    %s = arith.select %t, %n, %c : i64
    linalg.yield %v, %s : f32, i64
  } -> (tensor<f32>, tensor<i64>)
  return %m, %p : tensor<f32>, tensor<i64>
}

// As many rows as cores, and a prime length, are left alone.
// CHECK-LABEL: func.func @two
// CHECK-NOT: tensor.expand_shape
func.func @two(%x: tensor<2x65536xf32>, %y: tensor<65537xf32>) -> (tensor<2xi64>, tensor<i64>) {
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0 : i64
  %e = tensor.empty() : tensor<2xf32>
  %f = linalg.fill ins(%low : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %g = tensor.empty() : tensor<2xi64>
  %h = linalg.fill ins(%zero : i64) outs(%g : tensor<2xi64>) -> tensor<2xi64>
  %m, %p = linalg.generic {indexing_maps = [affine_map<(r, i) -> (r, i)>, affine_map<(r, i) -> (r)>, affine_map<(r, i) -> (r)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<2x65536xf32>) outs(%f, %h : tensor<2xf32>, tensor<2xi64>) {
  ^bb0(%a: f32, %b: f32, %c: i64):
    %i = linalg.index 1 : index
    %n = arith.index_cast %i : index to i64
    %v = arith.maximumf %a, %b : f32
    %t = arith.cmpf ogt, %a, %b : f32
    %s = arith.select %t, %n, %c : i64
    linalg.yield %v, %s : f32, i64
  } -> (tensor<2xf32>, tensor<2xi64>)
  %e1 = tensor.empty() : tensor<f32>
  %f1 = linalg.fill ins(%low : f32) outs(%e1 : tensor<f32>) -> tensor<f32>
  %g1 = tensor.empty() : tensor<i64>
  %h1 = linalg.fill ins(%zero : i64) outs(%g1 : tensor<i64>) -> tensor<i64>
  %m1, %p1 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%y : tensor<65537xf32>) outs(%f1, %h1 : tensor<f32>, tensor<i64>) {
  ^bb0(%a: f32, %b: f32, %c: i64):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i64
    %v = arith.maximumf %a, %b : f32
    %t = arith.cmpf ogt, %a, %b : f32
    %s = arith.select %t, %n, %c : i64
    linalg.yield %v, %s : f32, i64
  } -> (tensor<f32>, tensor<i64>)
  return %p, %p1 : tensor<2xi64>, tensor<i64>
}
