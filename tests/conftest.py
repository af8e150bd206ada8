"""What holds for all tests: pages as wide as they have to be, one thread, whatever runs pytest."""

import os
from functools import cache

import pytest

os.environ.pop("COLUMNS", None)
# Work so small waits for more than it gains. Torch reads this when it is imported, which is later,
# and so do the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"


@cache
def once(measured):
    """A function that keeps what it gave: a network costs the same whenever it is measured."""
    return cache(measured)


@pytest.fixture(scope="module")
def quick():
    """Ceilings that nobody measures, and each network's cost measured once."""
    from archcalc import profiling  # noqa: PLC0415 - it loads torch, which few tests need
    from training import costs  # noqa: PLC0415 - likewise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiling, "measured_ceilings", lambda *_: (1e11, 1e10))
        patch.setattr(costs, "measured", once(costs.measured))
        yield
