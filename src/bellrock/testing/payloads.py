"""Small payloads for contract tests: sizes that no tile divides, units among them.

Flows in: nothing. Flows out: MLIR text, `Payload`s, and the motifs in them.
"""

from __future__ import annotations

from bellrock.payload import Payload
from bellrock.payload.motif import Motif, find_motif

MATMUL = """
func.func @main(%a: tensor<7x3xf32>, %b: tensor<3x5xf32>, %c: tensor<7x5xf32>) -> tensor<7x5xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<7x5xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<7x5xf32>) -> tensor<7x5xf32>
  %product = linalg.matmul ins(%a, %b : tensor<7x3xf32>, tensor<3x5xf32>)
                           outs(%init : tensor<7x5xf32>) -> tensor<7x5xf32>
  %sum = linalg.add ins(%product, %c : tensor<7x5xf32>, tensor<7x5xf32>)
                    outs(%empty : tensor<7x5xf32>) -> tensor<7x5xf32>
  return %sum : tensor<7x5xf32>
}
"""

MATMUL_CHAIN = """
func.func @main(%a: tensor<11x11xf32>) -> tensor<11x11xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<11x11xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<11x11xf32>) -> tensor<11x11xf32>
  %square = linalg.matmul ins(%a, %a : tensor<11x11xf32>, tensor<11x11xf32>)
                          outs(%init : tensor<11x11xf32>) -> tensor<11x11xf32>
  %cube = linalg.matmul ins(%square, %a : tensor<11x11xf32>, tensor<11x11xf32>)
                        outs(%init : tensor<11x11xf32>) -> tensor<11x11xf32>
  return %cube : tensor<11x11xf32>
}
"""

ELEMENTWISE = """
func.func @main(%a: tensor<1x13xf32>) -> tensor<1x13xf32> {
  %empty = tensor.empty() : tensor<1x13xf32>
  %exp = linalg.exp ins(%a : tensor<1x13xf32>) outs(%empty : tensor<1x13xf32>) -> tensor<1x13xf32>
  %sum = linalg.add ins(%exp, %a : tensor<1x13xf32>, tensor<1x13xf32>)
                    outs(%empty : tensor<1x13xf32>) -> tensor<1x13xf32>
  return %sum : tensor<1x13xf32>
}
"""


def payload_of(text: str) -> Payload:
    """Return the payload of one of the texts above."""
    from bellrock.ingress.mlir_text import load_mlir

    return load_mlir(text, name="contract")


def motifs_of(*texts: str) -> list[Motif]:
    """Return the motif of every op that has one, in order."""
    from torch_mlir import ir

    from bellrock.pipeline.context import new_context

    motifs: list[Motif] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        motif = find_motif(op)
        if motif is not None:
            motifs.append(motif)
        return ir.WalkResult.ADVANCE

    with new_context(), ir.Location.unknown():
        for text in texts:
            ir.Module.parse(text).operation.walk(visit)
    return motifs
