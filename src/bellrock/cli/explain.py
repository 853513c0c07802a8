"""`bellrock explain`: what is chosen for each motif, by whom, and why not the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellrock.cli._options import LOCK, PIPELINE, with_options
from bellrock.cli._payloads import PAYLOAD, payload_of
from bellrock.cli._targets import target_options
from bellrock.payload.spec import DType

if TYPE_CHECKING:
    from bellrock.compiler.explaining import ExplainedMotif, Explanation
    from bellrock.params.constraint import Value
    from bellrock.params.ranking import Proposal, Ranking

SCHEMA = 1
_TERMS = 4
"""Terms of a prediction that are shown, the largest."""


@click.command(
    "explain", short_help="Show what is chosen for each motif, by whom, and why not the others."
)
@with_options(PAYLOAD)
@target_options("Target to choose for.")
@click.option(
    "--motif", "number", type=click.IntRange(min=1), metavar="N", help="Only the Nth motif."
)
@click.option(
    "--top", type=click.IntRange(min=1), default=5, show_default=True, metavar="K",
    help="Candidates of each motif.",
)  # fmt: skip
@with_options((PIPELINE, LOCK))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    path: Path,
    target: str,
    number: int | None,
    top: int,
    overrides: tuple[str, ...],
    dtype: str,
    entry: str | None,
    pipeline: str | None,
    lock: Path | None,
    as_json: bool,
) -> None:
    """Show, for each motif of PATH, the candidates ranked by predicted time.

    PATH is a problem file (.py) or MLIR text (.mlir). With each candidate come the largest terms of
    its prediction and why it is not the choice; with each motif, who chose, and the constraint
    that keeps a faster candidate out. Nothing is compiled or measured.
    """
    from bellrock.compiler.explaining import explain_payload
    from bellrock.params.lock import read_lock

    locked = None if lock is None else read_lock(lock)
    payload = payload_of(path, overrides, DType(dtype), entry)
    explanation = explain_payload(payload, target=target, pipeline=pipeline, lock=locked, top=top)
    numbered = list(enumerate(explanation.motifs, start=1))
    if number is not None:
        if number > len(numbered):
            raise click.BadParameter(
                f"{number} is not in the range 1 to {len(numbered)}, as motifs are numbered.",
                param_hint="--motif",
            )
        numbered = numbered[number - 1 : number]
    if as_json:
        click.echo(json.dumps(_json(payload.name, explanation, numbered), indent=2))
        return
    click.echo(f"{payload.name} on {explanation.target} ({explanation.device})")
    click.echo(f"asked in order: {', '.join(explanation.by)}")
    for place, explained in numbered:
        click.echo("\n" + "\n".join(_paragraph(place, explained)))
    for warning in explanation.warnings:
        click.echo(f"warning: {warning}")


def _paragraph(number: int, explained: ExplainedMotif) -> Iterator[str]:
    times = f", {explained.ops} ops" if explained.ops > 1 else ""
    yield f"{number}. {explained.motif.signature()}{times}"
    row, ranking = explained.row, explained.ranking
    yield f"   chosen by {row.by}: {row.knobs} {_values(row.parameters)}"
    if ranking is None:
        yield "   no ranking: the target has no cost model for this motif"
        return
    yield f"   {_considered(ranking)}"
    for place, proposal in enumerate(ranking.legal, start=1):
        yield from _candidate(place, proposal, explained, ranking)
    if ranking.binding is not None:
        yield f"   binding: {_binding(ranking.binding)}"


def _considered(ranking: Ranking) -> str:
    more = " (and more were left out)" if ranking.truncated else ""
    return f"{ranking.considered} candidates predicted{more}, the fastest:"


def _candidate(
    place: int, proposal: Proposal, explained: ExplainedMotif, ranking: Ranking
) -> Iterator[str]:
    time = _seconds(proposal.prediction.seconds)
    yield (
        f"   {place:2} {time:>8}  {proposal.knobs.name} {_values(proposal.knobs.to_mapping())}"
        f"; {_verdict(proposal, explained, ranking)}"
    )
    yield f"               {_terms(proposal)}"


def _verdict(proposal: Proposal, explained: ExplainedMotif, ranking: Ranking) -> str:
    """Say why a candidate is, or is not, the choice."""
    from bellrock.params.ranking import margin_over

    row = explained.row
    parameters = dict(row.parameters)
    if proposal.knobs.name == row.knobs and proposal.knobs.to_mapping() == parameters:
        return "chosen"
    if row.by != "cost-model":
        return f"not chosen: {row.by} decided"
    chosen = ranking.pick.prediction.seconds
    slower = proposal.prediction.seconds / chosen - 1
    if slower > 0:
        return f"not chosen: {slower:.1%} slower"
    if slower == 0:
        return "not chosen: no faster, and the default or earlier by its values goes first"
    margin = margin_over(ranking.default.knobs.name, proposal.knobs.name)
    return f"not chosen: {-slower:.1%} faster, which is within the model's {margin:.0%}"


def _binding(proposal: Proposal) -> str:
    return (
        f"{proposal.refused}; without it {proposal.knobs.name} "
        f"{_values(proposal.knobs.to_mapping())} would take "
        f"{_seconds(proposal.prediction.seconds)}"
    )


def _terms(proposal: Proposal) -> str:
    terms = sorted(proposal.prediction.terms_seconds.items(), key=lambda t: (-t[1], t[0]))
    shown = [f"{name} {_seconds(seconds)}" for name, seconds in terms[:_TERMS]]
    rest = sum(seconds for _, seconds in terms[_TERMS:])
    return ", ".join([*shown, f"other {_seconds(rest)}"] if rest > 0 else shown)


def _values(parameters: Mapping[str, Value]) -> str:
    return " ".join(f"{name}={_value(v)}" for name, v in parameters.items())


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "x".join(map(str, value)) or "-" if isinstance(value, tuple) else str(value)


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if value * scale >= 1:
            return f"{value * scale:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def _json(
    name: str, explanation: Explanation, numbered: list[tuple[int, ExplainedMotif]]
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "name": name,
        "target": explanation.target,
        "device": explanation.device,
        "by": list(explanation.by),
        "motifs": [_motif_json(number, explained) for number, explained in numbered],
        "warnings": list(explanation.warnings),
    }


def _motif_json(number: int, explained: ExplainedMotif) -> dict[str, object]:
    row, ranking = explained.row, explained.ranking
    return {
        "number": number,
        "motif": explained.motif.signature(),
        "ops": explained.ops,
        "chosen": {
            "by": row.by,
            "knobs": row.knobs,
            "parameters": dict(row.parameters),
            "predicted_seconds": row.predicted_seconds,
            "measured_seconds": row.measured_seconds,
        },
        "considered": ranking.considered if ranking else 0,
        "candidates": [
            {
                **_proposal_json(proposal),
                "verdict": _verdict(proposal, explained, ranking),
            }
            for proposal in (ranking.legal if ranking else ())
        ]
        if ranking
        else [],
        "binding": {**_proposal_json(ranking.binding), "constraint": ranking.binding.refused}
        if ranking and ranking.binding
        else None,
    }


def _proposal_json(proposal: Proposal) -> dict[str, object]:
    return {
        "knobs": proposal.knobs.name,
        "parameters": proposal.knobs.to_mapping(),
        "predicted_seconds": proposal.prediction.seconds,
        "terms_seconds": dict(proposal.prediction.terms_seconds),
    }
