"""The code object of one function: native host code, and the device modules that it launches.

Flows in: what code generation made. Flows out: one run of bytes, the same for the same contents,
which caches and artifacts keep; and from it an equal `DeviceObject`.

The bytes are a zip archive, stored and not compressed: `header.json` (the schema below), `host`
(a relocatable object of this machine), `spirv/N`, `llvm/N` and, where there is one, `native/N`
(of module N).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bellrock.errors import ArtifactError

SCHEMA = 1
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip archive can state: the bytes must not depend on the clock."""

BUILD_FLAGS: Mapping[int, str] = {256: "-ze-opt-large-register-file"}
"""What the compiler of a driver is told, by the registers of a thread that a module asks for."""

ArgumentKind = Literal["pointer", "scalar"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelEntry:
    """One kernel of a module, and what a launch has to respect."""

    name: str
    """Unique within a program: it ends in the hash of the kernel's contents."""
    arguments: tuple[ArgumentKind, ...]
    sub_group: int
    """Work-items of a sub-group; 0 where the kernel takes any."""
    slm_bytes: int
    """Local memory of one work-group."""
    group: tuple[int, int, int] | None
    """The only size of a work-group that it runs with; None where any will do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceModule:
    """One device module, in the form that drivers take and in the one that is interpreted."""

    name: str
    spirv: bytes
    llvm: bytes
    """MLIR bytecode of the `gpu.module` in the LLVM dialect that the SPIR-V was made of."""
    kernels: tuple[KernelEntry, ...]
    registers: int = 0
    """Of each thread, where it is chosen among what the hardware has; 0: as the driver thinks."""
    native: bytes = b""
    """The same for one chip, where there was a compiler for it; for people, not for drivers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceObject:
    """The code of one function."""

    host: bytes
    """Relocatable object for the host's processor."""
    modules: tuple[DeviceModule, ...] = ()

    def pack(self) -> bytes:
        """Return the bytes of the container."""
        header = _Header(
            modules=tuple(
                _Module(
                    name=m.name,
                    kernels=tuple(_Kernel(**asdict(k)) for k in m.kernels),
                    registers=m.registers,
                )
                for m in self.modules
            )
        )
        members = {"header.json": header.model_dump_json(by_alias=True).encode()}
        members["host"] = self.host
        for number, module in enumerate(self.modules):
            members[f"spirv/{number}"] = module.spirv
            members[f"llvm/{number}"] = module.llvm
            if module.native:
                members[f"native/{number}"] = module.native
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
        return stream.getvalue()


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Kernel(_Model):
    name: str
    arguments: tuple[ArgumentKind, ...]
    sub_group: int
    slm_bytes: int
    group: tuple[int, int, int] | None


class _Module(_Model):
    name: str
    kernels: tuple[_Kernel, ...]
    registers: int


class _Header(_Model):
    schema_version: Literal[1] = Field(alias="schema", default=SCHEMA)
    modules: tuple[_Module, ...]


def unpack(data: bytes) -> DeviceObject:
    """Read a container.

    Raises:
        ArtifactError: these are not the bytes of one, or those of another schema.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            header = _Header.model_validate_json(archive.read("header.json"))
            host = archive.read("host")
            names = set(archive.namelist())
            modules = tuple(
                DeviceModule(
                    name=module.name,
                    spirv=archive.read(f"spirv/{number}"),
                    llvm=archive.read(f"llvm/{number}"),
                    kernels=tuple(KernelEntry(**k.model_dump()) for k in module.kernels),
                    registers=module.registers,
                    native=archive.read(n) if (n := f"native/{number}") in names else b"",
                )
                for number, module in enumerate(header.modules)
            )
    except (zipfile.BadZipFile, KeyError, ValidationError) as error:
        raise ArtifactError(
            "not a code object of the target xegpu, or a damaged one",
            got=str(error).splitlines()[0].strip("'\""),
            hint="compile it again with this version of Bellrock",
        ) from error
    return DeviceObject(host=host, modules=modules)
