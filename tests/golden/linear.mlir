func.func @main(%x: tensor<61x48xf32>, %w: tensor<79x48xf32>, %b: tensor<79xf32>) -> tensor<61x79xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<48x79xf32>
  %t = linalg.transpose ins(%w : tensor<79x48xf32>) outs(%e : tensor<48x79xf32>) permutation = [1, 0]
  %r = tensor.empty() : tensor<61x79xf32>
  %i = linalg.fill ins(%zero : f32) outs(%r : tensor<61x79xf32>) -> tensor<61x79xf32>
  %c = linalg.matmul ins(%x, %t : tensor<61x48xf32>, tensor<48x79xf32>) outs(%i : tensor<61x79xf32>) -> tensor<61x79xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%c, %b : tensor<61x79xf32>, tensor<79xf32>) outs(%r : tensor<61x79xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<61x79xf32>
  return %d : tensor<61x79xf32>
}
