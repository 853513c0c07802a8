"""The one join: a payload, a target and a pipeline become a `Compiled` program.

Flows in: `Payload`, the name of a target, optionally a pipeline, a lock and variables. Flows
out: `Compiled`, from the on-disk cache where the same was compiled before.
"""

from bellrock.compiler.compiled import Compiled, StageSeconds
from bellrock.compiler.compiling import compile_payload
from bellrock.compiler.staging import environment_for, pipeline_for

__all__ = ["Compiled", "StageSeconds", "compile_payload", "environment_for", "pipeline_for"]
