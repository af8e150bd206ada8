import re
from collections import Counter

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import graphs, layers_on_shapes, network_on, networks, spellings

from archcalc import ArchitectureError, Network, Node, Shape, parse, write
from archcalc.count import letter
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
    Layer,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Multiply,
    Pool,
    TransposedConvolution,
)
from archcalc.network import INPUT, NAME, Input, Port
from archcalc.notation import MAX_DEPTH, MAX_LAYERS, parse_word, stems, write_word
from archcalc.zoo import NAMES, load

CONV, RELU = Convolution(3, 8), Activation("relu")


def named(text):
    """The names of a text's nodes, in order."""
    return [node.name for node in parse(text).nodes]


def edges(text):
    """The nodes of a text, each with what it takes."""
    return {node.name: node.inputs for node in parse(text).nodes}


# --------------------------------------------------------------------------------------- words

WORDS = [
    ("conv3-64", Convolution(3, 64)),
    ("conv7-64/2", Convolution(7, 64, stride=2)),
    ("conv7-64/2 p3", Convolution(7, 64, stride=2, padding=3)),
    ("conv3x5-64", Convolution((3, 5), 64)),
    ("conv3-64/2x1 p0x2 d1x3", Convolution(3, 64, (2, 1), (0, 2), (1, 3))),
    ("conv1x3x5-8", Convolution((1, 3, 5), 8)),
    ("conv3-32 p0 g32 nobias", Convolution(3, 32, padding=0, groups=32, bias=False)),
    ("conv3-K", Convolution(3, letter("K"))),
    ("conv3-K2 d2", Convolution(3, letter("K2"), dilation=2)),
    ("convt4-64/2", TransposedConvolution(4, 64, 2)),
    (
        "convt3-8/2 p1 d2 g4 op1 nobias",
        TransposedConvolution(3, 8, 2, 1, 2, 4, bias=False, output_padding=1),
    ),
    ("convt2x3-K", TransposedConvolution((2, 3), letter("K"))),
    ("pool2", Pool(2)),
    ("pool3/2 p1", Pool(3, 2, 1)),
    ("pool3x2/2x1 p1x0 ceil", Pool((3, 2), (2, 1), (1, 0), ceil_mode=True)),
    ("avgpool7/1", Pool(7, 1, reduction="average")),
    ("avgpool2 ceil", Pool(2, reduction="average", ceil_mode=True)),
    ("adaptiveavgpool6", AdaptivePool(6)),
    ("adaptivemaxpool6x7", AdaptivePool((6, 7), "max")),
    ("gap", GlobalPool()),
    ("gmp", GlobalPool("max")),
    ("fc-1000", Linear(1000)),
    ("fc-N nobias", Linear(letter("N"), bias=False)),
    ("bn", BatchNorm()),
    ("bn noaffine", BatchNorm(affine=False)),
    ("ln", LayerNorm()),
    ("ln noaffine", LayerNorm(affine=False)),
    ("gn32", GroupNorm(32)),
    ("gn8 noaffine", GroupNorm(8, affine=False)),
    ("lrn", LocalResponseNorm()),
    ("lrn7", LocalResponseNorm(7)),
    ("drop.5", Dropout(0.5)),
    ("drop.25", Dropout(0.25)),
    ("drop0", Dropout(0.0)),
    ("flatten", Flatten()),
    ("relu", Activation("relu")),
    ("relu6", Activation("relu6")),
    ("leakyrelu", Activation("leakyrelu")),
    ("leakyrelu.01", Activation("leakyrelu", 0.01)),
    ("leakyrelu0", Activation("leakyrelu", 0.0)),
    ("leakyrelu1.5", Activation("leakyrelu", 1.5)),
    ("elu.5", Activation("elu", 0.5)),
    ("elu1", Activation("elu", 1.0)),
    ("elu12.000000001", Activation("elu", 12.000000001)),
    ("drop1", Dropout(1.0)),
    *((name, Activation(name)) for name in ("selu", "gelu", "silu", "mish", "hardswish", "elu")),
    *((name, Activation(name)) for name in ("hardsigmoid", "softplus", "sigmoid", "tanh")),
    *((name, Activation(name)) for name in ("softmax", "logsoftmax")),
]


