"""The on-disk cache: what was compiled before, by the hash of all that went into it.

Flows in: a key, a description (JSON) and code (bytes). Flows out: the same again. Entries are
files named by their key, written under another name and renamed, so that a reader sees a
whole entry or none; an entry that does not read back is treated as absent and replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

import bellrock
from bellrock.errors import CacheError
from bellrock.payload import fingerprint_of
from bellrock.toolchain import versions

ENVIRONMENT = "BELLROCK_CACHE_DIR"
_LENGTH_BYTES = 8
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One cached result."""

    description: Mapping[str, Any]
    """Plain data that JSON can hold; who wrote it knows its shape, and the key says who did."""
    code: tuple[bytes, ...]


def default_folder() -> Path:
    """Return the cache folder: `BELLROCK_CACHE_DIR`, or the user's cache folder."""
    given = os.environ.get(ENVIRONMENT)
    return Path(given) if given else platformdirs.user_cache_path("bellrock")


@cache
def toolchain_key() -> str:
    """Return a hash of the package versions and of Bellrock's own sources.

    The sources are in it so that a checkout that changes never reads stale code.
    """
    own = folder_digest(Path(bellrock.__file__).parent)
    return fingerprint_of(own, json.dumps(versions(), sort_keys=True))


@cache
def folder_digest(root: Path) -> str:
    """Return a hash of the sources and descriptors below a folder."""
    digest = hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.yaml"), *root.rglob("*.mlir")]):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Cache:
    """Entries below one folder. Safe for many processes at once."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use a folder, made when the first entry is stored."""
        self.folder = folder if folder is not None else default_folder()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key[2:]

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, or None.

        Raises:
            CacheError: the folder exists but cannot be read.
        """
        try:
            data = self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._failed("read", error) from error
        return _decode(data)

    def put(self, key: str, entry: Entry) -> None:
        """Store an entry.

        Raises:
            CacheError: the folder cannot be written, or the disk is full.
        """
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                try:
                    file.write(_encode(entry))
                    file.close()
                    os.replace(file.name, path)  # noqa: PTH105  (a name, not a path)
                except BaseException:
                    os.unlink(file.name)  # noqa: PTH108
                    raise
        except OSError as error:
            raise self._failed("written", error) from error

    def _failed(self, verb: str, error: OSError) -> CacheError:
        return CacheError(
            f"the compile cache cannot be {verb}: {error.strerror}",
            got=str(self.folder),
            hint=f"set {ENVIRONMENT} or --cache-dir to a folder that can be, or free some space",
        )


def _encode(entry: Entry) -> bytes:
    sizes = [len(code) for code in entry.code]
    head = json.dumps({"description": entry.description, "sizes": sizes}).encode()
    body = b"".join([len(head).to_bytes(_LENGTH_BYTES, "little"), head, *entry.code])
    return hashlib.sha256(body).digest() + body


def _decode(data: bytes) -> Entry | None:
    """Return what `_encode` wrote, or None where the bytes are damaged."""
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    at = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "little")
    head = json.loads(body[_LENGTH_BYTES:at])
    code = []
    for size in head["sizes"]:
        code.append(body[at : at + size])
        at += size
    return Entry(description=head["description"], code=tuple(code))


def key_of(*parts: str | Sequence[str]) -> str:
    """Return the key of a result that depends on these texts and on the toolchain."""
    flat = [p if isinstance(p, str) else fingerprint_of(*p) for p in parts]
    return fingerprint_of(toolchain_key(), *flat)
