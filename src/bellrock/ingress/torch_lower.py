"""An exported program into MLIR text: decompose, import, lower to linalg on tensors.

Flows in: a functional `ExportedProgram` and its door. Flows out: text of a module with one
public function `main`, on tensors of static shape. What the front end cannot express is an
`ImportFailedError` that names the PyTorch op and the line of the model that uses it.
"""

from __future__ import annotations

import re
import time
from collections.abc import MutableMapping

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import (
    ConstantArgument,
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.fx import Node
from torch_mlir import ir
from torch_mlir.extras.fx_importer import FxImporter
from torch_mlir.passmanager import PassManager

from bellrock.errors import BellrockError, ImportFailedError
from bellrock.ingress.context import payload_context
from bellrock.ingress.decompositions import decomposition_table
from bellrock.ingress.door import Door
from bellrock.ingress.draws import DRAWN, check_drawn
from bellrock.ingress.native import Importer
from bellrock.ingress.quiet import quiet
from bellrock.ingress.signature import mutations
from bellrock.ingress.simplify import drop_unused_positions, fill_empty_results
from bellrock.ingress.source import place, where
from bellrock.ingress.tidy import tidy
from bellrock.ingress.widen_bytes import widen_bytes
from bellrock.payload.spec import Role

_TO_BACKEND = (
    "builtin.module(func.func(torch-match-quantized-custom-ops),"
    "torchdynamo-export-to-torch-backend-pipeline{extra-library=})"
)
_TO_LINALG = (
    "builtin.module(torch-backend-to-linalg-on-tensors-backend-pipeline{allow-non-finites=true})"
)
_CLEAN = "builtin.module(symbol-dce,canonicalize,cse)"


def lower_program(program: ExportedProgram, door: Door, seconds: MutableMapping[str, float]) -> str:
    """Return the program's module as text.

    Args:
        program: as exported; it is not changed.
        door: read off `program`.
        seconds: receives the time of each step.

    Raises:
        ImportFailedError: an op has no lowering.
    """
    started = time.perf_counter()
    program = _decomposed(program)
    check_drawn(program)
    widen_bytes(program)
    drop_unused_positions(program)
    fill_empty_results(program)
    _lift(program, door)
    seconds["decompose"] = time.perf_counter() - started

    started = time.perf_counter()
    importer = FxImporter(context=payload_context(), graph_node_importer_cls=Importer)
    try:
        importer.import_program(program, func_name="main")
    except (NotImplementedError, TypeError) as error:
        # A TypeError is torch-mlir's, too: a constant of a type that it has no converter for.
        raise ImportFailedError(
            "torch-mlir could not import the model",
            got=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            hint="rewrite the part that it names with other PyTorch ops",
        ) from error
    module = importer.module
    _check_known(module, program)
    seconds["import"] = time.perf_counter() - started

    started = time.perf_counter()
    for pipeline in (_TO_BACKEND, _TO_LINALG):
        _run(module, pipeline, program)
    tidy(module)
    _run(module, _CLEAN, program)
    entry = module.body.operations[0]
    if "torch.assume_strict_symbolic_shapes" in entry.attributes:
        del entry.attributes["torch.assume_strict_symbolic_shapes"]
    text = str(module)
    seconds["lower"] = time.perf_counter() - started
    return text


def _decomposed(program: ExportedProgram) -> ExportedProgram:
    try:
        with torch.no_grad(), quiet():
            return program.run_decompositions({**decomposition_table()})
    except BellrockError:
        raise
    except Exception as error:  # whatever a decomposition of PyTorch's raises
        op = re.search(r"While executing .*?target=(?:torch\.ops\.)?([\w.]+)", str(error))
        frames = re.findall(r'File "([^"]+)", line (\d+)', str(error))
        raise ImportFailedError(
            f"PyTorch op {op[1] if op else '(unknown)'!r} could not be decomposed",
            got=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            where=place(frames[-1][0], int(frames[-1][1])) if frames else None,
            hint="write it with other PyTorch ops",
        ) from error


def _lift(program: ExportedProgram, door: Door) -> None:
    """Make the decomposed program's signature the door's.

    All tensors are user inputs in the door's order, and all results, mutations last, are
    user outputs.
    """
    nodes = {node.name: node for node in program.graph.nodes}
    old = program.graph_signature
    by_target = {str(s.target): s for s in old.input_specs if s.kind is not InputKind.USER_INPUT}
    users = [s for s in old.input_specs if s.kind is InputKind.USER_INPUT]
    tensors = iter([s for s in users if isinstance(s.arg, TensorArgument)])
    fixed = [s for s in users if isinstance(s.arg, ConstantArgument)]
    drawn = _draw_placeholders(program)
    lifted: list[InputSpec] = []
    for spec in door.arguments:
        if spec.role is Role.INPUT:
            lifted.append(next(tensors))
        elif spec.role is Role.RANDOM:
            index = int(spec.name.rsplit("_", 1)[1])
            lifted.append(_user_input(drawn.get(index) or _placeholder(program, spec.name)))
        else:
            lifted.append(_user_input(nodes[by_target.pop(spec.name).arg.name]))
    for name in door.folded:
        _fold(nodes[by_target.pop(name).arg.name], door.folded[name])
    rest = list(by_target.values())
    results = [s for s in old.output_specs if s.kind is OutputKind.USER_OUTPUT]
    results = [s for s in results if isinstance(s.arg, TensorArgument)]
    written = [OutputSpec(OutputKind.USER_OUTPUT, s.arg, None) for s in mutations(program)]
    if len(results) + len(written) != len(door.results):  # running it would overrun buffers
        raise ImportFailedError(
            "an op of the model writes a tensor, which its schema does not say",
            got=f"writes {', '.join(str(s.target) for s in mutations(program))}",
            hint="write it in place outside of that op, e.g. with Tensor.copy_",
        )
    program._graph_signature = ExportGraphSignature(
        input_specs=[*rest, *fixed, *lifted], output_specs=[*results, *written]
    )


def _fold(node: Node, value: torch.Tensor) -> None:
    """Put a constant of one element in place of its placeholder."""
    graph = node.graph
    with graph.inserting_after(node):
        number = graph.call_function(
            torch.ops.aten.full.default,
            (list(value.shape), value.item()),
            {"dtype": value.dtype, "pin_memory": False},
        )
    number.meta = {**node.meta}
    node.replace_all_uses_with(number)
    graph.erase_node(node)


def _user_input(node: Node) -> InputSpec:
    return InputSpec(InputKind.USER_INPUT, TensorArgument(name=node.name), None)


def _draw_placeholders(program: ExportedProgram) -> dict[int, Node]:
    """Turn references to random arguments into placeholders, by index."""
    found: dict[int, Node] = {}
    for node in program.graph.find_nodes(op="call_function", target=DRAWN):
        index = int(node.args[0])
        if index not in found:
            found[index] = _placeholder(program, f"random_{index}")
            found[index].meta = {**node.meta}
        node.replace_all_uses_with(found[index])
        program.graph.erase_node(node)
    return found


def _placeholder(program: ExportedProgram, name: str) -> Node:
    first = next(iter(program.graph.nodes))
    with program.graph.inserting_before(first):
        return program.graph.placeholder(name)


def _check_known(module: ir.Module, program: ExportedProgram) -> None:
    """Reject ops that torch-mlir has no name for; it would only say "illegal"."""
    for op in _ops(module, "torch.operator"):
        name = ir.StringAttr(op.attributes["name"]).value
        raise _unsupported(name.removeprefix("torch."), program)


def _ops(module: ir.Module, prefix: str) -> list[ir.Operation]:
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if op.name.startswith(prefix):
            found.append(op)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return found


def _run(module: ir.Module, pipeline: str, program: ExportedProgram) -> None:
    said: list[tuple[str, str]] = []

    def hear(diagnostic: ir.Diagnostic) -> bool:
        said.append((diagnostic.message, str(diagnostic.location)))
        return True

    with module.context as context:
        # Without this, errors reach the handler only if the pass fails as well.
        context.emit_error_diagnostics = True
        handler = context.attach_diagnostic_handler(hear)
        try:
            PassManager.parse(pipeline).run(module.operation)
        except ir.MLIRError as error:
            raise _failure(said, module, program) from error
        finally:
            handler.detach()
    if said:
        # Passes can report an error without failing; what they leave behind is not sound.
        raise _failure(said, module, program)


def _failure(
    said: list[tuple[str, str]], module: ir.Module, program: ExportedProgram
) -> ImportFailedError:
    """Return the error for what MLIR's passes said: (message, location), in order."""
    for message, _ in said:
        named = re.search(r"'torch\.((?:aten|prims?|torchvision)\.[\w.]+)'", message)
        if named is not None:
            return _unsupported(named[1], program)
    if said and "legalize operation 'torch.constant" in said[0][0]:
        # The constant is innocent: an op that uses it was left over.
        left = _ops(module, "torch.aten.") or _ops(module, "torch.prim")
        if left:
            return _unsupported(left[0].name.removeprefix("torch."), program)
    message, location = said[0] if said else ("its passes failed without a message", "")
    file = re.search(r'"([^"]+\.py)":(\d+)', location)
    return ImportFailedError(
        "torch-mlir could not lower the model",
        got=" ".join(message.split())[:300],
        where=place(file[1], int(file[2])) if file is not None else None,
        hint="rewrite the line that it names with other PyTorch ops",
    )


def _unsupported(short: str, program: ExportedProgram) -> ImportFailedError:
    """Return the error for an op such as `aten.foo.int`."""
    users = [n for n in _all_nodes(program) if _is_op(n, short)]
    return ImportFailedError(
        f"PyTorch op {short!r} cannot be expressed: torch-mlir has no lowering for it",
        where=where(users[0]) if users else None,
        hint="write it with other PyTorch ops, or give Bellrock a decomposition for it",
    )


def _all_nodes(program: ExportedProgram) -> list[Node]:
    graphs = [m for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)]
    return [node for graph in graphs for node in graph.graph.nodes]


def _is_op(node: Node, name: str) -> bool:
    # "aten.add.Tensor", and "aten.mm" for the overload called default.
    return str(node.target).removesuffix(".default") == name.removesuffix(".default")