@pytest.mark.parametrize(("word", "layer"), WORDS)
def test_words(word, layer):
    """A word is one layer and a layer is one word, its modifiers attached or set apart."""
    assert parse_word(word.replace(" ", "")) == layer
    (node,) = parse(word).nodes
    assert node.layer == layer
    assert node.inputs == ("input",)
    assert write_word(layer) == word


@given(layers_on_shapes())
def test_word_round_trip(drawn):
    """Every layer is read back from its word, attached or apart."""
    layer, _ = drawn
    assert parse_word(write_word(layer).replace(" ", "")) == layer
    assert parse(write_word(layer)).nodes[0].layer == layer


@given(st.builds(round, st.floats(0, 2) | st.floats(0, 1e9), st.integers(0, 9)))
@example(1e9)
def test_slopes_are_read_back(slope):
    """Every slope that an activation can be made with is read back from its word."""
    try:
        layer = Activation("leakyrelu", slope)
    except ArchitectureError:
        assume(condition=False)
    assert parse_word(write_word(layer)) == layer


NUMBERS = ("", "3", "3x5", ".5", "1.5", "0", "1.", "..5", "2x2x2x2", "9" * 12, ".0000000001")
MARKED = ("", "-8", "-K", "-0", "/2", "/2x2", "/0", "p1", "p1x1x1x1", "d.5", "g2x2", "op1", "ceil")


@given(
    st.sampled_from(sorted(stems())),
    st.sampled_from(NUMBERS),
    st.lists(st.sampled_from(MARKED), max_size=3).map("".join),
)
def test_whatever_stands_behind_a_word(stem, number, marked):
    """A word with any numbers and modifiers is a layer that is read back, or an error of a line."""
    try:
        layer = parse_word(stem + number + marked)
    except ArchitectureError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either is fine
        assert error.hint  # noqa: PT017
    else:
        assert parse_word(write_word(layer).replace(" ", "")) == layer


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        *(("gn3x3", "gn3"), ("gn.5", "gn5"), ("lrn3x3", "lrn3"), ("lrn.5", "lrn5")),
        *(("conv.5-64", "conv5-64"), ("convt.5-64", "convt5-64"), ("pool.5", "pool5")),
        *(("adaptiveavgpool.5", "adaptiveavgpool5"), ("conv3-64 g2x2", "conv3-64 g2")),
        *(("conv1x1x1x1-4", "conv1x1x1-4"), ("conv3-4 p1x1x1x1", "conv3-4 p1x1x1")),
        *(("drop1.5", "drop1"), ("drop3x3", "drop.3"), ("relu.5", "relu"), ("elu3x3", "elu3")),
        *(("elu.0000000001", "elu.000000001"), ("elu9999999999", "elu999999999")),
        ("conv3", "conv3-64"),
        ("conv-64", "conv3-64"),
        ("conv3-64 ceil", "conv3-64 nobias"),
        ("conv0-64", "conv1-64"),
        ("conv3-0", "conv3-1"),
        ("conv3-k", "conv3-K"),
        ("conv3-64 p1 p1", "conv3-64 p1"),
        ("conv3-64/0", "conv3-64/1"),
        ("conv3-9999999999", "conv3-999999999"),
        ("pool", "pool2"),
        ("pool2 g2", "pool2 p1"),
        ("pool2-64", "pool2"),
        ("fc1000", "fc-1000"),
        ("fc-10 p1", "fc-10 nobias"),
        ("drop5", "drop.5"),
        ("relu7", "relu6"),
        ("gn", "gn32"),
        ("bn nobias", "bn noaffine"),
        ("flatten2", "flatten"),
        ("Conv3-64", "conv3-64"),
        ("maxpool2", "pool2"),
        ("convolution3-64", "conv3-64"),
    ],
)
def test_border_of_words(bad, good):
    """A word that is not quite one is refused on one line with a place, its neighbour is read."""
    assert len(parse(good).nodes) == 1
    with pytest.raises(ArchitectureError) as caught:
        parse(bad)
    assert "\n" not in str(caught.value)
    assert caught.value.where.startswith("word 1, column 1")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("conv3_64", "conv3-64"),
        ("CONV3-64", "conv3-64"),
        ("maxpool2", "pool2"),
        ("dense-10", "fc-10"),
        ("dropout.5", "drop.5"),
        ("batchnorm", "bn"),
        ("rellu", "relu"),
        ("swish", "silu"),
        ("layernorm", "ln"),
        ("groupnorm8", "gn8"),
    ],
)
def test_suggestions_work(typed, meant):
    """The spelling that an error suggests is the one that was meant, and it can be read."""
    with pytest.raises(ArchitectureError) as caught:
        parse(typed)
    assert caught.value.hint == f"did you mean {meant}?"
    parse(meant)


