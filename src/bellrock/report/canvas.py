"""Paper for pictures: axes in the report's style, and SVG that stands alone.

Flows in: what a picture draws. Flows out: one `<svg>` element, without references to anything
outside itself. Marks carry a `<title>`, which browsers show as a tooltip.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#24292f", "#6e7781", "#d8dee4"
WIDTH_INCHES = 10.5


def canvas(height_inches: float) -> tuple[Figure, Axes]:
    """Return an empty figure and its axes."""
    # Figures without pyplot: no global state, no display.
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    rcParams["svg.fonttype"] = "none"
    rcParams["font.family"] = ["DejaVu Sans"]
    rcParams["svg.hashsalt"] = "bellrock"  # equal records give equal bytes
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(colors=FAINT, labelcolor=INK, labelsize=9)
    axes.xaxis.label.set_color(FAINT)
    axes.yaxis.label.set_color(FAINT)
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.6)
    return figure, axes


def ratio_axis(axes: Axes, values: Sequence[float], *, horizontal: bool) -> None:
    """A logarithmic axis about one, with ticks at ratios that people read."""
    low = min(0.5, *(max(v, 1e-2) for v in values)) / 1.1
    high = max(2.0, *(min(v, 1e2) for v in values)) * 1.1
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    if high / low < 12:
        steps = (0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4)
    ticks = [s for s in steps if low <= s <= high]
    axis = axes.xaxis if horizontal else axes.yaxis
    (axes.set_xscale if horizontal else axes.set_yscale)("log")
    (axes.set_xlim if horizontal else axes.set_ylim)(low, high)
    axis.set_ticks(ticks, [f"{t:g}x" for t in ticks])
    axis.set_ticks([], minor=True)
    (axes.axvline if horizontal else axes.axhline)(1.0, color=INK, linewidth=1.0, zorder=3)
    axes.grid(visible=False, axis="y" if horizontal else "x")


def plain_ticks(axes: Axes, *, unit: str = "") -> None:
    """Write ticks of both axes as plain numbers."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}{unit}"))
        axis.set_minor_formatter(NullFormatter())


def legend(axes: Axes, colours: dict[str, str], label: str) -> None:
    """Explain colours of dots; `label` has a `{}` for each name."""
    for name, colour in colours.items():
        axes.plot([], [], "o", color=colour, markeredgewidth=0, label=label.format(name))
    axes.legend(frameon=False, fontsize=9, loc="lower right", labelcolor=INK)


def to_svg(figure: Figure, titles: dict[str, str]) -> str:
    """Return the picture as an element to be placed in HTML, with tooltips."""
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    # Matplotlib fixes the size in points; the page decides instead.
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 class="picture"', text, count=1)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for gid, title in titles.items():
        mark = f'<g id="{gid}">'
        text = text.replace(mark, f"{mark}<title>{escape(title)}</title>", 1)
    return text
