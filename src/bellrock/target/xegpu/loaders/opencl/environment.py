"""Where OpenCL finds Intel's runtime for processors.

Flows in: what is installed. Flows out: the environment of the process that uses it. The wheel
`intel-opencl-rt` registers itself under the path of the machine it was built on, so it is
registered here; drivers of GPUs are where the system has them.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

RUNTIME = "libintelocl.so"
VENDORS = "OCL_ICD_VENDORS"
SYSTEM_VENDORS = Path("/etc/OpenCL/vendors")


def runtime_library() -> Path | None:
    """Return the runtime's library, None if the wheel is not installed."""
    places = [Path(sys.prefix) / "lib", Path(sysconfig.get_path("data")) / "lib"]
    return next((place / RUNTIME for place in places if (place / RUNTIME).is_file()), None)


def child_environment(folder: Path) -> dict[str, str]:
    """Return the environment for a process that uses OpenCL.

    Args:
        folder: empty; for the list of runtimes.
    """
    environment = dict(os.environ)
    # A compiled program is kept by Bellrock's caches, not by pyopencl's beside them.
    environment["PYOPENCL_NO_CACHE"] = "1"
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    if VENDORS in environment:
        return environment
    for listed in sorted(SYSTEM_VENDORS.glob("*.icd")) if SYSTEM_VENDORS.is_dir() else []:
        (folder / listed.name).write_bytes(listed.read_bytes())
    library = runtime_library()
    if library is not None:
        (folder / "bellrock-cpu.icd").write_text(f"{library}\n")
    environment[VENDORS] = str(folder)
    return environment