@pytest.mark.parametrize(
    ("typed", "hint", "example"),
    [
        ("prelu", "leakyrelu is another layer, whose slope is not learned", "leakyrelu"),
        ("dwconv3-24", "a depthwise convolution is written with groups", "conv3-24 g24"),
        ("sepconv3-8", "a separable convolution is two", "conv3-16 g16 conv1-32"),
        ("unpool2", "is another layer, which has weights", "convt2-C/2"),
        ("glu", "gelu is another function", "(id * conv1-C sigmoid)"),
    ],
)
def test_what_comes_close_is_told_apart(typed, hint, example):
    """A kind that is missing is called so; what comes close is called another, and can be read."""
    with pytest.raises(ArchitectureError) as caught:
        parse(typed)
    kind = re.match("[a-z]*", typed)[0]
    assert f"no kind of layer is called {kind}: " in caught.value.hint
    assert hint in caught.value.hint
    assert example in caught.value.hint
    assert "did you mean" not in caught.value.hint
    parse(example)


@pytest.mark.parametrize("sign", "@=")
def test_the_last_repeat_is_meant(sign):
    """A name that has become several is answered with its last, which can be referred to."""
    with pytest.raises(ArchitectureError) as caught:
        parse(f"a: conv3-8 x2 [id | {sign}a]")
    assert caught.value.hint == f"it is repeated, and {sign}a_2 is its last"
    parse(f"a: conv3-8 x2 [id | {sign}a_2]")


# ------------------------------------------------------------------------------------ sentences


@given(networks())
def test_writing_is_the_inverse_of_reading(network):
    """A network without references is read back from its text: layers, names, edges and order."""
    assert parse(write(network)) == network


@given(graphs())
def test_any_graph_can_be_written(network):
    """Any graph is read back from its text, layer by layer and edge by edge, save for the order."""
    back = parse(write(network))
    assert {node.name: node for node in back.nodes} == {node.name: node for node in network.nodes}
    assert back.nodes[-1].name == network.nodes[-1].name
    assert back.input == network.input


@given(graphs())
def test_writing_settles(network):
    """What was written and read is written alike."""
    text = write(network)
    assert write(parse(text)) == text


@given(st.from_regex(NAME, fullmatch=True))
@example("x2")
@example("8x8x3")
@example("\u00e9")
def test_names_are_read_back(name):
    """Every name that a layer can have is read back, where it is given and where it is meant."""
    assume(name != INPUT)
    nodes = (
        Node(name, RELU, (INPUT,)),
        Node(f"{name}/b", RELU, (INPUT,), name),
        Node(f"{name}/c", Add(), (name, f"{name}/b")),
    )
    assert parse(write(Network(nodes))) == Network(nodes)


