"""`transform.bellrock.merge_elementwise`: what several elementwise ops read is made beside them.

Missing upstream: `linalg-fuse-elementwise-ops` moves an op into its reader if that is the only
one. The new cell state of an LSTM is a result and makes the hidden state; the hidden state
is a result, and is copied into the output of all steps. Each was a kernel that read again what the
one before it had just written. As one op with several results they are one pass.

Rewrite:
    %c = linalg.generic (f * c + i) ...; %h = linalg.generic ins(%c, %o) (tanh(c) * o) ...
    %y = linalg.copy ins(%h) outs(%slice)
  ->
    %c, %h, %y = linalg.generic ... outs(%empty, %empty, %slice)

Needs: ops over the same loops that read each other at the point at which they write; none of them
is for a kernel around sums (an epilogue, or a row's reduction): those take them in one by one.
"""

# No postponed annotations here: the dialect reads the field types from them.
from collections.abc import Iterator

from torch_mlir import ir
from torch_mlir.dialects import ext, linalg, tensor, transform

from bellrock.dialects.buffer_uses import ancestor_in
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import init_index, iterators
from bellrock.dialects.kinds import KIND, kind_of
from bellrock.dialects.unit_order import is_convex, order_units

MOST_OPS = 12
"""Ops that become one: keeps what a loop holds in registers in bounds."""

_INSERT = "tensor.insert_slice"

Unit = tuple[ir.Operation, ...]
"""Ops that become one, in program order; what inserts a slice that they make comes last."""


@edits_in_place(lambda op: _merge_all(op))
class MergeElementwiseOp(Bellrock.Operation, name="merge_elementwise"):
    """Merge the elementwise ops below the handle's functions that read each other."""

    target: ext.Operand[transform.AnyOpType]


def _merge_all(function: ir.Operation) -> None:
    found = [*ops_named(function, "linalg.generic"), *ops_named(function, "linalg.copy")]
    blocks = {op.block: op.block for op in found}
    for block in blocks.values():
        if block.owner.operation.name in ("func.func", "scf.for", "scf.while", "scf.if"):
            _merge_block(block)


def _merge_block(block: ir.Block) -> None:
    ops = [o.operation for o in block.operations]
    units = _units(ops)
    _join(ops, units)
    joined = list({id(u): u for u in units.values() if len(_computing(u)) > 1}.values())
    if joined:
        order_units(block, joined)
        for unit in joined:
            _merge(_computing(unit))


def _units(ops: list[ir.Operation]) -> dict[ir.Operation, Unit]:
    """Return what may become part of one op: plain ops, with the insertion of what they make."""
    units: dict[ir.Operation, Unit] = {}
    for op in filter(_is_plain, ops):
        insert = _insert_of(op)
        if not _writes_slice(op):
            units[op] = (op,)
        elif insert is not None:
            units.update(dict.fromkeys((op, insert), (op, insert)))
    return units


def _join(ops: list[ir.Operation], units: dict[ir.Operation, Unit]) -> None:
    """Join each unit that reads another one, if the two can be one."""
    position = {op: i for i, op in enumerate(ops)}

    def place(op: ir.Operation) -> tuple[bool, int]:
        return (op.name == _INSERT, position[op])

    def ancestor(user: ir.Operation) -> ir.Operation:
        return ancestor_in(user.operation, ops[0].block)

    for reader in [op for op in ops if op in units and op.name != _INSERT]:
        for maker in _makers(reader, units):
            merged = tuple(sorted({*units[maker], *units[reader]}, key=place))
            alike = _shape(maker) == _shape(reader) and _fits(merged)
            if alike and is_convex(merged, units, position, ancestor):
                units.update(dict.fromkeys(merged, merged))


def _computing(unit: Unit) -> Unit:
    return tuple(op for op in unit if op.name != _INSERT)


def _fits(unit: Unit) -> bool:
    """Whether ops can be one kernel: the one slice that it inserts, if any, comes last."""
    return len(unit) <= MOST_OPS and len(unit) - len(_computing(unit)) <= 1


def _writes_slice(op: ir.Operation) -> bool:
    owners = [v.owner for v in list(op.operands)[init_index(op) :]]
    return any(
        not isinstance(owner, ir.Block) and owner.operation.name == "tensor.extract_slice"
        for owner in owners
    )


def _insert_of(op: ir.Operation) -> ir.Operation | None:
    """Return what puts the slice that an op makes into its place, if nothing else reads it."""
    uses = [u for r in op.results for u in r.uses]
    alone = len(op.results) == 1 and len(uses) == 1 and uses[0].operand_number == 0
    user = uses[0].owner.operation if alone else None
    return user if user is not None and user.name == _INSERT and user.block == op.block else None


def _makers(reader: ir.Operation, units: dict[ir.Operation, Unit]) -> Iterator[ir.Operation]:
    """Yield the plain ops of other units that an op reads at the point at which it writes."""
    for i in range(init_index(reader)):
        owner = reader.operands[i].owner
        if isinstance(owner, ir.Block) or owner.operation not in units:
            continue
        if owner.operation.name == _INSERT:
            continue  # what is read has other slices, too
        if owner.operation not in units[reader] and _maps(reader)[i] == _maps(reader)[-1]:
            yield owner.operation


