"""Where the ops of a function run: on the host, as work-items, or as a single one.

Flows in: a block of a function on buffers that only the device can read. Flows out: `Placement`:
a `Place` for each op of it, and the values that one launch makes and another one needs.
"""

from __future__ import annotations

import enum

from torch_mlir import ir

VIEWS = {
    "memref.cast", "memref.collapse_shape", "memref.dim", "memref.expand_shape",
    "memref.extract_strided_metadata", "memref.get_global", "memref.reinterpret_cast",
    "memref.subview", "memref.transpose", "memref.view", "memref.memory_space_cast",
    "memref.extract_aligned_pointer_as_index", "affine.apply", "affine.min", "affine.max",
}  # fmt: skip
"""They compute addresses and sizes, and touch no element."""
_PURE_DIALECTS = ("arith.", "math.", "index.")
_BUFFERS = {"memref.alloc", "memref.alloca"}
_HOST = {"memref.dealloc", "func.call", "func.return", "scf.yield", "scf.condition", "memref.copy"}
_LAUNCHES = {"gpu.launch", "gpu.launch_func"}


class Place(enum.Enum):
    """Where an op runs."""

    FREE = enum.auto()
    """On the host, and it touches no buffer: launches may move across it."""
    HOST = enum.auto()
    """On the host, in order with the launches."""
    ITEMS = enum.auto()
    """One work-item for each iteration."""
    SINGLE = enum.auto()
    """One work-item does it all."""


class Placement:
    """The places of a function's ops, nested ones included where the host runs their parent."""

    def __init__(self, block: ir.Block) -> None:
        """Place all ops of a block, and of the loops in it that the host runs."""
        self._places: dict[ir.Operation, Place] = {}
        self._computed: set[ir.Value] = set()
        """Values that only the device knows."""
        self._block(block)

    def of(self, op: ir.Operation) -> Place:
        """Return the place of an op."""
        return self._places[op]

    def escaping(self) -> list[tuple[ir.Value, list[ir.Operation]]]:
        """Return the values of SINGLE ops that other launches need, with the ops there."""
        found: list[tuple[ir.Value, list[ir.Operation]]] = []
        run = self._runs()
        for op, number in run.items():
            for value in op.results:
                users = [use.owner.operation for use in value.uses]
                away = [user for user in users if run.get(self._placed(user)) != number]
                if away:
                    found.append((value, list(dict.fromkeys(away))))
        return found

    def _runs(self) -> dict[ir.Operation, int]:
        """Return the SINGLE ops, each with the number of the launch that it will be in."""
        numbers: dict[ir.Operation, int] = {}
        count = 0
        for op, place in self._places.items():
            if place is Place.SINGLE:
                numbers[op] = count
            elif place is not Place.FREE:
                count += 1
        return numbers

    def _placed(self, op: ir.Operation) -> ir.Operation:
        """Return the op that has a place and is `op` or around it."""
        while op not in self._places:
            op = op.parent.operation
        return op

    def _block(self, block: ir.Block) -> None:
        for view in block.operations:
            self._op(view.operation)

    def _op(self, op: ir.Operation) -> None:
        place = self._place(op)
        self._places[op] = place
        if place is Place.SINGLE:
            self._computed.update(op.results)
        if place is Place.HOST:
            for region in op.regions:
                for block in region.blocks:
                    self._block(block)

    def _place(self, op: ir.Operation) -> Place:
        known = not any(v in self._computed for v in op.operands)
        if op.name in _HOST:
            return Place.HOST
        if op.name in _LAUNCHES:
            return Place.ITEMS
        if op.name == "scf.parallel":
            return Place.ITEMS if known else Place.SINGLE
        if op.name in VIEWS or op.name in _BUFFERS or op.name.startswith(_PURE_DIALECTS):
            return Place.FREE if known else Place.SINGLE
        if len(op.regions) and known:
            return self._region(op)
        return Place.SINGLE

    def _region(self, op: ir.Operation) -> Place:
        """Place a loop or a branch: on the host if that can tell how it goes on."""
        trial = Placement.__new__(Placement)
        trial._places, trial._computed = {}, set(self._computed)  # noqa: SLF001
        for region in op.regions:
            for block in region.blocks:
                trial._block(block)  # noqa: SLF001
        inside = trial._places  # noqa: SLF001
        if all(place is Place.FREE or _ends(o) for o, place in inside.items()):
            return Place.FREE
        decided = any(
            _ends(o) and any(v in trial._computed for v in o.operands)  # noqa: SLF001
            for o in inside
        )
        pays = any(p is Place.ITEMS or o.name == "func.call" for o, p in inside.items())
        return Place.HOST if pays and not decided else Place.SINGLE


def _ends(op: ir.Operation) -> bool:
    return op.name in ("scf.yield", "scf.condition")
