"""What is compiled: payloads, their specifications, and what can be read off them."""

from bellrock.payload.payload import Payload, fingerprint_of
from bellrock.payload.spec import DType, Role, TensorSpec

__all__ = ["DType", "Payload", "Role", "TensorSpec", "fingerprint_of"]
