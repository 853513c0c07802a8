// SCHEDULES: reduce-by-groups
// 64 work-items share a row, a group of 256 has four of them: their parts meet in local memory.
// CHECK: memref.global "private" @[[LOCAL:[a-z0-9_]+]] : memref<16xf32, 3> = uninitialized
// CHECK-LABEL: func.func @rows
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c3{{[_0-9]*}}, {{.*}}) threads({{.*}}) in ({{.*}} = %c256
// CHECK: %[[LANE:[a-z0-9_]+]] = arith.remui %{{.*}}, %c64
// CHECK: arith.minui
// CHECK: %[[P:[a-z0-9_]+]] = scf.for %[[K:[a-z0-9_]+]] = %[[LANE]] to %c1000{{[_0-9]*}} step %c64{{[_0-9]*}} iter_args(%{{.*}} = %cst) -> (f32)
// CHECK: memref.load %arg0[%{{.*}}, %[[K]]]
// CHECK: gpu.shuffle xor %[[P]], %c8_i32
// CHECK: gpu.shuffle xor %{{.*}}, %c1_i32
// CHECK: memref.store %{{.*}}, %[[B:[a-z0-9_]+]][%{{.*}}] : memref<16xf32, 3>
// CHECK: gpu.barrier
// CHECK: memref.load %[[B]]
// CHECK: gpu.shuffle xor %{{.*}}, %c2_i32
// CHECK: gpu.shuffle xor %{{.*}}, %c1_i32
// CHECK: scf.if
// CHECK: memref.load %arg1
// CHECK: memref.store %{{.*}}, %arg1
func.func @rows(%x: memref<9x1000xf32>, %y: memref<9xf32>) attributes {bellrock.group = array<i64: 256, 1, 64>} {
  linalg.generic {indexing_maps = [affine_map<(r, k) -> (r, k)>, affine_map<(r, k) -> (r)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<9x1000xf32>) outs(%y : memref<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  }
  return
}

// A sub-group to a row: no local memory, no barrier. Narrow values travel in 32 bits; short loops
// are run through as one.
// CHECK-LABEL: func.func @sub_groups
// CHECK: gpu.launch
// CHECK: scf.for %{{.*}} = %{{.*}} to %c35{{[_0-9]*}} step %c16
// CHECK: %[[BITS:[a-z0-9_]+]] = arith.bitcast %{{.*}} : f16 to i16
// CHECK: %[[WIDE:[a-z0-9_]+]] = arith.extui %[[BITS]] : i16 to i32
// CHECK: gpu.shuffle xor %[[WIDE]], %c8_i32
// CHECK-NOT: gpu.barrier
// CHECK: return
func.func @sub_groups(%x: memref<40x5x7xf16>, %y: memref<40xf16>) attributes {bellrock.group = array<i64: 256, 1, 16>} {
  linalg.generic {indexing_maps = [affine_map<(r, j, k) -> (r, j, k)>, affine_map<(r, j, k) -> (r)>], iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%x : memref<40x5x7xf16>) outs(%y : memref<40xf16>) {
  ^bb0(%a: f16, %o: f16):
    %s = arith.maximumf %o, %a : f16
    linalg.yield %s : f16
  }
  return
}

// Nothing was chosen, but one work-item alone would add 5000 numbers in a chain.
// CHECK-LABEL: func.func @long_chain
// CHECK: gpu.launch
// CHECK: scf.for %{{.*}} = %{{.*}} to %c5000{{[_0-9]*}} step %c16
func.func @long_chain(%x: memref<64x5000xf32>, %y: memref<64xf32>) {
  linalg.generic {indexing_maps = [affine_map<(r, k) -> (r, k)>, affine_map<(r, k) -> (r)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<64x5000xf32>) outs(%y : memref<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  }
  return
}
