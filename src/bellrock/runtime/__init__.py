"""Running compiled programs: loading, calling, buffers; artifact files."""
