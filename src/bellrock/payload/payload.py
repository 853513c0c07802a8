"""`Payload`: what is compiled.

Flows in: an ingress' promise of a module (text, or a function that imports it on first use)
with the specifications of its door. Flows out: MLIR text on demand. The import is lazy so
that a program found in the cache by its fingerprint is never imported at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bellrock.payload.spec import TensorSpec


def fingerprint_of(*parts: str) -> str:
    """Return a hex digest (SHA-256) of the parts, sensitive to where each ends."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@dataclass(kw_only=True, slots=True)
class Payload:
    """A module with one entry function on tensors, and what its arguments and results are.

    The entry function takes `arguments` in order (ranked tensors of static shape) and returns
    `results` in order. The module is in linalg-on-tensors form (with arith, math, tensor, scf,
    tm_tensor where needed).
    """

    name: str
    """For people: the problem's or the model's name."""
    arguments: tuple[TensorSpec, ...]
    results: tuple[TensorSpec, ...]
    fingerprint: str
    """Equal fingerprints promise equal modules (see `fingerprint_of`)."""
    build: Callable[[], str]
    """Imports the module and returns its MLIR text; called once at the most."""
    entry: str = "main"
    """Symbol of the entry function."""
    import_seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per step of the import, filled when `text()` has run."""
    _text: str | None = None

    def text(self) -> str:
        """Return the module as MLIR text, importing it if that has not been done.

        Raises:
            ImportFailedError: the front end could not express the model.
        """
        if self._text is None:
            self._text = self.build()
        return self._text
