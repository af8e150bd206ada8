"""ResNet-18 to 152, with projection shortcuts where the shape changes (the paper's option B).

The paper's bottlenecks stride in their first 1x1 convolution, torchvision's in the 3x3 one
("v1.5"): same parameters, more multiply-accumulates. Networks of basic blocks are the same in both.
"""

from typing import Final

from archcalc.network import Citation, Network, Published
from archcalc.notation import parse

BASIC: Final = """
{name}: (({shortcut} + conv1: conv3-{narrow}{stride} nobias bn relu
    conv2: conv3-{narrow} nobias bn) relu)"""
BOTTLENECK: Final = """
{name}: (({shortcut} + conv1: conv1-{narrow}{stride} nobias bn relu
    conv2: conv3-{narrow} nobias bn relu  conv3: conv1-{wide} nobias bn) relu)"""
TORCHVISION_BOTTLENECK: Final = """
{name}: (({shortcut} + conv1: conv1-{narrow} nobias bn relu
    conv2: conv3-{narrow}{stride} nobias bn relu  conv3: conv1-{wide} nobias bn) relu)"""
BLOCKS: Final = {  # table 1: the block, how many in each stage, and 10**9 "FLOPs (multiply-adds)"
    "resnet18": (BASIC, (2, 2, 2, 2), "1.8"),
    "resnet34": (BASIC, (3, 4, 6, 3), "3.6"),
    "resnet50": (BOTTLENECK, (3, 4, 6, 3), "3.8"),
    "resnet101": (BOTTLENECK, (3, 4, 23, 3), "7.6"),
    "resnet152": (BOTTLENECK, (3, 8, 36, 3), "11.3"),
}
TORCHVISION: Final = {  # parameters and "GFLOPS" of torchvision's model pages
    "resnet18": ("11,689,512", "1.81"),
    "resnet34": ("21,797,672", "3.66"),
    "resnet50-torchvision": ("25,557,032", "4.09"),
    "resnet101-torchvision": ("44,549,160", "7.80"),
    "resnet152-torchvision": ("60,192,808", "11.51"),
}
SOURCE: Final = Citation(
    "He, Zhang, Ren, Sun", "Deep Residual Learning for Image Recognition", "arXiv 1512.03385"
)


def text(block: str, counts: tuple[int, ...]) -> str:
    """A ResNet in the notation."""
    words = ["224x224x3 conv1: conv7-64/2 nobias bn relu pool1: pool3/2 p1"]
    for stage, count in enumerate(counts, 2):
        narrow = 32 * 2 ** (stage - 1)
        wide = narrow if block is BASIC else 4 * narrow
        for place in range(1, count + 1):
            stride = "/2" if stage > 2 and place == 1 else ""  # noqa: PLR2004 - conv2_x keeps 56x56
            changes = place == 1 and (stride or block is not BASIC)
            shortcut = f"shortcut: conv1-{wide}{stride} nobias bn" if changes else "id"
            name = f"conv{stage}_{place}"
            words.append(
                block.format(name=name, shortcut=shortcut, narrow=narrow, wide=wide, stride=stride)
            )
    return " ".join([*words, "pool5: gap fc: fc-1000"])


def load(name: str) -> Network:
    """One of the ResNets."""
    base, _, variant = name.partition("-")
    block, counts, giga = BLOCKS[base]
    published = [] if variant else [Published("total", "macs", giga, 10**9, "G", where="table 1")]
    if name in TORCHVISION:
        page = "torchvision's model page"
        parameters, giga = TORCHVISION[name]
        published += [
            Published("total", "parameters", parameters, where=page),
            Published("total", "macs", giga, 10**9, "G", where=page),
        ]
    where = f"table 1, {base[6:]}-layer" + (", as torchvision builds it" if variant else "")
    source = SOURCE._replace(where=where)
    notation = text(TORCHVISION_BOTTLENECK if variant else block, counts)
    return parse(notation, name, source=source, published=tuple(published))
