// REJECT: plan-memory
// CHECK: a buffer has a dynamic size
func.func @main(%n: index) {
  %a = memref.alloc(%n) : memref<?xf32>
  return
}
