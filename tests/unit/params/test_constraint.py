"""Constraints: what the grammar holds, what it refuses, and what a message shows."""

from __future__ import annotations

import pytest

from bellrock.params.constraint import Constraint

VALUES = {"tile": (8, 32), "loops": (100, 100), "mr": 8, "nr": 32, "lanes": 16, "L1d": 32768}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("mr * ceildiv(nr, lanes) <= 16", True),
        ("mr * ceildiv(nr + 1, lanes) <= 16", False),
        ("nr % lanes == 0 and not mr > 8", True),
        ("prod(tile) * 4 <= L1d", True),
        ("within(tile, loops)", True),
        ("within(loops, tile)", False),
        ("within(tile[:1], loops)", False),  # as many values as limits
        ("len(tile) == 2", True),
        ("tile[0] in (4, 8)", True),
        ("max(tile) if mr > 4 else min(tile) == 8", True),
        ("is_power_of_two(nr)", True),
        ("is_power_of_two(0)", False),
        ("is_permutation((1, 0, 2))", True),
        ("is_permutation((1, 3, 2))", False),
        ("only_where(tile, (1, 1))", True),
        ("only_where(tile, (1, 0))", False),
        ("is_power_of_two(sum(tile))", False),
    ],
)
def test_expressions(expression: str, expected: bool) -> None:
    assert Constraint("c", expression).holds(VALUES) is expected


def test_names_are_those_that_are_read() -> None:
    constraint = Constraint("c", "mr * ceildiv(nr, lanes) <= 16")
    assert constraint.names == {"mr", "nr", "lanes"}


def test_message_shows_what_was_seen() -> None:
    seen = Constraint("c", "prod(tile) * mr <= L1d").seen(VALUES)
    assert seen == "L1d=32768, mr=8, tile=[8, 32]"


def test_a_missing_value_is_not_passed_over() -> None:
    with pytest.raises(KeyError, match="unknown"):
        Constraint("c", "unknown > 1").holds(VALUES)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("__import__('os').system('true')", "calls something else than"),
        ("open('f')", "calls something else than"),
        ("tile.__class__", "has Attribute, which is not allowed"),
        ("[t for t in tile]", "has ListComp, which is not allowed"),
        ("(lambda: 1)()", "calls something else than"),
        ("mr / 2 > 1", "has Div, which is not allowed"),
        ("mr ** 99 > 1", "has Pow, which is not allowed"),
    ],
)
def test_what_is_not_in_the_grammar(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Constraint("c", expression)


def test_text_that_is_no_expression() -> None:
    with pytest.raises(SyntaxError):
        Constraint("c", "mr <")