@pytest.mark.parametrize(
    "shares",
    [
        {"b": "a", "c": "a"},
        {"b": "a", "c": "b"},  # whose parameters are the first one's
        {"c": "b"},
    ],
)
def test_shared_layers_are_read_back(shares):
    """Layers that use an earlier one's parameters are read back, whichever node they name."""
    nodes = [Node("a", CONV, (INPUT,)), Node("b", CONV, ("a",)), Node("c", CONV, ("b",))]
    network = Network(tuple(node._replace(shares=shares.get(node.name, "")) for node in nodes))
    assert parse(write(network)) == network


def test_an_owner_stands_before_who_shares():
    """A layer is never written in front of the one whose weights it uses, whatever the graph."""
    nodes = (
        Node("a", CONV, (INPUT,)),
        Node("b", CONV, (INPUT,), "a"),
        Node("c", Concat(), ("a", INPUT)),
        Node("end", Concat(), ("b", "c")),
    )
    assert parse(write(Network(nodes))) == Network(nodes)


class Halves(Layer):
    """A layer without a word, whose input comes out twice."""

    kind = "halves"

    def outputs(self, *shapes):
        """Twice the same."""
        return shapes * 2


@pytest.mark.parametrize(
    ("network", "fact"),
    [
        (Network((Node("a", RELU, ("x",)),), inputs=(Input("x"),)), "has one input, called input"),
        (
            Network((Node("a", Add(), ("l", "r")),), inputs=(Input("l"), Input("r"))),
            "has one input, called input",
        ),
        (
            Network((Node("a", RELU, (INPUT,)), Node("b", RELU, ("a",))), outputs=("b", "a")),
            "one output, the last",
        ),
        (Network((Node("a", Halves(), (INPUT,)),)), "a: the notation has no word"),
        (
            Network((Node("a", Halves(), (INPUT,)), Node("b", RELU, (Port("a", 1),)))),
            "the notation has no word",
        ),
        (
            Network((Node("a", Add(), (INPUT,) * 2), Node("b", Add(), ("a",) * 2, "a"))),
            "b: .*notation",  # which has no word to use a join again
        ),
        (network_on((Node("a", RELU, (INPUT,)),), Shape((letter("H") + 1, 4), 3)), "notation"),
        (network_on((Node("a", RELU, (INPUT,)),), Shape((1, 2, 3, 4), 5)), "notation"),
        (Network((Node("a", Convolution(3, letter("k")), (INPUT,)),)), "a: .*notation"),
        (Network((Node("a", Linear(letter("K") * 2), (INPUT,)),)), "a: .*notation"),
    ],
)
def test_what_cannot_be_written_is_an_error(network, fact):
    """What no text can say is refused, so that no text comes out that cannot be read back."""
    with pytest.raises(ArchitectureError, match=fact):
        write(network)


def test_networks_are_shown_in_a_line():
    """In a line of Python, a network is its name, how many layers it has, and its input."""
    assert str(load("vgg19")) == "vgg19: 44 layers on 224x224x3"
    assert str(parse("conv3-8 relu")) == "network: 2 layers"


@pytest.mark.parametrize("name", NAMES)
def test_the_zoo_is_read_back(name):
    """Every network of the zoo is read back from its text, and the text is settled."""
    network = load(name)
    text = write(network)
    assert parse(text, name) == network
    assert write(parse(text)) == text


@given(st.data())
def test_spelling_does_not_matter(data):
    """Lines, blanks, comments and attached modifiers change nothing."""
    network = data.draw(networks())
    text = write(network)
    assert parse(data.draw(spellings(text))) == network


@pytest.mark.parametrize("depth", [2, MAX_DEPTH, MAX_DEPTH + 1, 1000])
def test_long_ties_to_the_input(depth):
    """A chain of joins that each look back to the input is read back, however long it is."""
    network = parse(f"(@input + conv3-3) x{depth}")
    back = parse(write(network))
    assert {node.name: node for node in back.nodes} == {node.name: node for node in network.nodes}


