// SCHEDULES: block-contractions
// B is packed once for each part of k, A row by row, and a tile's sums stay in registers: vector
// multiply-adds only, nothing of the block is computed element by element.
// CHECK-LABEL: func.func @product
// CHECK-NOT: linalg.
// CHECK: %[[ROWS:.*]] = memref.alloca() {{.*}} : memref<4x32xf32>
// CHECK: %[[PANELS:.*]] = memref.alloca() {{.*}} : memref<2x32x32xf32>
// CHECK: scf.for
// Lines of B that are packed later are asked for, and lines of the next rows of A.
// CHECK: memref.prefetch {{.*}} read
// CHECK: vector.maskedload {{.*}} vector<16xf32>
// CHECK: vector.store {{.*}} %[[PANELS]]
// CHECK: scf.for
// CHECK: vector.load {{.*}} memref<17x32xf32
// CHECK: vector.store {{.*}} %[[ROWS]]
// CHECK: scf.for
// CHECK: memref.prefetch {{.*}} read, {{.*}} memref<17x32xf32
// CHECK: memref.prefetch {{.*}} write
// CHECK: scf.for {{.*}} step %c4{{.*}} iter_args
// CHECK: vector.load %[[PANELS]]
// CHECK: %[[A:.*]] = memref.load %[[ROWS]]
// CHECK: %[[ALL:.*]] = vector.broadcast %[[A]] : f32 to vector<16xf32>
// CHECK: vector.fma %[[ALL]], {{.*}} : vector<16xf32>
// CHECK-NOT: arith.mulf
// CHECK: vector.store
// CHECK: vector.maskedstore
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @product(%a: memref<17x32xf32>, %b: memref<32x45xf32>, %c: memref<17x45xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<17x45xf32>)
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<17x32xf32>, memref<32x45xf32>) outs(%c : memref<17x45xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "panels", tile = array<i64: 0, 0, 0>, vector = "n", lanes = 16 : i64,
        rows = 4 : i64, columns = 2 : i64, depth = 32 : i64, unroll = 4 : i64, copy = true, pack = true, pairs = false}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  }
  return
}

// bf16 with k side by side in both operands: dot products of pairs along k, nothing is copied.
// CHECK-LABEL: func.func @pairs
// CHECK-NOT: memref.alloca
// CHECK: vector.load {{.*}} vector<32xbf16>
// CHECK: x86.avx512.dot {{.*}} : vector<32xbf16> -> vector<16xf32>
// CHECK-NOT: arith.extf
// The lanes of the twelve sums are added together, and a row of four is stored.
// CHECK-NOT: vector.reduction
// CHECK: vector.shuffle {{.*}}[0, 2, 16, 18,
// CHECK: vector.extract_strided_slice {{.*}} vector<16xf32> to vector<4xf32>
// CHECK: vector.store {{.*}} vector<4xf32>
#bt = affine_map<(m, n, k) -> (n, k)>
func.func @pairs(%a: memref<3x70xbf16>, %b: memref<8x70xbf16>, %c: memref<3x8xf32>) {
  linalg.generic {indexing_maps = [#a, #bt, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<3x70xbf16>, memref<8x70xbf16>) outs(%c : memref<3x8xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "panels", tile = array<i64: 0, 0, 0>, vector = "k", lanes = 16 : i64,
        rows = 3 : i64, columns = 4 : i64, depth = 70 : i64, unroll = 1 : i64, copy = false, pack = false, pairs = true}} {
  ^bb0(%p: bf16, %q: bf16, %o: f32):
    %x = arith.extf %p : bf16 to f32
    %y = arith.extf %q : bf16 to f32
    %m = arith.mulf %x, %y : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  }
  return
}

// What follows is computed on a tile's sums after the last part of k: the narrow result is written
// once, and the memory of the wide one is not touched.
// CHECK-LABEL: func.func @followed
// CHECK-NOT: linalg.
// CHECK: %[[BIAS:.*]] = vector.load {{.*}} strided<[1, 1]>>, vector<16xf32>
// CHECK: %[[SUM:.*]] = arith.addf %{{.*}}, %[[BIAS]] : vector<16xf32>
// CHECK: %[[ROUNDED:.*]] = arith.truncf %[[SUM]] : vector<16xf32> to vector<16xbf16>
// CHECK: vector.store %[[ROUNDED]], {{.*}} strided<[32, 1]>>, vector<16xbf16>
// CHECK-NOT: linalg.
#columns = affine_map<(m, n) -> (n)>
#same = affine_map<(m, n) -> (m, n)>
func.func @followed(%a: memref<8x32xf32>, %b: memref<32x32xf32>, %bias: memref<32xf32>, %d: memref<8x32xbf16>) {
  %zero = arith.constant 0.0 : f32
  %c = memref.alloc() : memref<8x32xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<8x32xf32>)
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<8x32xf32>, memref<32x32xf32>) outs(%c : memref<8x32xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "panels", tile = array<i64: 0, 0, 0>, vector = "n", lanes = 16 : i64,
        rows = 4 : i64, columns = 2 : i64, depth = 32 : i64, unroll = 4 : i64, copy = true, pack = true, pairs = false}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#same, #columns, #same], iterator_types = ["parallel", "parallel"]}
      ins(%c, %bias : memref<8x32xf32>, memref<32xf32>) outs(%d : memref<8x32xbf16>) {
  ^bb0(%p: f32, %q: f32, %o: bf16):
    %s = arith.addf %p, %q : f32
    %t = arith.truncf %s : f32 to bf16
    linalg.yield %t : bf16
  }
  memref.dealloc %c : memref<8x32xf32>
  return
}

// Where what follows overwrites a factor, the product is whole before it begins.
// CHECK-LABEL: func.func @overwritten
// CHECK: linalg.generic
func.func @overwritten(%a: memref<32x32xf32>, %b: memref<32x32xf32>) {
  %zero = arith.constant 0.0 : f32
  %c = memref.alloc() : memref<32x32xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<32x32xf32>)
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<32x32xf32>, memref<32x32xf32>) outs(%c : memref<32x32xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "panels", tile = array<i64: 0, 0, 0>, vector = "n", lanes = 16 : i64,
        rows = 4 : i64, columns = 2 : i64, depth = 32 : i64, unroll = 4 : i64, copy = true, pack = true, pairs = false}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]}
      ins(%c : memref<32x32xf32>) outs(%a : memref<32x32xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.addf %p, %p : f32
    linalg.yield %s : f32
  }
  memref.dealloc %c : memref<32x32xf32>
  return
}
