"""Where OpenCL finds Intel's runtime for processors.

Flows in: what is installed. Flows out: the list of runtimes that this process's OpenCL reads. The
wheel `intel-opencl-rt` registers itself under the path of the machine it was built on, so it is
registered here; drivers of GPUs are where the system has them.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUNTIME = "libintelocl.so"
VENDORS = "OCL_ICD_VENDORS"
SYSTEM_VENDORS = Path("/etc/OpenCL/vendors")


def runtime_library() -> Path | None:
    """Return the runtime's library, None if the wheel is not installed."""
    places = [Path(sys.prefix) / "lib", Path(sysconfig.get_path("data")) / "lib"]
    return next((place / RUNTIME for place in places if (place / RUNTIME).is_file()), None)


@contextmanager
def runtimes_listed() -> Iterator[None]:
    """List the runtimes for OpenCL, which reads the list once, when it is first asked."""
    # What is compiled is kept by Bellrock's caches, not by pyopencl's beside them.
    os.environ["PYOPENCL_NO_CACHE"] = "1"
    if VENDORS in os.environ:  # the user's own list
        yield
        return
    with tempfile.TemporaryDirectory(prefix="bellrock-opencl-") as name:
        folder = Path(name)
        for listed in sorted(SYSTEM_VENDORS.glob("*.icd")) if SYSTEM_VENDORS.is_dir() else []:
            (folder / listed.name).write_bytes(listed.read_bytes())
        library = runtime_library()
        if library is not None:
            (folder / "bellrock-cpu.icd").write_text(f"{library}\n")
        os.environ[VENDORS] = name
        yield
