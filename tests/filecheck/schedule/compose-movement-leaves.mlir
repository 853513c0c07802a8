// SCHEDULES: copy-inserted-slices, compose-movement
// What is computed is written straight into its part: no copy to compose.
// CHECK-LABEL: func.func @computed
// CHECK-NOT: scf.forall
#i = affine_map<(i) -> (i)>
func.func @computed(%x: tensor<8xf32>) -> tensor<16xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  %both = tensor.empty() : tensor<16xf32>
  %p = tensor.insert_slice %x into %both[0] [8] [1] : tensor<8xf32> into tensor<16xf32>
  %q = tensor.insert_slice %y into %p[8] [8] [1] : tensor<8xf32> into tensor<16xf32>
  return %q : tensor<16xf32>
}

// Nor where a tensor is changed in part: the rest of it may stay where it is.
// CHECK-LABEL: func.func @changed
// CHECK-NOT: scf.forall
func.func @changed(%x: tensor<8xf32>, %y: tensor<2xf32>) -> tensor<8xf32> {
  %p = tensor.insert_slice %y into %x[0] [2] [1] : tensor<2xf32> into tensor<8xf32>
  %q = tensor.insert_slice %y into %p[5] [2] [1] : tensor<2xf32> into tensor<8xf32>
  return %q : tensor<8xf32>
}

// A concatenation that is read itself is a source of the next one, not made twice.
// CHECK-LABEL: func.func @shared
// CHECK: %[[P:.*]] = scf.forall
// CHECK: %[[Q:.*]] = scf.forall
// CHECK-NOT: tensor.extract_slice %arg0
// CHECK: tensor.extract_slice %[[P]]
// CHECK: return %[[P]], %[[Q]]
func.func @shared(%x: tensor<8xf32>, %y: tensor<2xf32>) -> (tensor<10xf32>, tensor<12xf32>) {
  %e = tensor.empty() : tensor<10xf32>
  %a = tensor.insert_slice %x into %e[0] [8] [1] : tensor<8xf32> into tensor<10xf32>
  %p = tensor.insert_slice %y into %a[8] [2] [1] : tensor<2xf32> into tensor<10xf32>
  %f = tensor.empty() : tensor<12xf32>
  %b = tensor.insert_slice %p into %f[0] [10] [1] : tensor<10xf32> into tensor<12xf32>
  %q = tensor.insert_slice %y into %b[10] [2] [1] : tensor<2xf32> into tensor<12xf32>
  return %p, %q : tensor<10xf32>, tensor<12xf32>
}
