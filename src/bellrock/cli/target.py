"""`bellrock target list|show`: which targets there are, and what is known of their devices."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping

import click

from bellrock.cli._targets import DEVICE
from bellrock.compiler.cache import default_folder
from bellrock.errors import RegistryError
from bellrock.target import TARGETS, with_device
from bellrock.target.base import Facts, Target


@click.group("target", help="List the targets, or show what is known of one.")
def command() -> None:
    """Group of the two commands below."""


@command.command("list", help="List the installed targets and the packages that provide them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_targets(as_json: bool) -> None:
    """Print one row a target; one that cannot be loaded says why and hides no other."""
    rows = [_row(name) for name in TARGETS.names()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    owner = max((len(row["package"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['name']:{width}}  {row['package']:{owner}}  {row['summary']}")


@command.command("show", help="Show the facts of a target's device and its pipelines.")
@click.argument("name")
@DEVICE
@click.option("--measure", is_flag=True, help="Measure peak and bandwidths, once for each cache.")
@click.option("--sources", is_flag=True, help="Print where each number comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def show(name: str, device: str | None, measure: bool, sources: bool, as_json: bool) -> None:
    """Print what the target says of itself."""
    name = with_device(name, device)
    target = TARGETS.get(name)
    facts = target.measured_facts(cache_dir=default_folder()) if measure else target.facts()
    pipelines = sorted(path.stem for path in target.pipelines().glob("*.yaml"))
    if as_json:
        click.echo(json.dumps(_as_json(target, facts, pipelines), indent=2))
        return
    for label, text in [
        ("target", f"{name} (from {TARGETS.owner(name)})"),
        ("device", facts.device),
        ("devices", " ".join(target.devices())),
        ("cores", str(facts.cores)),
        ("vectors", f"{facts.vector_bits} bits, {facts.vector_registers} registers"),
        ("caches", _each(facts.cache_bytes, _bytes)),
        ("cache ways", _each(facts.cache_ways, str)),
        ("peak", _each(facts.peak_flops_per_s, _flops)),
        ("  one core", _each(facts.core_peak_flops_per_s, _flops)),
        ("bandwidth", _each(facts.bandwidth_bytes_per_s, _speed)),
        ("  one core", _each(facts.core_bandwidth_bytes_per_s, _speed)),
        ("clock", f"{facts.clock_hz / 1e9:g} GHz" if facts.clock_hz else ""),
        ("limits", _each(facts.limits, lambda value: f"{value:g}")),
        ("features", " ".join(sorted(facts.features))),
        ("source", facts.source),
        ("pipelines", " ".join(f"{p}*" if p == _stem(target) else p for p in pipelines)),
    ]:
        if text:
            click.echo(
                click.wrap_text(
                    text, width=96, initial_indent=f"{label:12}", subsequent_indent=" " * 12
                )
            )
    for number, origin in facts.sources.items() if sources else ():
        click.echo(f"  {number}: {origin}")


def _row(name: str) -> dict[str, str]:
    try:
        target = TARGETS.get(name)
    except RegistryError as error:
        return {"name": name, "package": TARGETS.owner(name), "summary": f"unusable: {error}"}
    summary = (type(target).__doc__ or "").strip().partition("\n")[0]
    return {"name": name, "package": TARGETS.owner(name), "summary": summary}


def _as_json(target: Target, facts: Facts, pipelines: list[str]) -> dict[str, object]:
    return {
        "name": target.name,
        "package": TARGETS.owner(target.name),
        "facts": {
            **dataclasses.asdict(facts),
            "features": sorted(facts.features),
            "core_caches": sorted(facts.core_caches),
        },
        "devices": list(target.devices()),
        "pipelines": pipelines,
        "default_pipeline": target.default_pipeline(),
    }


def _stem(target: Target) -> str:
    """The default pipeline's file name: what follows the last slash of its name."""
    return target.default_pipeline().rpartition("/")[2]


def _each(values: Mapping[str, float], form: Callable[[float], str]) -> str:
    return ", ".join(f"{key} {form(value)}" for key, value in values.items())


def _flops(value: float) -> str:
    return f"{value / 1e9:.4g} GFLOP/s"


def _speed(value: float) -> str:
    return f"{value / 1e9:.4g} GB/s"


def _bytes(value: float) -> str:
    return f"{value / 2**20:g} MiB" if value >= 2**20 else f"{value / 2**10:g} KiB"
