// SCHEDULES: order-loops
// A product's columns run along memory, its reduction does not; a convolution likewise.
// CHECK: #[[A:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK: #[[B:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK: #[[C:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-LABEL: func.func @product
// CHECK: indexing_maps = [#[[A]], #[[B]], #[[C]]], iterator_types = ["parallel", "reduction", "parallel"]
func.func @product(%a: memref<32x64xf32>, %b: memref<64x128xf32>, %c: memref<32x128xf32>) {
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<32x64xf32>, memref<64x128xf32>) outs(%c : memref<32x128xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  }
  return
}

// Images of 7 x 7 that lie without gaps on both sides are one loop.
// CHECK-LABEL: func.func @merged
// CHECK: %[[X:.*]] = memref.reinterpret_cast {{.*}} sizes: [4, 49]
// CHECK: %[[Y:.*]] = memref.reinterpret_cast {{.*}} offset: [49], sizes: [4, 49], strides: [98, 1]
// CHECK: linalg.copy ins(%[[X]] : memref<4x49xf32, strided<[50, 1]>>) outs(%[[Y]] : memref<4x49xf32, strided<[98, 1], offset: 49>>)
func.func @merged(%x: memref<4x7x7xf32, strided<[50, 7, 1]>>, %y: memref<4x7x7xf32, strided<[98, 7, 1], offset: 49>>) {
  linalg.copy ins(%x : memref<4x7x7xf32, strided<[50, 7, 1]>>) outs(%y : memref<4x7x7xf32, strided<[98, 7, 1], offset: 49>>)
  return
}
