# ruff: noqa: TID253 - these tests are of what needs torch
import copy
import io
import re
import weakref
from contextlib import redirect_stderr, redirect_stdout

import pytest
import torch
from strategies import network_on
from torch import nn
from torch.nn import functional

import archcalc as ac
from archcalc import ArchitectureError, Node, Shape, load, parse, twin, verify
from archcalc.case import Case
from archcalc.counters import TOOLS, counter
from archcalc.counters.base import leaves, untouched
from archcalc.errors import MeasurementError
from archcalc.layers import Activation, Add, Concat, Convolution, Layer, Multiply
from archcalc.layers.activation import ACTIVATIONS
from archcalc.measure.torchvision import MODELS
from archcalc.measure.twin import Scope, Twin, blank, module, tensors
from archcalc.network import INPUT, Port

# ------------------------------------------------------------------------------------ modules

MODULES = [
    ("9x4 conv3-8", "Conv1d(4, 8, kernel_size=(3,), stride=(1,), padding=(1,))"),
    (
        "9x12x4 conv3x5-8/2x1p0d2g2 nobias",
        "Conv2d(4, 8, kernel_size=(3, 5), stride=(2, 1), dilation=(2, 2), groups=2, bias=False)",
    ),
    (
        "9x8x7x4 conv1-2",
        "Conv3d(4, 2, kernel_size=(1, 1, 1), stride=(1, 1, 1))",
    ),
    (
        "9x8x4 convt3-6/2 op1 p1 g2 nobias",
        "ConvTranspose2d(4, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), "
        "output_padding=(1, 1), groups=2, bias=False)",
    ),
    (
        "9x4 convt3-6 p0 d2",
        "ConvTranspose1d(4, 6, kernel_size=(3,), stride=(1,), dilation=(2,))",
    ),
    (
        "5x5x5x2 convt2-2/2 p0",
        "ConvTranspose3d(2, 2, kernel_size=(2, 2, 2), stride=(2, 2, 2))",
    ),
    ("9x8x4 fc-7", "Linear(in_features=288, out_features=7, bias=True)"),
    ("9x8x4 fc-7 nobias", "Linear(in_features=288, out_features=7, bias=False)"),
    (
        "9x8x4 pool3/2p1 ceil",
        "MaxPool2d(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=1, ceil_mode=True)",
    ),
    ("9x8x4 avgpool2", "AvgPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))"),
    ("9x4 avgpool3/1", "AvgPool1d(kernel_size=(3,), stride=(1,), padding=(1,))"),
    (
        "9x4 pool2",
        "MaxPool1d(kernel_size=(2,), stride=(2,), padding=(0,), dilation=1, ceil_mode=False)",
    ),
    (
        "5x5x5x2 pool2",
        "MaxPool3d(kernel_size=(2, 2, 2), stride=(2, 2, 2), padding=(0, 0, 0), dilation=1, "
        "ceil_mode=False)",
    ),
    ("5x5x5x2 avgpool2", "AvgPool3d(kernel_size=(2, 2, 2), stride=(2, 2, 2), padding=(0, 0, 0))"),
    ("9x8x4 adaptiveavgpool3x2", "AdaptiveAvgPool2d(output_size=(3, 2))"),
    ("9x4 adaptivemaxpool3", "AdaptiveMaxPool1d(output_size=(3,))"),
    ("5x5x5x2 adaptiveavgpool3", "AdaptiveAvgPool3d(output_size=(3, 3, 3))"),
    ("9x8x4 gap", "AdaptiveAvgPool2d(output_size=(1, 1))"),
    ("9x4 gap", "AdaptiveAvgPool1d(output_size=(1,))"),
    ("5x5x5x2 gmp", "AdaptiveMaxPool3d(output_size=(1, 1, 1))"),
    ("9x4 bn", "BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"),
    (
        "9x8x4 bn noaffine",
        "BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=False, track_running_stats=True)",
    ),
    (
        "5x5x5x2 bn",
        "BatchNorm3d(2, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)",
    ),
    (
        "9x8x4 flatten bn",
        "BatchNorm1d(288, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)",
    ),
    ("9x8x4 ln", "LayerNorm((4,), eps=1e-05, elementwise_affine=True)"),
    ("9x8x4 ln noaffine", "LayerNorm((4,), eps=1e-05, elementwise_affine=False)"),
    ("9x8x4 gn2", "GroupNorm(2, 4, eps=1e-05, affine=True)"),
    ("9x8x4 gn1 noaffine", "GroupNorm(1, 4, eps=1e-05, affine=False)"),
    ("9x8x4 lrn3", "LocalResponseNorm(3, alpha=0.0001, beta=0.75, k=1.0)"),
    ("9x8x4 drop.4", "Dropout(p=0.4, inplace=False)"),
    ("9x8x4 flatten", "Flatten(start_dim=1, end_dim=-1)"),
    ("9x8x4 leakyrelu", "LeakyReLU(negative_slope=0.01)"),
    ("9x8x4 leakyrelu.2", "LeakyReLU(negative_slope=0.2)"),
    ("9x8x4 elu", "ELU(alpha=1.0)"),
    ("9x8x4 elu.5", "ELU(alpha=0.5)"),
    ("9x8x4 softmax", "Softmax(dim=1)"),
    ("9x8x4 logsoftmax", "LogSoftmax(dim=1)"),
]


