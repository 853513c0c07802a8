"""Put Level Zero's loader, its validation layer and its headers into this Python environment.

`make test` runs it: tests of the host code for Intel GPUs go through the loader, and no package of
PyPI has it. Where the system has none, Debian's packages are downloaded by apt and unpacked into
the environment; nothing is installed on the system, and no rights are needed. Where that cannot be
done, the reason is printed, and those tests are skipped.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ("libze1", "libze-dev")
LIBRARY = "libze_loader.so.1"
_SECONDS = 300


def main() -> None:
    """Install, or say why not."""
    prefix = Path(sys.prefix)
    if _is_there(prefix):
        return
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        _skip(f"{missing[0]} is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="bellrock-level-zero-") as name:
        folder = Path(name)
        try:
            _download(folder)
            for package in sorted(folder.glob("*.deb")):
                _run(folder, "dpkg-deb", "-x", str(package), "tree")
            _copy(folder / "tree" / "usr", prefix)
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            _skip(said[-1] if said else type(error).__name__)
            return
    print(f"Level Zero's loader is in {prefix / 'lib'}")


def _is_there(prefix: Path) -> bool:
    if (prefix / "lib" / LIBRARY).exists():
        return True
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return Path("/usr/include/level_zero").is_dir()


def _download(folder: Path) -> None:
    try:
        _run(folder, "apt-get", "download", *PACKAGES)
    except subprocess.CalledProcessError:
        # The system has no lists of packages, or old ones: get them into a place of our own.
        for part in ("lists/partial", "archives/partial"):
            (folder / part).mkdir(parents=True)
        own = (
            "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}",
            "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=",
        )  # fmt: skip
        _run(folder, "apt-get", *own, "update")
        _run(folder, "apt-get", *own, "download", *PACKAGES)


def _copy(tree: Path, prefix: Path) -> None:
    """Copy libraries (out of the folder of their architecture) and headers."""
    for library in (tree / "lib").glob("*/libze_*.so*"):
        to = prefix / "lib" / library.name
        to.unlink(missing_ok=True)
        shutil.copy2(library, to, follow_symlinks=False)
    shutil.copytree(
        tree / "include" / "level_zero", prefix / "include" / "level_zero", dirs_exist_ok=True
    )


def _run(folder: Path, *command: str) -> None:
    subprocess.run(
        command, cwd=folder, check=True, timeout=_SECONDS, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def _skip(reason: str) -> None:
    print(f"tests of Level Zero's loader will be skipped: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
