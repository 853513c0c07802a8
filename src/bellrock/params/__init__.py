"""Choosing parameters without measuring: knob spaces, selectors, the lock file.

Flows in: motifs, and what a target can do with them. Flows out: choices, as attributes on the
payload's ops and as rows of a lock file. `bellrock.tune` measures; this room never does.
"""

from bellrock.params.choice import ATTRIBUTE, Choice, read_choice, write_choice
from bellrock.params.constraint import Constraint
from bellrock.params.knobs import Knobs, knob

__all__ = [
    "ATTRIBUTE",
    "Choice",
    "Constraint",
    "Knobs",
    "knob",
    "read_choice",
    "write_choice",
]
