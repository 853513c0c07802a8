"""The pictures of the HTML report, as SVG text.

Flows in: records. Flows out: one `<svg>` element a picture, without references to anything
outside itself. Marks carry a `<title>`, which browsers show as a tooltip.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from bellrock.bench.record import FactsInfo, Outcome, Record
from bellrock.report import units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#24292f", "#6e7781", "#d8dee4"
OUTCOME_COLOURS = {Outcome.FASTER: "#1a7f5a", Outcome.SLOWER: "#cf4a3c", Outcome.SAME: "#9aa4af"}
BOUND_COLOURS = {"compute": "#6f42c1", "memory": "#0b6bcb"}
NAMED_BARS = 60
"""Up to so many problems, each bar has its name beside it."""
WIDTH_INCHES = 10.5


def speedup_figure(records: Sequence[Record], baseline: str) -> str:
    """Return bars of the speed-up against one baseline, sorted, on a logarithmic axis."""
    rows = sorted(
        ((r.problem.name, r.speedup[baseline]) for r in records if baseline in r.speedup),
        key=lambda row: row[1].ratio,
    )
    if not rows:
        return ""
    named = len(rows) <= NAMED_BARS
    figure, axes = _canvas(max(1.6, 0.21 * len(rows) + 0.9) if named else 4.2)
    titles: dict[str, str] = {}
    for place, (name, found) in enumerate(rows):
        gid = f"{baseline}-bar-{place}"
        titles[gid] = (
            f"{name}: {units.ratio(found.ratio)} "
            f"({found.ci95[0]:.2f} to {found.ci95[1]:.2f}), {found.outcome}"
        )
        low, high = min(found.ratio, 1.0), max(found.ratio, 1.0)
        colour = OUTCOME_COLOURS[found.outcome]
        draw = axes.barh if named else axes.bar
        (bar,) = draw(place, high - low, 0.74, low, color=colour, linewidth=0)
        bar.set_gid(gid)
        interval = [max(found.ci95[0], 1e-3), min(found.ci95[1], 1e3)]
        at = [place, place]
        axes.plot(*((interval, at) if named else (at, interval)), color=INK, linewidth=0.8)
    ends = [v for _, f in rows for v in (f.ratio, *f.ci95)]
    _ratio_axis(axes, ends, horizontal=named)
    if named:
        axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.set_xlabel(f"times as fast as {baseline}")
        axes.tick_params(axis="y", length=0)
    else:
        axes.set_xlim(-1, len(rows))
        axes.set_xlabel("problems, sorted")
        axes.set_ylabel(f"times as fast as {baseline}")
    return _svg(figure, titles)


def roofline_figure(records: Sequence[Record]) -> str:
    """Return achieved rate over arithmetic intensity, under the roofs of the machine."""
    rows = [r for r in records if r.roofline is not None and r.roofline.achieved_flops_per_s > 0]
    facts = next((r.target.facts for r in rows if r.target.facts), None)
    if not rows or facts is None:
        return ""
    figure, axes = _canvas(4.6)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    titles: dict[str, str] = {}
    points = []
    for place, record in enumerate(rows):
        roofline = record.roofline
        if roofline is None or roofline.intensity_flops_per_byte <= 0:
            continue
        x, y = roofline.intensity_flops_per_byte, roofline.achieved_flops_per_s / 1e9
        points.append((x, y))
        gid = f"roof-{place}"
        titles[gid] = (
            f"{record.problem.name}: {x:.3g} flop/byte, {y:.3g} GFLOP/s, "
            f"{units.percent(roofline.peak_fraction)} of its {roofline.bound} limit"
        )
        axes.plot(
            [x], [y], "o", markersize=6, alpha=0.75, markeredgewidth=0,
            color=BOUND_COLOURS[roofline.bound], gid=gid,
        )  # fmt: skip
    if not points:
        return ""
    _roofs(axes, facts, dtypes=sorted({r.dtype for r in rows}), points=points)
    axes.set_xlabel("arithmetic intensity, flop / byte of arguments and results")
    axes.set_ylabel("achieved, GFLOP/s")
    _legend(axes, BOUND_COLOURS, "limited by {}")
    return _svg(figure, titles)


def compile_figure(records: Sequence[Record], baseline: str) -> str:
    """Return compile time, ours over the baseline's; below the diagonal ours is shorter."""
    rows = [
        (r.problem.name, r.compile_seconds, info.compile_seconds, r.cached)
        for r in records
        if (info := r.baselines.get(baseline)) and info.compile_seconds and r.compile_seconds
    ]
    if not rows:
        return ""
    figure, axes = _canvas(4.2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    titles: dict[str, str] = {}
    for place, (name, ours, theirs, cached) in enumerate(rows):
        gid = f"compile-{place}"
        titles[gid] = f"{name}: {units.seconds(ours)}, {baseline} {units.seconds(theirs)}"
        colour = OUTCOME_COLOURS[Outcome.FASTER if ours < theirs else Outcome.SLOWER]
        axes.plot(
            [theirs], [ours], "o", markersize=6, alpha=0.8, color=colour, gid=gid,
            markerfacecolor="none" if cached else colour,
        )  # fmt: skip
    ends = [v for _, ours, theirs, _ in rows for v in (ours, theirs)]
    low, high = min(ends) / 1.5, max(ends) * 1.5
    axes.plot([low, high], [low, high], color=FAINT, linewidth=1, zorder=0)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    _plain_ticks(axes, unit=" s")
    axes.set_xlabel(f"{baseline}, compile time")
    axes.set_ylabel("bellrock, compile time")
    axes.text(0.98, 0.05, "bellrock compiles faster", transform=axes.transAxes, ha="right",
              color=FAINT, fontsize=9)  # fmt: skip
    return _svg(figure, titles)


def _canvas(height_inches: float) -> tuple[Figure, Axes]:
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


def _ratio_axis(axes: Axes, values: Sequence[float], *, horizontal: bool) -> None:
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


def _roofs(
    axes: Axes, facts: FactsInfo, *, dtypes: Sequence[str], points: Sequence[tuple[float, float]]
) -> None:
    """Draw the memory slopes and the compute ceilings, and frame what matters of both."""
    peaks = {d: facts.peak_flops_per_s[d] / 1e9 for d in dtypes if d in facts.peak_flops_per_s}
    bandwidths = {k: v / 1e9 for k, v in facts.bandwidth_bytes_per_s.items()}
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(*xs, 0.25) / 2, max(*xs, 64.0) * 2
    ceiling = max(peaks.values(), default=max(ys))
    for level, bandwidth in bandwidths.items():
        knee = ceiling / bandwidth
        end = min(max(knee, low), high)
        axes.plot([low, end], [low * bandwidth, end * bandwidth], color=FAINT, linewidth=1.2)
        axes.annotate(
            f"{level} {bandwidth:.3g} GB/s", (low, low * bandwidth), (6, 4),
            textcoords="offset points", color=FAINT, fontsize=8.5, rotation_mode="anchor",
            rotation=_slope_degrees(axes, low, high, min(*ys, low * bandwidth), ceiling),
        )  # fmt: skip
    fastest = max(bandwidths.values(), default=0.0)
    for dtype, peak in peaks.items():
        start = peak / fastest if fastest else low
        axes.plot([max(start, low), high], [peak, peak], color=INK, linewidth=1.4)
        axes.annotate(
            f"{dtype} peak {peak:.3g} GFLOP/s", (high, peak), (-2, 4), ha="right",
            textcoords="offset points", color=INK, fontsize=8.5,
        )  # fmt: skip
    axes.set_xlim(low, high)
    lowest = min([*ys, *(low * b for b in bandwidths.values())])
    axes.set_ylim(lowest / 2, max(ceiling, *ys) * 3)
    _plain_ticks(axes)


def _slope_degrees(axes: Axes, low: float, high: float, bottom: float, top: float) -> float:
    """Angle on paper of a line of slope one in these logarithmic axes."""
    import math

    width, height = axes.get_figure(root=True).get_size_inches()  # pyright: ignore[reportOptionalMemberAccess]
    across = width * 0.92 / math.log(high / low)
    up = height * 0.85 / math.log(top * 3 / (bottom / 2))
    return math.degrees(math.atan2(up, across))


def _plain_ticks(axes: Axes, *, unit: str = "") -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}{unit}"))
        axis.set_minor_formatter(NullFormatter())


def _legend(axes: Axes, colours: dict[str, str], label: str) -> None:
    for name, colour in colours.items():
        axes.plot([], [], "o", color=colour, markeredgewidth=0, label=label.format(name))
    axes.legend(frameon=False, fontsize=9, loc="lower right", labelcolor=INK)


def _svg(figure: Figure, titles: dict[str, str]) -> str:
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
