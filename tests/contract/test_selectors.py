"""The selectors that come with Bellrock keep the contract of selectors."""

from __future__ import annotations

import pytest

from bellrock.params.database import Database
from bellrock.params.lock import Lock, LockRow
from bellrock.params.select import SelectionContext
from bellrock.testing.payloads import MATMUL, motifs_of
from bellrock.testing.selector import MODEL_TARGET, SelectorContract


def _row() -> LockRow:
    (motif,) = [each for each in motifs_of(MATMUL) if MODEL_TARGET.knobs(each)]
    return LockRow(
        motif=motif.signature(),
        knobs="contract-tile",
        parameters={"tile": 7},
        by="someone",
        measured_seconds=1e-3,
    )


class TestDefault(SelectorContract):
    name = "default"


class TestCostModel(SelectorContract):
    name = "cost-model"


class TestLock(SelectorContract):
    name = "lock"

    @pytest.fixture
    def context(self) -> SelectionContext:
        return SelectionContext(target=MODEL_TARGET, lock=Lock(rows=(_row(),)))


class TestDatabase(SelectorContract):
    name = "database"

    @pytest.fixture
    def context(self) -> SelectionContext:
        row, device = _row(), MODEL_TARGET.facts().device
        database = Database(source="test", best={(device, row.motif): row})
        return SelectionContext(target=MODEL_TARGET, database=database)
