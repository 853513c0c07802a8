// SCHEDULES: launch-rows
// A softmax of rows: 64 work-items have a row, and a group has one of the 67 rows (groups have more
// where there are many). Numbers of a row are each work-item's own; parts meet in local memory.
// CHECK-DAG: memref.global "private" @local_0 : memref<4xf32, 3> = uninitialized
// CHECK-DAG: memref.global "private" @local_1 : memref<4xf32, 3> = uninitialized
// CHECK-DAG: memref.global "private" @local_2 : memref<1280xi8, 3> = uninitialized {alignment = 64 : i64}
// CHECK-LABEL: func.func @softmax
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c67{{[_0-9]*}}, {{.*}}) threads({{.*}}) in ({{.*}} = %c64
// CHECK: %[[LANE:[a-z0-9_]+]] = arith.remui %{{.*}}, %c64
// CHECK: %[[M:[a-z0-9_]+]] = memref.alloc() : memref<1xf32>
// CHECK: %[[P:[a-z0-9_]+]] = scf.for %{{.*}} = %[[LANE]] to %c333{{[_0-9]*}} step %c64
// CHECK: gpu.shuffle xor %[[P]], %c8_i32
// CHECK: gpu.barrier memfence [#gpu.address_space<workgroup>]
// CHECK: gpu.shuffle xor
// CHECK: memref.store %{{.*}}, %[[M]]
// CHECK: scf.for %{{.*}} = %[[LANE]] to %c333{{[_0-9]*}} step %c64
// CHECK: math.exp
// CHECK: gpu.barrier memfence [#gpu.address_space<workgroup>]
// CHECK: scf.for %{{.*}} = %[[LANE]] to %c333{{[_0-9]*}} step %c64
// CHECK: arith.divf
// CHECK: gpu.terminator
// CHECK-NOT: gpu.launch
#row = affine_map<(r, k) -> (r, k)>
#number = affine_map<(r, k) -> (r)>
func.func @softmax(%x: memref<67x333xf32>, %y: memref<67x333xf32>) attributes {bellrock.group = array<i64: 256, 1, 64>} {
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  scf.forall (%i) in (67) {
    %row = memref.subview %x[%i, 0] [1, 333] [1, 1] : memref<67x333xf32> to memref<1x333xf32, strided<[333, 1], offset: ?>>
    %out = memref.subview %y[%i, 0] [1, 333] [1, 1] : memref<67x333xf32> to memref<1x333xf32, strided<[333, 1], offset: ?>>
    %m = memref.alloc() : memref<1xf32>
    %s = memref.alloc() : memref<1xf32>
    memref.store %low, %m[%c0] : memref<1xf32>
    memref.store %zero, %s[%c0] : memref<1xf32>
    linalg.generic {indexing_maps = [#row, #number], iterator_types = ["parallel", "reduction"]}
        ins(%row : memref<1x333xf32, strided<[333, 1], offset: ?>>) outs(%m : memref<1xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.maximumf %a, %o : f32
      linalg.yield %r : f32
    }
    linalg.generic {indexing_maps = [#row, #number, #number], iterator_types = ["parallel", "reduction"]}
        ins(%row, %m : memref<1x333xf32, strided<[333, 1], offset: ?>>, memref<1xf32>) outs(%s : memref<1xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %d = arith.subf %a, %b : f32
      %e = math.exp %d : f32
      %r = arith.addf %e, %o : f32
      linalg.yield %r : f32
    }
    linalg.generic {indexing_maps = [#row, #number, #number, #row], iterator_types = ["parallel", "parallel"]}
        ins(%row, %m, %s : memref<1x333xf32, strided<[333, 1], offset: ?>>, memref<1xf32>, memref<1xf32>)
        outs(%out : memref<1x333xf32, strided<[333, 1], offset: ?>>) {
    ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
      %d = arith.subf %a, %b : f32
      %e = math.exp %d : f32
      %r = arith.divf %e, %c : f32
      linalg.yield %r : f32
    }
    memref.dealloc %m : memref<1xf32>
    memref.dealloc %s : memref<1xf32>
  }
  return
}

// What is more than a number is in local memory, and a barrier orders who writes and who reads it;
// four rows of a group, of 300 bytes each in 320.
// CHECK-LABEL: func.func @kept
// CHECK: threads({{.*}}) in ({{.*}} = %c64
// CHECK: memref.get_global @local_2
// CHECK: %[[KEPT:[a-z0-9_]+]] = memref.view %{{.*}} : memref<1280xi8, 3> to memref<1x75xf32, 3>
// CHECK: memref.store %{{.*}}, %[[KEPT]]
// CHECK: gpu.barrier memfence [#gpu.address_space<workgroup>]
// CHECK: memref.load %[[KEPT]]
// CHECK: gpu.terminator
#reversed = affine_map<(r, k) -> (r, 74 - k)>
func.func @kept(%x: memref<256x75xf32>, %y: memref<256x75xf32>) attributes {bellrock.group = array<i64: 64, 1, 16>} {
  scf.forall (%i) in (256) {
    %row = memref.subview %x[%i, 0] [1, 75] [1, 1] : memref<256x75xf32> to memref<1x75xf32, strided<[75, 1], offset: ?>>
    %out = memref.subview %y[%i, 0] [1, 75] [1, 1] : memref<256x75xf32> to memref<1x75xf32, strided<[75, 1], offset: ?>>
    %kept = memref.alloc() : memref<1x75xf32>
    linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]}
        ins(%row : memref<1x75xf32, strided<[75, 1], offset: ?>>) outs(%kept : memref<1x75xf32>) {
    ^bb0(%a: f32, %o: f32):
      %e = math.exp %a : f32
      linalg.yield %e : f32
    }
    linalg.generic {indexing_maps = [#reversed, #row], iterator_types = ["parallel", "parallel"]}
        ins(%kept : memref<1x75xf32>) outs(%out : memref<1x75xf32, strided<[75, 1], offset: ?>>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
    }
    memref.dealloc %kept : memref<1x75xf32>
  }
  return
}

// A running sum: sub-groups scan by shuffles, what came before is carried.
// CHECK-LABEL: func.func @running_sum
// CHECK: gpu.launch
// CHECK: scf.for %[[B:[a-z0-9_]+]] = %{{.*}} to %c1000{{[_0-9]*}} step %c16{{[_0-9]*}} iter_args(%[[CARRY:[a-z0-9_]+]] =
// CHECK: gpu.shuffle up %{{.*}}, %c1_i32
// CHECK: gpu.shuffle up %{{.*}}, %c8_i32
// CHECK: gpu.shuffle idx %{{.*}}, %c15_i32
// CHECK: scf.if
// CHECK: arith.addf %[[CARRY]]
// CHECK: memref.store
// CHECK: arith.addf %[[CARRY]]
// CHECK: scf.yield
// CHECK: gpu.terminator
func.func @running_sum(%x: memref<64x1000xf32>, %y: memref<64x1000xf32>) attributes {bellrock.group = array<i64: 256, 1, 16>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c1000 = arith.constant 1000 : index
  scf.forall (%i) in (64) {
    %first = memref.load %x[%i, %c0] : memref<64x1000xf32>
    memref.store %first, %y[%i, %c0] : memref<64x1000xf32>
    %last = scf.for %k = %c1 to %c1000 step %c1 iter_args(%sum = %first) -> (f32) {
      %a = memref.load %x[%i, %k] : memref<64x1000xf32>
      %s = arith.addf %sum, %a : f32
      memref.store %s, %y[%i, %k] : memref<64x1000xf32>
      scf.yield %s : f32
    }
  }
  return
}
