from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import evaluated, networks

import archcalc as ac
from archcalc import ArchitectureError, Network, Node, Shape, load, parse
from archcalc.count import letter, substitute
from archcalc.layers import Add, Convolution, Linear, TransposedConvolution, Window
from archcalc.network import Input
from archcalc.receptive import PIXEL
from archcalc.render.views.common import field as field_text
from archcalc.shape import LARGEST, check_values
from archcalc.zoo import NAMES

AXES = ("H", "W", "D")
QUANTITIES = ("weights", "biases", "parameters", "macs", "flops", "activations", "neurons")
BIASED = (Convolution, TransposedConvolution, Linear)


def values_of(shape):
    """A letter for each part of a shape, and what it stands for."""
    return dict(zip(AXES, shape.sizes, strict=False)) | {"C": shape.channels}


def in_letters(network):
    """The report on letters in the place of the input's numbers.

    Channels stay a number where a branch meets the input's in numbers alone.
    """
    *sizes, channels = (letter(name) for name in values_of(network.input))
    try:
        return ac.report(network, Shape(tuple(sizes), channels))
    except ArchitectureError:
        return ac.report(network, Shape(tuple(sizes), network.input.channels))


def workings(row):
    """Every working of a row: its counts, its units, how its sizes and its field come about."""
    yield from row.cost
    yield row.output.units
    if row.layer is None or row.layer.sign:
        return
    windows = row.layer.windows(row.inputs[0])
    for window, size in zip(windows, row.inputs[0].sizes, strict=bool(windows)):
        yield window.outputs(size)
        if isinstance(window, Window):
            yield PIXEL.grown(window)


def agree(formulas, numbers, values):
    """Check a report in letters against one in numbers: totals, rows, shapes, workings, fields."""
    assert {n: substitute(v, values) for n, v in formulas.totals.items()} == numbers.totals
    for row, expected in zip(formulas.rows, numbers.rows, strict=True):
        counts = {name: substitute(value, values) for name, value in row.counts().items()}
        assert counts == expected.counts()
        assert row.output.substitute(values) == expected.output
        for working, known in zip(row.cost, expected.cost, strict=True):
            assert str(working.substitute(values)) == str(known)
        for working, known in zip(workings(row), workings(expected), strict=True):
            there = working.substitute(values)
            assert there.value == known.value == evaluated(str(there), {})
            assert evaluated(str(working), values) == known.value
        for field, known in zip(row.seen.fields, expected.seen.fields, strict=True):
            if field is not None:
                assert substitute(field.size, values) == known.size
                assert substitute(field.padding, values) == known.padding
                assert field.letters() or field.stride == known.stride


def two_inputs():
    """A network of two inputs and two outputs: they are convolved and added, one goes on."""
    nodes = (
        *(Node("a", Convolution(3, 4), ("left",)), Node("b", Convolution(5, 4), ("right",))),
        *(Node("sum", Add(), ("a", "b")), Node("c", Convolution(3, 2), ("b",))),
    )
    inputs = Input("left", Shape((9, 9), 2)), Input("right", Shape((9, 9), 3))
    return Network(nodes, inputs=inputs, outputs=("sum", "c"))


# --------------------------------------------------------------------------- letters and numbers


@given(networks())
@example(parse("12x12x8 (id * gap conv1-8) conv3-8"))
@example(parse("12x12x8 gap convt2-8/2"))
@example(parse("12x12x8 convt2-8/2 gap"))
@example(parse("12x12x8 convt2-8/2 conv3-8 fc-10"))
def test_formulas_give_the_numbers(network):
    """A report in letters, its letters replaced, is the report in numbers: totals and rows."""
    agree(in_letters(network), ac.report(network), values_of(network.input))


@given(networks(), st.integers(1, 9))
def test_formulas_hold_at_other_sizes(network, more):
    """A formula found once holds at every size that the network can take."""
    larger = Shape(tuple(size + more for size in network.input.sizes), network.input.channels)
    agree(in_letters(network), ac.report(network, larger), values_of(larger))


@given(networks())
def test_at_is_the_report_in_numbers(network):
    """Letters and their values, as text or as a dict, are the numbers typed in at once."""
    values = values_of(network.input)
    text = ",".join(f"{name}={value}" for name, value in values.items())
    expected = ac.report(network)
    for at in (text, values):
        filled = ac.report(network, "x".join(values), at=at)
        assert filled.totals == expected.totals
        assert filled.rows == expected.rows


