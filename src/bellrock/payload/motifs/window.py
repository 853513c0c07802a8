"""Windows: an operand indexed by `stride * output + dilation * kernel` in some dimensions.

Flows in: an access. Flows out: `Window`, shared by convolutions and poolings.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.payload.motifs.access import Access, Expr
from bellrock.payload.motifs.structured import Structured

SPATIAL = {1: ("w",), 2: ("h", "w"), 3: ("d", "h", "w")}
"""Letters of spatial dimensions by their number; more than three are numbered."""


@dataclass(frozen=True, slots=True)
class WindowDim:
    """One spatial dimension."""

    output: int | None
    """Loop over output positions; None where the output has one."""
    kernel: int | None
    """Loop over the window; None where the window has one element."""
    stride: int
    dilation: int
    input_size: int


@dataclass(frozen=True, slots=True)
class Window:
    """The spatial dimensions of one operand, outermost first."""

    dims: tuple[WindowDim, ...]

    def lists(self, op: Structured) -> dict[str, tuple[int, ...]]:
        """Return `input output kernel strides dilations`, one size for each dimension."""
        return {
            "input": tuple(d.input_size for d in self.dims),
            "output": tuple(1 if d.output is None else op.loops[d.output] for d in self.dims),
            "kernel": tuple(1 if d.kernel is None else op.loops[d.kernel] for d in self.dims),
            "strides": tuple(d.stride for d in self.dims),
            "dilations": tuple(d.dilation for d in self.dims),
        }

    def letters(self) -> dict[int, str]:
        """Return the letters of the loops: `h w` of the output, `kh kw` of the window."""
        count = len(self.dims)
        names = SPATIAL.get(count, tuple(f"s{i}" for i in range(count)))
        found: dict[int, str] = {}
        for dim, name in zip(self.dims, names, strict=True):
            if dim.output is not None:
                found[dim.output] = name
            if dim.kernel is not None:
                found[dim.kernel] = f"k{name}"
        return found


def read_window(op: Structured, access: Access, shape: tuple[int, ...]) -> Window | None:
    """Return the window of an access; None if it has none or is indexed otherwise."""
    output = op.output_loops
    dims: list[WindowDim] = []
    for expr, size in zip(access, shape, strict=True):
        if expr.loop is not None or expr.is_constant:
            continue
        dim = _window_dim(expr, output, size)
        if dim is None:
            return None
        dims.append(dim)
    return Window(tuple(dims)) if dims else None


def _window_dim(expr: Expr, output: frozenset[int], size: int) -> WindowDim | None:
    if not expr.linear or expr.constant or len(expr.terms) > 2:
        return None
    over_output = [(loop, c) for loop, c in expr.terms if loop in output]
    over_kernel = [(loop, c) for loop, c in expr.terms if loop not in output]
    if len(over_output) > 1 or len(over_kernel) > 1:
        return None
    o_loop, stride = over_output[0] if over_output else (None, 1)
    k_loop, dilation = over_kernel[0] if over_kernel else (None, 1)
    return WindowDim(o_loop, k_loop, stride, dilation, size)
