"""`python -m bellrock.target.xegpu.spirv_server`: makes SPIR-V, each module in a child process.

Flows in, on standard input: modules as LLVM bitcode, each after its length. Flows out, on
standard output: for each of them 0 and its SPIR-V, or 1 and what went wrong, after the length.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import IO, Any

from bellrock.target.xegpu.bit_reversals import spell_out_bit_reversals

TRIPLE = "spirv64-unknown-unknown"
_LENGTH_BYTES = 8
_TAIL = 600
"""Characters of what a child said that are handed on when it failed."""


def write_message(stream: IO[bytes], data: bytes) -> None:
    """Write bytes after their length, and flush."""
    stream.write(len(data).to_bytes(_LENGTH_BYTES, "little"))
    stream.write(data)
    stream.flush()


def read_message(stream: IO[bytes]) -> bytes:
    """Return the bytes of the next message.

    Raises:
        EOFError: there is none.
    """
    head = stream.read(_LENGTH_BYTES)
    size = int.from_bytes(head, "little")
    data = stream.read(size)
    if len(head) < _LENGTH_BYTES or len(data) < size:
        raise EOFError
    return data


def spirv_of(bitcode: bytes, target: Any) -> bytes:
    """Optimise a module and return its SPIR-V; only once in the life of a process."""
    import llvmlite.binding as llvm

    # Optimising code generation gives operations operands of different widths (LLVM 22).
    machine = target.create_target_machine(opt=0)
    module = llvm.parse_bitcode(bitcode)
    module.triple = TRIPLE
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    # Vectors are the device compiler's business: its work-items are the lanes.
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    if any(function.name.startswith("llvm.bitreverse.") for function in module.functions):
        module = llvm.parse_assembly(spell_out_bit_reversals(str(module)))
    return machine.emit_object(module)


def _target() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple(TRIPLE)


def _child(bitcode: bytes, target: Any, answers: IO[bytes]) -> None:
    """Work on one module and end; never returns."""
    code = 1
    try:
        answers.write(spirv_of(bitcode, target))
        answers.flush()
        code = 0
    except Exception as error:  # noqa: BLE001  (the parent hands it on)
        sys.stderr.write(str(error))
        sys.stderr.flush()
    finally:
        os._exit(code)


def _answer(bitcode: bytes, target: Any) -> bytes:
    with tempfile.TemporaryFile() as result, tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 2)
            _child(bitcode, target, result)
        _, status = os.waitpid(child, 0)
        if status == 0:
            result.seek(0)
            return b"\0" + result.read()
        said.seek(0)
        signal = os.WTERMSIG(status)
        ended = f" (signal {signal})" if os.WIFSIGNALED(status) else ""
        text = said.read().decode(errors="replace").strip()
        return f"\x01{text[:_TAIL]}{ended}".encode()


def main() -> None:
    """Serve until the input ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    target = _target()
    while True:
        try:
            bitcode = read_message(requests)
        except EOFError:
            return
        write_message(answers, _answer(bitcode, target))


if __name__ == "__main__":
    main()