def test_at_fills_in_channels():
    """Values go to the letters among the channels as to those among the sizes."""
    filled = ac.report("HxWx3 conv3-K fc-N", at="H=8,W=9,K=4,N=10")
    assert filled.rows == ac.report("8x9x3 conv3-4 fc-10").rows


@given(networks())
def test_letters_among_the_channels(network):
    """With a letter for a number of channels, ``conv3-K``, formulas still give the numbers."""
    convolutions = [n.layer for n in network.nodes if isinstance(n.layer, BIASED[:2])]
    channels = Counter(layer.out_channels for layer in convolutions)
    ((number, _),) = channels.most_common(1) or ((network.input.channels, 1),)
    k = letter("K")

    def lettered(value):
        return k if value == number else value

    nodes = []
    for node in network.nodes:
        layer = node.layer
        if isinstance(layer, Linear):
            layer = replace(layer, out_features=lettered(layer.out_features))
        elif isinstance(layer, BIASED):
            layer = replace(layer, out_channels=lettered(layer.out_channels))
        nodes.append(node._replace(layer=layer))
    known = Network(tuple(nodes))
    assert known.substitute({"K": number}).nodes == network.nodes
    try:
        formulas = ac.report(known, Shape(network.input.sizes, lettered(network.input.channels)))
    except ArchitectureError:  # branches whose channels agree in numbers alone
        assume(condition=False)
    agree(formulas, ac.report(network), {"K": number})


@pytest.mark.parametrize("name", NAMES)
def test_the_zoo_in_letters(name):
    """Every network of the zoo is counted in letters as it is in numbers."""
    network = load(name)
    agree(in_letters(network), ac.report(network), values_of(network.input))


FORMULAS = [
    ("HxWx3 conv3-64", "macs", "1728*H*W"),
    ("HxWxC conv3-K", "macs", "9*C*H*K*W"),
    ("HxWxC conv3-K", "parameters", "9*C*K + K"),
    ("HxWxC conv3-K nobias", "flops", "18*C*H*K*W"),
    ("HxWxC conv3-K g4", "weights", "9*C*K/4"),
    ("HxWxC conv3-6 g2", "weights", "27*C"),
    ("HxWxC conv3-6 g2", "parameters", "27*C + 6"),
    ("8x8xC convt3-K g2", "weights", "9*C*K/2"),
    ("8x8xC [id | conv1-8] conv3-K g2 nobias", "weights", "9*C*K/2 + 8*C + 36*K"),
    ("HxWxC fc-N", "weights", "C*H*N*W"),
    ("HxWx3 gap", "activations", "3*H*W + 3"),
    ("NxC bn", "parameters", "2*C"),
    ("HxWx3 pool2", "activations", "3*H*W + 3*floor(H/2)*floor(W/2)"),
    ("HxWx3 pool3/2 p1", "activations", "3*H*W + 3*floor((H + 1)/2)*floor((W + 1)/2)"),
    ("HxWx3 pool2 ceil", "activations", "3*H*W + 3*floor((H + 1)/2)*floor((W + 1)/2)"),
    ("HxWx3 pool3/2 ceil", "activations", "3*H*W + 3*floor(H/2)*floor(W/2)"),
]


@pytest.mark.parametrize(("text", "quantity", "formula"), FORMULAS)
def test_formulas(text, quantity, formula):
    """The totals of a network in letters read as a textbook writes them."""
    assert str(ac.report(text).totals[quantity]) == formula


@pytest.mark.parametrize(
    "text", ["[pool2 | pool3/2 ceil]", "[conv3-8/2 | pool2 ceil]", "[id | pool3/1 | conv5-8]"]
)
def test_branches_of_one_size_meet_in_letters(text):
    """Branches that are as large as one another at every size meet where the size is a letter."""
    network = parse(text)
    formulas = ac.report(network, "HxWx3").rows[-1].output
    for size in range(2, 12):
        values = {"H": size, "W": size + 1}
        numbers = ac.report(network, f"{size}x{size + 1}x3")
        assert formulas.substitute(values) == numbers.rows[-1].output


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("8x8xC conv3-6 g2", {"C": 5}),
        ("8x8xC [conv1-K | id] conv3-6 g3", {"C": 3, "K": 2}),
        ("8x8x4 convt3-K g2", {"K": 3}),
        ("8x8xC gn4", {"C": 6}),
    ],
)
def test_groups_that_leave_a_rest(text, values):
    """Values that groups do not divide are refused before anything is counted."""
    with pytest.raises(ArchitectureError, match="groups do not divide"):
        ac.report(text, at=values)


