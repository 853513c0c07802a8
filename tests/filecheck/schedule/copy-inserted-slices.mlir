// SCHEDULES: copy-inserted-slices
// An argument is copied into its slice; a fresh result is made in its slice.
// CHECK-LABEL: func.func @concat
// CHECK: %[[S:.*]] = tensor.extract_slice %[[D:.*]][0, 0] [4, 8]
// CHECK: %[[C:.*]] = linalg.copy {{.*}}ins(%arg0 : tensor<4x8xf32>) outs(%[[S]]
// CHECK: %[[I:.*]] = tensor.insert_slice %[[C]] into %[[D]][0, 0]
// CHECK: %[[T:.*]] = tensor.extract_slice %[[I]][4, 0] [4, 8]
// CHECK: %[[G:.*]] = linalg.generic {{.*}} outs(%[[T]]
// CHECK: tensor.insert_slice %[[G]] into %[[I]][4, 0]
func.func @concat(%x: tensor<4x8xf32>) -> tensor<8x8xf32> {
  %empty = tensor.empty() : tensor<4x8xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%empty : tensor<4x8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.negf %p : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %into = tensor.empty() : tensor<8x8xf32>
  %a = tensor.insert_slice %x into %into[0, 0] [4, 8] [1, 1] : tensor<4x8xf32> into tensor<8x8xf32>
  %b = tensor.insert_slice %g into %a[4, 0] [4, 8] [1, 1] : tensor<4x8xf32> into tensor<8x8xf32>
  return %b : tensor<8x8xf32>
}
