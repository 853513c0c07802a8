"""Right or wrong: a compiled program against PyTorch in higher precision.

Flows in: a candidate, and the model it was compiled from. Flows out: a `Verdict`, whose
budget comes from the computation (`noise`), and which says what it cannot tell. Read
docs/verification.md for the formulas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellrock.verify.verdict import Candidate, MutantResult, Subject, Verdict

if TYPE_CHECKING:
    from bellrock.verify.run import verify

__all__ = ["Candidate", "MutantResult", "Subject", "Verdict", "verify"]


def __getattr__(name: str) -> object:
    """Load `verify` on first use: its module needs torch."""
    if name == "verify":
        from bellrock.verify.run import verify

        return verify
    raise AttributeError(name)
