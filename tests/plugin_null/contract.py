"""The plug-in's own test: Bellrock's contract for targets. Run by `test_plugin_null.py`."""

from __future__ import annotations

from bellrock.testing.target import TargetContract


class TestNullTarget(TargetContract):
    name = "null"
