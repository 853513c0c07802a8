// SCHEDULES: block-transposes
// A transposed operand goes by squares of a cache line, turned in registers; what is left of 40
// columns is a block of 8, copied the way it lies. An operand along the result's memory stays as it is,
// and what is left of a size that is not known is read across.
// CHECK-LABEL: func.func @transposed
// CHECK: scf.for %[[I:.*]] = {{.*}} {
// CHECK: scf.for %[[J:.*]] = {{.*}} {
// CHECK: %[[IN:.*]] = memref.subview %arg0[%[[J]], %[[I]]] [16, 16]
// CHECK: %[[BLOCK:.*]] = memref.alloca() {alignment = 64 : i64} : memref<16x16xf32>
// CHECK: vector.load %[[IN]]
// CHECK: vector.shuffle
// CHECK: vector.store {{.*}}, %[[BLOCK]]
// CHECK: linalg.generic {indexing_maps = [#[[M:.*]], #[[M]], #[[M]]]{{.*}} ins(%[[BLOCK]], %{{.*}} : memref<16x16xf32>
// CHECK: memref<16x8xf32>
// CHECK-LABEL: func.func @uneven
// CHECK: %[[N:.*]] = memref.dim %arg1
// CHECK: arith.divui %[[N]]
// CHECK: vector.shuffle
// CHECK: arith.subi %[[N]]
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : memref<?x16xf32
// CHECK-LABEL: func.func @along
// CHECK-NOT: scf.for
// CHECK-LABEL: func.func @reduced
// CHECK-NOT: scf.for
#id = affine_map<(i, j) -> (i, j)>
#t = affine_map<(i, j) -> (j, i)>
func.func @transposed(%x: memref<40x256xf32>, %z: memref<256x40xf32>, %y: memref<256x40xf32>) {
  linalg.generic {indexing_maps = [#t, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %z : memref<40x256xf32>, memref<256x40xf32>) outs(%y : memref<256x40xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}
func.func @uneven(%x: memref<64x?xf32>, %y: memref<?x64xf32>) {
  linalg.generic {indexing_maps = [#t, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<64x?xf32>) outs(%y : memref<?x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}
func.func @along(%x: memref<256x40xf32>, %y: memref<256x40xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<256x40xf32>) outs(%y : memref<256x40xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}
func.func @reduced(%x: memref<40x256xf32>, %y: memref<256xf32>) {
  linalg.generic {indexing_maps = [#t, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<40x256xf32>) outs(%y : memref<256xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  }
  return
}
