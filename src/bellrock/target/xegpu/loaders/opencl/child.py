"""The process that talks to OpenCL: it serves requests until the other end is gone.

Flows in: requests over a socket, memory as file descriptors. Flows out: answers. A fault of the
runtime ends this process only. It imports neither torch nor MLIR nor LLVM: another LLVM in the
process is what the runtime's compiler was seen to crash beside.
"""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing.connection import Connection

from bellrock.errors import BellrockError, DeviceError
from bellrock.target.xegpu.loaders.opencl.messages import Failed, Request
from bellrock.target.xegpu.loaders.opencl.server import Server


def main(socket: int, lifeline: int) -> None:
    """Serve until the socket is closed.

    Args:
        socket: descriptor of the requests' socket.
        lifeline: descriptor of a pipe that the parent holds open; this process ends with it,
            even in the middle of a kernel.
    """
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    connection = Connection(socket)
    server = Server(connection)
    while True:
        try:
            request: Request = connection.recv()
        except EOFError:
            return
        try:
            answer = server.answer(request)
        except BellrockError as error:
            answer = Failed(error)
        except Exception as error:  # noqa: BLE001 (whatever pyopencl raises is an answer)
            message = f"{type(error).__name__}: {error}"
            answer = Failed(DeviceError("OpenCL failed", got=message[-2000:]))
        connection.send(answer)


def _end_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
