"""The baselines that come with Bellrock keep the contract of baselines."""

from __future__ import annotations

import pytest

from bellrock.testing.baseline import BaselineContract


class TestEager(BaselineContract):
    name = "eager"


@pytest.mark.slow
class TestInductor(BaselineContract):
    name = "inductor"
