"""Transform ops that find payload ops, and read choices off them.

`choice`: an integer-list attribute of an op as transform parameters (upstream has parameters
from the schedule's own text only). `with_choice`: the ops below a handle that carry a
non-zero list. `entry_function`: the functions that are not kernels. `named_structured`: linalg
ops in named form, except fills. Upstream matches one name or attribute value at a time.
"""

# No postponed annotations here: the dialect reads the field types from them.
from collections.abc import Callable
from typing import Any

from torch_mlir import ir
from torch_mlir.dialects import ext, transform
from torch_mlir.dialects.transform import DiagnosedSilenceableFailure

from bellrock.dialects.extension import Bellrock
from bellrock.dialects.outlining import KERNEL


class ChoiceOp(Bellrock.Operation, name="choice"):
    """Give the integers of one integer-array attribute of one payload op as parameters.

    Needs: exactly one payload op that carries the attribute.
    """

    target: ext.Operand[transform.AnyOpType]
    field: ir.StringAttr
    values: ext.Result[transform.AnyParamType[()]] = ext.infer_result()

    @classmethod
    def attach(cls, context: ir.Context) -> None:
        """Attach the interfaces in one context."""
        _ChoiceApply.attach(cls.OPERATION_NAME, context=context)
        _ReadEffects.attach(cls.OPERATION_NAME, context=context)


class WithChoiceOp(Bellrock.Operation, name="with_choice"):
    """Keep, of the ops below a handle, those whose attribute `field` has a non-zero entry."""

    target: ext.Operand[transform.AnyOpType]
    field: ir.StringAttr
    found: ext.Result[transform.AnyOpType]

    @classmethod
    def attach(cls, context: ir.Context) -> None:
        """Attach the interfaces in one context."""
        _WithApply.attach(cls.OPERATION_NAME, context=context)
        _ReadEffects.attach(cls.OPERATION_NAME, context=context)


class EntryFunctionOp(Bellrock.Operation, name="entry_function"):
    """The functions below a handle that are not kernels."""

    target: ext.Operand[transform.AnyOpType]
    found: ext.Result[transform.AnyOpType]

    @classmethod
    def attach(cls, context: ir.Context) -> None:
        """Attach the interfaces in one context."""
        _EntryApply.attach(cls.OPERATION_NAME, context=context)
        _ReadEffects.attach(cls.OPERATION_NAME, context=context)


class NamedStructuredOp(Bellrock.Operation, name="named_structured"):
    """The linalg ops below a handle that are in named form and can be made generic."""

    target: ext.Operand[transform.AnyOpType]
    found: ext.Result[transform.AnyOpType]

    @classmethod
    def attach(cls, context: ir.Context) -> None:
        """Attach the interfaces in one context."""
        _NamedApply.attach(cls.OPERATION_NAME, context=context)
        _ReadEffects.attach(cls.OPERATION_NAME, context=context)


class _ChoiceApply(transform.TransformOpInterface):
    @staticmethod
    def apply(op: Any, rewriter: Any, results: Any, state: Any) -> Any:  # noqa: ARG004
        (payload,) = state.get_payload_ops(op.target)
        attribute = payload.attributes[op.field.value]
        i64 = ir.IntegerType.get_signless(64)
        results.set_params(op.values, [ir.IntegerAttr.get(i64, v) for v in attribute])
        return DiagnosedSilenceableFailure.Success

    @staticmethod
    def allow_repeated_handle_operands(op: Any) -> bool:  # noqa: ARG004
        return False


def _finder(keep: Callable[[Any, ir.Operation], bool]) -> Any:
    """Make the interface of an op that gives the payload ops below its handle which fit."""

    class Find(transform.TransformOpInterface):
        @staticmethod
        def apply(op: Any, rewriter: Any, results: Any, state: Any) -> Any:  # noqa: ARG004
            found: list[ir.Operation] = []

            def visit(nested: ir.Operation) -> ir.WalkResult:
                if keep(op, nested):
                    found.append(nested)
                return ir.WalkResult.ADVANCE

            for payload in state.get_payload_ops(op.target):
                payload.operation.walk(visit)
            results.set_ops(op.found, found)
            return DiagnosedSilenceableFailure.Success

        @staticmethod
        def allow_repeated_handle_operands(op: Any) -> bool:  # noqa: ARG004
            return False

    return Find


def _has_choice(op: Any, nested: ir.Operation) -> bool:
    field = op.field.value
    return field in nested.attributes and any(nested.attributes[field])


def _is_entry(op: Any, nested: ir.Operation) -> bool:
    return (
        nested.name == "func.func"
        and KERNEL not in nested.attributes
        and len(nested.regions[0].blocks) > 0
    )


def _is_named_structured(op: Any, nested: ir.Operation) -> bool:
    return (
        nested.name.startswith("linalg.")
        and nested.name not in ("linalg.generic", "linalg.fill")
        and len(nested.regions) == 1
    )


_WithApply = _finder(_has_choice)
_EntryApply = _finder(_is_entry)
_NamedApply = _finder(_is_named_structured)


class _ReadEffects(ir.MemoryEffectsOpInterface):
    @staticmethod
    def get_effects(op: Any, effects: Any) -> None:
        transform.only_reads_handle(op.op_operands, effects)
        transform.produces_handle(op.results, effects)
        transform.only_reads_payload(effects)


OPS = (ChoiceOp, WithChoiceOp, EntryFunctionOp, NamedStructuredOp)
