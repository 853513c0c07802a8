"""Measuring: programs against each other, in a process of their own for each problem.

Flows in: problems (`suite`), a target, baselines. Flows out: one `record` per problem.
`run` drives and stays small (no torch, no MLIR); `zygote` forks; `job` works, in the child.
"""
