// SCHEDULES: plan-memory
// The first and the third buffer are never needed together: they share bytes.
// CHECK-LABEL: func.func @main
// CHECK-SAME: memref<128xi8>) attributes {bellrock.workspace_bytes = 128 : i64}
// CHECK: memref.view %{{.*}}[%[[ZERO:.*]]][] : memref<128xi8> to memref<16xf32>
// CHECK: memref.view %{{.*}}[%[[HIGH:.*]]][] : memref<128xi8> to memref<16xf32>
// CHECK: memref.view %{{.*}}[%{{.*}}][] : memref<128xi8> to memref<16xf32>
// CHECK-NOT: memref.alloc
func.func private @k(memref<16xf32>, memref<16xf32>)
func.func @main(%x: memref<16xf32>, %y: memref<16xf32>) {
  %a = memref.alloc() : memref<16xf32>
  call @k(%x, %a) : (memref<16xf32>, memref<16xf32>) -> ()
  %b = memref.alloc() : memref<16xf32>
  call @k(%a, %b) : (memref<16xf32>, memref<16xf32>) -> ()
  %c = memref.alloc() : memref<16xf32>
  call @k(%b, %c) : (memref<16xf32>, memref<16xf32>) -> ()
  call @k(%c, %y) : (memref<16xf32>, memref<16xf32>) -> ()
  return
}