def _plain(text):
    """What a module says of itself, without defaults that some releases leave out."""
    text = "".join(text.split()).replace(",inplace=False", "")
    return re.sub(",bias=(True|False)", "", text) if "Norm" in text else text


@pytest.mark.parametrize(("text", "expected"), MODULES)
def test_modules(text, expected):
    """Each layer is torch's own module of its kind, with the settings that the word says."""
    model = twin(parse(text))
    *_, leaf = leaves(model).values()
    assert _plain(repr(leaf)) == _plain(expected)
    y = model.eval()(*tensors(Case.of(parse(text), batch=2)))
    out = ac.report(text).rows[-1].output
    assert tuple(y.shape) == (2, out.channels, *out.sizes)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    """An activation function is torch's of the same name, and works on a copy."""
    x = torch.linspace(-5, 5, 4 * 9 * 2).reshape(2, 4, 9)
    kept = x.clone()
    own = {"softmax": {"dim": 1}, "logsoftmax": {"dim": 1}}.get(name, {})
    names = {"leakyrelu": "leaky_relu", "logsoftmax": "log_softmax"}
    expected = getattr(functional, names.get(name, name))(x, **own)
    assert torch.equal(twin(parse(f"9x4 {name}"))(x), expected)
    assert torch.equal(x, kept)


class Strange(Layer):
    """A layer that torch has no module for."""

    kind = "strange"


def test_what_torch_does_not_have():
    """A layer without a counterpart in torch is named."""
    with pytest.raises(ArchitectureError, match="torch has no module for strange"):
        module(Strange(), (Shape((4, 4), 2),))
    with pytest.raises(ArchitectureError, match="torch has no module for strange"):
        twin(network_on((Node("a", Strange(), (INPUT,)),), Shape((4, 4), 2)))


def test_joins():
    """Concatenation is along the channels; sums and products are of all branches in turn."""
    parts = [torch.randn(2, 3, 4) for _ in range(3)]
    results = {
        Concat(): torch.cat(parts, 1),
        Add(): parts[0] + parts[1] + parts[2],
        Multiply(): parts[0] * parts[1] * parts[2],
    }
    for join, expected in results.items():
        assert module(join, (Shape((4,), 3),) * 3) is None
        assert torch.equal(join.run(None, *parts), expected)


# -------------------------------------------------------------------------------------- values


