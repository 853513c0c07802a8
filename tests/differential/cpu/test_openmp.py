"""One pool of threads, whichever of torch and Bellrock comes first; right on any number of them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import sys
if sys.argv[1] == "torch":
    import torch, bellrock
else:
    import bellrock
    from bellrock.runtime.threads import share_openmp
    assert share_openmp()
    import torch
from bellrock.target.cpu.openmp import openmp_runtime

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.softmax(x, 1), x.t().contiguous() * 2, torch.cumsum(x, 0), x.sum()

for rows, columns in ((1, 3), (3, 1), (7, 5), (611, 517)):
    x = torch.randn(rows, columns)
    compiled = bellrock.compile(Model(), (x,), use_cache=False, jobs=1)
    for got, expected in zip(compiled(x), Model()(x), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)
    parallel = [kernel.parallel for kernel in compiled.compiled.kernels]
assert any(parallel), "the largest has to run on several threads"
assert openmp_runtime().shared
mapped = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
print(len({p for p in mapped if "libgomp" in p}), len({p for p in mapped if "libiomp5" in p}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("first", "libraries", "threads"),
    [("torch", "1 0", 1), ("torch", "1 0", 2), ("torch", "1 0", 7), ("bellrock", "1 1", 3)],
)
def test_programs_share_the_pool_of_torch(first: str, libraries: str, threads: int) -> None:
    # With Bellrock first, torch's library is mapped but resolves to ours.
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM, first], capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)}, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.strip() == libraries
