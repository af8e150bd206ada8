"""MiniGoogLeNet, "Inception (small)": convolution, batch norm and ReLU in every module."""

from typing import Final

from archcalc.network import Citation, Network, Published
from archcalc.notation import parse

TEXT: Final = """
32x32x3
stem: conv3-96 bn relu
1a: [1x1: conv1-32 bn relu | 3x3: conv3-32 bn relu]
1b: [1x1: conv1-32 bn relu | 3x3: conv3-48 bn relu]
down1: [3x3: conv3-80/2 p0 bn relu | pool: pool3/2]
2a: [1x1: conv1-112 bn relu | 3x3: conv3-48 bn relu]
2b: [1x1: conv1-96 bn relu | 3x3: conv3-64 bn relu]
2c: [1x1: conv1-80 bn relu | 3x3: conv3-80 bn relu]
2d: [1x1: conv1-48 bn relu | 3x3: conv3-96 bn relu]
down2: [3x3: conv3-96/2 p0 bn relu | pool: pool3/2]
3a: [1x1: conv1-176 bn relu | 3x3: conv3-160 bn relu]
3b: [1x1: conv1-176 bn relu | 3x3: conv3-160 bn relu]
pool: gap drop.5 fc: fc-10
"""
SOURCE: Final = Citation(
    "Zhang, Bengio, Hardt, Recht, Vinyals",
    "Understanding Deep Learning Requires Rethinking Generalization",
    "arXiv 1611.03530",
    "figure 3",
)
PUBLISHED: Final = (
    Published(
        "total",
        "parameters",
        "1,649,402",
        reason="the paper leaves out batch norm: 2 parameters for each of its 1,712 channels, "
        "2*1712 = 3,424",
        where="table 1",
    ),
)


def load(name: str) -> Network:
    """MiniGoogLeNet; Fashion-MNIST has one channel, ``--input 32x32x1``."""
    return parse(TEXT, name, source=SOURCE, published=PUBLISHED)
