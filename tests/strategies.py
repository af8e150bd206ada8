"""What the tests draw at random: shapes, layers, networks that fit, graphs that need not fit.

Importing this module settles the profile of every property test. Two readers of workings, which
more than one test file needs, stand at the end.
"""

import contextlib
import math
import re
from fractions import Fraction

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from archcalc import ArchitectureError, Network, Node, Shape, parse
from archcalc.layers import (
    Activation,
    AdaptivePool,
    Add,
    BatchNorm,
    Concat,
    Convolution,
    Dropout,
    Flatten,
    GlobalPool,
    GroupNorm,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Multiply,
    Pool,
    TransposedConvolution,
)
from archcalc.layers.activation import ACTIVATIONS
from archcalc.network import INPUT, Input
from archcalc.notation import write_word

settings.register_profile(
    "laws",
    deadline=None,
    max_examples=50,
    derandomize=True,  # a test that passes, passes again
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("laws")

LARGEST = 60  # no axis of a random network grows beyond

# ----------------------------------------------------------------------------- shapes and layers


def shapes(axes=None, smallest=1, largest=20):
    """Inputs of one, two or three axes and up to 12 channels."""
    size = st.integers(smallest, largest)
    wanted = st.integers(1, 3) if axes is None else st.just(axes)
    sizes = wanted.flatmap(lambda n: st.tuples(*[size] * n))
    return st.builds(Shape, sizes, st.integers(1, 12))


def per_axis(axes, smallest, largest):
    """One number for every axis, or one for each."""
    number = st.integers(smallest, largest)
    return number | st.tuples(*[number] * axes) if axes > 1 else number


def groups_of(channels):
    """A number of groups that divides the channels."""
    return st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0])


@st.composite
def convolutions(draw, shape):
    """Convolutions whose axes and groups suit the shape; the kernel may be too large for it."""
    axes, groups = len(shape.sizes), draw(groups_of(shape.channels))
    return Convolution(
        kernel_size=draw(per_axis(axes, 1, 5)),
        out_channels=groups * draw(st.integers(1, 4)),
        stride=draw(per_axis(axes, 1, 3)),
        padding=draw(st.none() | per_axis(axes, 0, 3)),
        dilation=draw(per_axis(axes, 1, 3)),
        groups=groups,
        bias=draw(st.booleans()),
    )


@st.composite
def transposed_convolutions(draw, shape):
    """Transposed convolutions whose axes and groups suit the shape."""
    axes, groups = len(shape.sizes), draw(groups_of(shape.channels))
    stride = draw(per_axis(axes, 1, 3))
    smallest = stride if isinstance(stride, int) else min(stride)
    return TransposedConvolution(
        kernel_size=draw(per_axis(axes, 1, 5)),
        out_channels=groups * draw(st.integers(1, 4)),
        stride=stride,
        padding=draw(st.none() | per_axis(axes, 0, 3)),
        dilation=draw(per_axis(axes, 1, 2)),
        output_padding=draw(per_axis(axes, 0, smallest - 1)),  # torch's own bound
        groups=groups,
        bias=draw(st.booleans()),
    )


