"""The two Inception modules of the assignment: figure 2 of the GoogLeNet paper, with its widths."""

from typing import Final, NamedTuple

from archcalc.network import Citation, Network
from archcalc.notation import parse

SOURCE: Final = Citation(
    "Szegedy et al.", "Going Deeper with Convolutions", "arXiv 1409.4842", "figure 2"
)
INPUT: Final = "32x32x256"
NAIVE: Final = """
{input} output: [ 1x1: conv1-{conv1} relu
        | 3x3: conv3-{conv3} relu
        | 5x5: conv5-{conv5} relu
        | pool: pool3/1 ]
"""
REDUCED: Final = """
{input} output: [ 1x1: conv1-{conv1} relu
        | 3x3_reduce: conv1-{reduce3} relu  3x3: conv3-{conv3} relu
        | 5x5_reduce: conv1-{reduce5} relu  5x5: conv5-{conv5} relu
        | pool: pool3/1  pool_proj: conv1-{pool_proj} relu ]
"""


class Widths(NamedTuple):
    """Filters of every convolution of a module; by default those of GoogLeNet's 3b."""

    conv1: int = 128
    reduce3: int = 128
    conv3: int = 192
    reduce5: int = 32
    conv5: int = 96
    pool_proj: int = 64


def pair(widths: Widths = Widths(), input: str = INPUT) -> tuple[Network, Network]:  # noqa: A002, B008
    """The naive module (figure 2a) and the one with dimension reduction (figure 2b)."""
    naive, reduced = (text.format(input=input, **widths._asdict()) for text in (NAIVE, REDUCED))
    return (
        parse(naive, "inception-naive", source=SOURCE._replace(where="figure 2a")),
        parse(reduced, "inception-reduced", source=SOURCE._replace(where="figure 2b")),
    )


def load(name: str) -> Network:
    """One of the two modules."""
    naive, reduced = pair()
    return naive if name == naive.name else reduced
