// SCHEDULES: linear-loads
// A transpose that runs backwards, from a row on that is known around the op only, is a view with steps.
// CHECK-LABEL: func.func @backwards
// CHECK: %[[A:.*]] = arith.muli %arg2, %c4{{.*}} : index
// CHECK: %[[B:.*]] = arith.addi %c3{{.*}}, %[[A]] : index
// CHECK: %[[V:.*]] = memref.reinterpret_cast %{{.*}} to offset: [%[[B]]], sizes: [4, 2], strides: [-1, 4]
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[V]] : memref<4x2xf32, strided<[-1, 4], offset: ?>>)
// CHECK: ^bb0(%[[IN:.*]]: f32, %{{.*}}: f32)
// CHECK-NEXT: linalg.yield %[[IN]]
func.func @backwards(%x: memref<8x4xf32>, %y: memref<4x2xf32>, %row: index) {
  %c3 = arith.constant 3 : index
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%y : memref<4x2xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %back = arith.subi %c3, %i : index
    %at = arith.addi %row, %j : index
    %e = memref.load %x[%at, %back] : memref<8x4xf32>
    linalg.yield %e : f32
  }
  return
}

// What is read from memory is no linear position, and what the op writes is no operand to read.
// CHECK-LABEL: func.func @leaves
// CHECK-NOT: memref.reinterpret_cast
// CHECK: return
func.func @leaves(%x: memref<8xf32>, %p: memref<8xindex>, %y: memref<8xf32>) {
  %c7 = arith.constant 7 : index
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%p : memref<8xindex>) outs(%y : memref<8xf32>) {
  ^bb0(%at: index, %out: f32):
    %e = memref.load %x[%at] : memref<8xf32>
    %i = linalg.index 0 : index
    %back = arith.subi %c7, %i : index
    %f = memref.load %y[%back] : memref<8xf32>
    %s = arith.addf %e, %f : f32
    linalg.yield %s : f32
  }
  return
}

// A view of an argument is read through a view of that.
// CHECK-LABEL: func.func @part
// CHECK: %[[P:.*]] = memref.subview
// CHECK: %{{.*}}, %[[O:.*]], %{{.*}}, %{{.*}} = memref.extract_strided_metadata %[[P]]
// CHECK: memref.reinterpret_cast
// CHECK: linalg.generic
// CHECK-SAME: ins(
func.func @part(%x: memref<64xf32>, %y: memref<8xf32>, %at: index) {
  %c7 = arith.constant 7 : index
  %part = memref.subview %x[%at] [8] [1] : memref<64xf32> to memref<8xf32, strided<[1], offset: ?>>
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%y : memref<8xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %back = arith.subi %c7, %i : index
    %e = memref.load %part[%back] : memref<8xf32, strided<[1], offset: ?>>
    linalg.yield %e : f32
  }
  return
}