@st.composite
def pools(draw, shape):
    """Pools whose axes suit the shape; the window may be too large for it."""
    axes = len(shape.sizes)
    kernel = draw(per_axis(axes, 1, 5))
    smallest = kernel if isinstance(kernel, int) else min(kernel)
    return Pool(
        kernel_size=kernel,
        stride=draw(st.none() | per_axis(axes, 1, 4)),
        padding=draw(st.none() | per_axis(axes, 0, smallest // 2)),
        reduction=draw(st.sampled_from(["max", "average"])),
        ceil_mode=draw(st.booleans()),
    )


def adaptive_pools(shape):
    """Adaptive pools whose axes suit the shape."""
    targets = per_axis(len(shape.sizes), 1, 9)
    return st.builds(AdaptivePool, targets, st.sampled_from(["average", "max"]))


def fractions():
    """What the notation can write behind ``drop`` and ``leakyrelu``."""
    return st.integers(1, 99).map(lambda hundredths: hundredths / 100)


def pointwise(shape):
    """Layers that keep any shape."""
    plain = [name for name in ACTIVATIONS if name not in ("leakyrelu", "elu")]
    slopes = st.none() | fractions() | st.sampled_from([0, 1, 1.5])
    sloped = st.builds(Activation, st.sampled_from(["leakyrelu", "elu"]), slopes)
    return (
        st.sampled_from(plain).map(Activation)
        | sloped
        | st.builds(Dropout, fractions())
        | st.builds(BatchNorm, st.booleans())
        | st.builds(LayerNorm, st.booleans())
        | st.builds(GroupNorm, groups_of(shape.channels), st.booleans())
        | st.builds(LocalResponseNorm, st.integers(1, 9))
    )


def vector_makers():
    """Layers that end the axes of any shape."""
    return st.builds(Linear, st.integers(1, 12), st.booleans()) | st.just(Flatten())


def layers(shape):
    """Layers of every kind; nearly all of them can take the shape."""
    if not shape.sizes:
        return pointwise(shape) | vector_makers()
    global_pools = st.sampled_from(["average", "max"]).map(GlobalPool)
    return (
        convolutions(shape)
        | transposed_convolutions(shape)
        | pools(shape)
        | adaptive_pools(shape)
        | global_pools
        | pointwise(shape)
        | vector_makers()
    )


def layers_on_shapes(kind=layers):
    """A layer of that kind, and a shape of suitable axes and channels."""
    return shapes().flatmap(lambda shape: st.tuples(kind(shape), st.just(shape)))


def network_on(nodes, shape):
    """A network of nodes, made for a shape or for any."""
    return Network(nodes, inputs=(Input(INPUT, shape),))


# ------------------------------------------------------------------------- networks that fit


@st.composite
def networks(draw, *, axes=None, smallest=6, largest=20, gates=True, ends=True):
    """Networks with their input, written in the notation; layers are used again, ``=name``.

    Branches that meet are as large as one another at every input size, and their centres line
    up, save behind gates, ``(id * gap ...)``.

    Args:
        draw: hypothesis's own.
        axes: of the input; one to three if None.
        smallest: the smallest size of an axis.
        largest: the largest one.
        gates: whether a branch of one position may scale the others.
        ends: whether the axes may end in global pools, flatten or fc.
    """
    shape = draw(shapes(axes, smallest, largest))
    writer = _Writer(draw, gates=gates, ends=ends)
    words, _ = writer.sequence(shape)
    return parse(f"{shape} {' '.join(words)} relu")


class _Writer:
    """Draws words one after the other, keeping account of the shape."""

    def __init__(self, draw, *, gates, ends):
        self.draw, self.gates, self.ends = draw, gates, ends
        self.named = 0
        self.reusable = {}  # named layers, each with the channels that it reads

    def sequence(self, shape):
        words = []
        for _ in range(self.draw(st.integers(1, 4))):
            kinds = ["layer", "layer", "group"]
            again = self.again(shape)
            kinds += ["again"] if again else []
            kinds += ["concat", "add"] if shape.sizes else []
            kinds += ["gate"] if self.gates and shape.sizes else []
            kind = self.draw(st.sampled_from(kinds))
            if kind == "layer":
                before = shape
                new, shape = self.layer(shape)
                name = self.name(new)
                if name:
                    self.reusable[name[0].removesuffix(":")] = parse(new[0]).nodes[0].layer, before
                words += [*name, *new]
                continue
            if kind == "again":
                name, shape = self.draw(st.sampled_from(again))
                words.append(f"={name}")
                continue
            if kind == "group":
                new, shape = self.group(shape, 1)
            elif kind == "concat":
                new, shape = self.concat(shape, 1)
            elif kind == "add":
                new, shape = self.add(shape, 1)
            else:
                new = [f"(id * gap conv1-{shape.channels} sigmoid)"]
            words += [*self.name(new), *new]
        return words, shape

    def again(self, shape):
        """The named layers that fit here at every input size, each with what comes out."""
        fitting = []
        for name, (layer, before) in self.reusable.items():
            alike = (before.channels, len(before.sizes)) == (shape.channels, len(shape.sizes))
            if alike and not isinstance(layer, Linear):  # whose weights depend on the sizes
                with contextlib.suppress(ArchitectureError):  # a kernel that does not fit
                    output = layer.output(shape)
                    if all(size <= LARGEST for size in output.sizes):
                        fitting.append((name, output))
        return fitting

    def name(self, words):
        """A name in front of a single word or bracket, now and then."""
        if len(words) > 1 or words[0].startswith("id") or self.draw(st.integers(0, 2)):
            return []
        self.named += 1
        return [f"{self.draw(st.sampled_from(['stem', '3x3_', 'x', 'conv', 'C-']))}{self.named}:"]

    def layer(self, shape):
        layer = self.draw(layers(shape))
        if not self.ends and isinstance(layer, GlobalPool | Flatten | Linear):
            return ["relu"], shape
        try:
            output = layer.output(shape)
        except ArchitectureError:  # a kernel that does not fit
            return ["relu"], shape
        if any(size > LARGEST for size in output.sizes):
            return ["relu"], shape
        return [write_word(layer)], output

    def keeping(self, shape, depth):
        """Words that keep the size, whatever it is, and the centre."""
        words = []
        for _ in range(self.draw(st.integers(0, 2))):
            choices = ["conv3-{}", "conv5-{} nobias", "conv3-{} d2", "pool3/1", "join"]
            word = self.draw(st.sampled_from(choices if depth < 2 else choices[:-1]))
            if word == "join":
                join = self.concat if self.draw(st.booleans()) else self.add
                new, shape = join(shape, depth + 1)
                words += new
            elif word == "pool3/1":
                words.append(word)
            else:
                shape = Shape(shape.sizes, self.draw(st.integers(1, 8)))
                words.append(word.format(shape.channels))
        return words, shape

    def branches(self, shape, depth):
        """Two or three branches of one size, their channels free; outermost ones may stride."""
        strides = depth == 1 and self.draw(st.booleans())
        branches = []
        for _ in range(self.draw(st.integers(2, 3))):
            words, inside = [], shape
            if strides:  # all of these halve and round up, their centres in one place
                heads = ["conv1-4/2", "conv3-5/2 nobias", "pool3/2 p1", "conv3-4/2 d2"]
                words.append(self.draw(st.sampled_from(heads)))
                first = parse(words[0]).nodes[0].layer
                inside = first.output(shape)
            more, inside = self.keeping(inside, depth)
            branches.append((words + more, inside))
        return branches

    def concat(self, shape, depth):
        branches = self.branches(shape, depth)
        text = " | ".join(" ".join(words) or "id" for words, _ in branches)
        channels = sum(inside.channels for _, inside in branches)
        return [f"[{text}]"], Shape(branches[0][1].sizes, channels)

    def add(self, shape, depth):
        branches = self.branches(shape, depth)
        channels = self.draw(st.integers(1, 8))
        text = " + ".join(" ".join([*words, f"conv1-{channels}"]) for words, _ in branches)
        return [f"({text})"], Shape(branches[0][1].sizes, channels)

    def group(self, shape, depth):
        words, inside = self.keeping(shape, depth) if shape.sizes else (["relu"], shape)
        times = self.draw(st.integers(1, 3))
        if inside.channels != shape.channels:
            words.append(f"conv1-{shape.channels}")
        text = f"({' '.join(words)})" if words else "id"
        return [text if times == 1 else f"{text} x{times}"], shape


# ---------------------------------------------------------------- networks that torch can build


@st.composite
def tangles(draw):
    """Networks that torch builds too: any layers, branches that meet where their shapes allow it.

    Unlike :func:`networks`, branches may see the input at different strides and places, and no
    word stands between them and the graph: a join takes whatever fits, and so does a layer that is
    used again.
    """
    shape = draw(shapes(smallest=5, largest=14))
    nodes, made, reusable = [], {INPUT: shape}, []
    for place in range(draw(st.integers(1, 8))):
        name = f"n{place}"
        source = draw(st.sampled_from(list(made)[-3:]))
        alike = [other for other in made if made[other].sizes == made[source].sizes]
        if draw(st.integers(0, 3)) == 0 and len(alike) > 1 and made[source].sizes:
            inputs = tuple(draw(st.lists(st.sampled_from(alike), min_size=2, max_size=3)))
            equal = len({made[each] for each in inputs}) == 1
            join = draw(st.sampled_from([Concat(), Add(), Multiply()] if equal else [Concat()]))
            nodes.append(Node(name, join, inputs))
            made[name] = join.output(*(made[each] for each in inputs))
            continue
        again = [node for node in reusable if _fits(node.layer, made[node.inputs[0]], made[source])]
        layer, shares = draw(layers(made[source])), ""
        if again and draw(st.integers(0, 2)) == 0:
            layer, shares = (node := draw(st.sampled_from(again))).layer, node.name
        if isinstance(layer, Pool) and _refused(layer, made[source]):
            continue
        try:
            output = layer.output(made[source])
        except ArchitectureError:  # a kernel that does not fit
            continue
        if any(size > LARGEST for size in output.sizes):
            continue
        nodes.append(Node(name, layer, (source,), shares))
        reusable += [] if shares else nodes[-1:]
        made[name] = output
    return _trimmed(nodes, shape)


def _fits(layer, before, shape):
    """Whether a layer has parameters, and on a shape as many as on the one before."""
    sizes = [parameter.size.value for parameter in layer.parameters(before)]
    if not sizes or len(before.sizes) != len(shape.sizes):
        return False
    try:
        return sizes == [parameter.size.value for parameter in layer.parameters(shape)]
    except ArchitectureError:  # groups that do not divide its channels
        return False


def _refused(layer, shape):
    """Average pools over volumes smaller than the window, padding or not: torch takes none.

    The gradient's witness looks at averages in place of maxima, so that those are left out too.
    """
    if len(shape.sizes) < 3:
        return False
    kernels = (
        layer.kernel_size if isinstance(layer.kernel_size, tuple) else (layer.kernel_size,) * 3
    )
    return any(size < kernel for size, kernel in zip(shape.sizes, kernels, strict=True))


def _trimmed(nodes, shape):
    """A network without the nodes that do not lead to the last one."""
    if not nodes:
        return network_on((Node("n0", Dropout(), (INPUT,)),), shape)
    used, kept = {nodes[-1].name}, []
    for node in reversed(nodes):
        if node.name in used:
            used.update(node.inputs)
            kept.append(node)
    kept.reverse()
    return network_on(tuple(_owned(node, kept) for node in kept), shape)


def _owned(node, nodes):
    """A node whose parameters' owner is gone shares those of the first that is left."""
    group = [each.name for each in nodes if node.shares in {each.name, each.shares}]
    return node._replace(shares="" if group[:1] == [node.name] else node.shares and group[0])


# ------------------------------------------------------------------- graphs that need not fit

NAMES = (
    *("conv1", "conv2", "conv3", "relu1", "relu2", "bn1", "concat1", "add1", "mul1"),
    *("a", "b", "a/b", "b/a", "a/conv1", "a/relu1", "a/b/conv1", "concat1/conv1", "a/input"),
    *("3x3", "a/3x3", "1a", "C1", "x2", "id", "p2", "relu", "stem_1", "a-b.c", "-", ".", "\u00e9"),
)


@st.composite
def graphs(draw, most=9):
    """Networks of any shape that a graph can take; only names and edges mean anything."""
    count = draw(st.integers(1, most))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=count, max_size=count, unique=True))
    leaves = st.sampled_from(parse("conv3-8 relu bn pool2 conv1-4/2").nodes).map(lambda n: n.layer)
    nodes: list[Node] = []
    for place, name in enumerate(names):
        used = {source for node in nodes for source in node.inputs}
        loose = [earlier for earlier in names[:place] if earlier not in used]
        source = st.sampled_from([INPUT, *names[:place], *loose * 3])  # so that few ends stay loose
        if draw(st.booleans()):
            inputs = tuple(draw(st.lists(source, min_size=2, max_size=3)))
            nodes.append(Node(name, draw(st.sampled_from([Concat(), Add(), Multiply()])), inputs))
            continue
        owners = [node for node in nodes if not (node.shares or node.layer.sign)]
        owner = draw(st.none() | st.sampled_from(owners)) if owners else None
        layer, shares = (owner.layer, owner.name) if owner else (draw(leaves), "")
        nodes.append(Node(name, layer, (draw(source),), shares))
    used = {source for node in nodes for source in node.inputs}
    loose = [name for name in names if name not in used]
    if len(loose) > 1:
        nodes.append(Node("end", Concat(), tuple(loose)))
    return network_on(tuple(nodes), draw(st.none() | shapes()))


