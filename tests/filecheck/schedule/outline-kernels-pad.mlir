// SCHEDULES: copy-inserted-slices, outline-kernels
// A pad that a convolution reads through its window, trimmed, is made in the convolution's
// kernel; one that is returned as well is a copy in a kernel of its own.
// CHECK-LABEL: func.func @main
// CHECK: call @[[C:k_convolution_[0-9a-f]+]](%arg1, %arg0
// CHECK: call @k_fill
// CHECK: call @[[D:k_data_movement_[0-9a-f]+]](%arg0
// CHECK: call @[[E:k_convolution_[0-9a-f]+]]
// CHECK: func.func private @[[C]](%{{.*}}: tensor<2x5xf32>
// CHECK: linalg.fill
// CHECK: tensor.insert_slice {{.*}}bellrock.pad
// CHECK: tensor.extract_slice
// CHECK: linalg.generic
#x = affine_map<(n, w, j) -> (n, w + j)>
#w = affine_map<(n, w, j) -> (j)>
#y = affine_map<(n, w, j) -> (n, w)>
func.func @main(%x: tensor<2x5xf32>, %w: tensor<3xf32>) -> (tensor<2x4xf32>, tensor<2x5xf32>, tensor<2x7xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x7xf32>
  %base = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x7xf32>) -> tensor<2x7xf32>
  %pad = tensor.insert_slice %x into %base[0, 1] [2, 5] [1, 1] : tensor<2x5xf32> into tensor<2x7xf32>
  %cut = tensor.extract_slice %pad[0, 0] [2, 6] [1, 1] : tensor<2x7xf32> to tensor<2x6xf32>
  %empty1 = tensor.empty() : tensor<2x4xf32>
  %init1 = linalg.fill ins(%zero : f32) outs(%empty1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%cut, %w : tensor<2x6xf32>, tensor<3xf32>) outs(%init1 : tensor<2x4xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x4xf32>
  %one = arith.constant 1.0 : f32
  %base2 = linalg.fill ins(%one : f32) outs(%empty : tensor<2x7xf32>) -> tensor<2x7xf32>
  %kept = tensor.insert_slice %x into %base2[0, 1] [2, 5] [1, 1] : tensor<2x5xf32> into tensor<2x7xf32>
  %empty2 = tensor.empty() : tensor<2x5xf32>
  %init2 = linalg.fill ins(%zero : f32) outs(%empty2 : tensor<2x5xf32>) -> tensor<2x5xf32>
  %d = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%kept, %w : tensor<2x7xf32>, tensor<3xf32>) outs(%init2 : tensor<2x5xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x5xf32>
  return %c, %d, %kept : tensor<2x4xf32>, tensor<2x5xf32>, tensor<2x7xf32>
}
