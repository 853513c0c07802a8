"""LLVM bitcode to SPIR-V, in a process for each module.

Flows in: bitcode of a device module. Flows out: a SPIR-V module (OpenCL's kernels, 64-bit
addresses). LLVM's SPIR-V backend keeps what it knows of one module in static variables that it
reads for the next one, and ends its process where it meets what it does not know: so a server
(`spirv_server`, one for each process that compiles) makes a child for each module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from bellrock.errors import CompileError
from bellrock.target.xegpu.spirv_server import read_message, write_message

_LOCK = threading.Lock()
_servers: dict[int, subprocess.Popen[bytes]] = {}
"""By the process that started it: a forked one must not share its parent's pipes."""


def to_spirv(bitcode: bytes) -> bytes:
    """Optimise a module and return its SPIR-V.

    Raises:
        CompileError: LLVM cannot read the module, or has no code for something in it.
    """
    with _LOCK:
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            write_message(server.stdin, bitcode)
            answer = read_message(server.stdout)
        except (BrokenPipeError, EOFError):
            answer = None
        if answer is None:
            del _servers[os.getpid()]
            raise CompileError("the process that makes SPIR-V ended", got=server.wait())
    if answer[:1] == b"\0":
        return answer[1:]
    raise CompileError(
        "LLVM makes no SPIR-V of a device module", got=answer[1:].decode(errors="replace")
    )


def _server() -> subprocess.Popen[bytes]:
    """Return this process's server; it ends when its input does."""
    server = _servers.get(os.getpid())
    if server is None or server.poll() is not None:
        command = [sys.executable, "-m", "bellrock.target.xegpu.spirv_server"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        _servers[os.getpid()] = server
    return server
