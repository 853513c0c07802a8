// SCHEDULES: place-launches
// 3000 iterations in groups of 256; the innermost loop runs along neighbouring work-items.
// CHECK-LABEL: func.func @items
// CHECK: %[[G:[a-z0-9_]+]] = arith.constant 12 : index
// CHECK: %[[T:[a-z0-9_]+]] = arith.constant 256 : index
// CHECK: gpu.launch blocks(%[[BX:[a-z0-9_]+]], %{{.*}}, %{{.*}}) in ({{.*}} = %[[G]]{{.*}}) threads(%[[TX:[a-z0-9_]+]], %{{.*}}, %{{.*}}) in ({{.*}} = %[[T]]
// CHECK: %[[ID:[a-z0-9_]+]] = arith.addi %{{.*}}, %[[TX]]
// CHECK: arith.cmpi ult, %[[ID]]
// CHECK: scf.if
// CHECK: arith.remui %{{.*}} : i32
// CHECK: memref.store
// CHECK: gpu.terminator
func.func @items(%y: memref<100x30xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %c30 = arith.constant 30 : index
  %z = arith.constant 0.0 : f32
  scf.parallel (%i, %j) = (%c0, %c0) to (%c100, %c30) step (%c1, %c1) {
    memref.store %z, %y[%i, %j] : memref<100x30xf32>
  }
  return
}

// What is not parallel is one work-item; a value that it hands to another launch goes through memory.
// CHECK-LABEL: func.func @handed_on
// CHECK: %[[S:[a-z0-9_]+]] = memref.alloc() : memref<1xf32>
// CHECK: gpu.launch
// CHECK: %[[V:[a-z0-9_]+]] = memref.load %arg0[]
// CHECK: memref.store %[[V]], %[[S]]
// CHECK: gpu.terminator
// CHECK: gpu.launch
// CHECK: memref.load %[[S]]
// CHECK: gpu.terminator
// CHECK: memref.dealloc %[[S]]
func.func @handed_on(%s: memref<f32>, %y: memref<100xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %v = memref.load %s[] : memref<f32>
  scf.parallel (%i) = (%c0) to (%c100) step (%c1) {
    memref.store %v, %y[%i] : memref<100xf32>
  }
  return
}

// The host runs a loop around launches; what computes addresses is in them.
// CHECK-LABEL: func.func @loop_of_launches
// CHECK: scf.for %[[T:[a-z0-9_]+]] =
// CHECK-NEXT: memref.subview
// CHECK: gpu.launch
// CHECK: memref.subview %arg0[%[[T]], 0]
// CHECK: gpu.terminator
func.func @loop_of_launches(%y: memref<5x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %c64 = arith.constant 64 : index
  %z = arith.constant 0.0 : f32
  scf.for %t = %c0 to %c5 step %c1 {
    %row = memref.subview %y[%t, 0] [1, 64] [1, 1] : memref<5x64xf32> to memref<64xf32, strided<[1], offset: ?>>
    scf.parallel (%i) = (%c0) to (%c64) step (%c1) {
      memref.store %z, %row[%i] : memref<64xf32, strided<[1], offset: ?>>
    }
  }
  return
}

// What the device computes decides how often: all of it is one work-item's.
// CHECK-LABEL: func.func @decided_by_device
// CHECK-COUNT-1: gpu.launch
// CHECK: memref.load
// CHECK: scf.for
// CHECK-NOT: scf.parallel
// CHECK: gpu.terminator
// CHECK-NEXT: }
// CHECK-NEXT: return
func.func @decided_by_device(%n: memref<index>, %y: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %z = arith.constant 0.0 : f32
  %v = memref.load %n[] : memref<index>
  scf.for %t = %c0 to %v step %c1 {
    scf.parallel (%i) = (%c0) to (%c64) step (%c1) {
      memref.store %z, %y[%i] : memref<64xf32>
    }
  }
  return
}

// A work-item's small buffer is its own; a large one is its part of one that the host allocates.
// CHECK-LABEL: func.func @buffers
// CHECK: %[[A:[a-z0-9_]+]] = memref.alloc() : memref<262144xi8>
// CHECK: gpu.launch
// CHECK-DAG: memref.alloca() : memref<4xf32, #gpu.address_space<private>>
// CHECK-DAG: memref.view %[[A]][%{{.*}}][] : memref<262144xi8> to memref<1024xf32>
// CHECK: gpu.terminator
// CHECK: memref.dealloc %[[A]]
func.func @buffers(%y: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  scf.parallel (%i) = (%c0) to (%c64) step (%c1) {
    %small = memref.alloc() : memref<4xf32>
    %large = memref.alloc() : memref<1024xf32>
    %v = memref.load %y[%i] : memref<64xf32>
    memref.store %v, %small[%c0] : memref<4xf32>
    memref.store %v, %large[%i] : memref<1024xf32>
    %p = memref.load %small[%c0] : memref<4xf32>
    %q = memref.load %large[%i] : memref<1024xf32>
    %r = arith.addf %p, %q : f32
    memref.store %r, %y[%i] : memref<64xf32>
    memref.dealloc %small : memref<4xf32>
    memref.dealloc %large : memref<1024xf32>
  }
  return
}

// The place of a row is known to the device only: the number passes between launches, and the view
// of the row is made in the launch that uses it.
// CHECK-LABEL: func.func @found_rows
// CHECK: scf.for
// CHECK: gpu.launch
// CHECK: memref.store %{{.*}} : memref<1xindex>
// CHECK: gpu.launch
// CHECK: memref.load %{{.*}} : memref<1xindex>
// CHECK: memref.subview
func.func @found_rows(%t: memref<80xi64>, %y: memref<31x40xf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  %c80 = arith.constant 80 : index
  scf.for %k = %c0 to %c80 step %c1 {
    %n = memref.load %t[%k] : memref<80xi64>
    %r = arith.index_cast %n : i64 to index
    %row = memref.subview %y[%r, 0] [1, 40] [1, 1] : memref<31x40xf16> to memref<40xf16, strided<[1], offset: ?>>
    scf.parallel (%j) = (%c0) to (%c40) step (%c1) {
      %v = memref.load %row[%j] : memref<40xf16, strided<[1], offset: ?>>
      %w = arith.addf %v, %v : f16
      memref.store %w, %row[%j] : memref<40xf16, strided<[1], offset: ?>>
      scf.reduce
    }
  }
  return
}