@st.composite
def spellings(draw, text):
    """Other ways to write a text: lines, blanks, comments, modifiers attached or set apart."""
    between = st.sampled_from([" ", "   ", "\t", "\n", "  # [ a comment ( |\n", "#x2\n"])
    spelled = ""
    for word in text.split():
        modifier = re.fullmatch(r"(op|p|d|g)\d.*|ceil|nobias|noaffine", word)
        spelled += "" if not spelled or (modifier and draw(st.booleans())) else draw(between)
        spelled += word
    return spelled


# ----------------------------------------------------------------------------- reading workings


def evaluated(working, values):
    """What Python makes of a working: fractions stay exact until ``floor`` or ``ceil`` rounds."""
    code = re.sub(r"\b\d+\b", r"Fraction(\g<0>)", working.replace("^", "**"))
    known = {"Fraction": Fraction, "floor": math.floor, "ceil": math.ceil}
    return eval(code, known, values)  # noqa: S307 - the tests' own text


def without_latex(text):
    """A LaTeX working as plain text."""
    for latex, plain in (
        *((r"\left\lfloor ", "floor("), (r" \right\rfloor", ")")),
        *((r"\left\lceil ", "ceil("), (r" \right\rceil", ")")),
        *((r" \cdot ", "*"), ("{,}", ""), ("^{", "**("), ("}", ")")),
    ):
        text = text.replace(latex, plain)
    return text
