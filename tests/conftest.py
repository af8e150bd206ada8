"""What holds for all tests: pages as wide as they have to be, one thread, whatever runs pytest."""

import os
from contextlib import contextmanager
from functools import cache

import pytest

os.environ.pop("COLUMNS", None)
# Work so small waits for more than it gains. Torch reads this when it is imported, which is later,
# and so do the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def cheap():
    """A context for runs: ceilings that nobody measures, costs measured once, few images.

    A network costs the same whenever it is measured. LeNet-5, which is measured on all images at
    every look, has 78 a part.
    """
    # Only here, as they load torch.
    from archcalc import profiling  # noqa: PLC0415
    from training.engine import costs  # noqa: PLC0415
    from training.engine.datasets import Images  # noqa: PLC0415
    from training.experiments.batchnorm_dropout import experiment as lenet  # noqa: PLC0415

    once, whole = cache(costs.measured), lenet.prepared

    def few(*asked):
        return tuple(Images(part.x[:78], part.y[:78]) for part in whole(*asked))

    @contextmanager
    def context():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(profiling, "measured_ceilings", lambda *_: (1e11, 1e10))
            patch.setattr(costs, "measured", once)
            patch.setattr(lenet, "prepared", few)
            yield

    return context


@pytest.fixture
def sketched(monkeypatch):
    """Figures are composed and not drawn, which takes long; they are a list, and files empty."""
    from matplotlib.figure import Figure

    from archcalc.render import style  # noqa: PLC0415 - loads matplotlib

    found = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: found.append(self))
    monkeypatch.setattr(style, "_small", lambda image: image.getvalue())
    return found


@pytest.fixture
def double():
    """Torch keeps what it is not told about in 64 bits: NAdam's product of momenta."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def threads():
    """Sets the number of threads, for one test."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
