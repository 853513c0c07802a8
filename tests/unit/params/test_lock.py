"""The lock file: what is written, what is read, and every way of being wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bellrock.errors import BellrockError, LockError
from bellrock.params.lock import Lock, LockRow, parse_lock, read_lock
from bellrock.payload.motif import Motif, MotifKind

MATMUL = Motif(
    kind=MotifKind.CONTRACTION, op="linalg.matmul", dims={"batch": 1, "m": 2, "n": 3, "k": 4}
)
ROW = LockRow(
    motif=MATMUL.signature(),
    knobs="matmul",
    parameters={"tile": (8, 32), "unroll": 2, "packed": True, "form": "outer"},
    by="cost-model",
    predicted_seconds=1.5e-05,
)
OTHER = LockRow(motif="another [m=1]", knobs="tile", parameters={"size": 7}, by="default")

TEXT = """\
# Choices of one run of Bellrock, one row for each distinct motif.
# Pass this file back with --lock to use them again. Edit `parameters` to override a choice;
# rows that are left out are chosen anew. `by` says who chose and is for people.
schema: 1
target: cpu
choices:
- motif: another [m=1]
  by: default
  knobs: tile
  parameters: {size: 7}
- motif: contraction [batch=1 m=2 n=3 k=4] () -> ()
  by: cost-model
  knobs: matmul
  parameters: {tile: [8, 32], unroll: 2, packed: true, form: outer}
  predicted_seconds: 1.5e-05
"""


def test_text_of_a_lock() -> None:
    assert Lock(rows=(ROW, OTHER), target="cpu").text() == TEXT


def test_order_of_rows_does_not_show() -> None:
    assert Lock(rows=(OTHER, ROW)).text() == Lock(rows=(ROW, OTHER)).text()


def test_reads_what_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.lock.yaml"
    Lock(rows=(ROW, OTHER), target="cpu").write(path)
    lock = read_lock(path)
    assert (lock.rows, lock.target, lock.source) == ((OTHER, ROW), "cpu", str(path))
    assert lock.rows[1].where == f"{path}:11"
    assert [p.name for p in tmp_path.iterdir()] == ["a.lock.yaml"]


def test_lookup() -> None:
    lock = Lock(rows=(OTHER, ROW))
    assert lock.lookup(MATMUL) is ROW
    assert Lock(rows=(OTHER,)).lookup(MATMUL) is None


def test_rows_that_matched_nothing_are_told() -> None:
    lock = parse_lock(TEXT, source="a.yaml")
    assert lock.unused([ROW]) == ("a.yaml:7: matches no op of this payload: another [m=1]",)
    assert lock.unused([ROW, OTHER]) == ()
    # A run for other kinds of motif has nothing to say of the row.
    assert lock.unused([ROW], kinds={"contraction"}) == ()
    assert lock.unused([ROW], kinds={"another"}) == lock.unused([ROW])


def test_empty_list_of_choices() -> None:
    assert parse_lock("schema: 1\nchoices:\n", source="f").rows == ()
    assert parse_lock("schema: 1\nchoices: []\n", source="f").rows == ()


_ROW = "- {motif: a, knobs: k, parameters: {}%s}\n"
REJECTS = [
    ("", "f:1:1: a lock file is a YAML map; got an empty file; write one with --write-lock."),
    ("- 1\n", "f:1:1: a lock file is a YAML map; got a list; "
               "write one with --write-lock."),
    ("a: [\n", "f:2:1: not valid YAML; got while parsing a flow node, expected the node content, "
               "but found '<stream end>'."),
    ("schema: 1\nschema: 1\n", "f:2:1: not valid YAML; got while constructing a mapping, "
                               'found duplicate key "schema" with value "1" '
                               '(original value: "1").'),
    ("choices: []\n", "f:1: a lock file lacks the key 'schema'; allowed: schema, target, choices."),
    ("schema: 2\nchoices: []\n", "f:1: the lock file has another schema; got 2; allowed: 1; "
                                 "write it again with --write-lock."),
    ("schema: 1\nchoice: []\n", "f:2: unknown key of a lock file 'choice'; "
                                "allowed: choices, schema, target; did you mean 'choices'?"),
    ("schema: 1\nchoices: {a: 1}\n", "f:2: choices has the wrong type; got {'a': 1}; "
                                     "allowed: a list of rows."),
    ("schema: 1\ntarget: 3\nchoices: []\n", "f:2: target has the wrong type; got 3; "
                                            "allowed: a name."),
    ("schema: 1\nchoices:\n- 3\n", "f:3: choices[0] has the wrong type; got 3; allowed: a map."),
    ("schema: 1\nchoices:\n- {motif: a, knobs: k}\n",
     "f:3: a lock row lacks the key 'parameters'; allowed: motif, by, knobs, parameters, "
     "predicted_seconds, measured_seconds."),
    ("schema: 1\nchoices:\n" + _ROW % ", seconds: 1",
     "f:3: unknown key of a lock row 'seconds'; allowed: by, knobs, measured_seconds, motif, "
     "parameters, predicted_seconds; did you mean 'measured_seconds'?"),
    ("schema: 1\nchoices:\n- motif: a\n  knobs: 3\n  parameters: {}\n",
     "f:4: knobs has the wrong type; got 3; allowed: a string."),
    ("schema: 1\nchoices:\n- motif: a\n  knobs: k\n  parameters: [1]\n",
     "f:5: parameters has the wrong type; got [1]; allowed: a map of names to values."),
    ("schema: 1\nchoices:\n- motif: a\n  knobs: k\n  parameters: {tile: 1.5}\n",
     "f:5: parameters.tile has the wrong type; got 1.5; "
     "allowed: an integer, string, bool or integer list."),
    ("schema: 1\nchoices:\n- motif: a\n  knobs: k\n  parameters: {}\n  measured_seconds: -1\n",
     "f:6: measured_seconds has the wrong type; got -1; allowed: seconds, at least 0."),
    ("schema: 1\nchoices:\n" + _ROW % "" + _ROW % "",
     "f:4: two rows for one motif; got a; remove this one or the one at f:3."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REJECTS, ids=[str(i) for i in range(len(REJECTS))])
def test_malformed_locks(text: str, message: str) -> None:
    with pytest.raises(BellrockError) as error:
        parse_lock(text, source="f")
    assert str(error.value) == message
    assert error.value.exit_code == 2


def test_a_lock_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "a.yaml"
    with pytest.raises(LockError) as error:
        read_lock(missing)
    assert str(error.value) == (
        f"{missing}: cannot read the lock file; got No such file or directory."
    )
    with pytest.raises(LockError) as error:
        Lock(rows=(ROW,)).write(missing)
    assert str(error.value) == (
        f"{missing}: cannot write the lock file; got No such file or directory; "
        "name a file in a folder that exists and can be written."
    )
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(LockError, match="the lock file is not UTF-8 text"):
        read_lock(binary)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    Lock(rows=(ROW,)).write(path)
    before = path.read_text(encoding="utf-8")
    (tmp_path / "a.yaml.partial").mkdir()  # what is written first cannot be
    with pytest.raises(LockError):
        Lock(rows=(OTHER,)).write(path)
    assert path.read_text(encoding="utf-8") == before
