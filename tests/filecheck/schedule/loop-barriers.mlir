// SCHEDULES: loop-barriers
// The region's end is a barrier.
// CHECK-LABEL: func.func @last
// CHECK: omp.wsloop nowait
func.func @last(%a: memref<8xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%c8) step (%c1) {
        memref.store %v, %a[%i] : memref<8xf32>
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

// The second loop reads what the first wrote: only the second may end without waiting.
// CHECK-LABEL: func.func @followed
// CHECK: omp.wsloop {
// CHECK: omp.wsloop nowait {
func.func @followed(%a: memref<8xf32>, %b: memref<8xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%c8) step (%c1) {
        memref.store %v, %a[%i] : memref<8xf32>
        omp.yield
      }
    }
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%c8) step (%c1) {
        %x = memref.load %a[%c0] : memref<8xf32>
        memref.store %x, %b[%i] : memref<8xf32>
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

// Something is left to do behind the loop.
// CHECK-LABEL: func.func @not_last
// CHECK: omp.wsloop {
func.func @not_last(%a: memref<8xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%c8) step (%c1) {
        memref.store %v, %a[%i] : memref<8xf32>
        omp.yield
      }
    }
    %x = memref.load %a[%c0] : memref<8xf32>
    memref.store %x, %a[%c1] : memref<8xf32>
    omp.terminator
  }
  return
}
