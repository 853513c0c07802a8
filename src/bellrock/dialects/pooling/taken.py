"""Which poolings are lowered as vector code, and what padding they can read around.

Flows in: a motif; the constant of a pad. Flows out: whether the lowering takes it. The default
choice, the pads that are left to their readers, and the lowering must agree on it.
"""

from __future__ import annotations

import math
import re

from torch_mlir import ir

from bellrock.payload.motifs.base import Motif, MotifKind, Operand

KNOBS = "windows"
NEUTRAL = {"add": 0.0, "max": -math.inf, "min": math.inf}
"""What a combiner starts from, and finds outside of the image."""
_NARROW = ("bf16", "f16")


def takes_windows(motif: Motif) -> bool:
    """Whether a motif is a pooling of floats whose outputs lie along its image's memory."""
    if motif.kind is not MotifKind.POOLING or not motif.plain or len(motif.outputs) != 1:
        return False
    if motif.variant not in NEUTRAL or any(n < 1 for n in motif.loops):
        return False
    image, result = _image(motif), motif.outputs[0]
    exact = motif.accumulator == "f32" or (motif.accumulator in _NARROW and motif.variant != "add")
    if image is None or not exact or image.dtype not in ("f32", *_NARROW):
        return False
    return result.dtype == motif.accumulator and _runs_along(image.layout, result.layout)


def _image(motif: Motif) -> Operand | None:
    """Return the input that is read through the window; others only give its size."""
    found = [o for o in motif.inputs if "+" in o.layout]
    return found[0] if len(found) == 1 else None


def _runs_along(image: str, result: str) -> bool:
    """Whether the innermost loop of the result is the output loop of the image's last index."""
    last = re.search(r"(p\d+|[a-z])$", result)
    inner = re.search(r"(\([^)]*\)|p\d+)$", image)
    if last is None or inner is None:
        return False
    terms = re.findall(r"[a-z]+\d*", inner[1])
    return last[1] in terms


def is_neutral(value: ir.Operation, motif: Motif) -> bool:
    """Whether a constant changes nothing that a pooling combines it with."""
    constant = value.attributes["value"]
    return (
        motif.variant in NEUTRAL
        and isinstance(constant, ir.FloatAttr)
        and constant.value == NEUTRAL[motif.variant]
    )
