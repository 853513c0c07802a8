"""Kinds of devices, each a folder with the same file names in it; `base` is their contract.

Flows in: a name. Flows out: the `Target` of that name, from whichever package provides it:

    [project.entry-points."bellrock.targets"]
    cpu = "bellrock.target.cpu.target:CPU"

Nobody imports a target's folder by name; `TARGETS.get(name)` is the only way to one.
"""

from bellrock.registry import Registry
from bellrock.target.base import Target

__all__ = ["TARGETS", "Target"]

TARGETS: Registry[Target] = Registry("target", "bellrock.targets", Target)
"""All targets that installed packages provide."""
