"""Code for the processor of this machine, which other targets need for their host functions."""
