// SCHEDULES: lower-engine-attentions
// Keys and values come by block loads, values transposed; queries stay in registers. Two instructions
// for each 8 keys make the scores, four go on to the features; what a lane has of its query is
// carried over the keys, and nothing goes across lanes.
// CHECK-LABEL: func.func @k
// CHECK-SAME: memref<640xbf16>
// CHECK: gpu.launch
// CHECK: xegpu.load_nd {{.*}}transpose
// CHECK-COUNT-2: xegpu.prefetch_nd
// CHECK: scf.for {{.*}} iter_args
// CHECK-COUNT-2: xegpu.prefetch_nd
// CHECK-COUNT-8: xegpu.dpas
// CHECK: math.exp
// CHECK: arith.truncf {{.*}} vector<8xbf16>
// CHECK: xegpu.load_nd {{.*}}transpose
// CHECK-COUNT-8: xegpu.dpas
// CHECK-NOT: gpu.shuffle
// CHECK: arith.divf
// CHECK: scf.if
// CHECK-COUNT-4: vector.store
#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#dk = affine_map<(q, k, d) -> (d, k)>
#qk = affine_map<(q, k, d) -> (q, k)>
#id = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
module attributes {gpu.container_module} {
func.func @k(%q: tensor<20x32xbf16>, %k: tensor<40x32xbf16>, %v: tensor<40x32xbf16>, %into: tensor<20x32xf32>) -> tensor<20x32xf32> {
  %z = arith.constant 0.0 : f32
  %m = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<20x40xf32>
  %r = tensor.empty() : tensor<20xf32>
  %w = tensor.empty() : tensor<20x40xbf16>
  %y = tensor.empty() : tensor<20x32xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<20x40xf32>) -> tensor<20x40xf32>
  %n = linalg.fill ins(%m : f32) outs(%r : tensor<20xf32>) -> tensor<20xf32>
  %t = linalg.fill ins(%z : f32) outs(%r : tensor<20xf32>) -> tensor<20xf32>
  %u = linalg.fill ins(%z : f32) outs(%into : tensor<20x32xf32>) -> tensor<20x32xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<20x32xbf16>, tensor<40x32xbf16>) outs(%f : tensor<20x40xf32>) {
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
      ins(%weights, %v : tensor<20x40xbf16>, tensor<40x32xbf16>) outs(%u : tensor<20x32xf32>)
      attrs = {bellrock.anchor, bellrock.choice = {by = "default", knobs = "dpas-attention", queries = 16 : i64, keys = 32 : i64,
        features = 32 : i64, sub_groups = 2 : i64, held = true, prefetch_depth = 1 : i64, grf = 256 : i64}} {
  ^bb0(%a: bf16, %b: bf16, %o: f32):
    %x = arith.extf %a : bf16 to f32
    %c = arith.extf %b : bf16 to f32
    %p = arith.mulf %x, %c : f32
    %g = arith.addf %o, %p : f32
    linalg.yield %g : f32
  } -> tensor<20x32xf32>
  return %out : tensor<20x32xf32>
}
}