class Written(nn.Module):
    """A small network with branches, as a person writes it."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.one = nn.Conv2d(8, 4, 1)
        self.three = nn.Conv2d(8, 4, 3, padding=1, bias=False)
        self.gate = nn.Conv2d(8, 8, 1)
        self.layer = nn.LayerNorm(8)
        self.fc = nn.Linear(8 * 4 * 5, 10)

    def forward(self, x):
        """What the text below says."""
        x = functional.relu(self.norm(self.stem(x)))
        x = torch.cat([self.one(x), self.three(x)], 1) + x
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        x = functional.max_pool2d(x, 3, 2, 1)
        x = self.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = functional.local_response_norm(x, 5)
        return self.fc(x.reshape(len(x), -1))


TEXT = """
8x10x3 stem: conv3-8 norm: bn relu ([one: conv1-4 | three: conv3-4 nobias] + id)
(id * gap gate: conv1-8 sigmoid) pool3/2p1 layer: ln lrn fc: fc-10
"""


def _alike(seed=0):
    """The twin of the text and the network by hand, with the same random values."""
    torch.manual_seed(seed)
    hand, ours = Written().eval(), twin(parse(TEXT)).eval()
    with torch.no_grad():
        for tensor in (*hand.parameters(), *hand.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 1)
    ours.load_state_dict({_key(name): tensor for name, tensor in hand.state_dict().items()})
    return hand, ours


def _key(name):
    """The twin's name of a tensor of the network written by hand."""
    ours = parse(TEXT)
    path, _, tensor = name.partition(".")
    (full,) = [node.name for node in ours.nodes if node.name.split("/")[-1] == path]
    return f"{full.replace('/', '.')}.{tensor}"


def test_a_twin_computes_what_a_person_wrote():
    """On real values, outputs and gradients are those of the same network written by hand."""
    hand, ours = _alike()
    x = torch.randn(3, 3, 8, 10, requires_grad=True)
    expected = hand(x)
    torch.testing.assert_close(ours(x), expected)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    (found,) = torch.autograd.grad(ours(x).square().sum(), x)
    torch.testing.assert_close(found, gradient)
    assert expected.std() > 0.01
    assert ours(x).is_contiguous()


def test_a_vector_is_normalized_over_its_neighbours():
    """Local response and layer norms of a vector run over its units."""
    x = torch.randn(2, 12)
    expected = functional.local_response_norm(x.reshape(2, 12, 1), 3).reshape(2, 12)
    flat = "3x4 flatten "
    assert torch.equal(twin(parse(flat + "lrn3"))(x.reshape(2, 4, 3)), expected)
    expected = functional.layer_norm(x, (12,))
    torch.testing.assert_close(twin(parse(flat + "ln"))(x.reshape(2, 4, 3)), expected)


def test_an_identity_is_no_layer():
    """A network may return an input that two branches share."""
    x = torch.randn(2, 3, 4)
    assert torch.equal(twin(parse("4x3 (id * id)"))(x), x * x)


def test_a_layer_used_twice_computes_twice_with_the_same_weights(used_twice):
    """One module for both uses: its weights are there once, and learn from both."""
    model = twin(used_twice)
    assert model.paths == {"a": "a", "conv2": "a", "relu1": "relu1"}
    assert list(leaves(model)) == ["a", "relu1"]
    assert sum(parameter.numel() for parameter in model.parameters()) == 3 * 3 * 3 * 3 + 3
    assert set(model.state_dict()) == {"a.weight", "a.bias"}
    x = torch.randn(2, 3, 8, 8)
    weight, bias = (p.detach().clone().requires_grad_() for p in model.a.parameters())
    first = functional.conv2d(x, weight, bias, padding=1)
    expected = functional.conv2d(first, weight, bias, padding=1).relu()
    seen = dict(model.outputs(x))
    torch.testing.assert_close(seen["a"], first)
    torch.testing.assert_close(seen["relu1"], expected)
    expected.square().sum().backward()
    model(x).square().sum().backward()
    torch.testing.assert_close(model.a.weight.grad, weight.grad)
    torch.testing.assert_close(model.a.bias.grad, bias.grad)


