// SCHEDULES: share-positions
// Eight slices of one shape that differ in one offset only: it becomes an operand.
// CHECK-LABEL: func.func @alike(
// CHECK-DAG: arith.constant {bellrock.position} 0 : index
// CHECK-DAG: arith.constant {bellrock.position} 7 : index
// CHECK-DAG: arith.constant {bellrock.position} 28 : index
// CHECK-COUNT-8: tensor.extract_slice %arg0[%{{.*}}, 2] [1, 4] [1, 1]
// CHECK-COUNT-8: tensor.insert_slice %{{.*}} into %{{.*}}[0, %{{.*}}] [1, 4] [1, 1]
func.func @alike(%x: tensor<9x8xf32>, %y0: tensor<1x99xf32>) -> tensor<1x99xf32> {
  %x0 = tensor.extract_slice %x[0, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[1, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[2, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x3 = tensor.extract_slice %x[3, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x4 = tensor.extract_slice %x[4, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x5 = tensor.extract_slice %x[5, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x6 = tensor.extract_slice %x[6, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x7 = tensor.extract_slice %x[7, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %y1 = tensor.insert_slice %x0 into %y0[0, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y2 = tensor.insert_slice %x1 into %y1[0, 4] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y3 = tensor.insert_slice %x2 into %y2[0, 8] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y4 = tensor.insert_slice %x3 into %y3[0, 12] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y5 = tensor.insert_slice %x4 into %y4[0, 16] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y6 = tensor.insert_slice %x5 into %y5[0, 20] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y7 = tensor.insert_slice %x6 into %y6[0, 24] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y8 = tensor.insert_slice %x7 into %y7[0, 28] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  return %y8 : tensor<1x99xf32>
}
// Left alone: eight slices at two positions.
// CHECK-LABEL: func.func @few(
// CHECK-NOT: bellrock.position
// CHECK: return
func.func @few(%x: tensor<9x8xf32>, %y0: tensor<1x99xf32>) -> tensor<1x99xf32> {
  %x0 = tensor.extract_slice %x[0, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[1, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[0, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x3 = tensor.extract_slice %x[1, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x4 = tensor.extract_slice %x[0, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x5 = tensor.extract_slice %x[1, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x6 = tensor.extract_slice %x[0, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %x7 = tensor.extract_slice %x[1, 2] [1, 4] [1, 1] : tensor<9x8xf32> to tensor<1x4xf32>
  %y1 = tensor.insert_slice %x0 into %y0[0, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y2 = tensor.insert_slice %x1 into %y1[0, 4] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y3 = tensor.insert_slice %x2 into %y2[0, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y4 = tensor.insert_slice %x3 into %y3[0, 4] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y5 = tensor.insert_slice %x4 into %y4[0, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y6 = tensor.insert_slice %x5 into %y5[0, 4] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y7 = tensor.insert_slice %x6 into %y6[0, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  %y8 = tensor.insert_slice %x7 into %y7[0, 4] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<1x99xf32>
  return %y8 : tensor<1x99xf32>
}
