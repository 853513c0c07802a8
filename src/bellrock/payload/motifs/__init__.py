"""Motifs: the recurring shapes of computation, one file each.

`base` holds the record and needs no MLIR. `access`, `body` and `structured` read a linalg op
into plain Python once. Every other file owns one kind of motif, with a `match` function from
that reading to a `Motif` or None. `bellrock.payload.motif` asks them in order.
"""
