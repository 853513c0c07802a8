"""Selection: who is asked, what is written on ops, what becomes a row, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from torch_mlir import ir

from bellrock.errors import BellrockError, LockError, SelectionError, UnknownNameError
from bellrock.params import ATTRIBUTE, Choice, Knobs
from bellrock.params.database import Database
from bellrock.params.lock import Lock, LockRow
from bellrock.params.select import (
    SELECTORS,
    Selection,
    SelectionContext,
    anchors_of,
    select_all,
)
from bellrock.payload import generate
from bellrock.payload.context import parse_payload
from bellrock.payload.motif import Motif, MotifKind
from bellrock.target.base import Target
from bellrock.testing.selector import MODEL_TARGET, ModelTarget, TileKnobs

M4 = "contraction [batch=1 m=4 n=3 k=2] (mk:f32, kn:f32) -> (mn:f32)"
TWO = """
func.func @main(%a: tensor<4x2xf32>, %b: tensor<2x3xf32>, %c: tensor<4x3xf32>,
                %d: tensor<3x2xf32>) -> tensor<4x2xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<4x2xf32>, tensor<2x3xf32>)
      outs(%c : tensor<4x3xf32>) -> tensor<4x3xf32>
  %1 = linalg.matmul ins(%a, %b : tensor<4x2xf32>, tensor<2x3xf32>)
      outs(%0 : tensor<4x3xf32>) -> tensor<4x3xf32>
  %e = linalg.exp ins(%1 : tensor<4x3xf32>) outs(%c : tensor<4x3xf32>) -> tensor<4x3xf32>
  %f = tensor.empty() : tensor<4x2xf32>
  %2 = linalg.matmul ins(%e, %d : tensor<4x3xf32>, tensor<3x2xf32>)
      outs(%f : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %2 : tensor<4x2xf32>
}"""


def choices(module: ir.Module) -> list[tuple[str, str]]:
    """Return the name and the choice of each op that has one."""
    found: list[tuple[str, str]] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if ATTRIBUTE in op.attributes:
            found.append((op.name, str(op.attributes[ATTRIBUTE])))
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def row(**values: object) -> LockRow:
    return replace(
        LockRow(motif=M4, knobs="contract-tile", parameters={"tile": 2}, by="me"), **values
    )


def test_equal_motifs_share_a_row_and_every_anchor_is_marked() -> None:
    module = parse_payload(TWO, name="two")
    selection = select_all(module, by=["default"], target=MODEL_TARGET)
    attribute = '{by = "default", knobs = "contract-tile", tile = 1 : i64}'
    assert choices(module) == [("linalg.matmul", attribute)] * 3
    assert selection == Selection(
        rows=(
            row(parameters={"tile": 1}, by="default", predicted_seconds=1.0),
            row(
                motif="contraction [batch=1 m=4 n=2 k=3] (mk:f32, kn:f32) -> (mn:f32)",
                parameters={"tile": 1},
                by="default",
                predicted_seconds=1.0,
            ),
        ),
        anchors=3,
        unclaimed={"elementwise": 1},
    )


def test_the_result_is_valid_and_parses_back() -> None:
    module = parse_payload(TWO, name="two")
    select_all(module, by=["default"], target=MODEL_TARGET)
    assert choices(parse_payload(str(module), name="again")) == choices(module)
    assert module.operation.verify()


def test_selectors_are_asked_in_order() -> None:
    lock = Lock(rows=(row(),))
    module = parse_payload(TWO, name="two")
    by = ["lock", "database", "default"]
    selection = select_all(module, by=by, target=MODEL_TARGET, lock=lock)
    assert [r.by for r in selection.rows] == ["me", "default"]
    assert selection.rows[0].parameters == {"tile": 2}
    # The other way round, the lock is never needed.
    selection = select_all(module, by=by[::-1], target=MODEL_TARGET, lock=lock)
    assert [r.by for r in selection.rows] == ["default", "default"]


def test_writing_a_lock_and_reading_it_gives_the_same_choices() -> None:
    first, second = parse_payload(TWO, name="two"), parse_payload(TWO, name="two")
    selection = select_all(first, by=["cost-model", "default"], target=MODEL_TARGET)
    lock = Lock(rows=selection.rows, target="contract")
    again = select_all(second, by=["lock"], target=MODEL_TARGET, lock=lock)
    assert again == selection
    assert choices(first) == choices(second)


def test_cost_model_takes_the_fastest_legal_candidate() -> None:
    module = parse_payload(TWO, name="two")
    selection = select_all(module, by=["cost-model", "default"], target=MODEL_TARGET)
    assert [(r.by, dict(r.parameters)) for r in selection.rows] == [
        ("cost-model", {"tile": 4}),  # 8 is faster by the model, but m is 4
        ("cost-model", {"tile": 4}),
    ]
    assert selection.rows[0].predicted_seconds == 0.25


def test_cost_model_without_a_model_has_no_answer() -> None:
    class NoModel(ModelTarget):
        cost_model = Target.cost_model  # pyright: ignore[reportAssignmentType]  (takes it back)

    context = SelectionContext(target=NoModel())
    motif = anchors_of(parse_payload(TWO, name="two"), frozenset(MotifKind))[0][1]
    assert SELECTORS.get("cost-model").choose(motif, context) is None


def test_database_counts_on_its_own_device_only() -> None:
    best = row(by="database", measured_seconds=1e-3)
    for device, by in (("contract", "database"), ("another", "default")):
        module = parse_payload(TWO, name="two")
        database = Database(source="db", best={(device, M4): best})
        selection = select_all(
            module, by=["database", "default"], target=MODEL_TARGET, database=database
        )
        assert selection.rows[0].by == by
        assert selection.rows[0].measured_seconds == (1e-3 if by == "database" else None)


def test_only_the_kinds_that_are_asked_for() -> None:
    module = parse_payload(TWO, name="two")
    selection = select_all(module, by=["default"], target=MODEL_TARGET, motifs=["elementwise"])
    assert selection == Selection(rows=(), unclaimed={"elementwise": 1})
    assert choices(module) == []


def test_ops_in_loops_are_anchors_and_scalar_ops_are_not() -> None:
    text = """
