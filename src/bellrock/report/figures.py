"""The pictures of the HTML report, as SVG text.

Flows in: records. Flows out: one `<svg>` element a picture, empty text where there is nothing
to show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bellrock.bench.record import FactsInfo, Outcome, Record, Status
from bellrock.report import units
from bellrock.report.canvas import FAINT, INK, canvas, legend, plain_ticks, ratio_axis, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUTCOME_COLOURS = {Outcome.FASTER: "#1a7f5a", Outcome.SLOWER: "#cf4a3c", Outcome.SAME: "#9aa4af"}
BOUND_COLOURS = {"compute": "#6f42c1", "memory": "#0b6bcb"}
LEAST_ERROR = 1e-4
"""Of the budget; what is below, exact results too, is drawn there."""
NAMED_BARS = 60
"""Up to so many problems, each bar has its name beside it."""


def speedup_figure(records: Sequence[Record], baseline: str) -> str:
    """Return bars of the speed-up against one baseline, sorted, on a logarithmic axis."""
    rows = sorted(
        ((r.problem.name, r.speedup[baseline]) for r in records if baseline in r.speedup),
        key=lambda row: row[1].ratio,
    )
    if not rows:
        return ""
    named = len(rows) <= NAMED_BARS
    figure, axes = canvas(max(1.6, 0.21 * len(rows) + 0.9) if named else 4.2)
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
    ratio_axis(axes, ends, horizontal=named)
    if named:
        axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.set_xlabel(f"times as fast as {baseline}")
        axes.tick_params(axis="y", length=0)
    else:
        axes.set_xlim(-1, len(rows))
        axes.set_xlabel("problems, sorted")
        axes.set_ylabel(f"times as fast as {baseline}")
    return to_svg(figure, titles)


def roofline_figure(records: Sequence[Record]) -> str:
    """Return achieved rate over arithmetic intensity, under the roofs of the machine."""
    rows = [r for r in records if r.roofline is not None and r.roofline.achieved_flops_per_s > 0]
    facts = next((r.target.facts for r in rows if r.target.facts), None)
    if not rows or facts is None:
        return ""
    figure, axes = canvas(4.6)
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
    legend(axes, BOUND_COLOURS, "limited by {}")
    return to_svg(figure, titles)


def error_figure(records: Sequence[Record]) -> str:
    """Return each problem's error over its budget, ours and PyTorch's own, sorted."""
    rows = sorted(
        (
            (r.problem.name, r.error.value / r.error.budget, r.verdict.eager_value, r.status)
            for r in records
            if r.error is not None and r.verdict is not None and r.error.budget > 0
        ),
        key=lambda row: row[1],
    )
    if not rows:
        return ""
    figure, axes = canvas(3.4)
    axes.set_yscale("log")
    titles: dict[str, str] = {}
    for place, (name, ours, eager, status) in enumerate(rows):
        gid = f"error-{place}"
        titles[gid] = f"{name}: {ours:.2g} of the budget, PyTorch {eager:.2g}"
        if math.isfinite(eager):
            axes.plot([place], [max(eager, LEAST_ERROR)], "o", markersize=4, color="#c4cbd3")
        colour = OUTCOME_COLOURS[Outcome.FASTER if status is not Status.WRONG else Outcome.SLOWER]
        shown = min(max(ours, LEAST_ERROR), 1 / LEAST_ERROR)
        axes.plot([place], [shown], "o", markersize=5, color=colour, markeredgewidth=0, gid=gid)
    axes.axhline(1.0, color=INK, linewidth=1.0)
    axes.set_xlim(-1, len(rows))
    axes.set_ylim(bottom=LEAST_ERROR / 1.5, top=max(4.0, axes.get_ylim()[1]))
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("problems, sorted")
    axes.set_ylabel("error / budget")
    legend(axes, {"bellrock": OUTCOME_COLOURS[Outcome.FASTER], "PyTorch": "#c4cbd3"}, "{}")
    return to_svg(figure, titles)


def compile_figure(records: Sequence[Record], baseline: str) -> str:
    """Return compile time, ours over the baseline's; below the diagonal ours is shorter."""
    rows = [
        (r.problem.name, r.compile_seconds, info.compile_seconds, r.cached)
        for r in records
        if (info := r.baselines.get(baseline)) and info.compile_seconds and r.compile_seconds
    ]
    if not rows:
        return ""
    figure, axes = canvas(4.2)
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
    plain_ticks(axes, unit=" s")
    axes.set_xlabel(f"{baseline}, compile time")
    axes.set_ylabel("bellrock, compile time")
    axes.text(0.98, 0.05, "bellrock compiles faster", transform=axes.transAxes, ha="right",
              color=FAINT, fontsize=9)  # fmt: skip
    return to_svg(figure, titles)


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
            f"{level} {bandwidth:.0f} GB/s", (low, low * bandwidth), (6, 4),
            textcoords="offset points", color=FAINT, fontsize=8.5, rotation_mode="anchor",
            rotation=_slope_degrees(axes, low, high, min(*ys, low * bandwidth), ceiling),
        )  # fmt: skip
    fastest = max(bandwidths.values(), default=0.0)
    for dtype, peak in peaks.items():
        start = peak / fastest if fastest else low
        axes.plot([max(start, low), high], [peak, peak], color=INK, linewidth=1.4)
        axes.annotate(
            f"{dtype} peak {peak:.0f} GFLOP/s", (high, peak), (-2, 4), ha="right",
            textcoords="offset points", color=INK, fontsize=8.5,
        )  # fmt: skip
    axes.set_xlim(low, high)
    lowest = min([*ys, *(low * b for b in bandwidths.values())])
    axes.set_ylim(lowest / 2, max(ceiling, *ys) * 3)
    plain_ticks(axes)


def _slope_degrees(axes: Axes, low: float, high: float, bottom: float, top: float) -> float:
    """Angle on paper of a line of slope one in these logarithmic axes."""
    import math

    width, height = axes.get_figure(root=True).get_size_inches()  # pyright: ignore[reportOptionalMemberAccess]
    across = width * 0.92 / math.log(high / low)
    up = height * 0.85 / math.log(top * 3 / (bottom / 2))
    return math.degrees(math.atan2(up, across))