def _is_plain(op: ir.Operation) -> bool:
    """Whether an op computes each element of its results where it writes it, and alone."""
    if op.name not in ("linalg.generic", "linalg.copy"):
        return False
    if not all(isinstance(r.type, ir.RankedTensorType) and r.type.has_static_shape
               for r in op.results):  # fmt: skip
        return False
    if op.name == "linalg.copy":
        return op.operands[0].type == op.results[0].type
    inits = init_index(op)
    identity = ir.AffineMap.get_identity(maps_of(op)[-1].n_dims)
    if "reduction" in iterators(op) or any(m != identity for m in maps_of(op)[inits:]):
        return False
    if any(list(a.uses) for a in list(op.regions[0].blocks[0].arguments)[inits:]):
        return False
    return not _feeds_kernel(op) and not _is_epilogue(op) and not _reads_at_large(op)


def _is_epilogue(op: ir.Operation) -> bool:
    """Whether a kernel around sums can take the op in, as the only one that reads them."""
    return any(
        _sums(v.owner) and len(list(v.uses)) == 1 for v in list(op.operands)[: init_index(op)]
    )


def _feeds_kernel(op: ir.Operation) -> bool:
    """Whether sums read a result, as rows do that are gone over several times, or start from it."""
    return any(_sums(u.owner) for r in op.results for u in r.uses)


def _sums(owner: ir.Block | ir.OpView | ir.Operation) -> bool:
    if isinstance(owner, ir.Block) or owner.operation.name != "linalg.generic":
        return False
    return "reduction" in iterators(owner.operation)


def _reads_at_large(op: ir.Operation) -> bool:
    """Whether a body reads other tensors than those that it is given element by element."""
    return bool(ops_named(op, "tensor.extract"))


def _maps(op: ir.Operation) -> list[ir.AffineMap]:
    if op.name == "linalg.generic":
        return maps_of(op)
    identity = ir.AffineMap.get_identity(ir.RankedTensorType(op.results[0].type).rank)
    return [identity, identity]


def _shape(op: ir.Operation) -> list[int]:
    return list(ir.RankedTensorType(op.results[0].type).shape)


class _Merged:
    """The operands of one op in the place of several."""

    def __init__(self, unit: Unit) -> None:
        made = {r for op in unit for r in op.results}
        inside = set(unit)
        self.inputs: list[ir.Value] = []
        self.maps: list[ir.AffineMap] = []
        self.numbers: list[list[int | None]] = []
        """For each op and each of its inputs: which of `inputs` it is; None if one of them is."""
        known: dict[tuple[ir.Value, str], int] = {}
        for op in unit:
            own: list[int | None] = []
            for value, access in zip(list(op.operands)[: init_index(op)], _maps(op), strict=False):
                key = (value, str(access))
                if value not in made and key not in known:
                    known[key] = len(self.inputs)
                    self.inputs.append(value)
                    self.maps.append(access)
                own.append(None if value in made else known[key])
            self.numbers.append(own)
        self.kept = [r for op in unit for r in op.results
                     if any(u.owner.operation not in inside for u in r.uses)]  # fmt: skip

    def outputs(self) -> list[ir.Value]:
        """Return what each result that is kept is written into."""
        found: list[ir.Value] = []
        for result in self.kept:
            op = result.owner.operation
            value = op.operands[init_index(op) + ir.OpResult(result).result_number]
            owner = None if isinstance(value.owner, ir.Block) else value.owner.operation
            if owner is not None and owner.name == "tensor.empty":
                kind = ir.RankedTensorType(value.type)
                value = tensor.EmptyOp(list(kind.shape), kind.element_type).result
            found.append(value)
        return found


def _merge(unit: Unit) -> None:
    """Put one op where the last one of a unit is."""
    last, leader = unit[-1], next(op for op in unit if op.name == "linalg.generic")
    parts = _Merged(unit)
    with ir.InsertionPoint(last), leader.location:
        outputs = parts.outputs()
        maps = [*parts.maps, *[_maps(last)[-1]] * len(outputs)]
        merged = linalg.GenericOp(
            [v.type for v in outputs], parts.inputs, outputs,
            ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
            leader.attributes["iterator_types"],
        )  # fmt: skip
        types = [getattr(v.type, "element_type", v.type) for v in (*parts.inputs, *outputs)]
        body = merged.regions[0].blocks.append(*types)
        with ir.InsertionPoint(body):
            _fill(unit, parts, list(body.arguments))
    for name in leader.attributes:
        if name.startswith("bellrock."):
            merged.operation.attributes[name] = leader.attributes[name]
    kind = kind_of(leader)
    if kind is not None:
        merged.operation.attributes[KIND] = ir.StringAttr.get(kind)
    for old, new in zip(parts.kept, merged.results, strict=True):
        old.replace_all_uses_with(new)
    for op in reversed(unit):
        op.erase()


def _fill(unit: Unit, parts: _Merged, arguments: list[ir.Value]) -> None:
    made: dict[ir.Value, ir.Value] = {}
    for op, numbers in zip(unit, parts.numbers, strict=True):
        given = [made[op.operands[i]] if n is None else arguments[n] for i, n in enumerate(numbers)]
        if op.name == "linalg.copy":
            made[op.results[0]] = given[0]
            continue
        old = op.regions[0].blocks[0]
        values = dict(zip(old.arguments, given, strict=False))
        inner = [o.operation for o in old.operations]
        for each in inner[:-1]:
            clone = each.clone()
            for i, operand in enumerate(each.operands):
                clone.operands[i] = values.get(operand, operand)
            values.update(zip(each.results, clone.results, strict=True))
        yielded = [values.get(v, v) for v in inner[-1].operands]
        made.update(zip(op.results, yielded, strict=True))
    linalg.YieldOp([made[r] for r in parts.kept])


OPS = (MergeElementwiseOp,)