def test_long_chains():
    """A long chain is written in a word and read back."""
    network = parse("8x8x3 relu x5000")
    assert write(network) == "8x8x3 relu x5000"
    assert parse(write(network)) == network


READINGS = [
    ("conv3-8 x3", "conv3-8 conv3-8 conv3-8"),
    ("(conv3-8 relu) x2", "conv3-8 relu conv3-8 relu"),
    ("((conv3-8 relu) x2 pool2) x2", "(conv3-8 relu conv3-8 relu pool2) x2"),
    ("(conv3-8)", "conv3-8"),
    ("conv3-8 x1", "conv3-8"),
    ("(id + conv3-8) x2", "(id + conv3-8) (id + conv3-8)"),
    ("[relu | conv3-8] x2", "[relu|conv3-8][relu|conv3-8]"),
    ("id conv3-8 id", "conv3-8"),
    ("@input conv3-8", "conv3-8"),
    ("a: conv3-8 @a relu", "a: conv3-8 relu"),
    ("a: conv3-8 relu (id + @a)", "a: conv3-8 (relu + id)"),
    ("conv3-8 # the rest is silence ( [\nrelu", "conv3-8 relu"),
    ("conv3-8/2p1nobias", "conv3-8 /2 p1 nobias"),
    ("conv3-8\n\n\trelu", "conv3-8 relu"),
]


@pytest.mark.parametrize(("text", "plainly"), READINGS)
def test_readings(text, plainly):
    """Repeats, groups, references and comments stand for what they abbreviate."""

    def unnamed(network):
        places = {"input": -1} | {node.name: i for i, node in enumerate(network.nodes)}
        return [(n.layer, [places[name] for name in n.inputs]) for n in network.nodes]

    assert unnamed(parse(text)) == unnamed(parse(plainly))


@pytest.mark.parametrize(
    ("text", "layer"), [("[conv3-8 | id]", Concat()), ("(conv3-8 + id)", Add())]
)
def test_joins(text, layer):
    """A bracket ends in the join that its sign names, over its branches in order."""
    assert parse(text).nodes[-1] == Node(f"{layer.kind}1", layer, ("conv1", "input"))


def test_products_and_many_branches():
    """``(a * b)`` multiplies, and a bracket takes as many branches as there are signs."""
    nodes = parse("(id * gap conv1-8 sigmoid) [id | relu | conv1-8 | pool3/1]").nodes
    assert nodes[3] == Node("mul1", Multiply(), ("input", "sigmoid1"))
    assert nodes[-1] == Node("concat1", Concat(), ("mul1", "relu1", "conv2", "pool1"))


NAMED = [
    ("conv3-8 relu conv3-8 relu", ["conv1", "relu1", "conv2", "relu2"]),
    ("stem: conv7-64/2 conv3-8", ["stem", "conv2"]),
    ("conv2: conv3-8 conv3-8", ["conv2", "conv3"]),
    ("conv3-8 conv1: relu", ["conv2", "conv1"]),
    ("conv3: conv3-8 x2 pool2", ["conv3_1", "conv3_2", "pool1"]),
    ("(a: conv3-8 relu) x2", ["a_1", "relu1", "a_2", "relu2"]),
    ("((a: conv3-8) x2 relu) x2", ["a_1_1", "a_1_2", "relu1", "a_2_1", "a_2_2", "relu2"]),
    ("g: (conv3-8 relu) relu", ["g/conv1", "g/relu1", "relu1"]),
    ("g: (conv3-8 relu) x2", ["g_1/conv1", "g_1/relu1", "g_2/conv1", "g_2/relu1"]),
    (
        "g: (a: conv3-8 relu x2) x2",
        ["g_1/a", "g_1/relu1", "g_1/relu2", "g_2/a", "g_2/relu1", "g_2/relu2"],
    ),
    ("3a: [1x1: conv1-8 | conv3-8]", ["3a/1x1", "3a/conv2", "3a"]),
    ("C1: conv5-6 S2: pool2", ["C1", "S2"]),
    ("8x8x3 3a: [1x1: conv1-8 | conv3-8]", ["3a/1x1", "3a/conv2", "3a"]),
    ("[1x1: conv1-8 | conv3-8]", ["1x1", "conv2", "concat1"]),
    ("a: [b: [c: relu | id] | id]", ["a/b/c", "a/b", "a"]),
    ("a: [/b: relu | c/d: relu]", ["b", "a/c/d", "a"]),
    ("gap gmp pool2 avgpool2", ["gap1", "gap2", "pool1", "pool2"]),
    ("relu relu6 x2", ["relu1", "relu6_1", "relu6_2"]),
]


