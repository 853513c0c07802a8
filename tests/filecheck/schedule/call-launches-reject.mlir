// REJECT: call-launches
// A buffer whose size only the program knows cannot be asked of whoever serves the launches.
// CHECK: a kernel makes a buffer whose size is not known
func.func @host(%n: index) {
  %t = memref.alloc(%n) : memref<?xf32>
  memref.dealloc %t : memref<?xf32>
  return
}
