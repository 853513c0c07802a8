"""The functions of Level Zero's loader library that are used here, and their structures.

Flows in: arguments. Flows out: results, or an error that names the function and what the driver
said. Layouts are those of `ze_api.h`, version 1.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from bellrock.errors import DeviceError
from bellrock.target.xegpu.loaders.base import DeviceLostError

LIBRARIES = (
    "libze_loader.so.1",
    "libze_loader.so",
    str(Path(sys.prefix, "lib", "libze_loader.so.1")),  # of a Python environment
)
HINT = (
    "install the loader (Debian: libze1) and the driver of the GPU (libze-intel-gpu1), "
    "or set BELLROCK_XEGPU_LOADER=opencl or simt"
)
UNINITIALISED = 0x7800_0001
NOT_READY = 1
LOST = frozenset({0x7000_0001, 0x7000_0006})
"""Device lost, and device requires a reset."""
_RESULTS = {
    0x7000_0001: "device lost",
    0x7000_0002: "out of host memory",
    0x7000_0003: "out of device memory",
    0x7000_0004: "module build failure",
    0x7000_0006: "device requires a reset",
    UNINITIALISED: "no driver",
    0x7800_0003: "unsupported feature",
    0x7800_0004: "invalid argument",
    0x7800_0005: "invalid null handle",
    0x7800_0007: "invalid null pointer",
    0x7800_0008: "invalid size",
    0x7800_0011: "invalid kernel name",
    0x7800_0013: "invalid group size",
    0x7800_0015: "invalid argument index",
    0x7800_0016: "invalid argument size",
}

Handle = ctypes.c_void_p
_Out = ctypes.POINTER(Handle)
_U32, _U64, _Size, _Text = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_char_p
_Fields = Any  # what ctypes takes there has no public type


class _Described(ctypes.Structure):
    """A structure that says of what type it is."""

    TYPE: ClassVar[int] = 0
    _fields_: ClassVar[_Fields] = [("stype", _U32), ("next", Handle)]

    def __init__(self, **values: Any) -> None:
        super().__init__(stype=self.TYPE, **values)


class DeviceProperties(_Described):
    """`ze_device_properties_t`."""

    TYPE = 0x3
    _fields_: ClassVar[_Fields] = [
        ("type", _U32), ("vendor", _U32), ("id", _U32), ("flags", _U32), ("subdevice", _U32),
        ("core_clock_mhz", _U32), ("max_allocation_bytes", _U64), ("hardware_contexts", _U32),
        ("queue_priority", _U32), ("threads_per_eu", _U32), ("simd_width", _U32),
        ("eus_per_subslice", _U32), ("subslices_per_slice", _U32), ("slices", _U32),
        ("timer_resolution", _U64), ("timestamp_bits", _U32), ("kernel_timestamp_bits", _U32),
        ("uuid", ctypes.c_uint8 * 16), ("name", ctypes.c_char * 256),
    ]  # fmt: skip


class ComputeProperties(_Described):
    """`ze_device_compute_properties_t`."""

    TYPE = 0x4
    _fields_: ClassVar[_Fields] = [
        ("max_group", _U32), ("max_group_size", _U32 * 3), ("max_group_count", _U32 * 3),
        ("slm_bytes", _U32), ("sub_group_count", _U32), ("sub_groups", _U32 * 8),
    ]  # fmt: skip


class ContextDescription(_Described):
    """`ze_context_desc_t`."""

    TYPE = 0xD
    _fields_: ClassVar[_Fields] = [("flags", _U32)]


class QueueDescription(_Described):
    """`ze_command_queue_desc_t`."""

    TYPE = 0xE
    _fields_: ClassVar[_Fields] = [
        ("ordinal", _U32), ("index", _U32), ("flags", _U32), ("mode", _U32), ("priority", _U32),
    ]  # fmt: skip


class EventPoolDescription(_Described):
    """`ze_event_pool_desc_t`."""

    TYPE = 0x10
    _fields_: ClassVar[_Fields] = [("flags", _U32), ("count", _U32)]


class EventDescription(_Described):
    """`ze_event_desc_t`."""

    TYPE = 0x11
    _fields_: ClassVar[_Fields] = [("index", _U32), ("signal", _U32), ("wait", _U32)]


class DeviceMemoryDescription(_Described):
    """`ze_device_mem_alloc_desc_t`."""

    TYPE = 0x15
    _fields_: ClassVar[_Fields] = [("flags", _U32), ("ordinal", _U32)]


class ModuleDescription(_Described):
    """`ze_module_desc_t`."""

    TYPE = 0x1B
    _fields_: ClassVar[_Fields] = [
        ("format", _U32), ("bytes", _Size), ("input", _Text), ("flags", _Text),
        ("constants", Handle),
    ]  # fmt: skip


class KernelDescription(_Described):
    """`ze_kernel_desc_t`."""

    TYPE = 0x1D
    _fields_: ClassVar[_Fields] = [("flags", _U32), ("name", _Text)]


class GroupCount(ctypes.Structure):
    """`ze_group_count_t`."""

    _fields_: ClassVar[_Fields] = [("x", _U32), ("y", _U32), ("z", _U32)]


class KernelTimestamp(ctypes.Structure):
    """`ze_kernel_timestamp_result_t`."""

    _fields_: ClassVar[_Fields] = [
        ("start", _U64), ("end", _U64), ("context_start", _U64), ("context_end", _U64),
    ]  # fmt: skip


_At = ctypes.c_void_p  # a pointer to a structure, given by `byref`
_Count = ctypes.POINTER(_U32)
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "zeInit": (_U32,),
    "zeDriverGet": (_Count, _Out),
    "zeDeviceGet": (Handle, _Count, _Out),
    "zeDeviceGetProperties": (Handle, _At),
    "zeDeviceGetComputeProperties": (Handle, _At),
    "zeContextCreate": (Handle, _At, _Out),
    "zeContextDestroy": (Handle,),
    "zeMemAllocDevice": (Handle, _At, _Size, _Size, Handle, _Out),
    "zeMemFree": (Handle, Handle),
    "zeModuleCreate": (Handle, Handle, _At, _Out, _Out),
    "zeModuleDestroy": (Handle,),
    "zeModuleBuildLogGetString": (Handle, ctypes.POINTER(_Size), _Text),
    "zeModuleBuildLogDestroy": (Handle,),
    "zeKernelCreate": (Handle, _At, _Out),
    "zeKernelDestroy": (Handle,),
    "zeKernelSetGroupSize": (Handle, _U32, _U32, _U32),
    "zeKernelSetArgumentValue": (Handle, _U32, _Size, _Text),
    "zeCommandListCreateImmediate": (Handle, Handle, _At, _Out),
    "zeCommandListDestroy": (Handle,),
    "zeCommandListAppendLaunchKernel": (Handle, Handle, _At, Handle, _U32, _Out),
    "zeCommandListAppendMemoryCopy": (Handle, Handle, Handle, _Size, Handle, _U32, _Out),
    "zeCommandListAppendBarrier": (Handle, Handle, _U32, _Out),
    "zeEventPoolCreate": (Handle, _At, _U32, _Out, _Out),
    "zeEventPoolDestroy": (Handle,),
    "zeEventCreate": (Handle, _At, _Out),
    "zeEventDestroy": (Handle,),
    "zeEventHostSynchronize": (Handle, _U64),
    "zeEventHostReset": (Handle,),
    "zeEventQueryKernelTimestamp": (Handle, _At),
}


class Api:
    """The loader library, initialised."""

    def __init__(self) -> None:
        """Load the library and initialise its drivers.

        Raises:
            DeviceError: there is no loader, or no driver of a GPU.
        """
        self._library = _load()
        for name, arguments in _SIGNATURES.items():
            function = getattr(self._library, name)
            function.argtypes, function.restype = arguments, _U32
        status = self._library.zeInit(0)
        if status:
            raise DeviceError(
                "Level Zero's loader finds no driver of a GPU", got=_said(status), hint=HINT
            )

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function.

        Raises:
            DeviceError: it failed.
            DeviceLostError: the device is gone.
        """
        status = getattr(self._library, name)(*arguments)
        if status in LOST:
            raise DeviceLostError(f"the device was lost at {name}", got=_said(status))
        if status:
            raise DeviceError(f"Level Zero failed at {name}", got=_said(status))

    def handle(self, name: str, *arguments: Any) -> Handle:
        """Call a function whose last argument takes what it makes, and return that."""
        made = Handle()
        self.call(name, *arguments, ctypes.byref(made))
        return made

    def handles(self, name: str, *arguments: Any) -> list[Handle]:
        """Return all that a function lists, which is asked for their number first."""
        count = _U32()
        self.call(name, *arguments, ctypes.byref(count), None)
        made = (Handle * count.value)()
        self.call(name, *arguments, ctypes.byref(count), made)
        return [Handle(value) for value in made]


def device_present() -> bool:
    """Whether Level Zero has a GPU here."""
    try:
        return bool(gpus(api()))
    except DeviceError:
        return False


@cache
def api() -> Api:
    """Return the process's one use of the library.

    Raises:
        DeviceError: there is no loader, or no driver of a GPU.
    """
    return Api()


def gpus(library: Api) -> list[tuple[Handle, Handle]]:
    """Return all GPUs, each with its driver."""
    found = []
    for driver in library.handles("zeDriverGet"):
        for device in library.handles("zeDeviceGet", driver):
            about = DeviceProperties()
            library.call("zeDeviceGetProperties", device, ctypes.byref(about))
            if about.type == 1:
                found.append((driver, device))
    return found


def _load() -> Any:
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise DeviceError(
        "Level Zero's loader library is not installed", got="no libze_loader.so.1", hint=HINT
    )


def _said(status: int) -> str:
    return f"{_RESULTS.get(status, 'error')} ({status:#x})"
