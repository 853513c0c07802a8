"""Pipelines: a lowering as data, loaded with every mistake found first, then run.

Flows in: a YAML descriptor (`descriptor`), read with file:line errors (`load`). Flows out:
a `Pipeline` of resolved stages (`stage`), which `driver` runs on a module, with snapshots
(`snapshots`), times, verification and reproducers (`failure`). `library/` holds the
descriptors that every target can include. `environment` is what a target brings along.
"""