def test_a_layer_may_be_used_again_and_again():
    """A third use, one in a bracket, and one of buffers as well: each is the first one's."""
    model = twin(parse("8x8x3 a: conv3-3 n: bn =a ([=a =n | id] conv1-3) =n conv1-2"))
    uses = [path for path in model.paths.values() if path in {"a", "n"}]
    assert sorted(uses) == ["a"] * 3 + ["n"] * 3
    assert len([buffer for buffer in model.buffers() if buffer.dim()]) == 2


def test_two_inputs_and_two_outputs(two_ends):
    """Inputs go in and outputs come out in the network's order; what goes out is not dropped."""
    model = twin(two_ends)
    left, right = tensors(model.case, torch.randn)
    assert (left.shape, right.shape) == ((1, 3, 16, 12), (1, 2, 8, 6))
    found = model(left, right)
    added = functional.conv2d(left, model.a.weight, model.a.bias, 2, 1)
    added = added + functional.conv2d(right, model.b.weight, model.b.bias)
    assert isinstance(found, tuple)
    torch.testing.assert_close(found[0], model.fc(added.relu().flatten(1)))
    torch.testing.assert_close(found[1], added)
    other = twin(two_ends, {"left": "10x8x3", "right": "5x4x2"})
    assert [tuple(y.shape) for y in other(*tensors(other.case))] == [(1, 5), (1, 4, 5, 4)]
    with pytest.raises(ArchitectureError, match=r"sum \(a \| b\): .*8x6x4, 5x4x4"):
        twin(two_ends, {"right": "5x4x2"})


def test_a_layer_with_two_outputs(split):
    """Each output goes to whoever reads it, and out of the network."""
    model = twin(split)
    x = torch.randn(2, 3, 8, 8)
    stem = model.stem(x)
    found = model(x)
    torch.testing.assert_close(found[0], model.a(stem[:, :1]) + model.b(stem[:, 1:]))
    assert torch.equal(found[1], stem[:, 1:])
    seen = dict(model.outputs(x))
    assert [tuple(y.shape) for y in seen["split"]] == [(2, 1, 8, 8), (2, 3, 8, 8)]


def test_a_further_output_has_no_name_that_a_layer_can_have(split):
    """A layer called like another one's second output is another tensor."""
    layer = split.nodes[1].layer
    nodes = (
        Node("split", layer, (INPUT,)),
        Node("split.1", Convolution(1, 3), ("split",)),
        Node("sum", Add(), ("split.1", Port("split", 1))),
    )
    model = twin(network_on(nodes, Shape((4, 4), 4)))
    x = torch.randn(1, 4, 4, 4)
    first = model.get_submodule(model.paths["split.1"])(x[:, :1])
    torch.testing.assert_close(model(x), first + x[:, 1:])


def test_an_output_that_a_layer_does_not_have(split):
    """Who reads a third output of two is told so."""
    nodes = (*split.nodes[:2], Node("b", Activation("relu"), (Port("split", 2),)))
    with pytest.raises(ArchitectureError, match="split"):
        twin(network_on((*nodes, Node("c", Concat(), ("b", "split"))), Shape((8, 8), 3)))


# -------------------------------------------------------------------------- names and the rest


def _named(*names):
    """A chain of convolutions of these names."""
    sources = (INPUT, *names)
    nodes = (
        Node(name, Convolution(1, 2), (source,))
        for name, source in zip(names, sources, strict=False)
    )
    return network_on(tuple(nodes), Shape((4, 4), 2))


PATHS = [
    (("a", "b"), ("a", "b")),
    (("3a/1x1", "3a/pool/proj"), ("3a.1x1", "3a.pool.proj")),
    (("a", "a/b"), ("a", "a_.b")),
    (("a/b", "a"), ("a.b", "a_")),
    (("a/b", "a", "a/c"), ("a.b", "a_", "a.c")),
    (("a", "a/b", "a_"), ("a", "a_.b", "a__")),
    (("a", "a_", "a/b"), ("a", "a_", "a__.b")),
    (("a.b", "a_b"), ("a_b", "a_b_")),
    (("a/b.c/d", "a/b_c/d"), ("a.b_c.d", "a.b_c.d_")),
    (("a/b/c", "a/b", "a"), ("a.b.c", "a.b_", "a_")),
]


