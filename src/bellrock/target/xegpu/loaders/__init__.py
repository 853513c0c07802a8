"""Ways to run device code: a GPU by Level Zero, OpenCL, an interpreter; `base` is their contract."""
