// SCHEDULES: split-products
// The rectified left factor is computed once for each of its elements, in its own type; the
// widening stays with the product.
// CHECK-DAG: #[[LEFT:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[RIGHT:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-LABEL: func.func @rectified
// CHECK: %[[FACTOR:.*]] = linalg.generic {{.*}}["parallel", "parallel"]} ins(%arg0 : tensor<5x7xbf16>)
// CHECK: arith.maximumf
// CHECK: linalg.generic {{.*}}[#[[LEFT]], #[[RIGHT]], {{.*}} ins(%[[FACTOR]], %arg1 : tensor<5x7xbf16>, tensor<6x7xf32>)
// CHECK-NEXT: ^bb0
// CHECK-NEXT: arith.extf
// CHECK-NEXT: arith.mulf
// CHECK-NEXT: arith.addf
func.func @rectified(%a: tensor<5x7xbf16>, %b: tensor<6x7xf32>, %o: tensor<6x5xf32>) -> tensor<6x5xf32> {
  %zero = arith.constant 0.0 : bf16
  %r = linalg.generic {indexing_maps = [affine_map<(n, m, k) -> (m, k)>, affine_map<(n, m, k) -> (n, k)>, affine_map<(n, m, k) -> (n, m)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<5x7xbf16>, tensor<6x7xf32>) outs(%o : tensor<6x5xf32>) {
  ^bb0(%p: bf16, %q: f32, %s: f32):
    %x = arith.maximumf %p, %zero : bf16
    %w = arith.extf %x : bf16 to f32
    %m = arith.mulf %w, %q : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<6x5xf32>
  return %r : tensor<6x5xf32>
}

// A plain product stays as it is.
// CHECK-LABEL: func.func @plain
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
func.func @plain(%a: tensor<5x7xf32>, %b: tensor<7x6xf32>, %o: tensor<5x6xf32>) -> tensor<5x6xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<5x7xf32>, tensor<7x6xf32>) outs(%o : tensor<5x6xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %m = arith.mulf %p, %q : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<5x6xf32>
  return %r : tensor<5x6xf32>
}

// A factor that the body rounds is rounded once, and the product reads it in the narrow type.
// CHECK-LABEL: func.func @rounded
// CHECK: %[[ROUNDED:.*]] = linalg.generic {{.*}}["parallel", "parallel"]} ins(%arg0 : tensor<5x7xf32>)
// CHECK: arith.truncf
// CHECK: linalg.generic {{.*}} ins(%[[ROUNDED]], %arg1 : tensor<5x7xf16>, tensor<7x6xf16>)
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @rounded(%a: tensor<5x7xf32>, %b: tensor<7x6xf16>, %o: tensor<5x6xf32>) -> tensor<5x6xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<5x7xf32>, tensor<7x6xf16>) outs(%o : tensor<5x6xf32>) {
  ^bb0(%p: f32, %q: f16, %s: f32):
    %h = arith.truncf %p : f32 to f16
    %x = arith.extf %h : f16 to f32
    %y = arith.extf %q : f16 to f32
    %m = arith.mulf %x, %y : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<5x6xf32>
  return %r : tensor<5x6xf32>
}

// A factor that depends on where it is becomes an op that knows the same places.
// CHECK-LABEL: func.func @masked
// CHECK: %[[MASKED:.*]] = linalg.generic {{.*}}["parallel", "parallel"]} ins(%arg0 : tensor<5x7xf32>)
// CHECK: linalg.index 0
// CHECK: linalg.index 1
// CHECK: linalg.generic {{.*}}"reduction"]} ins(%[[MASKED]], %arg1 : tensor<5x7xf32>, tensor<7x6xf32>)
// CHECK-NOT: linalg.index
// CHECK: return
func.func @masked(%a: tensor<5x7xf32>, %b: tensor<7x6xf32>, %o: tensor<5x6xf32>) -> tensor<5x6xf32> {
  %zero = arith.constant 0.0 : f32
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<5x7xf32>, tensor<7x6xf32>) outs(%o : tensor<5x6xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi ule, %j, %i : index
    %x = arith.select %c, %p, %zero : f32
    %m = arith.mulf %x, %q : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<5x6xf32>
  return %r : tensor<5x6xf32>
}
