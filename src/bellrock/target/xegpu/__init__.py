"""The target `xegpu`: Intel GPUs with matrix engines, through XeGPU to SPIR-V."""
