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
    from archcalc.measure import profiling  # noqa: PLC0415
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


@pytest.fixture
def used_twice():
    """A network with a layer used twice: its weights are there once, its work is done twice."""
    from archcalc import parse  # noqa: PLC0415 - only who asks needs it

    return parse("8x8x3 a: conv3-3 =a relu")


@pytest.fixture
def two_ends():
    """A network with two inputs and two outputs, one of which is read on the way."""
    from archcalc import Network, Node, Shape  # noqa: PLC0415 - likewise
    from archcalc.layers import Activation, Add, Convolution, Linear  # noqa: PLC0415
    from archcalc.network import Input  # noqa: PLC0415

    nodes = (
        Node("a", Convolution(3, 4, stride=2), ("left",)),
        Node("b", Convolution(1, 4), ("right",)),
        Node("sum", Add(), ("a", "b")),
        Node("relu", Activation("relu"), ("sum",)),
        Node("fc", Linear(5), ("relu",)),
    )
    inputs = (Input("left", Shape((16, 12), 3)), Input("right", Shape((8, 6), 2)))
    return Network(nodes, inputs=inputs, outputs=("fc", "sum"))


@pytest.fixture
def split():
    """A network with a layer that has two outputs: the first channel, and all others."""
    from archcalc import Network, Node, Shape  # noqa: PLC0415 - likewise
    from archcalc.layers import Add, Convolution, Layer  # noqa: PLC0415
    from archcalc.layers.passes import Needs  # noqa: PLC0415
    from archcalc.network import INPUT, Input, Port  # noqa: PLC0415

    class Split(Layer):
        kind = "split"

        def outputs(self, *shapes):
            (shape,) = shapes
            return Shape(shape.sizes, 1), Shape(shape.sizes, shape.channels - 1)

        def output(self, *shapes):
            return self.outputs(*shapes)[0]

        def torch_module(self, *shapes):  # noqa: ARG002 - a function does it
            return None

        def run(self, module, *tensors):  # noqa: ARG002 - there is none
            (x,) = tensors
            return x[:, :1].clone(), x[:, 1:].clone()

        def needs(self, operation):  # noqa: ARG002 - copies keep nothing
            return Needs()

        def averaging(self):
            return Copies()

    class Copies(Split):
        def outputs(self, *shapes):
            return shapes * 2

        def run(self, module, *tensors):  # noqa: ARG002 - there is none
            return tensors * 2

    nodes = (
        Node("stem", Convolution(3, 4), (INPUT,)),
        Node("split", Split(), ("stem",)),
        Node("a", Convolution(3, 2, stride=2), ("split",)),
        Node("b", Convolution(1, 2, stride=2), (Port("split", 1),)),
        Node("sum", Add(), ("a", "b")),
    )
    inputs = (Input(INPUT, Shape((8, 8), 3)),)
    return Network(nodes, inputs=inputs, outputs=("sum", Port("split", 1)))