@pytest.mark.parametrize(("names", "paths"), PATHS)
def test_names(names, paths):
    """A layer's name is its path where that is free, and every layer has its own module."""
    network = _named(*names)
    model = twin(network)
    assert model.names == list(names)
    assert model.paths == dict(zip(names, paths, strict=True))
    assert list(leaves(model)) == sorted(paths, key=list(leaves(model)).index)
    assert len({id(model.get_submodule(path)) for path in paths}) == len(names)
    found = verify(network, against=list(TOOLS))
    assert found.explained, found.complaint()
    assert [line.name for line in found.checks[1].lines] == list(names)


ATTRIBUTES = (
    *("forward", "train", "training", "names", "paths", "case", "outputs", "parameters"),
    *("eval", "_plan", "_modules", "a/training", "a/forward", "state_dict", "to", "T_destination"),
)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_names_of_attributes(name):
    """A layer may be named like something that every module has."""
    found = verify(_named(name, "after"), against=["torch", "fvcore", "torchinfo"])
    assert found.explained, found.complaint()
    assert [line.name for line in found.checks[1].lines] == [name, "after"]


def test_scopes_only_group():
    """What stands before a slash is a module that is never called; joins have none."""
    model = twin(load("inception-reduced"))
    for path, part in model.named_modules():
        if path and path not in model.paths.values():
            assert type(part) is Scope
    assert set(model.names) > set(model.paths)
    assert isinstance(model, Twin)


def test_outputs_come_in_order_and_go():
    """Every layer's output comes with its name, and is kept only until its last reader is done."""
    network = parse("6x6x2 a: relu (b: conv1-2 + id) c: relu d: relu e: relu")
    model = twin(network).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)  # noqa: FBT003 - torch's own; its graph would keep outputs
    alive = {}
    names = []
    for name, y in model.outputs(torch.randn(1, 2, 6, 6)):
        names.append(name)
        alive[name] = weakref.ref(y)
        if name == "b":
            assert alive["a"]() is not None  # the sum still reads it
        if name == "d":
            assert alive["a"]() is alive["b"]() is None
        if name == "e":
            assert alive["c"]() is None
        del y
    assert names == model.names == [node.name for node in network.nodes]


def test_a_layer_may_read_the_input_again():
    """The network's input is there for whoever reads it, however late."""
    nodes = (
        Node("a", Activation("relu"), (INPUT,)),
        Node("b", Activation("relu"), ("a",)),
        Node("sum", Add(), (INPUT, "b", INPUT)),
    )
    x = torch.randn(2, 2, 4)
    assert torch.equal(twin(network_on(nodes, Shape((4,), 2)))(x), x + x.relu() + x)


def test_a_state_goes_there_and_back():
    """The state of a twin loads into another one, which then computes the same."""
    network = load("googlenet-torchvision")
    small = Shape((32, 40), 3)
    first, second = twin(network, small).eval(), twin(network, small).eval()
    x = torch.randn(2, 3, 32, 40)
    assert not torch.equal(first(x), second(x))
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second.load_state_dict(torch.load(buffer))
    assert torch.equal(first(x), second(x))
    assert "3a.1x1.weight" in " ".join(first.state_dict()) or len(first.state_dict()) > 100


def test_copies_are_independent():
    """A deep copy computes the same with parameters of its own."""
    model = twin(parse(TEXT)).eval()
    other = copy.deepcopy(model)
    x = torch.randn(1, 3, 8, 10)
    before = model(x)
    assert torch.equal(other(x), before)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    assert torch.equal(model(x), before)
    assert not torch.equal(other(x), before)


