// SCHEDULES: pack-filters
// A filter that may be another one at each call, one that is to be read in place, and one for whose
// copy (432 bytes) too little is left of 1 MiB.
// CHECK-NOT: tensor<3x2x3x3x2xf32>
// CHECK: func.func @other_each_call
// CHECK-NOT: tensor<3x2x3x3x2xf32>
// CHECK: func.func @not_asked_for
// CHECK-NOT: tensor<3x2x3x3x2xf32>
// CHECK: func.func @no_room_left
// CHECK-NOT: tensor<3x2x3x3x2xf32>
#x = affine_map<(n, f, h, w, c, i, j) -> (n, c, h + i, w + j)>
#w = affine_map<(n, f, h, w, c, i, j) -> (f, c, i, j)>
#y = affine_map<(n, f, h, w, c, i, j) -> (n, f, h, w)>
func.func @other_each_call(%x: tensor<2x2x8x8xf32>, %w: tensor<5x2x3x3xf32>, %y: tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x2x8x8xf32>, tensor<5x2x3x3xf32>) outs(%init : tensor<2x5x6x6xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "direct-convolution", channels = 2 : i64, vectors = 1 : i64, lanes = 16 : i64, rows = 2 : i64, columns = 0 : i64, channel_block = 0 : i64, parallel = true, packed = true}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x5x6x6xf32>
  return %c : tensor<2x5x6x6xf32>
}
func.func @not_asked_for(%x: tensor<2x2x8x8xf32>, %w: tensor<5x2x3x3xf32> {bellrock.fixed}, %y: tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x2x8x8xf32>, tensor<5x2x3x3xf32>) outs(%init : tensor<2x5x6x6xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "direct-convolution", channels = 2 : i64, vectors = 1 : i64, lanes = 16 : i64, rows = 2 : i64, columns = 0 : i64, channel_block = 0 : i64, parallel = true, packed = false}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x5x6x6xf32>
  return %c : tensor<2x5x6x6xf32>
}
func.func @no_room_left(%x: tensor<2x2x8x8xf32>, %w: tensor<5x2x3x3xf32> {bellrock.fixed}, %y: tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32> attributes {bellrock.prepared_bytes = 1048272 : i64} {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x5x6x6xf32>) -> tensor<2x5x6x6xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x2x8x8xf32>, tensor<5x2x3x3xf32>) outs(%init : tensor<2x5x6x6xf32>)
      attrs = {bellrock.choice = {by = "default", knobs = "direct-convolution", channels = 2 : i64, vectors = 1 : i64, lanes = 16 : i64, rows = 2 : i64, columns = 0 : i64, channel_block = 0 : i64, parallel = true, packed = true}} {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x5x6x6xf32>
  return %c : tensor<2x5x6x6xf32>
}
