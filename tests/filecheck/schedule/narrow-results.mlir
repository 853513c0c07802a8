// SCHEDULES: narrow-results
// A result that is rounded to f16 and widened stays f16 up to its readers, a pad of it too; one that
// is returned stays as it is.
// CHECK-LABEL: func.func @f
// CHECK: %[[R:.+]]:2 = linalg.generic
// CHECK: arith.truncf
// CHECK: linalg.yield %{{.+}}, %{{.+}} : f16, f32
// CHECK: -> (tensor<4x8xf16>, tensor<4x8xf32>)
// CHECK: tensor.insert_slice %[[R]]#0 into %{{.+}} : tensor<4x8xf16> into tensor<6x8xf16>
// CHECK: ^bb0(%[[X:.+]]: f16, %{{.+}}: f32):
// CHECK-NEXT: arith.extf %[[X]]
// CHECK: ^bb0(%[[Y:.+]]: f16, %{{.+}}: f32):
// CHECK-NEXT: arith.extf %[[Y]]
// CHECK: return %{{.+}}, %{{.+}}, %[[R]]#1
#id = affine_map<(i, j) -> (i, j)>
func.func @f(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<6x8xf32>, tensor<4x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %r:2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e, %e : tensor<4x8xf32>, tensor<4x8xf32>) {
  ^bb0(%in: f32, %o: f32, %p: f32):
    %0 = arith.truncf %in : f32 to f16
    %1 = arith.extf %0 : f16 to f32
    linalg.yield %1, %1 : f32, f32
  } -> (tensor<4x8xf32>, tensor<4x8xf32>)
  %d = tensor.empty() : tensor<6x8xf32>
  %c = linalg.fill ins(%zero : f32) outs(%d : tensor<6x8xf32>) -> tensor<6x8xf32>
  %w = tensor.insert_slice %r#0 into %c[1, 0] [4, 8] [1, 1] : tensor<4x8xf32> into tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%r#0 : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.addf %in, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  %t = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<6x8xf32>) outs(%d : tensor<6x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.addf %in, %in : f32
    linalg.yield %0 : f32
  } -> tensor<6x8xf32>
  return %s, %t, %r#1 : tensor<4x8xf32>, tensor<6x8xf32>, tensor<4x8xf32>
}
