"""Selection: find motifs, ask selectors in order, write each choice on its op.

Flows in: a module, a target, the names of selectors. Flows out: the module with
`bellrock.choice` on its anchors, and one lock row for each distinct motif.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from bellrock.errors import LockError, SelectionError, UnknownNameError
from bellrock.params.choice import Choice, from_attribute, write_choice
from bellrock.params.database import Database
from bellrock.params.knobs import Knobs
from bellrock.params.lock import Lock, LockRow
from bellrock.payload.motif import Motif, MotifKind, find_motif
from bellrock.registry import Registry

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.target.base import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectionContext:
    """What selectors may ask."""

    target: Target
    lock: Lock | None = None
    database: Database | None = None


@runtime_checkable
class Selector(Protocol):
    """One way of choosing. Stateless: all that it needs is in the context."""

    name: str
    """As in `by:` of a pipeline, and the name of the entry point in `bellrock.selectors`."""

    def choose(self, motif: Motif, context: SelectionContext) -> Choice | None:
        """Return a choice, or None to let the next selector be asked.

        Args:
            motif: to choose for; `context.target.knobs(motif)` has at least one class.
            context: target, lock and database.

        Raises:
            BellrockError: what it would choose from is broken (not: nothing found).
        """
        ...


SELECTORS: Registry[Selector] = Registry("selector", "bellrock.selectors", Selector)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What a run of selection chose."""

    rows: tuple[LockRow, ...]
    """One for each distinct motif, in order of first occurrence."""
    warnings: tuple[str, ...] = ()
    """One for each lock row that matched no op."""
    anchors: int = 0
    """Ops that carry a choice."""
    unclaimed: Mapping[str, int] = field(default_factory=dict)
    """Ops, by kind of motif, for which the target leaves nothing to choose."""


def select_all(
    module: ir.Module | ir.Operation,
    *,
    by: Sequence[str],
    target: Target,
    motifs: Literal["all"] | Sequence[str] = "all",
    lock: Lock | None = None,
    database: Database | None = None,
    selectors: Mapping[str, Selector] | None = None,
) -> Selection:
    """Choose parameters for every motif in a module and write them on its ops.

    Args:
        module: changed in place: anchors get the attribute `bellrock.choice`.
        by: names of selectors; the first that has an answer is taken.
        target: says what there is to choose and what is legal.
        motifs: kinds to choose for.
        lock: rows to use, for the selector `lock`.
        database: measured choices, for the selector `database`.
        selectors: by name, in place of the registered ones.

    Raises:
        UnknownNameError: no such selector or kind of motif.
        SelectionError: no selector had an answer, or one broke a constraint.
        LockError: a lock row does not fit its op; names the constraint and the row.
    """
    wanted = _kinds(motifs)
    asked = [_selector(name, selectors) for name in by]
    if lock is not None:
        lock.check_target(target.name)
    context = SelectionContext(target=target, lock=lock, database=database)
    chosen: dict[str, tuple[Choice, LockRow]] = {}
    counts: dict[str, int] = {}
    anchors = 0
    for op, motif in anchors_of(module, wanted):
        if not target.knobs(motif):
            counts[motif.kind] = counts.get(motif.kind, 0) + 1
            continue
        signature = motif.signature()
        if signature not in chosen:
            choice = _predicted(motif, _choose(motif, asked, context), target)
            chosen[signature] = (choice, row_of(motif, choice))
        write_choice(op, chosen[signature][0])
        anchors += 1
    rows = tuple(row for _, row in chosen.values())
    kinds = None if motifs == "all" else wanted
    warnings = lock.unused(rows, kinds) if lock is not None and "lock" in by else ()
    return Selection(rows=rows, warnings=warnings, anchors=anchors, unclaimed=counts)


def revised_rows(
    module: ir.Module | ir.Operation, rows: Sequence[LockRow], target: Target
) -> list[LockRow]:
    """Return rows with what stages changed after selection in the place of what was chosen.

    Args:
        module: whose functions say what was changed; they forget it.
        rows: of the selection.
        target: whose knobs the choices are.
    """
    from bellrock.dialects.revised_choices import take_revised

    changed: dict[str, ir.DictAttr] = {}
    for function in module.operation.regions[0].blocks[0].operations:
        changed |= take_revised(function.operation)
    classes = {knobs.name: knobs for knobs in target.all_knobs()}
    found: list[LockRow] = []
    for row in rows:
        if row.motif not in changed:
            found.append(row)
            continue
        choice = from_attribute(changed[row.motif], classes)
        found.append(
            replace(
                row, knobs=choice.knobs.name, parameters=choice.knobs.to_mapping(),
                predicted_seconds=None, measured_seconds=None,
            )
        )  # fmt: skip
    return found


