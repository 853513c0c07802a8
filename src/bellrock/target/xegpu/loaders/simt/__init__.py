"""Device code by an interpreter: no driver, no compiler, every access checked."""
