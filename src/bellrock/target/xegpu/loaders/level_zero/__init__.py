"""Device code by Level Zero, the driver interface of Intel's GPUs."""