@pytest.mark.parametrize(("text", "names"), NAMED)
def test_names(text, names):
    """Layers are called what they are told, else by kind and order in their scope."""
    assert named(text) == names


@pytest.mark.parametrize("text", ["relu x61 relu6", "relu6 relu x61", "conv3-8 x20 conv1: relu"])
def test_automatic_names_never_meet(text):
    """Names that nobody chose are never in each other's way."""
    network = parse(text)
    assert len(set(named(text))) == len(network.nodes)
    assert parse(write(network)) == network


REFERENCES = [
    ("a: conv3-8 b: relu (@a + @b)", {"a": ("input",), "b": ("a",), "add1": ("a", "b")}),
    ("a: [b: relu | conv3-8] (@a/b + id)", {"add1": ("a/b", "a")}),
    ("b: relu a: [b: conv3-8 | @b relu]", {"a/relu1": ("a/b",)}),  # the nearest scope
    ("b: relu a: [b: conv3-8 | @/b relu]", {"a/relu1": ("b",)}),  # the outermost
    ("b: relu a: [c: conv3-8 | @b relu]", {"a/relu1": ("b",)}),  # from further out
    ("s: relu a: (s: relu b: [bn | @s])", {"a/b": ("a/b/bn1", "a/s")}),  # not further than needed
    ("b: relu conv3-8 (id + @input)", {"add1": ("conv1", "input")}),
    ("g: (conv3-8 relu) pool2 [@g pool2 | id]", {"pool2": ("g/relu1",)}),  # a group's end
    (
        "(a: conv3-8 relu (id + @a)) x2",  # each repeat its own
        {"add1": ("relu1", "a_1"), "add2": ("relu2", "a_2"), "a_2": ("add1",)},
    ),
    ("s: conv3-8 (a: relu [id | @s]) x2", {"concat1": ("a_1", "s"), "concat2": ("a_2", "s")}),
    (
        "(a: conv3-8 (relu (id + @a)) x2) x2",  # a repeat inside of it, the repeat around it
        {"add1": ("relu1", "a_1"), "add2": ("relu2", "a_1"), "add3": ("relu3", "a_2")},
    ),
    (
        "(a: conv3-8 b: [relu | @a pool3/1]) x2",  # and so does a scope inside of it
        {"b_1": ("b_1/relu1", "b_1/pool1"), "b_1/pool1": ("a_1",), "b_2/pool1": ("a_2",)},
    ),
]


@pytest.mark.parametrize(("text", "expected"), REFERENCES)
def test_references(text, expected):
    """A reference means the nearest scope's layer of that name, its own repeat's first."""
    assert expected.items() <= edges(text).items()


SHARED = [
    ("a: conv3-3 =a relu", {"a": "", "conv2": "a", "relu1": ""}),
    ("a: conv3-3 =a x2", {"conv2": "a", "conv3": "a"}),
    ("a: conv3-3 b: =a =b", {"b": "a", "conv3": "b"}),  # whose parameters are a's
    ("a: conv3-3 b: =a relu (@b + id)", {"b": "a", "add1": ""}),
    ("s: (a: conv3-3 =a) =s/a", {"s/conv2": "s/a", "conv1": "s/a"}),
    ("(a: conv3-3 =a) x2", {"conv2": "a_1", "conv4": "a_2"}),  # each repeat its own
    ("a: conv3-3 s: (a: bn [=a | =/a])", {"s/bn2": "s/a", "s/conv1": "a"}),  # the nearest
]


