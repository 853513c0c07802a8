"""What every problem's process needs, loaded once before it is forked.

Importing this module is the whole of it: the order matters, because the OpenMP runtime
that Bellrock's code and torch are to share has to be there before torch is.
"""

from __future__ import annotations

from bellrock.runtime.threads import share_openmp

share_openmp()

import torch  # noqa: E402, F401
import torch_mlir.fx  # noqa: E402, F401

import bellrock.bench.job  # noqa: E402, F401
