// SCHEDULES: copy-inserted-slices, compose-movement
// A pad around a concatenation of slices: one loop writes the number and both parts.
// CHECK-LABEL: func.func @pad
// CHECK: %[[E:.*]] = tensor.empty() : tensor<10x13xf32>
// CHECK: %[[R:.*]] = scf.forall {{.*}} shared_outs(%[[O:.*]] = %[[E]])
// CHECK: linalg.fill
// CHECK: tensor.extract_slice %arg0[{{.*}}] [{{.*}}] [2, 1] : tensor<12x9xf32>
// CHECK: linalg.copy
// CHECK: tensor.extract_slice %arg1[
// CHECK: linalg.copy
// CHECK: tensor.parallel_insert_slice {{.*}} into %[[O]]
// CHECK: return %[[R]]
func.func @pad(%x: tensor<12x9xf32>, %y: tensor<3x9xf32>) -> tensor<10x13xf32> {
  %half = arith.constant 0.5 : f32
  %even = tensor.extract_slice %x[0, 0] [6, 9] [2, 1] : tensor<12x9xf32> to tensor<6x9xf32>
  %e = tensor.empty() : tensor<9x9xf32>
  %a = tensor.insert_slice %even into %e[0, 0] [6, 9] [1, 1] : tensor<6x9xf32> into tensor<9x9xf32>
  %b = tensor.insert_slice %y into %a[6, 0] [3, 9] [1, 1] : tensor<3x9xf32> into tensor<9x9xf32>
  %large = tensor.empty() : tensor<10x13xf32>
  %base = linalg.fill ins(%half : f32) outs(%large : tensor<10x13xf32>) -> tensor<10x13xf32>
  %r = tensor.insert_slice %b into %base[1, 3] [9, 9] [1, 1] : tensor<9x9xf32> into tensor<10x13xf32>
  return %r : tensor<10x13xf32>
}

// A transpose whose only readers are the parts of a roll is read where they are.
// CHECK-LABEL: func.func @roll
// CHECK-NOT: linalg.generic
// CHECK: scf.forall
// CHECK: tensor.extract_slice %arg0[
// CHECK: linalg.generic {indexing_maps = [#[[T:.*]], #{{.*}}]
// CHECK: tensor.extract_slice %arg0[
#t = affine_map<(i, j) -> (j, i)>
#i = affine_map<(i, j) -> (i, j)>
func.func @roll(%x: tensor<8x5xf32>) -> tensor<5x8xf32> {
  %e = tensor.empty() : tensor<5x8xf32>
  %t = linalg.generic {indexing_maps = [#t, #i], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x5xf32>) outs(%e : tensor<5x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<5x8xf32>
  %last = tensor.extract_slice %t[0, 6] [5, 2] [1, 1] : tensor<5x8xf32> to tensor<5x2xf32>
  %rest = tensor.extract_slice %t[0, 0] [5, 6] [1, 1] : tensor<5x8xf32> to tensor<5x6xf32>
  %p = tensor.insert_slice %last into %e[0, 0] [5, 2] [1, 1] : tensor<5x2xf32> into tensor<5x8xf32>
  %q = tensor.insert_slice %rest into %p[0, 2] [5, 6] [1, 1] : tensor<5x6xf32> into tensor<5x8xf32>
  return %q : tensor<5x8xf32>
}
