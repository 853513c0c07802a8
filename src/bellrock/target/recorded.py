"""Recorded tables: measured times of candidates, against which a cost model's ranking is tested.

Flows in: JSON Lines, one case (a motif on so many cores) a line, as `scripts/record_choices.py`
appends them. Flows out: `Case`, and how well a model ranks it: rank correlation, and regret (how
much longer what the model picks takes than the best that was measured).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bellrock.errors import LockError
from bellrock.params.cost import CostModel
from bellrock.params.knobs import Knobs
from bellrock.params.ranking import margin_over
from bellrock.payload.motifs.base import Motif, MotifKind, Operand, Side
from bellrock.target.base import Facts

SCHEMA = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One candidate with its time; the first of a case is the target's default."""

    knobs: Knobs
    seconds: float
    """Of one execution."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One motif on so many cores."""

    name: str
    motif: Motif
    facts: Facts
    measured: tuple[Measured, ...]

    @property
    def best_seconds(self) -> float:
        """The least measured time."""
        return min(m.seconds for m in self.measured)

    def predicted(self, model: CostModel) -> list[float]:
        """Return the predicted times of the candidates.

        Args:
            model: that knows all their classes.
        """
        found = [model.predict(self.motif, m.knobs, self.facts) for m in self.measured]
        unknown = [m.knobs.name for m, p in zip(self.measured, found, strict=True) if p is None]
        if unknown:
            raise LockError("the model does not know a recorded class of knobs", got=unknown[0])
        return [p.seconds for p in found if p is not None]

    def rank_correlation(self, model: CostModel) -> float:
        """Return Spearman's coefficient of predicted and measured times."""
        from scipy.stats import spearmanr

        found = spearmanr(self.predicted(model), [m.seconds for m in self.measured])
        return float(found.statistic)  # pyright: ignore[reportAttributeAccessIssue]

    def regret(self, model: CostModel) -> float:
        """Return how much longer the model's pick takes than the best, as a fraction.

        The pick is made as the selector makes it: the first that is surely faster than the
        default, or the default.
        """
        predicted = self.predicted(model)
        name = self.measured[0].knobs.name
        sure = (
            i
            for i in sorted(range(len(predicted)), key=predicted.__getitem__)
            if predicted[i] * (1 + margin_over(name, self.measured[i].knobs.name)) < predicted[0]
        )
        pick = next(sure, 0)
        return self.measured[pick].seconds / self.best_seconds - 1

    def default_regret(self) -> float:
        """Return the same of the target's default."""
        return self.measured[0].seconds / self.best_seconds - 1


def to_line(case: Case) -> str:
    """Return a case as one line of a table."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "name": case.name,
            "facts": _plain(dataclasses.asdict(case.facts)),
            "motif": _plain(dataclasses.asdict(dataclasses.replace(case.motif, location=""))),
            "measured": [
                {
                    "knobs": m.knobs.name,
                    **m.knobs.to_mapping(),
                    "seconds": float(f"{m.seconds:.4g}"),
                }
                for m in case.measured
            ],
        }
    )


def read_cases(path: Path, classes: Iterable[type[Knobs]]) -> list[Case]:
    """Read a table.

    Args:
        path: of the file.
        classes: of knobs that rows may name: `Target.all_knobs()`.

    Raises:
        LockError: a line is malformed, or names knobs that are not (or no longer) there.
    """
    known = {c.name: c for c in classes}
    cases: list[Case] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{path}:{number}"
        found = json.loads(line)
        if found.get("schema") != SCHEMA:
            raise LockError("a table of another schema", got=found.get("schema"), where=where)
        measured = [_measured(dict(row), known, where) for row in found["measured"]]
        cases.append(
            Case(
                name=found["name"],
                motif=_motif(found["motif"]),
                facts=_facts(found["facts"]),
                measured=tuple(measured),
            )
        )
    return cases


def _measured(row: dict[str, Any], known: Mapping[str, type[Knobs]], where: str) -> Measured:
    name, seconds = row.pop("knobs"), row.pop("seconds")
    if name not in known:
        raise LockError(
            "the table has a class of knobs that the target does not have",
            got=name, allowed=sorted(known), where=where, hint="record it again",
        )  # fmt: skip
    return Measured(knobs=known[name].from_mapping(row, where=where), seconds=seconds)


def _motif(found: dict[str, Any]) -> Motif:
    operands = [
        Operand(**{**o, "side": Side(o["side"]), "shape": tuple(o["shape"])})
        for o in found.pop("operands")
    ]
    lists = {name: tuple(sizes) for name, sizes in found.pop("lists").items()}
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    return Motif(
        **{**plain, "kind": MotifKind(plain["kind"])}, operands=tuple(operands), lists=lists
    )


def _facts(found: dict[str, Any]) -> Facts:
    sets = {name: frozenset(found[name]) for name in ("features", "core_caches") if name in found}
    return Facts(**{**found, **sets})


def _plain(value: Any) -> Any:
    """Return what JSON has: sets as sorted lists."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value
