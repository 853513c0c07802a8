"""`bellrock inspect`: what is in a payload, without compiling it or allocating its tensors."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellrock.cli._inspection import to_json
from bellrock.cli._memory import memory_json, memory_lines
from bellrock.cli._options import with_options
from bellrock.cli._payloads import PAYLOAD, payload_of
from bellrock.cli._targets import target_options
from bellrock.errors import UsageError
from bellrock.payload.spec import DType, Role, TensorSpec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bellrock.compiler.planning import MemoryPlan
    from bellrock.payload import Payload
    from bellrock.payload.inspect import Inspection, Row

_WIDTH = 140
"""Columns of a table that goes to a file or a pipe."""


@click.command(
    "inspect", short_help="Show a program's arguments, motifs, flops, traffic and bound."
)
@with_options(PAYLOAD)
@target_options("Target whose device gives the roofline bound; 'none' for no bound.")
@click.option(
    "--all", "every", is_flag=True, help="One row for each op; equal ones are merged else."
)
@click.option(
    "--memory", is_flag=True, help="Plan the target's memory too: what is needed at the peak."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (always one entry for each op).")
def command(
    path: Path,
    overrides: tuple[str, ...],
    dtype: str,
    entry: str | None,
    target: str,
    every: bool,
    memory: bool,
    as_json: bool,
) -> None:
    """Show arguments, motifs, flops, traffic and the roofline bound of PATH.

    PATH is a problem file (.py) or MLIR text (.mlir). Sizes are the original ones: tensors are
    never allocated. With --memory the target's pipeline runs up to the plan of its workspace; no
    kernel is compiled.
    """  # fmt: skip
    from bellrock.payload.inspect import inspect_payload
    from bellrock.target import TARGETS

    facts = None if target == "none" else TARGETS.get(target).facts()
    payload = payload_of(path, overrides, DType(dtype), entry)
    inspection = inspect_payload(payload, facts=facts)
    plan = _planned(payload, target) if memory else None
    if as_json:
        planned = {} if plan is None else {"memory": memory_json(plan)}
        click.echo(json.dumps({**to_json(inspection), **planned}, indent=2))
        return
    _print(inspection, every=every, device=facts.device if facts else "")
    for line in [] if plan is None else memory_lines(plan):
        click.echo(line)


def _planned(payload: Payload, target: str) -> MemoryPlan:
    """Plan memory for a target.

    Raises:
        UsageError: there is none.
    """
    from bellrock.compiler.planning import plan_payload

    if target == "none":
        raise UsageError("--memory needs a target, whose pipeline plans memory", got="none")
    return plan_payload(payload, target=target)


@dataclass(kw_only=True, slots=True)
class _Line:
    """Ops of one motif, added up."""

    row: Row
    ops: int = 0
    runs: int = 0
    flops: int | None = 0
    read: int | None = 0
    written: int | None = 0

    def add(self, row: Row) -> None:
        self.ops += 1
        self.runs += row.executions
        self.flops = _plus(self.flops, row.flops)
        self.read = _plus(self.read, row.bytes_read)
        self.written = _plus(self.written, row.bytes_written)


def _plus(total: int | None, more: int | None) -> int | None:
    return None if total is None or more is None else total + more


def _print(inspection: Inspection, *, every: bool, device: str) -> None:
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        _print_to(console, inspection, every=every, device=device)
        return
    console = Console(width=_WIDTH, color_system=None)
    with console.capture() as capture:
        _print_to(console, inspection, every=every, device=device)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _print_to(console: Console, inspection: Inspection, *, every: bool, device: str) -> None:
    console.print(f"[bold]{inspection.name}[/bold]", highlight=False)
    console.print(_door_table(inspection))
    console.print(_op_table(inspection, every=every))
    if inspection.groups:
        console.print(_group_table(inspection))
    for label, text in _totals(inspection, device):
        console.print(f"{label:12} {text}", highlight=False, markup=False)
    for warning in inspection.warnings:
        console.print(f"warning: {warning}", highlight=False, markup=False)


def _table(title: str, *columns: tuple[str, bool]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, number in columns:
        table.add_column(name, justify="right" if number else "left", no_wrap=number)
    return table


def _door_table(inspection: Inspection) -> Table:
    table = _table("Door", ("", False), ("role", False), ("type", False), ("bytes", True))
    inputs = [a for a in inspection.arguments if a.role is Role.INPUT]
    held = [a for a in inspection.arguments if a.role is not Role.INPUT]
    for spec in [*inputs, *inspection.results]:
        table.add_row(spec.name, spec.role, str(spec), _bytes(spec.bytes))
    for role in dict.fromkeys(a.role for a in held):
        specs = [a for a in held if a.role is role]
        count = f"{len(specs)} {role}s" if len(specs) > 1 else specs[0].name
        types = str(specs[0]) if len(specs) == 1 else _dtypes(specs)
        table.add_row(count, role, types, _bytes(sum(s.bytes for s in specs)))
    return table


def _dtypes(specs: Iterable[TensorSpec]) -> str:
    return ", ".join(dict.fromkeys(str(s.dtype) for s in specs))


def _op_table(inspection: Inspection, *, every: bool) -> Table:
    table = _table(
        "Ops", ("motif", False), ("sizes", False), ("dtypes", False), ("ops", True),
        ("runs", True), ("flop", True), ("read", True), ("written", True), ("flop/byte", True),
        ("source", False),
    )  # fmt: skip
    lines: dict[object, _Line] = {}
    for row in inspection.rows:
        key: object = row.index if every else row.motif.signature()
        lines.setdefault(key, _Line(row=row)).add(row)
    for line in lines.values():
        motif = line.row.motif
        moved = _plus(line.read, line.written)
        table.add_row(
            f"{motif.kind}{' ' if motif.variant else ''}{motif.variant}",
            _sizes(line.row),
            ",".join(dict.fromkeys(o.dtype for o in motif.operands if o.shape)),
            str(line.ops),
            str(line.runs),
            _count(line.flops),
            _bytes(line.read),
            _bytes(line.written),
            f"{line.flops / moved:.3g}" if line.flops and moved else "",
            line.row.source,
        )
    return table


def _sizes(row: Row) -> str:
    motif = row.motif
    named: dict[str, tuple[int, ...]] = {n: (s,) for n, s in motif.dims.items()}
    named |= {n: s for n, s in motif.lists.items() if n not in named or len(s) > 1}
    return " ".join(
        f"{name}={'x'.join('?' if s < 0 else str(s) for s in sizes)}"
        for name, sizes in named.items()
    )


def _group_table(inspection: Inspection) -> Table:
    table = _table(
        "Patterns", ("pattern", False), ("sizes", False), ("ops", True), ("runs", True),
        ("flop", True), ("source", False),
    )  # fmt: skip
    for group in inspection.groups:
        rows = [inspection.rows[i] for i in group.nodes]
        flops: int | None = 0
        for row in rows:
            flops = _plus(flops, row.flops)
        table.add_row(
            f"{group.kind}{' ' if group.variant else ''}{group.variant}",
            " ".join(f"{name}={size}" for name, size in group.dims.items()),
            str(len(rows)),
            str(max(row.executions for row in rows)),
            _count(flops),
            rows[0].source,
        )
    return table


def _totals(inspection: Inspection, device: str) -> list[tuple[str, str]]:
    moved = inspection.bytes_read + inspection.bytes_written
    lines = [
        ("flop", _count(inspection.flops)),
        (
            "traffic",
            f"{_bytes(moved)} op by op, {_bytes(inspection.compulsory_bytes)} at the least",
        ),
        ("intensity", f"{inspection.intensity:.3g} flop/byte"),
    ]
    bound = inspection.roofline
    if bound is None and device:
        lines.append(("roofline", f"the peak rates of {device} are not known"))
    elif bound is not None:
        lines.append(
            (
                "roofline",
                f"{bound.bound} bound: at least {_seconds(bound.seconds)} (compute "
                f"{_seconds(bound.compute_seconds)}, memory {_seconds(bound.memory_seconds)})",
            )
        )
    return lines


def _count(value: int | None) -> str:
    return "?" if value is None else _scaled(value, 1000, ("", "k", "M", "G", "T", "P"))


def _bytes(value: int | None) -> str:
    units = (" B", " KiB", " MiB", " GiB", " TiB")
    return "?" if value is None else _scaled(value, 1024, units)


def _scaled(value: float, step: int, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if value < step:
            return f"{value:.4g}{unit}"
        value /= step
    return f"{value:.4g}{units[-1]}"


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if value * scale >= 1:
            return f"{value * scale:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"