def test_training_moves_all_parameters():
    """A step of gradient descent changes every parameter."""
    model = twin(parse(TEXT)).train()
    before = [parameter.clone() for parameter in model.parameters()]
    model(torch.randn(4, 3, 8, 10)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    torch.optim.SGD(model.parameters(), 0.1).step()
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert sum(moved) >= len(moved) - 1  # a bias before a normalization need not


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_device_and_dtype(dtype, device):
    """Parameters and buffers are of the type and on the device that were asked for."""
    default = torch.get_default_dtype()
    for build in (
        lambda: twin(parse(TEXT), device=device, dtype=dtype),
        lambda: blank(Case.of(parse(TEXT)), device, dtype),
    ):
        model = build().eval()
        for tensor in (*model.parameters(), *model.buffers()):
            assert tensor.device.type == device
            assert tensor.dtype in {dtype, torch.int64}
        x = torch.zeros(2, 3, 8, 10, device=device, dtype=dtype)
        if dtype == torch.bfloat16:
            continue  # local response normalization is not implemented for it
        assert (model(x).dtype, model(x).device.type) == (dtype, device)
    assert torch.get_default_dtype() is default


def test_a_blank_is_full_of_zeros():
    """What is only counted holds zeros, as many as the network has parameters."""
    network = parse(TEXT)
    model = blank(Case.of(network), "cpu", torch.float32)
    assert all(not tensor.any() for tensor in (*model.parameters(), *model.buffers()))
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == ac.report(network).totals["parameters"]
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_an_input_of_its_own():
    """A twin is built for the input that is given, else for the network's own."""
    network = parse("8x8x3 conv3-4 fc-5")
    assert twin(network).case.input == Shape((8, 8), 3)
    for size in (Shape((4, 6), 3), "4x6x3"):
        model = twin(network, size)
        assert model.case.input == Shape((4, 6), 3)
        assert model(torch.zeros(2, 3, 4, 6)).shape == (2, 5)
        assert model.case.network == network


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv3-4", "does not say what goes in; add e.g. --input 224x224x3"),
        ("HxWx3 conv3-4", "letters in it: H, W; give numbers, e.g. --at H=224"),
        ("8x8x3 conv3-K", "letters in it: K"),
        ("2x2x3 conv3-4 pool2 pool2", "pool2, input 1x1x4: "),
    ],
)
def test_what_cannot_be_built(text, message):
    """What cannot be built is said, and torch's default type is as it was."""
    default = torch.get_default_dtype()
    with pytest.raises(ArchitectureError, match=message):
        twin(parse(text), dtype=torch.float64)
    assert torch.get_default_dtype() is default


# ------------------------------------------------------------------------- torchvision's models


@pytest.mark.parametrize("name", MODELS)
def test_torchvision(name):
    """Torchvision's own model has our layers, each with our FLOPs and parameters."""
    network = load(name)
    found = verify(network, against=["torchvision"])
    assert found.explained, found.complaint()
    flops, parameters = found.checks[2:]
    totals = ac.report(network).totals
    assert (flops.quantity, parameters.quantity) == ("flops", "parameters")
    assert flops.theirs == 2 * totals["macs"]
    assert parameters.theirs == totals["parameters"]
    own = [row for row in ac.report(network).rows if row.cost and row.cost.parameters.value]
    assert parameters.note.count(" = ") == len(own) == len(parameters.lines)
    assert {line.name for line in parameters.lines} == {row.name for row in own}


@pytest.mark.parametrize(("name", "size"), [("lenet5", None), ("vgg11", "64x64x3")])
def test_torchvision_has_no_such_model(name, size):
    """A network that torchvision does not have, or for another input, is refused by name."""
    with pytest.raises(MeasurementError, match=f"no {name} for .*each for its own input"):
        verify(load(name), size, against=["torchvision"])


# -------------------------------------------------------- the model that is measured, untouched


