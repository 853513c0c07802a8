"""Poolings along memory as vector code: what is taken, how it is read, how it is emitted."""
