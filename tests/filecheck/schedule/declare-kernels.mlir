// SCHEDULES: declare-kernels
// CHECK: func.func private @k(memref<4xf32>) attributes {bellrock.kernel = "fill"}
// CHECK-NEXT: func.func @main
func.func private @k(%a: memref<4xf32>) attributes {bellrock.kernel = "fill"} {
  return
}
func.func @main(%a: memref<4xf32>) {
  call @k(%a) : (memref<4xf32>) -> ()
  return
}
