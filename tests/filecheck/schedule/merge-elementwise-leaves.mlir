// SCHEDULES: merge-elementwise
// The second reads what sums of the first make; an epilogue stays with its sums; what reads a tensor
// into which a slice was put reads more than that slice.
// CHECK-LABEL: func.func @apart
// CHECK: math.exp
// CHECK: linalg.yield %{{[0-9]+}} : f32
// CHECK: "reduction"
// CHECK: arith.divf
// CHECK: linalg.yield %{{[0-9]+}} : f32
// CHECK-LABEL: func.func @epilogue
// CHECK: "reduction"
// CHECK: arith.negf
// CHECK-NEXT: linalg.yield
// CHECK: math.tanh
// CHECK-LABEL: func.func @slice
// CHECK: linalg.copy
// CHECK: tensor.insert_slice
// CHECK: arith.negf
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
#id = affine_map<(i) -> (i)>
func.func @apart(%x: tensor<5x7xf32>, %f: tensor<5xf32>) -> (tensor<5x7xf32>, tensor<5x7xf32>) {
  %e = tensor.empty() : tensor<5x7xf32>
  %p = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  } -> tensor<5x7xf32>
  %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
      ins(%p : tensor<5x7xf32>) outs(%f : tensor<5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<5xf32>
  %q = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%p, %s : tensor<5x7xf32>, tensor<5xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<5x7xf32>
  return %p, %q : tensor<5x7xf32>, tensor<5x7xf32>
}
func.func @epilogue(%x: tensor<5x7xf32>, %f: tensor<5xf32>) -> (tensor<5xf32>, tensor<5xf32>) {
  %e = tensor.empty() : tensor<5xf32>
  %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<5x7xf32>) outs(%f : tensor<5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<5xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%s : tensor<5xf32>) outs(%e : tensor<5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  } -> tensor<5xf32>
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%p : tensor<5xf32>) outs(%e : tensor<5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.tanh %a : f32
    linalg.yield %0 : f32
  } -> tensor<5xf32>
  return %p, %q : tensor<5xf32>, tensor<5xf32>
}
func.func @slice(%x: tensor<5xf32>, %into: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %part = tensor.extract_slice %into[0, 3] [5, 1] [1, 1] : tensor<5x7xf32> to tensor<5xf32>
  %c = linalg.copy ins(%x : tensor<5xf32>) outs(%part : tensor<5xf32>) -> tensor<5xf32>
  %all = tensor.insert_slice %c into %into[0, 3] [5, 1] [1, 1] : tensor<5xf32> into tensor<5x7xf32>
  %y = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%all : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  } -> tensor<5x7xf32>
  return %y : tensor<5x7xf32>
}