class Restless(nn.Module):
    """A model that changes itself whenever it runs, in every way that a model can.

    It fails in the run ``fails_in``, in the middle.
    """

    def __init__(self, fails_in=0):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Dropout(), nn.AvgPool2d(2))
        self.fc = nn.Linear(4, 2)
        self.register_buffer("runs", torch.zeros(()))
        self.calls, self.fails_in = 0, fails_in
        self.seen = {"shapes": 0}

    def forward(self, x):
        """Count the run in a buffer, an attribute and a dictionary, then compute."""
        self.calls += 1
        self.seen["shapes"] += 1
        self.runs.add_(1)
        self.extra = torch.rand(3)
        y = self.inner(self.norm(self.conv(x)))
        if self.fails_in == int(self.runs):
            raise RuntimeError("in the middle")
        return self.fc(functional.adaptive_avg_pool2d(y, 1).flatten(1))


def _hook(*_):
    """A hook of the model's owner."""


def _prepared(fails_in=0):
    """A model of mixed modes, with hooks, gradients, and a parameter that is frozen."""
    torch.manual_seed(1)
    model = Restless(fails_in)
    model.train()
    model.norm.eval()
    model.inner[2].eval()
    model(torch.randn(2, 3, 8, 8)) if not fails_in else None
    model.conv.weight.grad = torch.randn_like(model.conv.weight)
    model.fc.bias.grad = torch.randn_like(model.fc.bias)
    model.norm.running_mean.uniform_(-1, 1)
    model.conv.bias.requires_grad_(False)  # noqa: FBT003 - torch's own
    model.register_forward_hook(_hook)
    model.conv.register_forward_pre_hook(_hook)
    model.inner[0].register_full_backward_hook(_hook)
    model.fc.register_forward_hook(_hook)
    if not fails_in:
        model.runs.zero_()
    return model


def _state(model):
    """All there is to know about a model and the state of torch, values and identities."""
    known = {}
    for path, part in model.named_modules():
        own = {
            name: (id(value), tuple((key, id(one)) for key, one in value.items()))
            if isinstance(value, dict)
            else value
            for name, value in part.__dict__.items()
            if not isinstance(value, torch.Tensor)
        }
        known[path] = (own, part.training, type(part))
    for name, parameter in model.named_parameters():
        grad = None if parameter.grad is None else (id(parameter.grad), parameter.grad.tolist())
        known[name] = (id(parameter), parameter.tolist(), parameter.requires_grad, grad)
    for name, buffer in model.named_buffers():
        known[f"buffer {name}"] = (id(buffer), buffer.tolist())
    known["seen"] = dict(model.seen)
    known["random"] = torch.get_rng_state().tolist()
    known["default"] = (torch.get_default_dtype(), torch.is_grad_enabled())
    known["functions"] = {
        name: id(value) for name, value in vars(functional).items() if callable(value)
    }
    known["tensors"] = (torch.Tensor.mul, torch.add, torch.matmul, torch.Tensor.matmul)
    return known


def _differences(before, after):
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}


READERS = {name: counter(name).readings[0] for name in TOOLS}
READERS["backward"] = counter("torch").readings[1]


@pytest.mark.parametrize("name", READERS)
def test_a_tool_leaves_the_model_as_it_was(name):
    """Modes, hooks, buffers, attributes, parameters, gradients and random state stay."""
    model = _prepared()
    read = READERS[name]
    before = _state(model)
    reading = read(model, torch.randn(2, 3, 8, 8))
    assert sum(reading.totals.values()) > 0
    torch.manual_seed(1)
    before["random"] = after_random = None
    after = _state(model)
    after["random"] = after_random
    assert _differences(before, after) == set()


@pytest.mark.parametrize("name", READERS)
def test_random_numbers_stay(name):
    """What is drawn after a tool has looked is what would have been drawn without it."""
    model, read, x = _prepared(), READERS[name], torch.randn(2, 3, 8, 8)
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    read(model, x)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("name", READERS)
def test_a_tool_that_fails_leaves_the_model_as_it_was(name):
    """Also where the model fails in the middle, everything is as it was."""
    model = _prepared(fails_in=1)
    read, x = READERS[name], torch.randn(2, 3, 8, 8)
    before = _state(model)
    with (
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
        pytest.raises((MeasurementError, RuntimeError)),
    ):
        read(model, x)
    assert _differences(before, _state(model)) == set()