def test_channels_in_groups_are_substituted_in_totals():
    """What is wrong for a group is refused in a total as well, also where it shows no division."""
    totals = ac.report("8x8xC conv3-6 g2 conv1-K").totals
    assert substitute(totals["parameters"], {"C": 4, "K": 1}) == 27 * 4 + 6 + 6 + 1
    for name in ("weights", "parameters", "macs", "flops"):
        with pytest.raises(ArchitectureError, match="C=5: C/2 leaves a rest"):
            totals[name].substitute({"C": 5})


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        (-4, "K: a size is at least 1, not -4"),
        (0, "K: a size is at least 1, not 0"),
        (1.5, "K: '1.5', a float, is neither a whole number nor a letter"),
        (4.0, "'4.0', a float"),
        (float("nan"), "'nan', a float"),
        (Fraction(3, 2), "'3/2', a Fraction"),
        (True, "'True', a bool"),
        ("4", "'4', a str"),
        (None, "'None', a NoneType"),
        (LARGEST + 1, "K: a size is at most 1,000,000,000"),
        pytest.param(10**5000, "K: a size is at most", id="endless"),
        pytest.param(-(10**5000), "K: a size is at least 1;", id="endless, negative"),
        (letter("C") * -2, r"-2\*C is never positive"),
    ],
)
def test_values_are_sizes(value, fact):
    """A letter's value is a positive integer or a formula, and what is neither is named."""
    with pytest.raises(ArchitectureError, match=fact):
        check_values({"C": 3, "K": value})


def test_values_of_other_kinds():
    """Integers of other kinds become Python's, and a letter may stand for a letter."""
    numpy = pytest.importorskip("numpy")
    checked = check_values({"K": numpy.int64(4), "C": letter("N") - 1, "H": LARGEST})
    assert checked == {"K": 4, "C": letter("N") - 1, "H": LARGEST}
    assert type(checked["K"]) is int
    for refused in (numpy.float32(4), numpy.bool_(True), numpy.array([4, 4])):  # noqa: FBT003
        with pytest.raises(ArchitectureError, match="neither a whole number nor a letter"):
            check_values({"K": refused})
    totals = ac.report("8x8x3 conv3-K", at={"K": letter("C")}).totals
    assert str(totals["parameters"]) == "28*C"


@pytest.mark.parametrize(
    ("text", "size", "stride"),
    [
        ("HxWx3 pool2 gap", "(2*floor((H - 2)/2) + 2)x(2*floor((W - 2)/2) + 2)", "2"),
        ("99xWx3 conv3-8 gap", "101x(W + 2)", "1"),
        ("HxWx3 conv3-8 conv3x1-8", "5x3", "1"),
        ("9x9x1 convt2-1/2x1", "1x2", "1/2x1"),
        ("9x9x1 conv5-1 conv3-1/2", "7", "2"),
    ],
)
def test_fields_are_told_apart(text, size, stride):
    """Where a field differs by axis, sums in it stand in brackets between the x."""
    seen = ac.report(text).rows[-1].seen
    assert field_text(seen, "size") == size
    assert field_text(seen, "stride") == stride


@pytest.mark.parametrize(
    ("shape", "size"), [("9x1", "7"), ("9x9x1", "7x7"), ("9x9x9x1", "7x7x7"), ("Lx1", "7")]
)
def test_whole_fields_have_as_many_numbers_as_axes(shape, size):
    """Written in full, a field has one number an axis: a signal's has one."""
    seen = ac.report(f"{shape} conv5-1 conv3-1").rows[-1].seen
    assert field_text(seen, "size", whole=True) == size


@pytest.mark.parametrize(
    ("at", "fact"),
    [
        ("H=9,Q=1", "Q is no letter here"),
        ("H=0", "at least 1"),
        ("H=W", "needs a number"),
        ("H=1,H=2", "no letter a value of its own"),
        ("H", "no letter a value of its own"),
        ("H=-1", "neither a positive whole number"),
    ],
)
def test_values_that_cannot_be(at, fact):
    """Values for letters that are none, or that are no sizes, are refused."""
    with pytest.raises(ArchitectureError, match=fact):
        ac.report("HxWx3 conv3-8", at=at)


# ---------------------------------------------------------------------------------- adding up


@given(networks())
def test_rows_add_up_to_totals(network):
    """Every total is the sum of its column."""
    report = ac.report(network)
    for name in QUANTITIES:
        assert report.totals[name] == sum(row.counts()[name] for row in report.rows)
    assert set(report.totals) == set(QUANTITIES)


