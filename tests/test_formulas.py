from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import evaluated, networks

import archcalc as ac
from archcalc import ArchitectureError, Network, Shape, load, parse
from archcalc.count import letter, substitute
from archcalc.layers import Convolution, Join, Linear, TransposedConvolution, Window
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
    if row.layer is None or isinstance(row.layer, Join):
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
        found = ac.report(network, "x".join(values), at=at)
        assert found.totals == expected.totals
        assert found.rows == expected.rows


def test_at_fills_in_channels():
    """Values go to the letters among the channels as to those among the sizes."""
    found = ac.report(parse("HxWx3 conv3-K fc-N"), at="H=8,W=9,K=4,N=10")
    assert found.rows == ac.report(parse("8x9x3 conv3-4 fc-10")).rows


@given(networks())
def test_letters_among_the_channels(network):
    """With a letter for a number of channels, ``conv3-K``, formulas still give the numbers."""
    convolutions = [n.layer for n in network.nodes if isinstance(n.layer, BIASED[:2])]
    channels = Counter(layer.out_channels for layer in convolutions)
    ((number, _),) = channels.most_common(1) or ((network.input.channels, 1),)
    k = letter("K")

    def replaced(value):
        return k if value == number else value

    nodes = []
    for node in network.nodes:
        layer = node.layer
        if isinstance(layer, Linear):
            layer = layer.replace(out_features=replaced(layer.out_features))
        elif isinstance(layer, BIASED):
            layer = layer.replace(out_channels=replaced(layer.out_channels))
        nodes.append(node._replace(layer=layer))
    known = Network(tuple(nodes))
    assert known.substitute({"K": number}).nodes == network.nodes
    try:
        formulas = ac.report(known, Shape(network.input.sizes, replaced(network.input.channels)))
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
    assert str(ac.report(parse(text)).totals[quantity]) == formula


@pytest.mark.parametrize(
    "text", ["[pool2 | pool3/2 ceil]", "[conv3-8/2 | pool2 ceil]", "[id | pool3/1 | conv5-8]"]
)
def test_branches_of_one_size_meet_in_letters(text):
    """Branches that are as large as one another at every size meet where the size is a letter."""
    network = parse(text)
    found = ac.report(network, "HxWx3").rows[-1].output
    for size in range(2, 12):
        values = {"H": size, "W": size + 1}
        numbers = ac.report(network, f"{size}x{size + 1}x3")
        assert found.substitute(values) == numbers.rows[-1].output


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
        parse(text).report(at=values)


def test_channels_in_groups_are_substituted_in_totals():
    """What is wrong for a group is refused in a total as well, also where it shows no division."""
    totals = parse("8x8xC conv3-6 g2 conv1-K").report().totals
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
    totals = parse("8x8x3 conv3-K").report(at={"K": letter("C")}).totals
    assert str(totals["parameters"]) == "28*C"


@pytest.mark.parametrize(
    ("text", "size", "stride"),
    [
        ("HxWx3 pool2 gap", "(2*floor((H - 2)/2) + 2)x(2*floor((W - 2)/2) + 2)", "2"),
        ("99xWx3 conv3-8 gap", "101x(W + 2)", "1"),
        ("HxWx3 conv3-8 conv3x1-8", "5x3", "1"),
        ("9x9x1 convt2-1/2x1", "1x2", "1/2x1"),
    ],
)
def test_fields_in_letters_are_told_apart(text, size, stride):
    """Where a field differs by axis, sums in it stand in brackets between the x."""
    seen = parse(text).report().rows[-1].seen
    assert field_text(seen, "size") == size
    assert field_text(seen, "stride") == stride


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
        ac.report(parse("HxWx3 conv3-8"), at=at)


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
        ac.report(parse("4x4x8 pool2 x3"))
    with pytest.raises(ArchitectureError, match=r"add1 \(input \| conv1\): branches need"):
        ac.report(parse("4x4x8 (id + conv3-4)"))
    with pytest.raises(ArchitectureError, match=r"no row 'conv2'.*did you mean conv1"):
        ac.report(parse("4x4x8 conv3-4")).part("conv2")
