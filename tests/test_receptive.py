from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import networks

import archcalc as ac
from archcalc import ArchitectureError, Network, Node, Shape, parse
from archcalc.count import Formula, letter
from archcalc.layers import (
    AdaptiveWindow,
    Add,
    Convolution,
    GlobalPool,
    Multiply,
    Pool,
    TransposedWindow,
    Window,
)
from archcalc.network import Input
from archcalc.receptive import PIXEL, Field, stacking

# ------------------------------------------------------------------- what outputs see, by hand


def taps(window, size, output):
    """Where an output reads its input, padding included, from the definition of each window."""
    match window:
        case Window():
            return [
                window.stride * output - window.padding + window.dilation * tap
                for tap in range(window.kernel)
            ]
        case TransposedWindow():  # the inputs that write to it, beyond the edges as well
            return [
                place
                for place in range(-20, size + 20)
                for tap in range(window.kernel)
                if window.stride * place - window.padding + window.dilation * tap == output
            ]
        case AdaptiveWindow():  # the inputs that touch this output's share of the axis
            return [
                place
                for place in range(size)
                if place * window.target < (output + 1) * size
                and (place + 1) * window.target > output * size
            ]
    raise AssertionError(window)


def through(seen, window):
    """What the outputs of a window see, given what its inputs see; None where padding is seen."""
    size = len(seen)
    behind = []
    for output in range(window.outputs(size).value):
        inputs = [seen[i] if 0 <= i < size else None for i in taps(window, size, output)]
        behind.append(None if None in inputs else frozenset().union(*inputs))
    return behind


def joined(branches):
    """What the outputs of a join see, given what the branches' outputs see."""
    both = zip(*branches, strict=True)
    return [None if None in inputs else frozenset().union(*inputs) for inputs in both]


def stretched(seen, size):
    """What the outputs of a gate see: those of its one position."""
    return seen if len(seen) == size else seen * size


def pixels(size):
    """Every input sees itself."""
    return [frozenset({place}) for place in range(size)]


def check(field, seen):
    """Compare a field with the sets of inputs that outputs see, where they see no padding."""
    pattern = len(field.spans)
    inside = {output: inputs for output, inputs in enumerate(seen) if inputs is not None}
    for output, inputs in inside.items():
        turn, place = divmod(output, pattern)
        moved = [end + turn * field.shift for end in field.spans[place] or ()]
        assert moved == ([min(inputs), max(inputs)] if inputs else [])
        later = inside.get(output + pattern)
        if inputs and later:
            assert Fraction(min(later) - min(inputs), pattern) == field.stride
        if inputs and pattern == 1:
            assert field.padding == output * field.stride - min(inputs)
    sizes = [max(inputs) - min(inputs) + 1 if inputs else 0 for inputs in inside.values()]
    if {output % pattern for output in inside} == set(range(pattern)):
        assert field.size == max(sizes)
    else:
        assert all(size <= field.size for size in sizes)


SLIDING = st.tuples(
    *(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2))
).map(lambda numbers: Window(*numbers))
SPREADING = SLIDING.map(lambda window: TransposedWindow(*window[:4]))


@st.composite
def chains(draw, *, sliding):
    """An axis and windows one behind the other, with outputs enough to lie inside of it."""
    start = size = draw(st.integers(60, 120))
    chain = []
    for _ in range(draw(st.integers(1, 4))):
        adaptive = st.builds(AdaptiveWindow, st.just(size), st.integers(6, 24))
        window = draw(SLIDING if sliding else SLIDING | SPREADING | adaptive)
        try:
            outputs = window.outputs(size).value
        except ArchitectureError:
            continue
        if 6 <= outputs <= 160:
            chain.append(window)
            size = outputs
    return start, chain


# ------------------------------------------------------------------------------------- chains


@given(chains(sliding=True))
def test_sliding_windows_compose(drawn):
    """Through windows that slide, size, stride and padding are what the index sets say."""
    start, chain = drawn
    field, seen = PIXEL, pixels(start)
    for window in chain:
        field, seen = field.through(window), through(seen, window)
        assert len(field.spans) == 1
        check(field, seen)


@given(chains(sliding=False))
def test_all_windows_compose(drawn):
    """Through windows of every kind, each output's first and last input are the index sets'."""
    start, chain = drawn
    field, seen = PIXEL, pixels(start)
    for window in chain:
        field, seen = field.through(window), through(seen, window)
        check(field, seen)