@given(networks())
def test_scopes_add_up_to_totals(network):
    """Every row is in one outermost scope, and the scopes add up to the totals."""
    report = ac.report(network)
    scopes = {row.name.partition("/")[0] for row in report.rows}
    parts = [report.part(scope) for scope in scopes]
    for name in QUANTITIES:
        assert sum(part[name] for part in parts) == report.totals[name]
    assert report.part("total") == report.totals
    for row in report.rows:
        inside = any(other.name.startswith(f"{row.name}/") for other in report.rows)
        assert inside or report.part(row.name) == row.counts()


@given(networks())
def test_rows_hold_together(network):
    """In every row two FLOPs are one MAC, and parameters are weights and biases."""
    for row in ac.report(network).rows:
        counts = row.counts()
        assert counts["flops"] == 2 * counts["macs"]
        assert counts["parameters"] == counts["weights"] + counts["biases"]
        held = 0 if row.in_place else row.output.units.value
        assert counts["activations"] == held
        assert counts["neurons"] == (held if isinstance(row.layer, BIASED) else 0)


@given(networks())
def test_every_working_evaluates(network):
    """Every working of every row, read by Python, is the number beside it, in letters as well."""
    values = values_of(network.input)
    for report in (ac.report(network), in_letters(network)):
        for row in report.rows:
            for working in workings(row):
                assert evaluated(str(working), values) == substitute(working.value, values)


@given(networks())
def test_shapes_follow_the_edges(network):
    """What reaches a row is what left the rows it takes, and the first row is the input."""
    report = ac.report(network)
    left = {row.name: row.output for row in report.rows}
    assert left["input"] == network.input
    for node, row in zip(network.nodes, report.rows[1:], strict=True):
        assert row.name == node.name
        assert row.layer is node.layer
        assert row.inputs == tuple(left[name] for name in node.inputs)


@pytest.mark.parametrize("sharing", [True, False])
def test_a_layer_used_again_has_one_set_of_weights(sharing):
    """A layer used a hundred times counts its weights once and its MACs a hundred times."""
    again = "=a" if sharing else "fc-1024"
    report = ac.report(f"1024 a: fc-1024 {again} x99")
    assert report.totals["parameters"] == (1_049_600 if sharing else 104_960_000)
    assert report.totals["macs"] == 104_857_600
    assert report.totals["flops"] == 2 * 104_857_600
    assert report.totals["activations"] == 101 * 1024
    assert {row.word for row in report.rows[2:]} == {again}
    assert [row.counts()["weights"] for row in report.rows[1:3]] == [
        1024 * 1024,
        0 if sharing else 1024 * 1024,
    ]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("8x8x3 a: conv3-8 =a", r"conv2, input 8x8x8: the weight of a has \(3\*3\*3\)\*8 = 216"),
        ("8x8x3 a: bn conv1-4 =a", "bn2, input 8x8x4: the weight of a has 3 values"),
        ("8x8x3 a: fc-5 =a", "fc2, input 5: .* this input needs 5\\*5 = 25"),
        ("HxWxC a: conv3-8 =a", "needs .* = 576"),
    ],
)
def test_weights_that_do_not_fit_again(text, fact):
    """A layer used again on an input that needs other weights is refused, and both are said."""
    with pytest.raises(ArchitectureError, match=fact):
        ac.report(text)


def test_two_inputs_and_two_outputs():
    """Inputs are rows, each step reads its own, and the totals are those of all."""
    report = ac.report(two_inputs())
    assert [row.name for row in report.rows] == ["left", "right", "a", "b", "sum", "c"]
    assert [value.name for value in report.case.outputs] == ["sum", "c"]
    counts = {row.name: row.counts() for row in report.rows}
    parameters = {"a": 3 * 3 * 2 * 4 + 4, "b": 5 * 5 * 3 * 4 + 4, "c": 3 * 3 * 4 * 2 + 2}
    assert {n: c["parameters"] for n, c in counts.items() if c["parameters"]} == parameters
    assert report.totals["parameters"] == 76 + 304 + 74
    assert report.totals["macs"] == 81 * (4 * 18 + 4 * 75 + 2 * 36)
    assert report.totals["activations"] == 81 * (2 + 3 + 4 + 4 + 4 + 2)
    assert [str(shape) for shape in report.rows[4].inputs] == ["9x9x4", "9x9x4"]


