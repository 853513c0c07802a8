"""Ways in: problem files, PyTorch modules and MLIR text; all of them yield a `Payload`.

`problem` runs files in KernelBench's format, `torch_export` imports any `nn.Module`,
`mlir_text` takes MLIR as it is. `torch_export` needs PyTorch when it is imported; the others
load it when they need it.
"""

from bellrock.ingress.mlir_text import load_mlir
from bellrock.ingress.problem import Problem, ProblemInstance, load_problem

__all__ = ["Problem", "ProblemInstance", "load_mlir", "load_problem"]
