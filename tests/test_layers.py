import itertools
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from math import prod

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import (
    adaptive_pools,
    convolutions,
    layers_on_shapes,
    pointwise,
    pools,
    shapes,
    transposed_convolutions,
)

from archcalc import ArchitectureError, Shape
from archcalc.count import letter
from archcalc.layers import (
    Activation,
    AdaptivePool,
    AdaptiveWindow,
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
    TransposedWindow,
    Window,
)


@pytest.fixture(scope="module")
def torch():
    """Torch, where it is installed."""
    return pytest.importorskip("torch")


# -------------------------------------------------------------------------------------- windows

windows = st.tuples(
    *(st.integers(1, 6), st.integers(1, 5), st.integers(0, 4), st.integers(1, 3))
).map(lambda numbers: Window(*numbers))


def fits(window, size):
    """The window's outputs on an axis, the example given up where the window does not fit."""
    try:
        return window.outputs(size).value
    except ArchitectureError:
        assume(condition=False)


@given(windows, st.integers(1, 40))
def test_windows_are_counted(window, size):
    """A window has as many outputs as there are places for it on the padded axis."""
    start, end = -window.padding, size + window.padding
    places = [
        place
        for place in range(start, end, window.stride)
        if place + window.dilation * (window.kernel - 1) < end
    ]
    if places:
        assert window.outputs(size).value == len(places)
    else:
        with pytest.raises(ArchitectureError, match="larger than its padded input"):
            window.outputs(size)


@given(windows, st.integers(1, 40))
@example(Window(3, 2), 2)
@example(Window(2, 2, 1), 3)
def test_ceil_mode_is_counted(window, size):
    """With ceil_mode a window stands wherever the one before it left inputs over to its right."""
    assume(2 * window.padding <= window.kernel)  # of which torch makes sure
    start, end = -window.padding, size + window.padding
    places = [
        place
        for place in range(start, size, window.stride)  # none starts in the right padding
        if place - window.stride + window.dilation * (window.kernel - 1) + 1 < end
    ]
    rounded_up = window._replace(ceil_mode=True)
    if places:
        assert rounded_up.outputs(size).value == len(places)
    else:
        with pytest.raises(ArchitectureError, match="larger than its padded input"):
            rounded_up.outputs(size)


@given(windows, st.integers(1, 40))
def test_windows_read_the_padded_axis(window, size):
    """The first output reads from the left padding on, the last one within the right padding."""
    last = window.reads(fits(window, size) - 1)
    assert window.reads(0)[0] == -window.padding
    assert last[-1] < size + window.padding <= last[-1] + window.stride
    assert len(last) == window.kernel


@given(windows, st.integers(1, 12))
def test_transposed_windows_go_back(window, size):
    """Transposed windows, one an output padding, give the sizes that their window brings to one."""
    from_below = window.dilation * (window.kernel - 1) + 1 - 2 * window.padding
    sizes = [
        larger
        for larger in range(max(1, from_below), window.stride * size + from_below)
        if window.outputs(larger).value == size
    ]
    assume(window.stride * (size - 1) + from_below > 0)  # or padding cuts everything away
    turned = [TransposedWindow(*window[:4], extra) for extra in range(window.stride)]
    assert [window.outputs(size).value for window in turned] == sizes


@given(windows, st.integers(1, 12))
def test_transposed_windows_read_what_writes_them(window, size):
    """An output of a transposed window reads the inputs that write to it."""
    k, s, p, d, _ = window
    turned = TransposedWindow(k, s, p, d)
    writes = {(s * i - p + d * t, i) for i in range(size) for t in range(k)}
    assume(s * (size - 1) + d * (k - 1) + 1 > 2 * p)
    for output in range(turned.outputs(size).value):
        reads = {i for i in turned.reads(output) if 0 <= i < size}
        assert reads == {i for o, i in writes if o == output}


@given(
    windows | windows.map(lambda w: TransposedWindow(*w[:4])) | st.builds(
        AdaptiveWindow, st.integers(1, 30), st.integers(1, 12)
    ),
    st.integers(0, 20),
)  # fmt: skip
def test_patterns_repeat(window, output):
    """After ``period`` outputs, a window of any kind reads ``step`` inputs further."""
    later = window.reads(output + window.period)
    assert [i - window.step for i in later] == list(window.reads(output))


