// SCHEDULES: mark-unnormalised-attentions
// A rectifier stands where a softmax would: the last product is marked. Where keys and values are
// matrices that all rows share, it is not.
// CHECK-LABEL: func.func @attention
// CHECK: linalg.generic
// CHECK: bellrock.unnormalised_attention
// CHECK-LABEL: func.func @layers
// CHECK-NOT: bellrock.unnormalised_attention
#qd = affine_map<(b, q, k, d) -> (b, q, d)>
#kd = affine_map<(b, q, k, d) -> (b, k, d)>
#wd = affine_map<(b, q, k, d) -> (k, d)>
#qk = affine_map<(b, q, k, d) -> (b, q, k)>
#id = affine_map<(b, q, k) -> (b, q, k)>
#pk = affine_map<(b, q, f, k) -> (b, q, k)>
#vk = affine_map<(b, q, f, k) -> (b, k, f)>
#uk = affine_map<(b, q, f, k) -> (k, f)>
#qf = affine_map<(b, q, f, k) -> (b, q, f)>
func.func @attention(%q: tensor<3x20x16xf16>, %k: tensor<3x40x16xf16>, %v: tensor<3x40x24xf16>) -> tensor<3x20x24xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x20x40xf32>
  %w = tensor.empty() : tensor<3x20x40xf16>
  %y = tensor.empty() : tensor<3x20x24xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<3x20x40xf32>) -> tensor<3x20x40xf32>
  %u = linalg.fill ins(%z : f32) outs(%y : tensor<3x20x24xf32>) -> tensor<3x20x24xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<3x20x16xf16>, tensor<3x40x16xf16>) outs(%f : tensor<3x20x40xf32>) {
  ^bb0(%a: f16, %b: f16, %o: f32):
    %x = arith.extf %a : f16 to f32
    %c = arith.extf %b : f16 to f32
    %p = arith.mulf %x, %c : f32
    %g = arith.addf %o, %p : f32
    linalg.yield %g : f32
  } -> tensor<3x20x40xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<3x20x40xf32>) outs(%w : tensor<3x20x40xf16>) {
  ^bb0(%a: f32, %o: f16):
    %g = arith.maximumf %a, %z : f32
    %h = arith.truncf %g : f32 to f16
    linalg.yield %h : f16
  } -> tensor<3x20x40xf16>
  %t = linalg.generic {indexing_maps = [#pk, #vk, #qf], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%r, %v : tensor<3x20x40xf16>, tensor<3x40x24xf16>) outs(%u : tensor<3x20x24xf32>) {
  ^bb0(%a: f16, %b: f16, %o: f32):
    %x = arith.extf %a : f16 to f32
    %c = arith.extf %b : f16 to f32
    %p = arith.mulf %x, %c : f32
    %g = arith.addf %o, %p : f32
    linalg.yield %g : f32
  } -> tensor<3x20x24xf32>
  return %t : tensor<3x20x24xf32>
}
func.func @layers(%q: tensor<3x20x16xf16>, %k: tensor<40x16xf16>, %v: tensor<40x24xf16>) -> tensor<3x20x24xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x20x40xf32>
  %w = tensor.empty() : tensor<3x20x40xf16>
  %y = tensor.empty() : tensor<3x20x24xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<3x20x40xf32>) -> tensor<3x20x40xf32>
  %u = linalg.fill ins(%z : f32) outs(%y : tensor<3x20x24xf32>) -> tensor<3x20x24xf32>
  %s = linalg.generic {indexing_maps = [#qd, #wd, #qk], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<3x20x16xf16>, tensor<40x16xf16>) outs(%f : tensor<3x20x40xf32>) {
  ^bb0(%a: f16, %b: f16, %o: f32):
    %x = arith.extf %a : f16 to f32
    %c = arith.extf %b : f16 to f32
    %p = arith.mulf %x, %c : f32
    %g = arith.addf %o, %p : f32
    linalg.yield %g : f32
  } -> tensor<3x20x40xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<3x20x40xf32>) outs(%w : tensor<3x20x40xf16>) {
  ^bb0(%a: f32, %o: f16):
    %g = arith.maximumf %a, %z : f32
    %h = arith.truncf %g : f32 to f16
    linalg.yield %h : f16
  } -> tensor<3x20x40xf16>
  %t = linalg.generic {indexing_maps = [#pk, #uk, #qf], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%r, %v : tensor<3x20x40xf16>, tensor<40x24xf16>) outs(%u : tensor<3x20x24xf32>) {
  ^bb0(%a: f16, %b: f16, %o: f32):
    %x = arith.extf %a : f16 to f32
    %c = arith.extf %b : f16 to f32
    %p = arith.mulf %x, %c : f32
    %g = arith.addf %o, %p : f32
    linalg.yield %g : f32
  } -> tensor<3x20x24xf32>
  return %t : tensor<3x20x24xf32>
}
