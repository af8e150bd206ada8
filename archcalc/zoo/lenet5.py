"""LeNet-5, as everybody builds it today: 28x28 inputs padded by 2, plain averages, a linear end."""

from typing import Final

from archcalc.network import Citation, Network, Published
from archcalc.notation import parse

TEXT: Final = """
28x28x1
c1: conv5-6 p2 tanh     s2: avgpool2
c3: conv5-16 p0 tanh    s4: avgpool2
c5: conv5-120 p0 tanh
f6: fc-84 tanh
output: fc-10
"""
SOURCE: Final = Citation(
    "LeCun, Bottou, Bengio, Haffner",
    "Gradient-Based Learning Applied to Document Recognition",
    "Proc. IEEE 86(11), 1998",
    "sec. II.B and figure 2",
)
_SUBSAMPLING: Final = (
    "the paper's subsampling learns a coefficient and a bias a map; an average has none"
)
PUBLISHED: Final = (
    Published("c1", "parameters", "156"),
    Published("s2", "parameters", "12", reason=_SUBSAMPLING),
    Published(
        "c3",
        "parameters",
        "1,516",
        reason="the paper's table I connects each map of C3 to some maps of S2 only; here to all",
    ),
    Published("s4", "parameters", "32", reason=_SUBSAMPLING),
    Published("c5", "parameters", "48,120"),
    Published("f6", "parameters", "10,164"),
    Published(
        "total",
        "parameters",
        "60,000",
        reason="C3 and the subsampling as above, and a linear end of 84*10 + 10 = 850 parameters "
        "where the paper has fixed radial basis functions",
    ),
)


def load(name: str) -> Network:
    """LeNet-5."""
    return parse(TEXT, name, source=SOURCE, published=PUBLISHED)
