"""Memory of a GPU by plain addresses: OpenCL's extension `cl_intel_unified_shared_memory`.

Flows in: sizes, addresses. Flows out: device memory that kernels take pointers into. The
extension's functions are not pyopencl's, so they are called through the library it has loaded.
"""

from __future__ import annotations

import ctypes
from importlib import import_module
from typing import Any

from bellrock.errors import DeviceError

_ALIGNMENT_BYTES = 4096
_HANDLE, _SIZE = ctypes.c_void_p, ctypes.c_size_t
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "clDeviceMemAllocINTEL": (
        _HANDLE,
        (_HANDLE, _HANDLE, _HANDLE, _SIZE, ctypes.c_uint32, _HANDLE),
    ),
    "clMemBlockingFreeINTEL": (ctypes.c_int32, (_HANDLE, _HANDLE)),
    "clSetKernelArgMemPointerINTEL": (ctypes.c_int32, (_HANDLE, ctypes.c_uint32, _HANDLE)),
    "clEnqueueMemcpyINTEL": (
        ctypes.c_int32,
        (_HANDLE, ctypes.c_uint32, _HANDLE, _HANDLE, _SIZE, ctypes.c_uint32, _HANDLE, _HANDLE),
    ),
}


class UnifiedMemory:
    """Device memory of one context."""

    def __init__(self, context: Any, device: Any, queue: Any) -> None:
        """Find the extension's functions.

        Raises:
            DeviceError: the device's driver does not have them.
        """
        self._context, self._device, self._queue = context, device, queue
        library = _library()
        find = library.clGetExtensionFunctionAddressForPlatform
        find.restype, find.argtypes = _HANDLE, (_HANDLE, ctypes.c_char_p)
        self._functions: dict[str, Any] = {}
        for name, (result, arguments) in _SIGNATURES.items():
            address = find(device.platform.int_ptr, name.encode())
            if not address:
                raise DeviceError(
                    "the OpenCL driver has no unified shared memory",
                    got=device.platform.version, hint="install a newer driver of the GPU",
                )  # fmt: skip
            self._functions[name] = ctypes.CFUNCTYPE(result, *arguments)(address)

    def allocate(self, size_bytes: int) -> int:
        """Return the address of fresh device memory."""
        status = ctypes.c_int32()
        address = self._functions["clDeviceMemAllocINTEL"](
            self._context.int_ptr, self._device.int_ptr, None, size_bytes, _ALIGNMENT_BYTES,
            ctypes.addressof(status),
        )  # fmt: skip
        if status.value or not address:
            raise DeviceError(
                "the device has not that much memory", got=f"{size_bytes} bytes ({status.value})"
            )
        return int(address)

    def free(self, address: int) -> None:
        """Give memory back, once nothing uses it."""
        self._check(self._functions["clMemBlockingFreeINTEL"](self._context.int_ptr, address))

    def copy(self, to: int, source: int, size_bytes: int) -> None:
        """Enqueue a copy between any two places, of the host or the device."""
        self._check(
            self._functions["clEnqueueMemcpyINTEL"](
                self._queue.int_ptr, 0, to, source, size_bytes, 0, None, None
            )
        )

    def set_pointer(self, kernel: Any, position: int, address: int) -> None:
        """Set an argument of a kernel to an address."""
        self._check(
            self._functions["clSetKernelArgMemPointerINTEL"](kernel.int_ptr, position, address)
        )

    def _check(self, status: int) -> None:
        if status:
            raise DeviceError("OpenCL failed", got=f"error {status}")


def _library() -> Any:
    """Return the OpenCL library that pyopencl is linked with: lookups pass on to it."""
    library = import_module("pyopencl._cl")
    return ctypes.CDLL(library.__file__)
