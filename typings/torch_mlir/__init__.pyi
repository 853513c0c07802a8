# torch-mlir's bindings ship without types. Each stub here says "anything goes" for one module,
# so that pyright checks our own code around them. A module that is imported by its dotted name
# needs a file of its own; one that is imported `from` its parent does not.
from typing import Any

def __getattr__(name: str) -> Any: ...
