"""AlexNet: the paper's, on two GPUs; without groups; torchvision's, which is another network."""

from typing import Final

from archcalc.network import Citation, Network, Published
from archcalc.notation import parse

# Two GPUs: the kernels of conv2, conv4 and conv5 see only the maps on their own one (2 groups).
PAPER: Final = """
227x227x3
conv1: conv11-96/4 p0 relu     norm1: lrn   pool1: pool3/2
conv2: conv5-256 p2 g2 relu    norm2: lrn   pool2: pool3/2
conv3: conv3-384 relu
conv4: conv3-384 g2 relu
conv5: conv3-256 g2 relu       pool5: pool3/2
fc6: fc-4096 relu drop.5
fc7: fc-4096 relu drop.5
fc8: fc-1000
"""
TORCHVISION: Final = """
224x224x3
conv1: conv11-64/4 p2 relu     pool1: pool3/2
conv2: conv5-192 p2 relu       pool2: pool3/2
conv3: conv3-384 relu
conv4: conv3-256 relu
conv5: conv3-256 relu          pool5: pool3/2
avgpool: adaptiveavgpool6
drop.5 fc6: fc-4096 relu
drop.5 fc7: fc-4096 relu
fc8: fc-1000
"""
SOURCE: Final = Citation(
    "Krizhevsky, Sutskever, Hinton",
    "ImageNet Classification with Deep Convolutional Neural Networks",
    "NIPS 2012",
    "sec. 3.5 and figure 2",
)
ONE_TOWER: Final = Citation(
    "Krizhevsky",
    "One weird trick for parallelizing convolutional neural networks",
    "arXiv 1404.5997",
    "as torchvision.models.alexnet",
)
PUBLISHED: Final = (
    Published("total", "parameters", "60", 10**6, "million", where="abstract"),
    Published("total", "neurons", "650,000", significant=2, where="abstract"),
    Published(
        "conv1",
        "neurons",
        "253,440",
        reason="55*48*96 = 253,440: a 48 where the map is 55 wide; 55*55*96 = 290,400",
    ),
    Published("conv2", "neurons", "186,624"),
    Published("conv3", "neurons", "64,896"),
    Published("conv4", "neurons", "64,896"),
    Published("conv5", "neurons", "43,264"),
    Published("fc6", "neurons", "4096"),
    Published("fc7", "neurons", "4096"),
    Published("fc8", "neurons", "1000"),
)
SIZE_NOTE: Final = (
    "The paper says 224x224, but 11x11 at stride 4 without padding gives its 55x55 from 227x227."
)


def load(name: str) -> Network:
    """One of the three AlexNets."""
    if name == "alexnet-torchvision":
        published = (
            Published("total", "parameters", "61,100,840", where="torchvision's model page"),
            Published("total", "macs", "0.71", 10**9, "G", where="torchvision's model page"),
        )
        return parse(TORCHVISION, name, source=ONE_TOWER, published=published)
    if name == "alexnet-ungrouped":
        note = "Without the paper's two groups: what many tutorials count."
        text = PAPER.replace(" g2", "")
        return parse(text, name, source=SOURCE, notes=(SIZE_NOTE, note))
    return parse(PAPER, name, source=SOURCE, published=PUBLISHED, notes=(SIZE_NOTE,))
