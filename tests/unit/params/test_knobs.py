"""Knobs: declaring, checking, converting, and walking the legal ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bellrock.errors import SelectionError, UnknownNameError
from bellrock.params import Constraint, Knobs, knob
from bellrock.payload.motif import Motif, MotifKind
from bellrock.target.base import Facts

FACTS = Facts(
    device="a machine",
    cores=2,
    vector_bits=512,
    vector_registers=32,
    cache_bytes={"L1d": 2048},
    features=frozenset(),
)
MOTIF = Motif(
    kind=MotifKind.CONTRACTION,
    op="linalg.matmul",
    dims={"batch": 1, "m": 8, "n": 16, "k": 4},
    lists={"m": (8,)},
    loops=(8, 16, 4),
    accumulator="f32",
    location="model.py:7",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiled(Knobs, name="tiled"):
    tile: tuple[int, ...] = knob(unit="elements", low=1, help="Size of a tile, by loop.")
    unroll: int = knob(default=1, low=1, high=4, values=(1, 2, 4), help="Copies of the body.")
    form: str = knob(default="outer", values=("outer", "inner"))
    packed: bool = knob(default=False)

    constraints = (
        Constraint("one-size-per-loop", "len(tile) == rank"),
        Constraint("tile-within-loops", "within(tile, loops)"),
        Constraint("tile-in-L1", "prod(tile) * element_bytes <= L1d", "A larger tile is slow."),
    )


GOOD = Tiled(tile=(8, 16, 4))


def test_legal_values_pass() -> None:
    GOOD.validate(MOTIF, FACTS)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (
            replace(GOOD, tile=(8, 16)),
            "model.py:7: the choice for contraction [batch=1 m=8 n=16 k=4] () -> () breaks the "
            "constraint 'one-size-per-loop' of tiled; got rank=3, tile=[8, 16]; "
            "allowed: len(tile) == rank.",
        ),
        (
            replace(GOOD, tile=(8, 32, 4)),
            "model.py:7: the choice for contraction [batch=1 m=8 n=16 k=4] () -> () breaks the "
            "constraint 'tile-within-loops' of tiled; got loops=[8, 16, 4], tile=[8, 32, 4]; "
            "allowed: within(tile, loops).",
        ),
        (
            replace(GOOD, tile=(0, 1, 1)),
            "model.py:7: the knob tiled.tile is out of its range; got [0, 1, 1]; "
            "allowed: 1.. elements.",
        ),
        (
            replace(GOOD, unroll=8),
            "model.py:7: the knob tiled.unroll is out of its range; got 8; allowed: 1..4.",
        ),
        (
            replace(GOOD, form="iner"),
            "model.py:7: unknown value of the knob tiled.form 'iner'; allowed: inner, outer; "
            "did you mean 'inner'?",
        ),
    ],
)
def test_illegal_values_name_what_they_break(knobs: Tiled, message: str) -> None:
    with pytest.raises((SelectionError, UnknownNameError)) as error:
        knobs.validate(MOTIF, FACTS)
    assert str(error.value) == message


def test_a_constraint_on_the_device_says_why_it_is_there() -> None:
    small = replace(FACTS, cache_bytes={"L1d": 2047})
    with pytest.raises(SelectionError) as error:
        GOOD.validate(MOTIF, small)
    assert str(error.value).endswith(
        "breaks the constraint 'tile-in-L1' of tiled; got L1d=2047, element_bytes=4, "
        "tile=[8, 16, 4]; allowed: prod(tile) * element_bytes <= L1d; A larger tile is slow."
    )


def test_a_cache_of_unknown_size_limits_nothing() -> None:
    GOOD.validate(MOTIF, replace(FACTS, cache_bytes={}))


def test_a_constraint_on_what_the_motif_lacks_is_an_error() -> None:
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Other(Knobs, name="other"):
        size: int = knob(default=1)
        constraints = (Constraint("channels", "size <= in_channels"),)

    with pytest.raises(SelectionError, match="reads 'in_channels', which neither the contraction"):
        Other().validate(MOTIF, FACTS)


def test_scope_has_sizes_of_motif_and_device() -> None:
    scope = Tiled.scope(MOTIF, FACTS)
    assert (scope["m"], scope["n"], scope["k"]) == (8, 16, 4)
    assert scope["m_sizes"] == (8,)
    assert scope["lanes"] == 512 // 32
    assert scope["cores"] == 2


def test_mapping_round_trip() -> None:
    assert Tiled.from_mapping(GOOD.to_mapping()) == GOOD
    assert Tiled.from_mapping({"tile": [8, 16, 4]}) == GOOD  # the rest by default


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"tiles": [1]},
            "f.yaml:3: unknown knob of tiled 'tiles'; allowed: form, packed, tile, unroll; "
            "did you mean 'tile'?",
        ),
        (
            {"unroll": 2},
            "f.yaml:3: the choice for tiled lacks the knob 'tile'; "
            "allowed: tile (ints), unroll (int), form (str), packed (bool).",
        ),
        (
            {"tile": 8},
            "f.yaml:3: the knob tiled.tile has the wrong type; got 8; allowed: a list of integers.",
        ),
        (
            {"tile": [8, True]},
            "f.yaml:3: the knob tiled.tile has the wrong type; got [8, True]; "
            "allowed: a list of integers.",
        ),
        (
            {"tile": [8], "unroll": True},
            "f.yaml:3: the knob tiled.unroll has the wrong type; got True; allowed: an integer.",
        ),
        (
            {"tile": [8], "packed": 1},
            "f.yaml:3: the knob tiled.packed has the wrong type; got 1; allowed: true or false.",
        ),
        (
            {"tile": [8], "form": 1},
            "f.yaml:3: the knob tiled.form has the wrong type; got 1; allowed: a string.",
        ),
    ],
)
def test_mappings_are_read_strictly(mapping: dict[str, object], message: str) -> None:
    with pytest.raises((SelectionError, UnknownNameError)) as error:
        Tiled.from_mapping(mapping, where="f.yaml:3")
    assert str(error.value) == message


def test_candidates_are_all_the_legal_ones_in_a_fixed_order() -> None:
    found = list(Tiled.candidates(MOTIF, FACTS))
    # Powers of two within the loops (4 x 5 x 3), three unrollings, two forms, packed or not.
    assert len(found) == len(set(found)) == 4 * 5 * 3 * 3 * 2 * 2
    assert found[0] == Tiled(tile=(1, 1, 1), unroll=1, form="outer", packed=False)
    assert GOOD in found
    assert found == list(Tiled.candidates(MOTIF, FACTS))


def test_a_class_may_narrow_its_candidates_by_the_motif() -> None:
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Whole(Knobs, name="whole"):
        tile: tuple[int, ...] = knob(low=1)

        @classmethod
        def domain(cls, field: str, motif: Motif):
            assert field == "tile"
            yield motif.loops

    assert list(Whole.candidates(MOTIF, FACTS)) == [Whole(tile=(8, 16, 4))]


def test_what_a_class_checks_by_itself_holds_for_candidates_too() -> None:
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Odd(Knobs, name="odd"):
        size: int = knob(values=(1, 2, 3, 4))

        def validate(self, motif: Motif, facts: Facts) -> None:
            Knobs.validate(self, motif, facts)
            if self.size % 2 == 0:
                raise SelectionError("the size is even", got=self.size)

    assert [knobs.size for knobs in Odd.candidates(MOTIF, FACTS)] == [1, 3]
    assert not Odd(size=2).is_legal(MOTIF, FACTS)


def test_whole_lists_to_try() -> None:
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Listed(Knobs, name="listed"):
        tile: tuple[int, ...] = knob(values=((1, 2), (8, 16, 4)))
        constraints = (Constraint("one-size-per-loop", "len(tile) == rank"),)

    assert list(Listed.candidates(MOTIF, FACTS)) == [Listed(tile=(8, 16, 4))]


def test_a_knob_cannot_take_a_key_of_the_choice() -> None:
    with pytest.raises(TypeError, match="a knob cannot be called 'by'"):

        class Clash(Knobs, name="clash"):
            by: int = 1
