// SCHEDULES: settle-engine-attentions
// What can be one kernel keeps its choice; values that are multiplied in another type make the last product one by itself.
// CHECK-LABEL: func.func @whole
// CHECK: knobs = "dpas-attention"
// CHECK-LABEL: func.func @mixed
// CHECK-NOT: knobs = "dpas-attention"
// CHECK: knobs = "dpas"
#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#dk = affine_map<(q, k, d) -> (d, k)>
#qk = affine_map<(q, k, d) -> (q, k)>
#id = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
func.func @whole(%q: tensor<20x16xbf16>, %k: tensor<40x16xbf16>, %v: tensor<40x24xbf16>) -> tensor<20x24xf32> {
  %z = arith.constant 0.0 : f32
  %m = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<20x40xf32>
  %r = tensor.empty() : tensor<20xf32>
  %w = tensor.empty() : tensor<20x40xbf16>
  %y = tensor.empty() : tensor<20x24xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<20x40xf32>) -> tensor<20x40xf32>
  %n = linalg.fill ins(%m : f32) outs(%r : tensor<20xf32>) -> tensor<20xf32>
  %t = linalg.fill ins(%z : f32) outs(%r : tensor<20xf32>) -> tensor<20xf32>
  %u = linalg.fill ins(%z : f32) outs(%y : tensor<20x24xf32>) -> tensor<20x24xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<20x16xbf16>, tensor<40x16xbf16>) outs(%f : tensor<20x40xf32>) {
  ^bb0(%a: bf16, %b: bf16, %o: f32):
    %x = arith.extf %a : bf16 to f32
    %c = arith.extf %b : bf16 to f32
    %p = arith.mulf %x, %c : f32
    %g = arith.addf %o, %p : f32
    linalg.yield %g : f32
  } -> tensor<20x40xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<20x40xf32>) outs(%n : tensor<20xf32>) {
  ^bb0(%a: f32, %o: f32):
    %g = arith.maximumf %a, %o : f32
    linalg.yield %g : f32
  } -> tensor<20xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s, %max : tensor<20x40xf32>, tensor<20xf32>) outs(%e : tensor<20x40xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %g = math.exp %d : f32
    linalg.yield %g : f32
  } -> tensor<20x40xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%exp : tensor<20x40xf32>) outs(%t : tensor<20xf32>) {
  ^bb0(%a: f32, %o: f32):
    %g = arith.addf %a, %o : f32
    linalg.yield %g : f32
  } -> tensor<20xf32>
  %weights = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%exp, %sum : tensor<20x40xf32>, tensor<20xf32>) outs(%w : tensor<20x40xbf16>) {
  ^bb0(%a: f32, %b: f32, %o: bf16):
    %d = arith.divf %a, %b : f32
    %g = arith.truncf %d : f32 to bf16
    linalg.yield %g : bf16
  } -> tensor<20x40xbf16>
  %out = linalg.generic {indexing_maps = [#qd, #dk, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%weights, %v : tensor<20x40xbf16>, tensor<40x24xbf16>) outs(%u : tensor<20x24xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "dpas-attention", queries = 16 : i64, keys = 32 : i64,
        features = 24 : i64, sub_groups = 2 : i64, held = true, prefetch_depth = 1 : i64, grf = 256 : i64}} {
  ^bb0(%a: bf16, %b: bf16, %o: f32):
    %x = arith.extf %a : bf16 to f32
    %c = arith.extf %b : bf16 to f32
    %p = arith.mulf %x, %c : f32
    %g = arith.addf %o, %p : f32
    linalg.yield %g : f32
  } -> tensor<20x24xf32>
  return %out : tensor<20x24xf32>
}
func.func @mixed(%q: tensor<20x16xbf16>, %k: tensor<40x16xbf16>, %v: tensor<40x24xf32>) -> tensor<20x24xf32> {
  %z = arith.constant 0.0 : f32
  %m = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<20x40xf32>
  %r = tensor.empty() : tensor<20xf32>
  %w = tensor.empty() : tensor<20x40xbf16>
  %y = tensor.empty() : tensor<20x24xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<20x40xf32>) -> tensor<20x40xf32>
  %n = linalg.fill ins(%m : f32) outs(%r : tensor<20xf32>) -> tensor<20xf32>
  %t = linalg.fill ins(%z : f32) outs(%r : tensor<20xf32>) -> tensor<20xf32>
  %u = linalg.fill ins(%z : f32) outs(%y : tensor<20x24xf32>) -> tensor<20x24xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<20x16xbf16>, tensor<40x16xbf16>) outs(%f : tensor<20x40xf32>) {
  ^bb0(%a: bf16, %b: bf16, %o: f32):
    %x = arith.extf %a : bf16 to f32
    %c = arith.extf %b : bf16 to f32
    %p = arith.mulf %x, %c : f32
    %g = arith.addf %o, %p : f32
    linalg.yield %g : f32
  } -> tensor<20x40xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<20x40xf32>) outs(%n : tensor<20xf32>) {
  ^bb0(%a: f32, %o: f32):
    %g = arith.maximumf %a, %o : f32
    linalg.yield %g : f32
  } -> tensor<20xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s, %max : tensor<20x40xf32>, tensor<20xf32>) outs(%e : tensor<20x40xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %g = math.exp %d : f32
    linalg.yield %g : f32
  } -> tensor<20x40xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%exp : tensor<20x40xf32>) outs(%t : tensor<20xf32>) {
  ^bb0(%a: f32, %o: f32):
    %g = arith.addf %a, %o : f32
    linalg.yield %g : f32
  } -> tensor<20xf32>
  %weights = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%exp, %sum : tensor<20x40xf32>, tensor<20xf32>) outs(%w : tensor<20x40xbf16>) {
  ^bb0(%a: f32, %b: f32, %o: bf16):
    %d = arith.divf %a, %b : f32
    %g = arith.truncf %d : f32 to bf16
    linalg.yield %g : bf16
  } -> tensor<20x40xbf16>
  %out = linalg.generic {indexing_maps = [#qd, #dk, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%weights, %v : tensor<20x40xbf16>, tensor<40x24xf32>) outs(%u : tensor<20x24xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "dpas-attention", queries = 16 : i64, keys = 32 : i64,
        features = 24 : i64, sub_groups = 2 : i64, held = true, prefetch_depth = 1 : i64, grf = 256 : i64}} {
  ^bb0(%a: bf16, %b: f32, %o: f32):
    %x = arith.extf %a : bf16 to f32
    %c = arith.addf %b, %b : f32
    %p = arith.mulf %x, %c : f32
    %g = arith.addf %o, %p : f32
    linalg.yield %g : f32
  } -> tensor<20x24xf32>
  return %out : tensor<20x24xf32>
}
