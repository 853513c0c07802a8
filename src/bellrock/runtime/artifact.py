"""Artifact files: a compiled program that another process, or a like machine, can load.

Flows in: a `SavedProgram`. Flows out: one file, and from it an equal `SavedProgram`.

The file is a zip archive, stored and not compressed: `manifest.json` (the schema below),
`code/N` (the target's objects in order), `values/N` (raw little-endian contents of argument
N, for arguments whose value belongs to the program, such as a model's parameters).
It holds machine code: load only files that you trust.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bellrock.errors import ArtifactError
from bellrock.payload import TensorSpec
from bellrock.target import TARGETS
from bellrock.target.base import Artifact, KernelInfo, Preparation

if TYPE_CHECKING:
    from bellrock.compiler import Compiled

SCHEMA = 2
MANIFEST = "manifest.json"
SUFFIX = ".bellrock"


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedProgram:
    """What is kept of a compiled program: enough to load and call it, and to say what it is."""

    name: str
    """For people: the problem's or the model's name."""
    fingerprint: str
    """The payload's."""
    target: str
    """Name of the target that made the code and can load it."""
    features: frozenset[str]
    """Features of the device that the code may use."""
    arguments: tuple[TensorSpec, ...]
    results: tuple[TensorSpec, ...]
    artifact: Artifact
    kernels: tuple[KernelInfo, ...] = ()
    choices: str = ""
    """Lock file (YAML) of the choices that went into it."""
    toolchain: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[int, bytes | memoryview] = field(default_factory=dict)
    """Contents of arguments that belong to the program, by position."""


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[2] = Field(alias="schema", default=2)
    name: str
    fingerprint: str
    target: str
    platform: str
    features: tuple[str, ...]
    arguments: tuple[TensorSpec, ...]
    results: tuple[TensorSpec, ...]
    entry: str
    workspace_bytes: int
    preparation: Preparation | None
    objects: int
    kernels: tuple[KernelInfo, ...]
    choices: str
    toolchain: dict[str, str]
    values: tuple[int, ...]


def this_platform() -> str:
    """Return the operating system and machine that code is for, e.g. `linux-x86_64`."""
    return f"{sys.platform}-{platform.machine()}"


def saved_program(
    compiled: Compiled, *, values: Mapping[int, bytes | memoryview] | None = None
) -> SavedProgram:
    """Return what a file keeps of a compiled program.

    Args:
        compiled: for this machine.
        values: contents of arguments that belong to the program, by position.
    """
    return SavedProgram(
        name=compiled.payload.name,
        fingerprint=compiled.payload.fingerprint,
        target=compiled.target,
        features=TARGETS.get(compiled.target).facts().features,
        arguments=compiled.payload.arguments,
        results=compiled.payload.results,
        artifact=compiled.artifact,
        kernels=compiled.kernels,
        choices=compiled.lock().text(),
        toolchain=compiled.toolchain,
        values=values or {},
    )


def save_program(program: SavedProgram, path: Path) -> None:
    """Write an artifact file; the old file of that name stays until the new one is complete.

    Raises:
        OSError: the path cannot be written.
    """
    manifest = _Manifest(
        name=program.name,
        fingerprint=program.fingerprint,
        target=program.target,
        platform=this_platform(),
        features=tuple(sorted(program.features)),
        arguments=program.arguments,
        results=program.results,
        entry=program.artifact.entry,
        workspace_bytes=program.artifact.workspace_bytes,
        preparation=program.artifact.preparation,
        objects=len(program.artifact.objects),
        kernels=program.kernels,
        choices=program.choices,
        toolchain=dict(program.toolchain),
        values=tuple(sorted(program.values)),
    )
    members: dict[str, bytes | memoryview] = {
        MANIFEST: manifest.model_dump_json(by_alias=True, indent=1).encode()
    }
    members |= {f"code/{i}": code for i, code in enumerate(program.artifact.objects)}
    members |= {f"values/{i}": program.values[i] for i in manifest.values}
    try:
        _write(members, path)
    except OSError as error:  # name the file that was asked for, not the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(members: Mapping[str, bytes | memoryview], path: Path) -> None:
    if path.exists() and not path.is_file():  # a device or a pipe must not be replaced
        with path.open("wb") as stream:
            _write_members(members, stream)
        return
    # Beside the final file, so that the rename does not cross file systems.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        temporary = Path(file.name)
        try:
            _write_members(members, file)
            file.flush()
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _write_members(members: Mapping[str, bytes | memoryview], stream: IO[bytes]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(data)


def load_program(path: Path) -> SavedProgram:
    """Read an artifact file; whether this machine can run it is `check_machine`'s question.

    Raises:
        ArtifactError: not a file that can be read, no artifact, damaged, or of another schema.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _Manifest.model_validate_json(archive.read(MANIFEST))
            objects = tuple(archive.read(f"code/{i}") for i in range(manifest.objects))
            values = {i: archive.read(f"values/{i}") for i in manifest.values}
    except OSError as error:
        raise ArtifactError("cannot read the file", got=error.strerror, where=path) from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise ArtifactError(
            "not an artifact file, or a damaged one",
            got=str(error).strip("'\""),
            where=path,
            hint="write it with `bellrock compile`",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ArtifactError(
            "its manifest is not one that this version reads",
            got=f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}",
            allowed=f"schema {SCHEMA}",
            where=path,
            hint="compile it again with this version of Bellrock",
        ) from error
    _check_platform(manifest, path)
    _check_values(manifest, values, path)
    return SavedProgram(
        name=manifest.name,
        fingerprint=manifest.fingerprint,
        target=manifest.target,
        features=frozenset(manifest.features),
        arguments=manifest.arguments,
        results=manifest.results,
        artifact=Artifact(
            objects=objects,
            entry=manifest.entry,
            workspace_bytes=manifest.workspace_bytes,
            preparation=manifest.preparation,
            argument_bytes=tuple(spec.bytes for spec in manifest.arguments),
            result_bytes=tuple(spec.bytes for spec in manifest.results),
        ),
        kernels=manifest.kernels,
        choices=manifest.choices,
        toolchain=manifest.toolchain,
        values=values,
    )


def check_machine(program: SavedProgram, *, features: frozenset[str], where: object = None) -> None:
    """Make sure that this machine can run the program's code.

    Args:
        program: as loaded.
        features: those of the device here.
        where: the file, for the message.

    Raises:
        ArtifactError: the code may use features that the device lacks.
    """
    lacking = sorted(program.features - features)
    if lacking:
        shown = ", ".join(lacking[:6]) + (f" and {len(lacking) - 6} more" if lacking[6:] else "")
        raise ArtifactError(
            f"this machine lacks features that the code for {program.target!r} may use",
            got=shown,
            where=where,
            hint="compile it on this machine",
        )


def _check_platform(manifest: _Manifest, path: Path) -> None:
    if manifest.platform != this_platform():
        raise ArtifactError(
            "its code is for another platform",
            got=manifest.platform,
            allowed=this_platform(),
            where=path,
            hint="compile it on this machine",
        )


def _check_values(manifest: _Manifest, values: Mapping[int, bytes], path: Path) -> None:
    for index, data in values.items():
        if not 0 <= index < len(manifest.arguments):
            raise ArtifactError("a stored value has no argument", got=index, where=path)
        spec = manifest.arguments[index]
        if len(data) != spec.bytes:
            raise ArtifactError(
                f"the stored value of {spec.name!r} has the wrong size",
                got=f"{len(data)} bytes",
                allowed=f"{spec.bytes} bytes for {spec}",
                where=path,
            )


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
