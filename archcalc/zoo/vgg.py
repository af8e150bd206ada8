"""VGG, columns A to E of the paper's table 1."""

from typing import Final

from archcalc.network import Citation, Network, Published
from archcalc.notation import parse

TEXTS: Final = {
    "vgg11": """
        conv1_1: conv3-64 relu          pool1: pool2
        conv2_1: conv3-128 relu         pool2: pool2
        (conv3: conv3-256 relu) x2      pool3: pool2
        (conv4: conv3-512 relu) x2      pool4: pool2
        (conv5: conv3-512 relu) x2      pool5: pool2""",
    "vgg13": """
        (conv1: conv3-64 relu) x2       pool1: pool2
        (conv2: conv3-128 relu) x2      pool2: pool2
        (conv3: conv3-256 relu) x2      pool3: pool2
        (conv4: conv3-512 relu) x2      pool4: pool2
        (conv5: conv3-512 relu) x2      pool5: pool2""",
    "vgg16-c": """
        (conv1: conv3-64 relu) x2       pool1: pool2
        (conv2: conv3-128 relu) x2      pool2: pool2
        (conv3: conv3-256 relu) x2      conv3_3: conv1-256 relu     pool3: pool2
        (conv4: conv3-512 relu) x2      conv4_3: conv1-512 relu     pool4: pool2
        (conv5: conv3-512 relu) x2      conv5_3: conv1-512 relu     pool5: pool2""",
    "vgg16": """
        (conv1: conv3-64 relu) x2       pool1: pool2
        (conv2: conv3-128 relu) x2      pool2: pool2
        (conv3: conv3-256 relu) x3      pool3: pool2
        (conv4: conv3-512 relu) x3      pool4: pool2
        (conv5: conv3-512 relu) x3      pool5: pool2""",
    "vgg19": """
        (conv1: conv3-64 relu) x2       pool1: pool2
        (conv2: conv3-128 relu) x2      pool2: pool2
        (conv3: conv3-256 relu) x4      pool3: pool2
        (conv4: conv3-512 relu) x4      pool4: pool2
        (conv5: conv3-512 relu) x4      pool5: pool2""",
}
HEAD: Final = """
        fc6: fc-4096 relu drop.5
        fc7: fc-4096 relu drop.5
        fc8: fc-1000"""
COLUMNS: Final = {"vgg11": "A", "vgg13": "B", "vgg16-c": "C", "vgg16": "D", "vgg19": "E"}
MILLIONS: Final = {"vgg11": "133", "vgg13": "133", "vgg16-c": "134", "vgg16": "138", "vgg19": "144"}


def load(name: str) -> Network:
    """One column of the paper's table 1."""
    source = Citation(
        "Simonyan, Zisserman",
        "Very Deep Convolutional Networks for Large-Scale Image Recognition",
        "arXiv 1409.1556",
        f"table 1, column {COLUMNS[name]}",
    )
    published = Published("total", "parameters", MILLIONS[name], 10**6, "million", where="table 2")
    text = "224x224x3" + TEXTS[name] + HEAD
    return parse(text, name, source=source, published=(published,))