func.func @main(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %c1 step %c1 iter_args(%x = %a) -> (tensor<4x4xf32>) {
    %y = linalg.matmul ins(%x, %a : tensor<4x4xf32>, tensor<4x4xf32>)
        outs(%x : tensor<4x4xf32>) -> tensor<4x4xf32>
    scf.yield %y : tensor<4x4xf32>
  }
  return %r : tensor<4x4xf32>
}"""
    found = anchors_of(parse_payload(text, name="loop"), frozenset(MotifKind))
    assert [op.name for op, _ in found] == ["scf.for", "linalg.matmul"]


def test_lock_rows_that_match_nothing_are_warned_of() -> None:
    lock = Lock(rows=(row(), row(motif="nothing", where="a.yaml:9")))
    module = parse_payload(TWO, name="two")
    by = ["lock", "default"]
    selection = select_all(module, by=by, target=MODEL_TARGET, lock=lock)
    assert selection.warnings == ("a.yaml:9: matches no op of this payload: nothing",)
    # A lock that nobody was asked for is not judged.
    assert select_all(module, by=["default"], target=MODEL_TARGET, lock=lock).warnings == ()


def _refused(by: list[str], **options: object) -> BellrockError:
    module = parse_payload(TWO, name="two")
    with pytest.raises(BellrockError) as error:
        select_all(module, by=by, target=MODEL_TARGET, **options)  # pyright: ignore[reportArgumentType]
    return error.value


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"parameters": {"tile": 5}},
            f"a.yaml:3: the choice for {M4} breaks the constraint 'tile-within-m' of "
            "contract-tile; got m=4, tile=5; allowed: tile <= m.",
        ),
        (
            {"parameters": {"tile": 100}},
            "a.yaml:3: the knob contract-tile.tile is out of its range; got 100; "
            "allowed: 1..64 rows.",
        ),
        (
            {"parameters": {"tiles": 2}},
            "a.yaml:3: unknown knob of contract-tile 'tiles'; allowed: tile; did you mean 'tile'?",
        ),
        (
            {"parameters": {"tile": (2,)}},
            "a.yaml:3: the knob contract-tile.tile has the wrong type; got (2,); "
            "allowed: an integer.",
        ),
        (
            {"knobs": "matmul"},
            "a.yaml:3: the row is for knobs that contract does not use for this motif; "
            "got matmul; allowed: contract-tile.",
        ),
    ],
)
def test_lock_rows_that_are_illegal_for_their_op(changes: dict[str, object], message: str) -> None:
    error = _refused(["lock"], lock=Lock(rows=(row(where="a.yaml:3", **changes),)))
    assert isinstance(error, LockError)
    assert str(error) == message


def test_lock_for_another_target() -> None:
    error = _refused(["lock"], lock=Lock(target="xegpu", source="a.yaml"))
    assert str(error) == (
        "a.yaml: the lock file is for another target; got xegpu; allowed: contract."
    )


def test_no_selector_with_an_answer() -> None:
    error = _refused(["lock", "database"])
    assert isinstance(error, SelectionError)
    assert str(error).startswith('"-":4:')
    assert str(error).endswith(
        f"no selector has a choice for {M4}; got asked lock, database; "
        "end the list of selectors with `default`."
    )


def test_unknown_names() -> None:
    assert str(_refused(["defalt"])) == (
        "unknown selector 'defalt'; allowed: cost-model, database, default, lock; "
        "did you mean 'default'?"
    )
    error = _refused(["default"], motifs=["contractions"])
    assert isinstance(error, UnknownNameError)
    assert str(error).endswith("did you mean 'contraction'?")


def test_an_illegal_answer_of_a_selector_is_not_used() -> None:
    @dataclass(frozen=True)
    class Careless:
        name: str = "careless"

        def choose(self, motif: Motif, context: SelectionContext) -> Choice:
            knobs: Knobs = TileKnobs(tile=64)
            return Choice(knobs=knobs, by=self.name)

    error = _refused(["careless"], selectors={"careless": Careless()})
    assert isinstance(error, SelectionError)
    assert "breaks the constraint 'tile-within-m'" in str(error)


def test_generated_payloads_of_every_kind_can_be_selected_for() -> None:
    for text in (generate.softmax(3, 5), generate.scan((3, 4), 1), generate.pooling(
        (1, 2, 4, 4), (2, 2)
    )):  # fmt: skip
        assert (
            select_all(parse_payload(text, name="x"), by=["default"], target=MODEL_TARGET).rows
            == ()
        )
