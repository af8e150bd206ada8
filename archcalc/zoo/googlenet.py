"""GoogLeNet: the paper's network and torchvision's, which is another one. No auxiliary heads."""

from typing import Final

from archcalc.network import Citation, Network, Published
from archcalc.notation import parse

# Table 1 of the paper: 1x1 | 3x3 reduce, 3x3 | 5x5 reduce, 5x5 | pool projection
CHANNELS: Final = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
# Figure 2b: with dimension reduction.
MODULE: Final = """
{name}: [ 1x1: conv1-{} relu
        | 3x3_reduce: conv1-{} relu  3x3: conv3-{} relu
        | 5x5_reduce: conv1-{} relu  5x5: conv5-{} relu
        | pool: pool3/1  pool_proj: conv1-{} relu ]"""
PAPER: Final = """
224x224x3
conv1: conv7-64/2 relu    pool1: pool3/2 ceil    norm1: lrn
conv2: (reduce: conv1-64 relu  3x3: conv3-192 relu)    norm2: lrn    pool2: pool3/2 ceil
{3a} {3b}            pool3: pool3/2 ceil
{4a} {4b} {4c} {4d} {4e}    pool4: pool3/2 ceil
{5a} {5b}            pool5: gap
drop.4 fc: fc-1000
"""
# torchvision: batch norm instead of biases, 3x3 where the paper has 5x5, a 2x2 pool before 5a.
TORCHVISION_CHANGES: Final = (
    ("relu", "nobias bn relu"),
    ("conv5-", "conv3-"),
    ("pool4: pool3/2", "pool4: pool2"),
    ("norm1: lrn", ""),
    ("norm2: lrn", ""),
    ("drop.4", "drop.2"),
)
SOURCE: Final = Citation(
    "Szegedy et al.", "Going Deeper with Convolutions", "arXiv 1409.4842", "table 1"
)

_SEPARABLE: Final = (
    "both cells fit a 7x1 beside a 1x7 convolution, 7*3*64 + 7*3*64 = 2,688 weights, "
    "and 112*112*2,688 = 33,718,272 operations; 7*7*3*64 = 9,408 for the 7x7 that is printed"
)
_OPERATIONS_AGREE: Final = (
    "the same row's operations, weights times positions, agree with our weights: "
    "the channels are right and this cell is not their sum"
)
_OTHER_MODULE: Final = (
    "both cells of the row ask for the same 1072K weights (1072*1024*7*7 = 53,788,672), "
    "but the channels that are printed give 1018K: they belong to another module"
)
# A row's parameters, in K = 1024, and its operations, in millions; why either is not ours.
_ROWS: Final = (
    ("conv1", "2.7", "34", _SEPARABLE, _SEPARABLE),
    ("conv2", "112", "360", "", ""),
    ("3a", "159", "128", "", ""),
    ("3b", "380", "304", "", ""),
    ("4a", "364", "73", _OPERATIONS_AGREE, ""),
    ("4b", "437", "88", "", ""),
    ("4c", "463", "100", _OPERATIONS_AGREE, ""),
    ("4d", "580", "119", _OPERATIONS_AGREE, ""),
    ("4e", "840", "170", _OPERATIONS_AGREE, ""),
    ("5a", "1072", "54", _OTHER_MODULE, _OTHER_MODULE),
    ("5b", "1388", "71", _OPERATIONS_AGREE, ""),
    ("fc", "1000", "1", "", ""),
)
NOTES: Final = (
    "The paper's K is 1024: its linear layer of 1024*1000 = 1,024,000 weights is printed as 1000K. "
    "Its parameters leave out biases, its operations are MACs, its M is a million.",
)


def load(name: str) -> Network:
    """The paper's GoogLeNet, or torchvision's."""
    modules = {row: MODULE.format(*channels, name=row) for row, channels in CHANNELS.items()}
    text = PAPER.format(**modules)
    if name == "googlenet-torchvision":
        for old, new in TORCHVISION_CHANGES:
            text = text.replace(old, new)
        page = "torchvision's model page"
        published: tuple[Published, ...] = (
            Published("total", "parameters", "6,624,904", where=page),
            Published("total", "macs", "1.50", 10**9, "G", where=page),
        )
        where = "as torchvision.models.googlenet, without its auxiliary heads"
        source = SOURCE._replace(where=where)
        return parse(text, name, source=source, published=published)
    published = (
        *(Published(row, "weights", k, 1024, "K", why) for row, k, _, why, _ in _ROWS),
        *(Published(row, "macs", m, 10**6, "M", why) for row, _, m, _, why in _ROWS),
    )
    return parse(text, name, source=SOURCE, published=published, notes=NOTES)
