"""Functions of `math` as straight-line arithmetic, one family a file.

Flows in: operands in binary32, scalar or vector. Flows out: `EXPANSIONS`, op name -> function that
builds the result. Each function's docstring states its error over all numbers; tests hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bellrock.dialects.vector_math import (
    error_functions,
    exponentials,
    inverse_hyperbolic,
    inverse_trigonometric,
    logarithms,
    powers,
    trigonometric,
)
from bellrock.dialects.vector_math.number import Number

EXPANSIONS: Mapping[str, Callable[..., Number]] = {
    "math.acos": inverse_trigonometric.acos,
    "math.acosh": inverse_hyperbolic.acosh,
    "math.asin": inverse_trigonometric.asin,
    "math.asinh": inverse_hyperbolic.asinh,
    "math.atan": inverse_trigonometric.atan,
    "math.atan2": inverse_trigonometric.atan2,
    "math.atanh": inverse_hyperbolic.atanh,
    "math.cbrt": powers.cube_root,
    "math.cos": trigonometric.cos,
    "math.cosh": exponentials.cosh,
    "math.erf": error_functions.erf,
    "math.erfc": error_functions.erfc,
    "math.exp": exponentials.exp,
    "math.exp2": exponentials.exp2,
    "math.expm1": exponentials.expm1,
    "math.log": logarithms.log,
    "math.log10": logarithms.log10,
    "math.log1p": logarithms.log1p,
    "math.log2": logarithms.log2,
    "math.powf": powers.power,
    "math.sin": trigonometric.sin,
    "math.sinh": exponentials.sinh,
    "math.tan": trigonometric.tan,
    "math.tanh": exponentials.tanh,
}

IN_BINARY64 = frozenset({
    "math.acosh", "math.asinh", "math.atanh", "math.cbrt", "math.cos", "math.erfc", "math.powf",
    "math.sin", "math.tan",
})  # fmt: skip
"""Functions that take binary64 on the way, which some devices have slowly or not at all."""
