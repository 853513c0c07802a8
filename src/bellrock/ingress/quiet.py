"""Silence for code that reports its failures twice.

Flows in: nothing. Flows out: a context manager around calls of PyTorch's tracing, which warns
about its own internals and logs tracebacks of errors that it raises as well. Bellrock turns
those errors into its own; their text is not lost.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

_LOGGERS = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence PyTorch's warnings and its log of errors; errors are raised as always."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