@given(st.integers(1, 40), st.integers(1, 12))
def test_adaptive_windows_cover(size, target):
    """Adaptive windows leave no input out, overlap by less than one input, and are never empty."""
    window = AdaptiveWindow(size, target)
    reads = [window.reads(output) for output in range(target)]
    assert window.outputs(size).value == target
    assert reads[0][0] == 0
    assert reads[-1][-1] == size - 1
    for left, right in itertools.pairwise(reads):
        assert 0 <= left[-1] + 1 - right[0] <= 1
    assert all(reads)


@given(st.integers(1, 30), st.integers(1, 12))
def test_adaptive_windows_are_torchs(torch, size, target):
    """Every adaptive window begins and ends where torch's does."""
    pool = torch.nn.AdaptiveMaxPool1d(target)
    places = torch.arange(float(size)).reshape(1, 1, size)
    first, last = -pool(-places).flatten(), pool(places).flatten()
    for output in range(target):
        reads = AdaptiveWindow(size, target).reads(output)
        assert (reads[0], reads[-1]) == (first[output], last[output])


# ------------------------------------------------------------------------------- shapes and costs


@given(layers_on_shapes(convolutions))
def test_convolutions_are_counted(drawn):
    """A convolution multiplies once for each output unit, tap and channel that a group sees."""
    layer, shape = drawn
    kernels = layer.kernel_size
    kernels = (kernels,) * len(shape.sizes) if isinstance(kernels, int) else kernels
    try:
        output = layer.output(shape)
    except ArchitectureError:
        assume(condition=False)
    inputs, outputs = range(shape.channels), range(layer.out_channels)
    group = [(c * layer.groups // shape.channels, c) for c in inputs]
    pairs = [(k, c) for k in outputs for g, c in group if g == k * layer.groups // len(outputs)]
    weights = len(pairs) * prod(kernels)
    assert layer.weights(shape).value == weights
    assert layer.macs(shape, output=output).value == weights * prod(output.sizes)
    assert layer.biases(shape).value == (len(outputs) if layer.bias else 0)
    assert output.channels == layer.out_channels


@given(layers_on_shapes(transposed_convolutions))
def test_transposed_convolutions_are_counted(drawn):
    """A transposed convolution has the weights of the convolution that goes back, and its MACs."""
    layer, shape = drawn
    try:
        output = layer.output(shape)
    except ArchitectureError:
        assume(condition=False)
    back = Convolution(
        layer.kernel_size, shape.channels, layer.stride, layer.padding, layer.dilation, layer.groups
    )
    assert back.output(output) == shape
    assert layer.weights(shape).value == back.weights(output).value
    assert layer.macs(shape, output=output).value == back.macs(output, output=shape).value
    assert layer.biases(shape).value == (layer.out_channels if layer.bias else 0)


@given(shapes(), st.integers(1, 50), st.booleans())
def test_linear_is_a_convolution_in_disguise(shape, features, bias):
    """A linear layer costs what a convolution with a kernel as large as its input costs."""
    linear = Linear(features, bias)
    twin = Convolution(shape.sizes, features, padding=0, bias=bias)
    output = twin.output(shape)
    assert output == Shape((1,) * len(shape.sizes), features)
    assert linear.output(shape) == Shape((), features)
    assert linear.weights(shape).value == twin.weights(shape).value
    assert linear.biases(shape).value == twin.biases(shape).value
    macs = linear.macs(shape, output=linear.output(shape))
    assert macs.value == twin.macs(shape, output=output).value
    assert linear.windows(shape) == twin.windows(shape)


@given(layers_on_shapes(pointwise))
def test_pointwise_layers_keep_the_shape(drawn):
    """Activations, dropout and norms keep the shape, read their own place, have no MACs."""
    layer, shape = drawn
    assert layer.output(shape) == shape
    assert layer.windows(shape) == ()
    assert layer.macs(shape, output=shape).value == 0


@given(shapes(smallest=5))
def test_defaults(shape):
    """Odd kernels keep the size, pools divide it, pools of stride 1 keep it."""
    assert Convolution(3, 8).output(shape) == Shape(shape.sizes, 8)
    assert Convolution(5, 8, dilation=3).output(shape) == Shape(shape.sizes, 8)
    assert Convolution(3, 8, 2).output(shape).sizes == tuple(-(-n // 2) for n in shape.sizes)
    assert Pool(2).output(shape) == Shape(tuple(n // 2 for n in shape.sizes), shape.channels)
    assert Pool(3, 1).output(shape) == shape
    assert GlobalPool().output(shape) == Shape((1,) * len(shape.sizes), shape.channels)
    assert TransposedConvolution(4, 8, 2).output(shape).sizes == tuple(2 * n for n in shape.sizes)
    assert Flatten().output(shape) == Shape((), prod((*shape.sizes, shape.channels)))


# ------------------------------------------------------------------------------- torch's modules


def each(value, axes):
    """One number for each axis."""
    return (value,) * axes if isinstance(value, int) else value


def module(torch, layer, shape):
    """The module of torch that a layer describes."""
    nn, axes, channels = torch.nn, len(shape.sizes), shape.channels

    def kind(name):
        return getattr(nn, f"{name}{axes}d")

    match layer:
        case Convolution() | TransposedConvolution():
            kernel, dilation = each(layer.kernel_size, axes), each(layer.dilation, axes)
            padding = layer.padding
            if padding is None:
                padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
            named = {"stride": layer.stride, "padding": padding, "dilation": dilation}
            named |= {"groups": layer.groups, "bias": layer.bias}
            if isinstance(layer, Convolution):
                return kind("Conv")(channels, layer.out_channels, kernel, **named)
            named["output_padding"] = layer.output_padding
            return kind("ConvTranspose")(channels, layer.out_channels, kernel, **named)
        case Pool():
            kernel = each(layer.kernel_size, axes)
            stride = kernel if layer.stride is None else each(layer.stride, axes)
            padding = layer.padding
            if padding is None:
                both = zip(kernel, stride, strict=True)
                padding = tuple((k - 1) // 2 if s == 1 else 0 for k, s in both)
            # AvgPool3d alone refuses inputs smaller than its kernel, even where they are padded.
            make = kind("AvgPool" if layer.reduction == "average" and axes < 3 else "MaxPool")
            return make(kernel, stride, padding, ceil_mode=layer.ceil_mode)
        case AdaptivePool():
            short = "Max" if layer.reduction == "max" else "Avg"
            return kind(f"Adaptive{short}Pool")(layer.output_size)
        case GlobalPool():
            return kind(f"Adaptive{'Max' if layer.reduction == 'max' else 'Avg'}Pool")(1)
        case Linear():
            linear = nn.Linear(shape.units.value, layer.out_features, layer.bias)
            return nn.Sequential(nn.Flatten(), linear)
        case Flatten():
            return nn.Flatten()
        case BatchNorm():
            return kind("BatchNorm")(channels, affine=layer.affine)
        case GroupNorm():
            return nn.GroupNorm(layer.groups, channels, affine=layer.affine)
        case LocalResponseNorm():
            return nn.LocalResponseNorm(layer.size)
        case Dropout():
            return nn.Dropout(layer.probability)
        case LayerNorm():  # over the channels, which torch has in front
            norm = nn.LayerNorm(channels, elementwise_affine=layer.affine)
            norm.register_forward_pre_hook(lambda _, given: given[0].movedim(1, -1))
            norm.register_forward_hook(lambda *given: given[-1].movedim(-1, 1))
            return norm
        case Activation():
            names = {"relu": "ReLU", "relu6": "ReLU6", "leakyrelu": "LeakyReLU", "elu": "ELU"}
            names |= {"selu": "SELU", "gelu": "GELU", "silu": "SiLU", "mish": "Mish"}
            names |= {"logsoftmax": "LogSoftmax"}
            named = {"dim": 1} if "softmax" in layer.function else {}
            return getattr(nn, names.get(layer.function, layer.function.capitalize()))(**named)
    raise AssertionError(layer)


def checked(torch, layer, shape):
    """Compare a layer with torch's module; both may refuse the shape, or leave nothing of it."""
    from torch.utils.flop_counter import FlopCounterMode

    made, batch = module(torch, layer, shape).eval(), 2  # of one example, norms might refuse
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            theirs = made(torch.zeros(batch, shape.channels, *shape.sizes))
    except RuntimeError:
        theirs = torch.zeros(0)
    if not theirs.numel():
        with pytest.raises(ArchitectureError):
            layer.output(shape)
        return
    output = layer.output(shape)
    assert (output.channels, *output.sizes) == tuple(theirs.shape[1:])
    parameters = layer.weights(shape).value + layer.biases(shape).value
    assert parameters == sum(p.numel() for p in made.parameters())
    assert 2 * batch * layer.macs(shape, output=output).value == counter.get_total_flops()


@given(drawn=layers_on_shapes(convolutions) | layers_on_shapes(transposed_convolutions))
def test_convolutions_are_torchs(torch, drawn):
    """Torch's convolutions agree on shape, parameters and MACs, or refuse the shape too."""
    checked(torch, *drawn)


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(0, 5))
def test_output_paddings_are_torchs(torch, axes, stride, dilation, extra):
    """Torch refuses the output paddings that are refused here, and no others."""
    layer = TransposedConvolution(3, 4, stride, dilation=dilation, output_padding=extra)
    checked(torch, layer, Shape((5,) * axes, 2))


@given(drawn=layers_on_shapes(pools) | layers_on_shapes(adaptive_pools))
@example(drawn=(Pool(3, 2, ceil_mode=True), Shape((2, 2), 3)))
def test_pools_are_torchs(torch, drawn):
    """Torch's pools, ceil_mode and adaptive ones among them, agree on the shape, or refuse too."""
    checked(torch, *drawn)


@given(drawn=layers_on_shapes())
def test_layers_are_torchs(torch, drawn):
    """Torch's modules agree with layers of every kind on shape, parameters and MACs."""
    checked(torch, *drawn)


# --------------------------------------------------------------------------------------- joins


@given(st.lists(shapes(axes=2, smallest=2, largest=3), min_size=2, max_size=4))
def test_joins(branches):
    """Concatenation adds channels up where sizes agree, addition takes one shape only."""
    if len({shape.sizes for shape in branches}) == 1:
        channels = sum(shape.channels for shape in branches)
        assert Concat().output(*branches) == Shape(branches[0].sizes, channels)
    else:
        with pytest.raises(ArchitectureError, match="one size"):
            Concat().output(*branches)
    for join in (Add(), Multiply()):
        if len(set(branches)) == 1:
            assert join.output(*branches) == branches[0]
        else:
            with pytest.raises(ArchitectureError, match="one shape"):
                join.output(*branches)


@given(shapes(smallest=2))
def test_gates(shape):
    """A branch of one position scales all positions of as many channels, on either side."""
    gate = Shape((1,) * len(shape.sizes), shape.channels)
    assert Multiply().output(shape, gate) == Multiply().output(gate, shape) == shape
    other = Shape(gate.sizes, gate.channels + 1)
    for join, branch in ((Multiply(), other), (Add(), gate)):
        with pytest.raises(ArchitectureError):
            join.output(shape, branch)


# -------------------------------------------------------------------------------------- errors

IMAGE = Shape((32, 32), 12)


@pytest.mark.parametrize(
    ("layer", "shape", "fact", "hint"),
    [
        (Convolution(3, 8), Shape((), 10), "a vector of 10 has none", "before flatten"),
        (Pool(2), Shape((), 10), "a vector of 10 has none", "before flatten"),
        (AdaptivePool(2), Shape((), 10), "a vector of 10 has none", "before flatten"),
        (GlobalPool(), Shape((), 10), "a vector of 10 has none", "before flatten"),
        (Convolution((3, 3, 3), 8), IMAGE, "kernel 3x3x3 has 3 axes, its input has 2", ""),
        (Convolution(3, 8, stride=(1, 1, 1)), IMAGE, "stride 1x1x1 has 3 axes", ""),
        (Pool(2, padding=(1, 1, 1)), IMAGE, "padding 1x1x1 has 3 axes", ""),
        (AdaptivePool((2, 2, 2)), IMAGE, "output size 2x2x2 has 3 axes", ""),
        (Convolution(3, 8, groups=5), IMAGE, "5 groups do not divide 12 input", "g4 would"),
        (Convolution(3, 8, groups=3), IMAGE, "3 groups do not divide 8 output", "g2 would"),
        (Convolution(3, 8, groups=24), IMAGE, "24 groups do not divide 12 input", "g4 would"),
        (GroupNorm(8), IMAGE, "8 groups do not divide 12 channels", "gn6 would"),
        (GroupNorm(24), IMAGE, "24 groups do not divide 12 channels", "gn12 would"),
        (Convolution(33, 8, padding=0), IMAGE, "extent 33 is larger than its padded input", ""),
        (Convolution(3, 8, padding=0, dilation=16), IMAGE, "extent 33 is larger", ""),
        (
            TransposedConvolution(4, 8, 2, output_padding=5),
            IMAGE,
            "not below stride 2",
            "op1 would",
        ),
        (TransposedConvolution(1, 8, padding=16), IMAGE, "padding of 16 leaves nothing", ""),
        (Pool(3, padding=2), IMAGE, "pads at most half its window of 3, not 2", "p1 would"),
    ],
)
def test_errors(layer, shape, fact, hint):
    """A layer that cannot take a shape says what is wrong, and what would be right if it knows."""
    with pytest.raises(ArchitectureError) as caught:
        layer.output(shape)
    assert fact in caught.value.fact
    assert hint in caught.value.hint


@given(st.integers(1, 60), st.integers(1, 60), st.integers(2, 70))
def test_suggested_groups_work(inputs, outputs, groups):
    """The groups that an error suggests are fewer than those asked for, and they work."""
    shape = Shape((8, 8), inputs)
    for layer in (Convolution(3, outputs, groups=groups), GroupNorm(groups)):
        try:
            layer.output(shape)
        except ArchitectureError as error:
            suggested = int(re.fullmatch(r"gn?(\d+) would", error.hint)[1])
            assert 1 <= suggested < groups
            assert replace(layer, groups=suggested).output(shape)


@pytest.mark.parametrize(
    "text",
    [
        "32x32x3 conv3-64 g1000000000",
        "32x32x3 gn1000000000",
        "32x32x3 convt4-8/1000000000",
        "32x32x3 id x1000000000 relu",
    ],
)
def test_slips_of_the_finger(text):
    """A number that makes no sense is answered within seconds, by a report or by an error."""
    code = """
import sys, time, archcalc
try:
    archcalc.report(sys.argv[1])
except archcalc.ArchitectureError:
    pass
assert time.process_time() < 5, "seconds of work, whatever else the machine does"
"""
    subprocess.run([sys.executable, "-c", code, text], check=True, timeout=60)


# ------------------------------------------------------------------------------------- records


@given(layers_on_shapes(), layers_on_shapes())
def test_layers_are_records(drawn, other):
    """A layer equals its copy, in hash too, and no layer of another kind or other fields."""
    layer, _ = drawn
    copy = replace(layer)
    assert copy == layer
    assert hash(copy) == hash(layer)
    assert repr(copy) == repr(layer)
    assert eval(repr(layer), globals()) == layer  # noqa: S307 - the tests' own text
    assert (layer == other[0]) == (repr(layer) == repr(other[0]))


def test_layers_are_frozen():
    """A layer cannot be changed, only replaced."""
    layer = Convolution(3, 64)
    with pytest.raises(FrozenInstanceError, match="stride"):
        layer.stride = 2
    assert replace(layer, stride=2) == Convolution(3, 64, 2)
    assert layer == Convolution(3, 64)
    assert BatchNorm() != LayerNorm()


@pytest.mark.parametrize(
    "given_wrongly",
    [
        lambda: Convolution(3),
        lambda: Convolution(3, 64, kernel_size=3),
        lambda: Convolution(3, 64, colour=1),
        lambda: Flatten(1),
        lambda: Dropout(0.5, 0.5),
        Linear,
    ],
)
def test_layers_take_their_fields(given_wrongly):
    """A layer takes each of its fields once, and no others."""
    with pytest.raises(TypeError):
        given_wrongly()


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: Convolution(3, -4), "number of channels is between 1 and 1,000,000,000, not -4"),
        (lambda: Convolution(3, 0), "number of channels is between 1 and"),
        (lambda: Convolution(3, 10**9 + 1), "number of channels is between 1 and"),
        (lambda: Convolution(3, 4.0), r"number of channels is a whole number, not 4\.0"),
        (lambda: Convolution(3, None), "number of channels is a whole number, not None"),
        (lambda: Convolution(0, 4), "kernel is between 1 and"),
        (lambda: Convolution((3, 0), 4), "kernel is between 1 and"),
        (lambda: Convolution("3", 4), "kernel is a whole number, not '3'"),
        (lambda: Convolution(True, 4), "kernel is a whole number, not True"),  # noqa: FBT003
        (lambda: Convolution((), 4), r"kernel is for 1 to 3 axes, not \(\)"),
        (lambda: Convolution((3,) * 4, 4), "kernel is for 1 to 3 axes"),
        (lambda: Convolution(3, 4, stride=0), "stride is between 1 and"),
        (lambda: Convolution(3, 4, stride=None), "stride is a whole number, not None"),
        (lambda: Convolution(3, 4, padding=-1), "padding is between 0 and"),
        (lambda: Convolution(3, 4, dilation=0), "dilation is between 1 and"),
        (lambda: Convolution(3, 4, groups=0), "number of groups is between 1 and"),
        (lambda: Convolution(3, 4, groups=(2, 2)), "number of groups is a whole number"),
        (lambda: Convolution(3, 4, bias=1), "True or False, not 1"),
        (lambda: replace(Convolution(3, 4), stride=-1), "stride is between 1 and"),
        (lambda: TransposedConvolution(3, 4, output_padding=-1), "output padding is between 0 and"),
        (lambda: Pool(0), "kernel is between 1 and"),
        (lambda: Pool(2, 0), "stride is between 1 and"),
        (lambda: Pool(2, reduction="mean"), "'mean' is no reduction; one of max, average"),
        (lambda: AdaptivePool(0), "output size is between 1 and"),
        (lambda: GlobalPool("min"), "'min' is no reduction"),
        (lambda: Linear(-10), "number of units is between 1 and"),
        (lambda: GroupNorm(0), "number of groups is between 1 and"),
        (lambda: LocalResponseNorm(0), "size is between 1 and"),
        (lambda: BatchNorm("no"), "True or False, not 'no'"),
        (lambda: Dropout(1.5), "probability is between 0 and 1"),
        (lambda: Dropout(-0.1), "probability is between 0 and 1"),
        (lambda: Dropout(float("nan")), "probability is between 0 and 1"),
        (lambda: Dropout("0.5"), "probability is a number, not '0.5'"),
        (lambda: Activation("nonsense"), "'nonsense' is no activation; one of relu"),
        (lambda: Activation("relu", 0.5), "relu has no slope"),
        (lambda: Activation("elu", -1), "slope is between 0 and"),
        (lambda: Activation("elu", 1e-10), "at most 9 decimals"),
        (lambda: Convolution(3, letter("K") * -2), "never positive"),
    ],
)
def test_layers_are_checked_when_they_are_made(make, fact):
    """A layer with a field that cannot be is refused when it is made, and the field is named."""
    with pytest.raises(ArchitectureError, match=fact):
        make()


def test_fields_have_their_usual_form():
    """Integers of other kinds become Python's, lists tuples, and one number for one axis itself."""
    numpy = pytest.importorskip("numpy")
    layer = Convolution([3, numpy.int64(5)], numpy.int32(4), stride=(2,))
    assert layer == Convolution((3, 5), 4, 2)
    assert [type(number) for number in (*layer.kernel_size, layer.out_channels)] == [int] * 3
    assert repr(Dropout(1)) == repr(Dropout(1.0))
    with pytest.raises(ArchitectureError, match="kernel is a whole number, not array"):
        Convolution(numpy.array([3, 5]), 4)
    assert hash(layer) == hash(Convolution((3, 5), 4, 2))


def test_letters_flow_through():
    """Where sizes are letters, a layer's shapes and counts are formulas in them."""
    height, width = letter("H"), letter("W")
    shape = Shape((height, width), 3)
    conv, pool = Convolution(3, 64), Pool(2)
    assert conv.output(shape) == Shape((height, width), 64)
    assert conv.macs(shape, output=conv.output(shape)).value == 1728 * height * width
    assert pool.output(shape) == Shape((height // 2, width // 2), 3)
    assert Flatten().output(shape) == Shape((), 3 * height * width)
