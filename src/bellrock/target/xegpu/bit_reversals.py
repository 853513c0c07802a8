"""LLVM's bit reversals as shifts.

Flows in: an optimised module as text. Flows out: the module without `llvm.bitreverse`. LLVM's
optimiser knows a reversal wherever bits change places (an index of [2, 2] read transposed swaps
two bits, which it makes a reversal of nine), and cannot be told to let it be; OpenCL's SPIR-V has
none without an extension that not every driver takes, and none of nine bits with it.
"""

from __future__ import annotations

import re

_REVERSAL = re.compile(r"@llvm\.bitreverse\.i(\d+)\b")
_DECLARATION = re.compile(r"^declare [^\n]*@llvm\.bitreverse\.i\d+\b[^\n]*\n", re.MULTILINE)
_WIDEST = 64


def spell_out_bit_reversals(text: str) -> str:
    """Return the module with a function of its own for each width that is reversed.

    Args:
        text: a module in LLVM's assembly; integers of more than 64 bits, and vectors, stay.
    """
    widths = sorted({int(width) for width in _REVERSAL.findall(text)})
    widths = [width for width in widths if width <= _WIDEST]
    for width in widths:
        text = _DECLARATION.sub(
            lambda found, width=width: "" if f".i{width}(" in found[0] else found[0], text
        ).replace(f"@llvm.bitreverse.i{width}(", f"@bellrock.bitreverse.i{width}(")
    return text + "".join(map(_function, widths))


def _function(width: int) -> str:
    """Return a function that reverses `width` bits: neighbours change places, then pairs ..."""
    # SPIR-V's backend rounds odd widths up and does not clear what is above: done here.
    word = 32 if width <= 32 else 64
    narrow = width < word
    lines = [
        f"  %wide = zext i{width} %x to i{word}" if narrow else "",
        f"  %v1 = and i{word} %{'wide' if narrow else 'x'}, {2**width - 1}",
    ]
    step = 1
    while step < word:
        low = sum(1 << bit for bit in range(word) if not bit & step)
        lines += [
            f"  %low{step} = and i{word} %v{step}, {low}",
            f"  %up{step} = shl i{word} %low{step}, {step}",
            f"  %high{step} = lshr i{word} %v{step}, {step}",
            f"  %down{step} = and i{word} %high{step}, {low}",
            f"  %v{2 * step} = or i{word} %up{step}, %down{step}",
        ]
        step *= 2
    lines += [
        f"  %cut = lshr i{word} %v{step}, {word - width}",
        f"  %y = trunc i{word} %cut to i{width}" if narrow else "",
        f"  ret i{width} %{'y' if narrow else 'cut'}",
    ]
    body = "\n".join(line for line in lines if line)
    return f"\ndefine internal i{width} @bellrock.bitreverse.i{width}(i{width} %x) {{\n{body}\n}}\n"
