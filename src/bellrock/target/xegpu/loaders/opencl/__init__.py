"""Device code by OpenCL, in a process of its own."""
