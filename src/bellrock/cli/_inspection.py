"""An inspection as JSON.

Flows in: an `Inspection`. Flows out: plain data, one entry for each op.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellrock.payload.spec import TensorSpec

if TYPE_CHECKING:
    from bellrock.payload.inspect import Inspection, Row

SCHEMA = 1


def to_json(inspection: Inspection) -> dict[str, object]:
    """Return what `bellrock inspect --json` prints."""
    bound = inspection.roofline
    return {
        "schema": SCHEMA,
        "name": inspection.name,
        "arguments": [_spec_json(s) for s in inspection.arguments],
        "results": [_spec_json(s) for s in inspection.results],
        "ops": [_row_json(row) for row in inspection.rows],
        "patterns": [
            {"kind": g.kind, "variant": g.variant, "dims": g.dims, "ops": list(g.nodes)}
            for g in inspection.groups
        ],
        "others": dict(inspection.others),
        "totals": {
            "flops": inspection.flops,
            "bytes_read": inspection.bytes_read,
            "bytes_written": inspection.bytes_written,
            "compulsory_bytes": inspection.compulsory_bytes,
            "flops_per_byte": inspection.intensity,
        },
        "roofline": None
        if bound is None
        else {
            "bound": bound.bound,
            "seconds": bound.seconds,
            "compute_seconds": bound.compute_seconds,
            "memory_seconds": bound.memory_seconds,
        },
        "warnings": list(inspection.warnings),
    }


def _spec_json(spec: TensorSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "role": spec.role,
        "dtype": spec.dtype,
        "shape": list(spec.shape),
        "bytes": spec.bytes,
    }


def _row_json(row: Row) -> dict[str, object]:
    motif = row.motif
    return {
        "op": motif.op,
        "motif": motif.kind,
        "variant": motif.variant,
        "dims": dict(motif.dims),
        "lists": {name: list(sizes) for name, sizes in motif.lists.items()},
        "operands": [
            {"side": o.side, "dtype": o.dtype, "shape": list(o.shape), "layout": o.layout}
            for o in motif.operands
        ],
        "accumulator": motif.accumulator,
        "executions": row.executions,
        "flops": row.flops,
        "bytes_read": row.bytes_read,
        "bytes_written": row.bytes_written,
        "pattern": row.group,
        "source": row.source,
        "location": motif.location,
    }
