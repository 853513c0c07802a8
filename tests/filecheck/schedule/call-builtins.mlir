// SCHEDULES: call-builtins
// CHECK: llvm.func spir_funccc @_Z15__spirv_ocl_powff(f32, f32) -> f32
// CHECK: llvm.func spir_funccc @_Z15__spirv_ocl_sinf(f32) -> f32
// CHECK-LABEL: gpu.func @f
// CHECK: llvm.call spir_funccc @_Z15__spirv_ocl_sinf(
// CHECK: arith.extf %{{.*}} : f16 to f32
// CHECK: llvm.call spir_funccc @_Z15__spirv_ocl_sinf(
// CHECK: arith.truncf %{{.*}} : f32 to f16
// CHECK: llvm.call spir_funccc @_Z15__spirv_ocl_powff(
// CHECK: math.ctlz
gpu.module @m {
  gpu.func @f(%x: f32, %h: f16, %i: i32) kernel {
    %a = math.sin %x : f32
    %b = math.sin %h : f16
    %c = math.powf %x, %a : f32
    %d = math.ctlz %i : i32
    gpu.return
  }
}
