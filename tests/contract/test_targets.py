"""The targets that come with Bellrock keep the contract of targets."""

from __future__ import annotations

from bellrock.testing.target import ComputingTargetContract


class TestCpu(ComputingTargetContract):
    name = "cpu"


class TestXegpu(ComputingTargetContract):
    name = "xegpu"