@pytest.mark.parametrize(("text", "expected"), SHARED)
def test_layers_are_used_again(text, expected):
    """``=name`` is the layer of that name again, found as a reference is, with its parameters."""
    network = parse(text)
    nodes = {node.name: node for node in network.nodes}
    assert {name: nodes[name].shares for name in expected} == expected
    assert all(nodes[node.shares].layer is node.layer for node in network.nodes if node.shares)
    assert parse(write(network)) == network


@pytest.mark.parametrize(
    ("bad", "place", "good"),
    [
        ("=a relu", "word 1, column 1", "a: bn =a relu"),
        ("=input relu", "word 1, column 1", "a: relu =a"),
        ("s: (relu bn) =s", "word 6, column 14", "s: (relu a: bn) =s/a"),
        ("a: [relu | bn] =a", "word 7, column 16", "a: relu =a"),
        ("a: relu =", "word 3, column 9", "a: relu =a"),
        ("a: conv3-3 =a p1", "word 4, column 15", "a: conv3-3 p1 =a"),
        ("", "at the end", "relu"),
        ("conv3-8 ]", "word 2, column 9", "conv3-8"),
        ("[conv3-8 relu]", "word 1, column 1", "[conv3-8 | relu]"),
        ("[conv3-8 | ]", "word 4, column 12", "[conv3-8 | id]"),
        ("(conv3-8 + id", "at the end", "(conv3-8 + id)"),
        ("(conv3-8 | id)", "word 3, column 10", "[conv3-8 | id]"),
        ("(conv3-8 + id * id)", "word 5, column 15", "((conv3-8 + id) * id)"),
        ("@stem relu", "word 1, column 1", "stem: bn @stem relu"),
        ("a: relu a: relu", "word 3, column 9", "a: relu b: relu"),
        ("a: id relu", "word 1, column 1", "a: relu"),
        ("a: b: relu", "word 1, column 1", "a: relu"),
        ("relu a:", "word 2, column 6", "relu a: relu"),
        ("a$: relu", "word 1, column 1", "a: relu"),
        ("relu x0", "word 2, column 6", "relu x1"),
        ("conv3-8 32x32x3", "word 2, column 9", "32x32x3 conv3-8"),
        ("0x32x3 relu", "word 1, column 1", "1x32x3 relu"),
        (f"relu x{MAX_LAYERS + 1}", "word 1, column 1", "relu x9"),
        (f"{'(' * 61}relu{')' * 61}", f"word {MAX_DEPTH + 1}", f"{'(' * 60}relu{')' * 60}"),
        ("conv3-8 p0 /2", "word 1, column 1", "conv3-8 /2 p0"),
    ],
)
def test_border_of_sentences(bad, place, good):
    """A sentence that is not quite one is refused where it goes wrong, its neighbour is read."""
    assert parse(good).nodes
    with pytest.raises(ArchitectureError) as caught:
        parse(bad)
    assert caught.value.where.startswith(place)
    assert "\n" not in str(caught.value)


def test_files_are_named_in_errors():
    """An error in a file names the file, the line and the column."""
    with pytest.raises(ArchitectureError, match=r"net\.txt, line 3, column 5: 'konv3-8'"):
        parse("32x32x3\n# comment\nrelukonv3-8".replace("relu", "    "), file="net.txt")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("224x224x3 relu", Shape((224, 224), 3)),
        ("HxWx3 relu", Shape((letter("H"), letter("W")), 3)),
        ("100x4 relu", Shape((100,), 4)),
        ("784 fc-10", Shape((), 784)),
        ("relu", None),
    ],
)
def test_inputs(text, shape):
    """A size in front of everything is the network's input, letters and all."""
    network = parse(text)
    assert network.input == shape
    assert parse(write(network)) == network


