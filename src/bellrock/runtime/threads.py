"""One thread pool for everything in this process.

Flows in: nothing. Flows out: the OpenMP runtime of our programs, loaded so that torch uses the
same one. Call it before torch is imported; afterwards it loads ours beside torch's, which is
right but slow where both are busy.
"""

from __future__ import annotations


def share_openmp() -> bool:
    """Let every installed target load what has to be in the process before torch is.

    Returns:
        Whether all of it came in time (not if torch was imported before).
    """
    from bellrock.errors import RegistryError
    from bellrock.target import TARGETS

    in_time = True
    for name in TARGETS.names():
        try:
            target = TARGETS.get(name)
        except RegistryError:
            continue  # a target that cannot be loaded is an error where it is asked for
        in_time &= target.prepare_process()
    return in_time
