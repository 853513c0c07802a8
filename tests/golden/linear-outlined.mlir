#map = affine_map<(d0, d1, d2) -> (d0, d2)>
#map1 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map3 = affine_map<(d0, d1) -> (d0, d1)>
#map4 = affine_map<(d0, d1) -> (d1)>
module {
  func.func @main(%arg0: tensor<61x48xf32>, %arg1: tensor<79x48xf32>, %arg2: tensor<79xf32>) -> tensor<61x79xf32> {
    %cst = arith.constant 0.000000e+00 : f32
    %0 = tensor.empty() : tensor<61x79xf32>
    %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<61x79xf32>) -> tensor<61x79xf32>
    %2 = tensor.empty() : tensor<61x79xf32>
    %3 = call @k_contraction_d9609ee2bdc1(%arg0, %arg1, %arg2, %2) : (tensor<61x48xf32>, tensor<79x48xf32>, tensor<79xf32>, tensor<61x79xf32>) -> tensor<61x79xf32>
    return %3 : tensor<61x79xf32>
  }
  func.func private @k_contraction_d9609ee2bdc1(%arg0: tensor<61x48xf32>, %arg1: tensor<79x48xf32>, %arg2: tensor<79xf32>, %arg3: tensor<61x79xf32>) -> tensor<61x79xf32> attributes {bellrock.kernel = "contraction"} {
    %cst = arith.constant 0.000000e+00 : f32
    %0 = tensor.empty() : tensor<61x79xf32>
    %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<61x79xf32>) -> tensor<61x79xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%arg0, %arg1 : tensor<61x48xf32>, tensor<79x48xf32>) outs(%1 : tensor<61x79xf32>) attrs =  {bellrock.anchor} {
    ^bb0(%in: f32, %in_0: f32, %out: f32):
      %4 = arith.mulf %in, %in_0 : f32
      %5 = arith.addf %out, %4 : f32
      linalg.yield %5 : f32
    } -> tensor<61x79xf32>
    %3 = linalg.generic {indexing_maps = [#map3, #map4, #map3], iterator_types = ["parallel", "parallel"]} ins(%2, %arg2 : tensor<61x79xf32>, tensor<79xf32>) outs(%arg3 : tensor<61x79xf32>) {
    ^bb0(%in: f32, %in_0: f32, %out: f32):
      %4 = arith.addf %in, %in_0 : f32
      linalg.yield %4 : f32
    } -> tensor<61x79xf32>
    return %3 : tensor<61x79xf32>
  }
}
