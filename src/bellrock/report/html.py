"""Records as one HTML file that needs nothing beside itself.

Flows in: records. Flows out: the page's text, with pictures, styles and script inlined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module

from bellrock.bench.record import Record, Status
from bellrock.errors import RegistryError
from bellrock.report import units
from bellrock.report.columns import Column, all_warnings, baselines_of, columns
from bellrock.report.summary import summarise, verdict_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One picture with what it shows in words."""

    title: str
    caption: str
    svg: str


def to_html(records: Sequence[Record], *, title: str = "Bellrock report") -> str:
    """Return the page.

    Raises:
        RegistryError: jinja2 or matplotlib, which the extra `report` brings, is missing.
    """
    for package in ("jinja2", "matplotlib"):
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            raise RegistryError(
                f"the HTML report needs the package {package!r}",
                hint="pip install 'bellrock[report]'",
            ) from error
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bellrock.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    summary = summarise(records)
    return environment.get_template("report.html.j2").render(
        title=title, records=records, summary=summary, verdict=verdict_line(summary),
        columns=[c for c in columns(records) if not c.detail], pictures=pictures(records),
        setting=_setting(records), cell_class=_cell_class, all_warnings=all_warnings,
        units=units, Status=Status, sort_key=_sort_key,
    )  # fmt: skip


def pictures(records: Sequence[Record]) -> tuple[Picture, ...]:
    """Return the pictures that these records have data for."""
    from bellrock.report.figures import (
        compile_figure,
        error_figure,
        roofline_figure,
        speedup_figure,
    )

    found = [
        Picture(
            title=f"Speed-up over {name}",
            caption=f"Median time of {name} over ours; the thin line is the 95 % interval. "
            "Green: faster, red: slower, grey: within the noise.",
            svg=speedup_figure(records, name),
        )
        for name in baselines_of(records)
    ]
    found.append(
        Picture(
            title="Roofline",
            caption="Each dot is a problem; the lines are the machine's limits.",
            svg=roofline_figure(records),
        )
    )
    found += [
        Picture(
            title=f"Compile time beside {name}",
            caption="Below the diagonal ours is shorter; hollow dots came from the cache.",
            svg=compile_figure(records, name),
        )
        for name in baselines_of(records)
    ]
    found.append(
        Picture(
            title="Right or wrong",
            caption="Error against float64 over its budget: 1 is the limit. "
            "Light dots: PyTorch's own error in the same dtype.",
            svg=error_figure(records),
        )
    )
    return tuple(p for p in found if p.svg)


def _setting(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    """Return where and with what it was measured; more than one value is said so."""
    machines = {r.machine.cpu: r.machine for r in records if r.machine}
    machine = next(iter(machines.values()), None)
    rows = [
        ("target", _all(r.target.name for r in records)),
        ("dtype", _all(r.dtype for r in records)),
        ("processor", _all(machines)),
        ("threads", _all(str(r.threads) for r in records if r.threads)),
        ("mode", _all(r.time.mode for r in records if r.time)),
    ]
    if machine is not None:
        rows += [
            ("cores", str(machine.cores)),
            ("memory", units.size(machine.memory_bytes)),
            ("governor", machine.governor or "not readable"),
            ("system", f"{machine.kernel}, Python {machine.python}"),
        ]
    tools = next((r.toolchain for r in records if r.toolchain), {})
    rows += sorted(tools.items())
    return tuple((name, value) for name, value in rows if value)


def _all(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _cell_class(column: Column, record: Record) -> str:
    if column.name == "status":
        return "good" if record.status is Status.OK else "bad"
    if column.name.endswith("_speedup"):
        found = record.speedup.get(column.name.removesuffix("_speedup"))
        return found.outcome.value if found else "none"
    return ""


def _sort_key(value: object) -> str:
    """What the page's script sorts a cell by."""
    return "" if value is None else str(value)