def anchors_of(
    module: ir.Module | ir.Operation, kinds: frozenset[MotifKind]
) -> list[tuple[ir.Operation, Motif]]:
    """Return the ops whose motif is of one of the kinds, outer ones first.

    Ops inside the region of an op that has a motif of its own (the scalar ops of a
    `linalg.generic`) are not looked at; those inside loops are.
    """
    from torch_mlir import ir

    found: list[tuple[ir.Operation, Motif]] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        motif = find_motif(op)
        if motif is None:
            return ir.WalkResult.ADVANCE
        if motif.kind in kinds:
            found.append((op, motif))
        return ir.WalkResult.ADVANCE if motif.kind is MotifKind.LOOP else ir.WalkResult.SKIP

    module.operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def row_of(motif: Motif, choice: Choice) -> LockRow:
    """Return a choice as a row of a lock file."""
    return LockRow(
        motif=motif.signature(),
        knobs=choice.knobs.name,
        parameters=choice.knobs.to_mapping(),
        by=choice.by,
        predicted_seconds=_rounded(choice.predicted_seconds),
        measured_seconds=choice.measured_seconds,
    )


def _rounded(seconds: float | None) -> float | None:
    """Return a prediction in the digits that it can have."""
    return None if seconds is None else float(f"{seconds:.4g}")


def knobs_of_row(row: LockRow, motif: Motif, target: Target) -> Knobs:
    """Return a row's parameters as the target's knobs, checked.

    Args:
        row: of a lock file or database.
        motif: that it is for.
        target: whose class of knobs is meant.

    Raises:
        LockError: another class of knobs, a key or type that it does not have, or a
            constraint that is broken (named).
    """
    classes = {knobs.name: knobs for knobs in target.knobs(motif)}
    where = row.where or None
    if row.knobs not in classes:
        raise LockError(
            f"the row is for knobs that {target.name} does not use for this motif",
            got=row.knobs,
            allowed=sorted(classes) or "none",
            where=where,
        )
    try:
        choice = classes[row.knobs].from_mapping(row.parameters)
        target.check_choice(motif, choice)
    except (SelectionError, UnknownNameError) as error:
        raise LockError(
            error.what, got=error.got, allowed=error.allowed, where=where, hint=error.hint
        ) from error
    return choice


def _choose(motif: Motif, asked: Sequence[Selector], context: SelectionContext) -> Choice:
    for selector in asked:
        choice = selector.choose(motif, context)
        if choice is not None:
            context.target.check_choice(motif, choice.knobs)
            return choice
    raise SelectionError(
        f"no selector has a choice for {motif.signature()}",
        got=f"asked {', '.join(s.name for s in asked) or 'none'}",
        where=motif.location or None,
        hint="end the list of selectors with `default`",
    )


def _predicted(motif: Motif, choice: Choice, target: Target) -> Choice:
    """Return a choice with the time that the target's model predicts, if it has one."""
    model = target.cost_model()
    if model is None or choice.predicted_seconds is not None:
        return choice
    prediction = model.predict(motif, choice.knobs, target.facts())
    if prediction is None:
        return choice
    return replace(choice, predicted_seconds=prediction.seconds)


def _kinds(motifs: Literal["all"] | Sequence[str]) -> frozenset[MotifKind]:
    if isinstance(motifs, str):
        motifs = [*MotifKind] if motifs == "all" else [motifs]
    known = [str(k) for k in MotifKind]
    for name in motifs:
        if name not in known:
            raise UnknownNameError("kind of motif", name, known)
    return frozenset(MotifKind(name) for name in motifs)


def _selector(name: str, given: Mapping[str, Selector] | None) -> Selector:
    if given is None:
        return SELECTORS.get(name)
    if name not in given:
        raise UnknownNameError("selector", name, given)
    return given[name]