def test_ptflops_second_look_may_fail(monkeypatch):
    """Where ptflops' hooks fail at their second run, its patches are taken back too."""
    from ptflops import pytorch_engine  # noqa: PLC0415 - only this test needs it

    def fails(_):
        raise RuntimeError("in the middle")

    model, x = _prepared(), torch.randn(2, 3, 8, 8)
    before = _state(model)
    calls = []
    honest = pytorch_engine.patch_tensor_ops

    def patched(collector):
        honest(collector)
        calls.append(1)
        if len(calls) == 2:
            model.fc.forward = fails

    monkeypatch.setattr(pytorch_engine, "patch_tensor_ops", patched)
    with pytest.raises(RuntimeError, match="in the middle"):
        READERS["ptflops"](model, x)
    monkeypatch.undo()
    assert len(calls) == 2
    model.fc.__dict__.pop("forward", None)
    assert _differences(before, _state(model)) == set()


def test_ptflops_fails_quietly(capsys):
    """Where ptflops fails, only our own line says so."""
    with pytest.raises(MeasurementError, match="ptflops failed"):
        READERS["ptflops"](_prepared(fails_in=1), torch.randn(2, 3, 8, 8))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("fails", [False, True])
def test_untouched(fails):
    """Whatever is done to a model inside, even where it raises, is undone."""
    model = _prepared()
    before = _state(model)

    def spoil():
        model.train()
        model.conv.eval()
        model.conv.bias.requires_grad_(True)  # noqa: FBT003 - torch's own
        model.fc.weight.requires_grad_(False)  # noqa: FBT003 - torch's own
        model.fc.register_forward_hook(_hook)
        model.fc.register_buffer("more", torch.zeros(3))
        model.inner.add_module("last", nn.ReLU())
        model.inner[1] = nn.Tanh()
        model.conv.bias = nn.Parameter(torch.zeros(4))
        model.norm.running_mean.add_(1)
        model.norm.running_var = torch.full((4,), 7.0)
        model.new_attribute = 3
        del model.calls
        model.conv._forward_pre_hooks.clear()
        for parameter in model.parameters():
            assert parameter.grad is None
            parameter.grad = torch.ones_like(parameter)
        model.conv.weight.grad.add_(1)
        torch.manual_seed(99)
        torch.rand(7)
        if fails:
            raise KeyError("spoilt")

    try:
        with untouched(model):
            spoil()
    except KeyError:
        assert fails
    assert _differences(before, _state(model)) == set()


def test_untouched_on_the_meta_device():
    """A model without values is put back as well as it can be."""
    model = blank(Case.of(parse(TEXT)), "meta", torch.float32).train()
    with untouched(model):
        model.eval()
        model.anything = 1
    assert model.training
    assert not hasattr(model, "anything")
    assert all(part.training for part in model.modules())


def test_leaves():
    """Leaves are the modules without children, by path; a module that is one itself counts."""
    model = Restless()
    inner = {f"inner.{place}" for place in range(4)}
    assert set(leaves(model)) == {"conv", "norm", "fc", *inner}
    assert set(leaves(nn.ReLU())) == {""}


@pytest.mark.parametrize("name", ["torch", "torchinfo"])
@pytest.mark.parametrize("training", [True, False])
def test_counts_are_of_evaluation(name, training):
    """A tool counts in evaluation mode, whatever the model's own mode."""
    network = parse("8x8x3 conv3-4 bn relu drop.5 fc-3")
    model = twin(network).train(training)
    x = torch.randn(1, 3, 8, 8)  # a batch norm of one value could not be trained
    reading = READERS[name](model, x)
    other = READERS[name](twin(network).eval(), x)
    assert reading == other
    assert model.training == training
