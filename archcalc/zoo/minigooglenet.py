"""MiniGoogLeNet, "Inception (small)": convolution, batch norm and ReLU in every module."""

from __future__ import annotations

from typing import Final

from archcalc.network import Citation, Network, Published
from archcalc.notation import parse

MODULE: Final = "{name}: [1x1: conv1-{a} bn relu | 3x3: conv3-{b} bn relu]"
DOWN: Final = "{name}: [3x3: conv3-{k}/2 p0 bn relu | pool: pool3/2]"
TEXT: Final = "\n".join(
    (
        "32x32x3",
        "stem: conv3-96 bn relu",
        MODULE.format(name="1a", a=32, b=32),
        MODULE.format(name="1b", a=32, b=48),
        DOWN.format(name="down1", k=80),
        MODULE.format(name="2a", a=112, b=48),
        MODULE.format(name="2b", a=96, b=64),
        MODULE.format(name="2c", a=80, b=80),
        MODULE.format(name="2d", a=48, b=96),
        DOWN.format(name="down2", k=96),
        MODULE.format(name="3a", a=176, b=160),
        MODULE.format(name="3b", a=176, b=160),
        "pool: gap drop.5 fc: fc-10",
    )
)
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
