// SCHEDULES: share-modules, call-launches
// Arguments are values in slots; buffers go by their addresses, scalars by their bits.
// CHECK-LABEL: func.func @host
// CHECK: %[[SIZE:[a-z0-9_]+]] = arith.constant 512 : i64
// CHECK: %[[T:[a-z0-9_]+]] = call @bellrock_allocate(%[[SIZE]])
// CHECK: memref.store %[[T]]
// CHECK: call @bellrock_launch(
// CHECK: %[[BITS:[a-z0-9_]+]] = arith.bitcast %{{.*}} : f32 to i32
// CHECK: %[[WIDE:[a-z0-9_]+]] = arith.extui %[[BITS]] : i32 to i64
// CHECK: memref.store %[[WIDE]]
// CHECK: call @bellrock_launch(
// CHECK: call @bellrock_free(%[[T]])
// CHECK-NOT: gpu.launch_func
// CHECK: gpu.module @a
// CHECK: gpu.func @a(%{{.*}}: memref<128xf32>) kernel attributes {bellrock.arguments = [memref<128xf32>]}
// CHECK: gpu.func @b(
// CHECK-NOT: gpu.module
// CHECK: func.func private @bellrock_launch(
// CHECK: memref.global "private" constant @b_name : memref<2xi8> = dense<[98, 0]>
module attributes {gpu.container_module} {
  func.func @host(%y: memref<128xf32>, %v: f32) {
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %t = memref.alloc() : memref<128xf32>
    gpu.launch_func @a::@kernel blocks in (%c1, %c1, %c1) threads in (%c64, %c1, %c1) args(%t : memref<128xf32>)
    gpu.launch_func @b::@kernel blocks in (%c1, %c1, %c1) threads in (%c64, %c1, %c1) args(%t : memref<128xf32>, %v : f32)
    memref.dealloc %t : memref<128xf32>
    return
  }
  gpu.module @a {
    gpu.func @kernel(%x: memref<128xf32>) kernel {
      gpu.return
    }
  }
  gpu.module @b {
    gpu.func @kernel(%x: memref<128xf32>, %s: f32) kernel {
      gpu.return
    }
  }
}
