"""Ways to run device code: Level Zero, OpenCL, an interpreter; `base` is their contract."""