@pytest.mark.parametrize(
    ("nodes", "fact"),
    [
        ((), "at least one layer"),
        ((Node("a", CONV, ("input",)), Node("a", CONV, ("a",))), "the name is taken"),
        ((Node("input", CONV, ("input",)),), "the name is taken"),
        ((Node("a", CONV, ("b",)),), "no earlier layer is called b"),
        ((Node("a", CONV, ("a",)),), "no earlier layer is called a"),
        ((Node("a", Add(), ("input",)),), "two inputs or more"),
        ((Node("a", CONV, ("input", "input")),), "takes one"),
        ((Node("a", CONV, ()),), "takes one"),
        ((Node("", CONV, ("input",)),), "'' cannot be a name"),
        ((Node("a b", CONV, ("input",)),), "'a b' cannot be a name"),
        ((Node("a/", CONV, ("input",)),), "'a/' cannot be a name"),
        ((Node("a", CONV, ("input",), "b"),), "no earlier layer is called b"),
        ((Node("a", CONV, ("input",), "a"),), "no earlier layer is called a"),
        ((Node("a", CONV, ("input",), "input"),), "no earlier layer is called input"),
        ((Node("a", CONV, ("input",)), Node("b", RELU, ("a",), "a")), "and is the same layer"),
        ((Node("a", CONV, (Port("b", 1),)),), "no earlier layer is called"),
        ((Node("a", CONV, ("input",)), Node("b", CONV, ("input",))), "nothing uses"),
    ],
)
def test_graphs_that_cannot_be(nodes, fact):
    """A graph with two nodes of one name, an unknown input or a loose end is refused."""
    with pytest.raises(ArchitectureError, match=fact):
        Network(nodes)


@pytest.mark.parametrize(
    ("ends", "fact"),
    [
        ({"inputs": ()}, "inputs of different names"),
        ({"inputs": (Input("x"), Input("x"))}, "inputs of different names"),
        ({"inputs": (Input("x"), Input("y"))}, "y: nothing uses"),
        ({"inputs": (Input("x"), Input("a"))}, "the name is taken"),
        ({"inputs": (Input("x"),), "outputs": ("b",)}, "outputs: no layer is called b"),
        ({"inputs": (Input("x"),), "outputs": ("x",)}, "a: nothing uses"),
    ],
)
def test_ends_that_cannot_be(ends, fact):
    """Inputs of one name, or that nothing uses, and outputs that nobody makes are refused."""
    with pytest.raises(ArchitectureError, match=fact):
        Network((Node("a", CONV, ("x",)),), **ends)


@given(networks())
def test_names_are_unique(network):
    """No two layers have one name, and none is called input."""
    names = Counter([node.name for node in network.nodes] + ["input"])
    assert set(names.values()) == {1}


def test_letters_of_a_network():
    """A network knows the letters among its channels, and fills them in."""
    network = parse("conv3-K relu convt2-K fc-N")
    assert network.letters() == {"K", "N"}
    assert network.substitute({"K": 64}).letters() == {"N"}
    filled = network.substitute({"K": 64, "N": 10})
    assert filled == parse("conv3-64 relu convt2-64 fc-10")


@given(networks())
def test_without_biases(network):
    """A network without biases is the same text with nobias behind every word that can have it."""
    bare = network.without_biases()
    assert [node.name for node in bare.nodes] == [node.name for node in network.nodes]
    for node, before in zip(bare.nodes, network.nodes, strict=True):
        if isinstance(node.layer, Convolution | TransposedConvolution | Linear):
            word = write_word(before.layer).removesuffix(" nobias")
            assert write_word(node.layer) == f"{word} nobias"
        else:
            assert node == before