def test_inputs_by_name():
    """Of several inputs each is given by its name; those that are not said are the network's."""
    report = ac.report(two_inputs(), {"right": "9x9x5"})
    assert [str(row.output) for row in report.rows[:2]] == ["9x9x2", "9x9x5"]
    letters = ac.report(two_inputs(), {"left": "HxWx2", "right": "HxWxC"})
    assert letters.case.letters() == {"H", "W", "C"}
    filled = ac.report(two_inputs(), {"left": "HxWx2", "right": "HxWxC"}, at="H=9,W=9,C=3")
    assert filled.totals == ac.report(two_inputs()).totals
    for wrong, fact in (
        ({"middle": "9x9x2"}, "'middle' is no input of this network; one of left, right"),
        ({"left": "9x2"}, "takes HEIGHTxWIDTHxCHANNELS, not 9x2"),
        ({"left": "8x9x2"}, r"sum \(a \| b\): branches need one shape"),
    ):
        with pytest.raises(ArchitectureError, match=fact):
            ac.report(two_inputs(), wrong)


@given(networks())
def test_without_biases(network):
    """Without biases, those of convolutions and linear layers are gone and nothing else is."""
    report, bare = ac.report(network), ac.report(network, bias=False)
    for row, less in zip(report.rows, bare.rows, strict=True):
        before, after = row.counts(), less.counts()
        gone = before["biases"] if isinstance(row.layer, BIASED) else 0
        assert before["biases"] - after["biases"] == gone
        assert before["parameters"] - after["parameters"] == gone
        for name in ("weights", "macs", "flops", "activations", "neurons"):
            assert before[name] == after[name]
    assert bare.totals == ac.report(network.without_biases()).totals


@given(
    networks(),
    st.integers(1, 1000),
    st.sampled_from([("fp64", 8), ("fp32", 4), ("half", 2), ("BF16", 2), ("int8", 1)]),
)
def test_memory(network, batch, dtype):
    """Memory is units times bytes, activations times the batch, parameters once."""
    name, size = dtype
    report = ac.report(network, batch=batch, dtype=name)
    totals = report.to_dict()["totals"]
    assert report.totals == ac.report(network).totals
    assert totals["parameter_bytes"] == report.totals["parameters"] * size
    assert totals["activation_bytes"] == report.totals["activations"] * size * batch


@pytest.mark.parametrize(
    ("named", "fact"),
    [
        ({"batch": 0}, "between 1 and"),
        ({"batch": 10**9 + 1}, "between 1 and"),
        ({"dtype": "fp31"}, "is no dtype"),
        ({"input": "32x3"}, "takes HEIGHTxWIDTHxCHANNELS, not 32x3"),
        ({"input": "32x0x3"}, "at least 1"),
        ({"input": "1x1x3"}, "larger than its padded input"),
        ({"input": Shape((8.5, 8), 3)}, "input 8.5x8x3: '8.5', a float, is neither"),
        ({"input": Shape((8, 8), 0)}, "input 8x8x0: a size is at least 1"),
        ({"input": (8, 8, 3)}, "is no shape; give"),
        ({"batch": 2.0}, "between 1 and"),
        ({"batch": True}, "between 1 and"),
        ({"input": "HxWx3", "at": {"H": 8.5, "W": 8}}, "H: '8.5', a float, is neither"),
    ],
)
def test_options_that_cannot_be(named, fact):
    """An option or an input that cannot be is refused, and said."""
    network = parse("32x32x3 conv3-8 p0 pool2")
    with pytest.raises(ArchitectureError, match=fact):
        ac.report(network, **named)


def test_a_network_without_an_input():
    """A network that does not say what goes in takes what it is given, else asks."""
    network = parse("conv3-8")
    assert ac.report(network, "5x5x2").totals["parameters"] == 152
    assert ac.report(network, "7x2").totals["parameters"] == 56
    with pytest.raises(ArchitectureError, match="does not say what goes in"):
        ac.report(network)


def test_errors_name_the_layer():
    """A layer that cannot take the shape that reaches it is named, and so is the shape."""
    with pytest.raises(ArchitectureError, match="pool3, input 1x1x8: a kernel of extent 2"):
        ac.report("4x4x8 pool2 x3")
    with pytest.raises(ArchitectureError, match=r"add1 \(input \| conv1\): branches need"):
        ac.report("4x4x8 (id + conv3-4)")
    with pytest.raises(ArchitectureError, match=r"no row 'conv2'.*did you mean conv1"):
        ac.report("4x4x8 conv3-4").part("conv2")