@given(st.lists(SLIDING, max_size=4))
def test_recurrences(chain):
    """Size, stride and padding follow the paper's recurrences from 1, 1, 0, workings too."""
    size, stride, padding = 1, 1, 0
    field = PIXEL
    for k, s, p, d, _ in chain:
        window = Window(k, s, p, d)
        size, padding = size + d * (k - 1) * stride, padding + p * stride
        assert field.grown(window).value == size
        stride *= s
        field = field.through(window)
        assert (field.size, field.stride, field.padding) == (size, stride, padding)
        assert field.centre == (size - 1) / 2 - padding


@given(st.lists(SLIDING, max_size=3), st.lists(SLIDING, max_size=3))
def test_windows_associate(first, second):
    """A chain is one window, and behind another its numbers count by the other's stride."""

    def walked(chain):
        field = PIXEL
        for window in chain:
            field = field.through(window)
        return field

    front, back, both = walked(first), walked(second), walked(first + second)
    assert both.size == front.size + (back.size - 1) * front.stride
    assert both.stride == front.stride * back.stride
    assert both.padding == front.padding + back.padding * front.stride
    assert front.through(Window(back.size, back.stride, back.padding)) == both


def test_holes():
    """Outputs that a transposed window does not write to see nothing, and count for nothing."""
    field = PIXEL.through(TransposedWindow(1, 2))
    assert field == Field(((0, 0), None), 1)
    assert (field.size, field.stride, field.padding) == (1, Fraction(1, 2), 0)
    assert field.through(Window(1, 2, 1)).size == 0
    assert field.through(Window(2)).size == 1
    assert field.through(Window(3)).size == 2


# ------------------------------------------------------------------------------------- graphs


@given(networks(axes=2, smallest=20, largest=26, ends=False))
def test_graphs(network):
    """In any graph, an output sees from the first to the last input that its branches see.

    Behind gates alone there may be no one field.
    """
    report = ac.report(network)
    axes = range(len(network.input.sizes))
    seen = {"input": [pixels(size) for size in network.input.sizes]}
    gated = False
    for node, row in zip(network.nodes, report.rows[1:], strict=True):
        before = [seen[name] for name in node.inputs]
        if node.layer.sign:
            gated = gated or isinstance(node.layer, Multiply)
            sizes = row.output.sizes
            here = [joined([stretched(each[i], sizes[i]) for each in before]) for i in axes]
        else:
            windows = node.layer.windows(row.inputs[0])
            here = [through(before[0][i], windows[i]) for i in axes] if windows else before[0]
        seen[node.name] = here
        for field, sets in zip(row.seen.fields, here, strict=True):
            if field is not None or not gated:
                check(field, sets)


@given(networks(gates=False, ends=False))
def test_aligned_branches_are_not_complained_of(network):
    """Branches of sliding windows that halve alike and are centred alike raise no complaint."""
    report = ac.report(network)
    fields = [field for row in report.rows for field in row.seen.fields]
    assume(all(len(field.spans) == 1 for field in fields))
    assert not any(row.seen.misaligned for row in report.rows)


@given(networks(gates=False), st.integers(0, 9))
def test_layers_that_have_no_window_keep_the_field(network, axis):
    """Activations, dropout, norms and flat layers see what their input sees."""
    report = ac.report(network)
    before = {row.name: row for row in report.rows}
    for node, row in zip(network.nodes, report.rows[1:], strict=True):
        source = before[node.inputs[0]]
        if not node.layer.sign and not node.layer.windows(row.inputs[0]):
            assert row.seen.fields == source.seen.fields
        if isinstance(node.layer, GlobalPool) and source.name == "input":
            axis %= len(network.input.sizes)
            assert row.seen.fields[axis].size == network.input.sizes[axis]


