"""Options of the whole test suite."""

from __future__ import annotations

import importlib.util
import platform

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no finding of a property test.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def opencl_here() -> None:
    """Intel's OpenCL for processors; the extra `dev` installs it where Intel makes it."""
    from bellrock.target.xegpu.loaders.opencl.environment import runtime_library

    if platform.machine() != "x86_64":
        pytest.skip("Intel has OpenCL for x86-64 only")
    assert importlib.util.find_spec("pyopencl") is not None, "run `pip install bellrock[xegpu]`"
    assert runtime_library() is not None, "run `pip install bellrock[xegpu]`"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="Write the golden files anew, and fail, so that no run is green by updating.",
    )
