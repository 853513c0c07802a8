"""The targets that come with Bellrock keep the contract of targets."""

from __future__ import annotations

import pytest

from bellrock.testing.target import ComputingTargetContract


class TestCpu(ComputingTargetContract):
    name = "cpu"


class TestXeGpu(ComputingTargetContract):
    name = "xegpu"

    @pytest.fixture(autouse=True)
    @classmethod
    def interpreted(cls, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every machine can interpret it, whatever else is installed."""
        monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