@pytest.mark.parametrize(
    ("text", "complaint", "size"),
    [
        ("9x9x3 [a: conv3-8/2 p0 | b: conv6-8 p0]", "stride 2 in a, 1 in b", None),
        ("8x8x3 [a: pool2 | b: conv3-8/2]", "centre 0.5 in a, 0 in b", 3),
        ("8x8x3 [a: conv4-8/2 | b: pool2 | c: conv3-8/2]", "0.5 in a, 0.5 in b, 0 in c", 4),
        ("8x9x3 [a: pool2x1/2x1 | b: conv3-8/2x1]", "centre 0.5 in a, 0 in b", 3),
    ],
)
def test_misaligned_branches_are_named(text, complaint, size):
    """Branches whose strides or centres differ are named at their join, with what differs."""
    rows = {row.name: row for row in ac.report(text).rows}
    join = next(row for row in rows.values() if row.layer and row.layer.sign)
    assert complaint in join.seen.misaligned
    known = join.seen.fields[0]
    assert known.size == size if size else known is None


@pytest.mark.parametrize("size", ["9x8x4", "HxWx4"])
@pytest.mark.parametrize("gated", ["(id * gap conv1-4 sigmoid)", "(gap conv1-4 sigmoid * id)"])
def test_gates_see_the_whole_image(size, gated):
    """Behind a gate that sees the whole image, every output sees it, wherever it stands."""
    report = ac.report(f"{size} conv3-4 s: conv3-4 {gated} conv3-4 [id | @s conv5-4]")
    rows = {row.name: row.seen for row in report.rows}
    for name in ("mul1", "conv4", "concat1"):
        assert [field.size for field in rows[name].fields] == [*report.input.sizes]
        assert [(field.stride, field.padding) for field in rows[name].fields] == [(0, 0)] * 2
        assert not rows[name].misaligned
    assert [field.centre for field in rows["mul1"].fields] == (
        [4, 3.5] if size == "9x8x4" else [None, None]
    )
    assert [field.size for field in rows["s"].fields] == [5, 5]


@pytest.mark.parametrize("size", ["9x9x4", "10x9x4"])
@pytest.mark.parametrize("gate", ["gate: conv1-4/10 p0", "pool4 gate: conv1-4/3 p0"])
def test_gates_that_see_a_part_have_no_common_field(size, gate):
    """A gate that sees a part is as far from one output as from none: no field from there on."""
    rows = {row.name: row.seen for row in ac.report(f"{size} (id * {gate}) conv3-4").rows}
    assert rows["mul1"].fields == rows["conv2"].fields == (None, None)
    assert rows["mul1"].misaligned == "gate gives every position the same"


def test_fields_in_every_input():
    """Of several inputs, each has its own field in every layer that sees it, and in no other."""
    nodes = (
        *(Node("a", Convolution(3, 4), ("left",)), Node("b", Convolution(5, 4, 2), ("right",))),
        *(Node("c", Pool(2), ("a",)), Node("sum", Add(), ("c", "b")), Node("d", Pool(2), ("b",))),
    )
    network = Network(nodes, inputs=(Input("left"), Input("right")), outputs=("sum", "d"))
    rows = ac.report(network, {"left": "8x8x2", "right": "8x8x3"}).rows
    sizes = {
        row.name: {name: seen.fields[0].size for name, seen in row.fields.items()} for row in rows
    }
    assert sizes == (
        {"left": {"left": 1}, "right": {"right": 1}, "a": {"left": 3}, "b": {"right": 5}}
        | {"c": {"left": 4}, "sum": {"left": 4, "right": 5}, "d": {"right": 7}}
    )


@pytest.mark.parametrize(("stride", "known"), [(9_999, True), (10_007, False)])
def test_endless_patterns_are_given_up(stride, known):
    """A pattern of more than ten thousand outputs is given up; a shorter one is walked."""
    (field,) = ac.report(f"8x1 convt3-1/{stride}").rows[-1].seen.fields
    assert (field is not None) == known


# -------------------------------------------------------------------------------------- stacks


def test_three_5x5():
    """Three stacked 5x5 convolutions see 13x13."""
    seen = ac.report("99x99x3 conv5-8 x3").rows[-1].seen
    assert [field.size for field in seen.fields] == [13, 13]


@given(st.integers(1, 12), st.integers(1, 9))
def test_stacked_convolutions(layers, kernel):
    """N stacked FxF convolutions of stride 1 see N*F - N + 1, which the induction claims."""
    field = PIXEL
    for _ in range(layers):
        field = field.through(Window(kernel))
    values = {"N": layers, "F": kernel}
    assert field.size == stacking().closed.substitute(values).value == layers * (kernel - 1) + 1
    assert PIXEL.through(Window(field.size)) == field


