"""Messages are one paragraph of the parts that are there; errors survive a process border."""

from __future__ import annotations

import pickle

import pytest

from bellrock.errors import BellrockError, ProblemError, UnknownNameError


def test_all_parts_in_order() -> None:
    error = BellrockError(
        "it is wrong", got=3, allowed=["a", "b"], where="file.py:7", hint="do this"
    )
    assert str(error) == "file.py:7: it is wrong; got 3; allowed: a, b; do this."


def test_parts_left_out_are_not_printed() -> None:
    assert str(BellrockError("it is wrong")) == "it is wrong."
    assert str(BellrockError("is it", hint="is it right?")) == "is it; is it right?"


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("cpy", ["cpu", "xegpu"], "unknown target 'cpy'; allowed: cpu, xegpu; did you mean 'cpu'?"),
        ("tpu-v5", ["cuda"], "unknown target 'tpu-v5'; allowed: cuda."),
        ("cpu", [], "unknown target 'cpu'; allowed: none are registered."),
    ],
)
def test_unknown_names(name: str, known: list[str], said: str) -> None:
    assert str(UnknownNameError("target", name, known)) == said


@pytest.mark.parametrize(
    "error",
    [
        ProblemError("it is wrong", got=3, where="file.py:7"),
        UnknownNameError("target", "cpy", ["cpu"], where="--target"),
    ],
)
def test_errors_can_be_sent_to_another_process(error: BellrockError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
    assert copy.exit_code == error.exit_code
