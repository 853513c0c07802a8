"""The extension dialect itself: how an op of ours is declared and loaded.

Flows in: op classes from the other files of this room. Flows out: `load_extension`, which
loads the dialect into one context, and `TransformOp` mix-ins that give an op its
transform and memory-effect interfaces.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from torch_mlir import ir
from torch_mlir.dialects import ext, transform
from torch_mlir.dialects.transform import DiagnosedSilenceableFailure

_LOCK = threading.Lock()


NAMESPACE = "bellrock"
OP_FILES = (
    "alias_scopes",
    "align_softmaxes",
    "attention.lowering",
    "block_contraction",
    "block_results",
    "block_transposes",
    "choice",
    "clamp_gathers",
    "collapse_loops",
    "contraction.weights",
    "convolution.direct",
    "convolution.filter_packing",
    "convolution.filter_transform",
    "convolution.large_tiles",
    "convolution.winograd",
    "destinations",
    "device.item_loops",
    "device.constants",
    "device.launches",
    "device.private",
    "device.group_reductions",
    "device.row_launches",
    "device.builtins",
    "device.calls",
    "drop_empty",
    "engine_attention.lowering",
    "engine_attention.marking",
    "expand_math",
    "fold_movement",
    "hoist_invariants",
    "inline_gathered",
    "inline_producers",
    "kernel_loops",
    "linear_loads",
    "loop_barriers",
    "matrix_engine.lowering",
    "matrix_engine.padding",
    "matrix_engine.phases",
    "merge_elementwise",
    "movement.composing",
    "narrow_results",
    "order_kernels",
    "outline_kernels",
    "place_results",
    "plan_memory",
    "pooling.lowering",
    "positions_ahead",
    "preparation",
    "raise_reshapes",
    "reduce_as_made",
    "sequential_loops",
    "settle_indices",
    "share_concats",
    "share_positions",
    "short_rows",
    "sink_reshapes",
    "sorting",
    "split_extrema",
    "split_positions",
    "split_products",
    "split_reductions",
    "split_updates",
    "thread_buffers",
    "tile_rows",
    "trim_windows",
    "vectorize_reductions",
)
"""Modules of this room that define ops, in `OPS`."""


class Bellrock(ext.Dialect, name=NAMESPACE):
    """Namespace of all of our transform ops."""


def module_op(operation: ir.Operation) -> ir.Operation:
    """Return the outermost op around `operation` (the payload's module)."""
    while operation.parent is not None:
        operation = operation.parent
    return operation


def ops_named(root: ir.Operation, name: str) -> list[ir.Operation]:
    """Return the ops of one name below `root` in the order of their text."""
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if op.name == name:
            found.append(op)
        return ir.WalkResult.ADVANCE

    root.walk(visit)
    return found


def each_op(root: ir.Operation, name: str, rewrite: Callable[[ir.Operation], None]) -> None:
    """Apply a rewrite to the ops of one name below `root`, inserting before each."""
    for op in ops_named(root, name):
        with ir.InsertionPoint(op), op.location:
            rewrite(op)


def attach_in_place(
    cls: Any, apply_to: Any, context: ir.Context, *, options: Sequence[str] = ()
) -> None:
    """Give an op that edits its payload in place, and has no results, its interfaces.

    Args:
        cls: the op class; its only operand is the handle `target`.
        apply_to: called as `apply_to(payload_op)` for each payload op of the handle.
        context: where to attach.
        options: integer attributes of the op, handed on as keyword arguments.
    """

    class Apply(transform.TransformOpInterface):
        @staticmethod
        def apply(op: Any, rewriter: Any, results: Any, state: Any) -> Any:  # noqa: ARG004
            given = {name: getattr(op, name).value for name in options}
            for payload in state.get_payload_ops(op.target):
                apply_to(payload.operation, **given)
            return DiagnosedSilenceableFailure.Success

        @staticmethod
        def allow_repeated_handle_operands(op: Any) -> bool:  # noqa: ARG004
            return False

    class Effects(ir.MemoryEffectsOpInterface):
        @staticmethod
        def get_effects(op: Any, effects: Any) -> None:
            transform.only_reads_handle(op.op_operands, effects)
            transform.modifies_payload(effects)

    Apply.attach(cls.OPERATION_NAME, context=context)
    Effects.attach(cls.OPERATION_NAME, context=context)


def edits_in_place(
    apply_to: Callable[..., None], *, options: Sequence[str] = ()
) -> Callable[[type], type]:
    """Make a class an op that edits its payload in place, and has no results.

    The class's only operand is the handle `target`. It gets `attach(context)`, by which
    `load_extension` gives the op its interfaces.

    Args:
        apply_to: called as `apply_to(payload_op)` for each payload op of the handle. A lambda, as
            ops come before what they call in a file.
        options: integer attributes of the op, handed on as keyword arguments.
    """

    def decorate(cls: Any) -> Any:
        def attach(context: ir.Context) -> None:
            attach_in_place(cls, apply_to, context, options=options)

        cls.attach = staticmethod(attach)
        return cls

    return decorate


def op_classes() -> Sequence[Any]:
    """Return every op class of the dialect; importing them here keeps loading lazy."""
    files = (importlib.import_module(f"bellrock.dialects.{name}") for name in OP_FILES)
    return tuple(op for file in files for op in file.OPS)


def is_loaded(context: ir.Context) -> bool:
    """Whether `load_extension` has loaded the dialect into a context."""
    try:
        context.get_dialect_descriptor(NAMESPACE)
    except ValueError:
        return False
    return True


def load_extension(context: ir.Context) -> None:
    """Load the dialect and attach the interfaces of all of its ops, once per context."""
    ops = op_classes()
    with _LOCK, context, ir.Location.unknown(context):
        try:
            Bellrock.load()
        except ext.DialectAlreadyLoadedError:
            return
        for op in ops:
            op.attach(context)