def test_induction():
    """The induction holds as formulas: it starts at F, grows by F - 1, and arrives at its claim."""
    n, f = letter("N"), letter("F")
    induction = stacking()
    assert induction.start == f
    assert induction.growth == f - 1
    assert induction.closed.value == induction.single == n * f - n + 1
    assert induction.step.value == induction.claim == (n + 1) * f - (n + 1) + 1
    assert str(induction.closed) == "N*F - N + 1"


def test_the_induction_can_fail(monkeypatch):
    """An induction over windows that grow otherwise is refused."""
    grown = Field.grown
    monkeypatch.setattr(Field, "grown", lambda f, window: grown(f, window._replace(dilation=2)))
    with pytest.raises(AssertionError, match="does not hold"):
        stacking()


def test_kernels_may_be_letters():
    """A window's kernel may be a letter, and the field is a formula in it."""
    field = PIXEL.through(Window(letter("F"), 2)).through(Window(3))
    assert isinstance(field.size, Formula)
    assert str(field.size) == "F + 4"
    assert field.stride == 2
    assert field.centre is None


# ----------------------------------------------------------------------------------- published

VGG19 = [
    *(("conv1_1", 3, 1), ("conv1_2", 5, 1), ("pool1", 6, 2), ("conv2_2", 14, 2)),
    *(("pool2", 16, 4), ("conv3_4", 48, 4), ("pool3", 52, 8), ("conv4_4", 116, 8)),
    *(("pool4", 124, 16), ("conv5_4", 252, 16), ("pool5", 268, 32)),
]


@pytest.mark.parametrize("size", ["224x224x3", "HxWx3"])
def test_vgg19(size):
    """VGG19's receptive fields are the published ones, whatever the size of the input."""
    rows = {row.name: row.seen.fields for row in ac.report("vgg19", size).rows}
    for name, field, stride in VGG19:
        assert [(axis.size, axis.stride) for axis in rows[name]] == [(field, stride)] * 2
    if size != "HxWx3":
        assert [axis.size for axis in rows["fc6"]] == [268 + 6 * 32] * 2


@pytest.mark.parametrize(
    ("name", "row", "size", "stride", "padding"),
    [
        ("vgg16", "pool5", 212, 32, 90),  # google-research/receptive_field, README
        ("alexnet", "conv1", 11, 4, 0),
        ("alexnet", "pool5", 195, 32, 64),
        ("resnet50", "conv1", 7, 2, 3),
    ],
)
def test_fields_of_the_zoo(name, row, size, stride, padding):
    """Size, stride and padding of well known layers are what others publish."""
    seen = {row.name: row.seen for row in ac.report(name).rows}
    for field in seen[row].fields:
        assert (field.size, field.stride, field.padding) == (size, stride, padding)


def test_axes_are_apart():
    """Each axis has its own field."""
    seen = ac.report("40x50x60x3 conv3x1x5-8/2x1x1 conv3x3x1-8").rows[-1].seen
    assert [(f.size, f.stride) for f in seen.fields] == [(7, 2), (3, 1), (5, 1)]
    assert ac.report("784 fc-10").rows[-1].seen.fields == ()


def test_shapes_have_nothing_to_do_with_it():
    """The field of sliding windows does not depend on the input's size."""
    network = parse("conv3-8/2 pool2 conv5-8 p0 d2 relu")
    fields = {ac.report(network, Shape((n, n), 3)).rows[-1].seen for n in (40, 64, 101)}
    assert len(fields) == 1


def test_upsampled_branches_line_up():
    """Behind upsampling, branches whose middles agree are not called misaligned; others are."""
    aligned = ac.report("8x8x1 convt4-1/2 (id + conv3-1)")
    assert not aligned.rows[-1].seen.misaligned
    assert aligned.rows[-1].seen.fields[0].centre == -0.25
    shifted = ac.report(
        parse("8x8x1 convt4-1/2 (id + conv2-1 p1 pool2/1 p0 conv2-1 p0 conv2-1 p1)")
    )
    assert not shifted.rows[-1].seen.misaligned
    apart = ac.report("8x8x1 convt4-1/2 (conv5-1/4 + pool4)")
    assert "centre" in apart.rows[-1].seen.misaligned
