# ruff: noqa: TID253 - these tests are of what needs torch
"""Predicted memory is what torch holds: kept tensors, weights, gradients, optimizers, the peak."""

import pytest
import torch
from archcalc.bridge.twin import twin
from archcalc.infer import infer
from archcalc.witnesses import allocations
from hypothesis import assume, given, settings
from strategies import tangles
from torch._subclasses.fake_tensor import FakeTensorMode

from archcalc import ArchitectureError, Network, Node, Shape, parse, zoo
from archcalc.layers import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Convolution,
    GroupNorm,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Multiply,
    Pool,
)
from archcalc.layers.activation import ACTIVATIONS
from archcalc.memory import Held, Kept, first_kept, memory, saved, storages
from archcalc.units import BYTES_OF

DTYPES = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
NORMS = (BatchNorm, LayerNorm, GroupNorm)


def steps_of(network, shape=None):
    """The network's layers with their shapes."""
    return infer(network, shape or network.input)


def running(network, batch, dtype="fp32", device="cpu", *, shape=None, train=True):
    """A network's twin in training mode, and an input for it."""
    shape = shape or network.input
    model = twin(network, shape, device=device, dtype=DTYPES[dtype]).train(train)
    size = (batch, shape.channels, *shape.sizes)
    return model, torch.ones(size, device=device, dtype=DTYPES[dtype])


def really_kept(network, batch, dtype="fp32", device="cpu", *, shape=None):
    """Bytes by layer that torch is the first to keep there."""
    return allocations.kept(*running(network, batch, dtype, device, shape=shape))


def graph(y):
    """Every autograd node behind an output."""
    seen, waiting = set(), [y.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [behind for behind, _ in node.next_functions]
    return seen


def in_the_graph(model, x):
    """Bytes behind the ``_saved_*`` attributes of all autograd nodes, each memory once."""
    ours = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    y, found, holding = model(x), {}, []
    for node in graph(y):
        for name in dir(node):
            if not name.startswith("_saved_"):
                continue
            value = getattr(node, name)
            values = value if isinstance(value, tuple | list) else [value]
            for tensor in values:
                # Of no axes is the number that LRN multiplies by.
                if isinstance(tensor, torch.Tensor) and tensor.dim():
                    storage = tensor.untyped_storage()
                    holding.append(storage)  # so that no address is used twice
                    found[storage.data_ptr()] = storage.nbytes()
    return sum(size for place, size in found.items() if place not in ours)


# ------------------------------------------------------------------- what autograd keeps: the zoo


@pytest.mark.parametrize(
    "name", ["vgg19", "alexnet", "googlenet", "resnet50", "lenet5", "inception-reduced"]
)
def test_the_zoo_keeps_what_torch_keeps(name):
    """Saved bytes of every layer are torch's own at batch 8, and there are many of them."""
    network = zoo.load(name)
    really = really_kept(network, 8, device="meta")
    found = memory(steps_of(network), 8, train=True)
    assert found.saved == really
    assert found.activations == sum(really.values()) > 8 * 10_000


@pytest.mark.parametrize(
    ("name", "size", "batch"),
    [
        ("vgg11", "32x32x3", 2),
        ("alexnet", "67x67x3", 2),
        ("googlenet", "224x224x3", 1),
        ("resnet50", "64x64x3", 2),
    ],
)
def test_tensors_without_values_are_as_large(name, size, batch):
    """The meta device, the CPU and the graph's own attributes agree on what is kept."""
    network, shape = zoo.load(name), parse(f"{size} relu").input
    model, x = running(network, batch, shape=shape)
    on_cpu = allocations.kept(model, x)
    assert on_cpu == really_kept(network, batch, device="meta", shape=shape)
    assert on_cpu == first_kept(saved(steps_of(network, shape), batch))
    assert sum(on_cpu.values()) == in_the_graph(model, x)


# ----------------------------------------------------------------- what autograd keeps: each layer

U = 6 * 6 * 4 * 4  # bytes of an example of 6x6x4
# Bytes for one example and, beside it, whatever the batch, behind a convolution that learns.
KINDS = [
    *((f"conv3-8{more}", U, 0) for more in ("", " nobias", "/2", " g2", " d2")),
    *(("convt2-8/2", U, 0), ("fc-10", U, 0), ("fc-10 nobias", U, 0)),
    *(("bn", U, 2 * 4 * 4), ("bn noaffine", U, 2 * 4 * 4)),
    *(("ln", U + 2 * 36 * 4, 0), ("ln noaffine", U + 2 * 36 * 4, 0)),
    *(("gn2", U + 2 * 2 * 4, 0), ("gn4 noaffine", U + 2 * 4 * 4, 0)),
    *(("lrn", U + 36 * (4 + 4) * 4 + U + U, 0), ("lrn3", U + 36 * (4 + 2) * 4 + U + U, 0)),
    *((function, U, 0) for function in ("relu", "sigmoid", "tanh", "softmax", "logsoftmax")),
    *((function, U, 0) for function in ("relu6", "selu", "gelu", "silu", "mish", "hardswish")),
    *((function, U, 0) for function in ("hardsigmoid", "softplus", "elu", "leakyrelu.2")),
    *(("drop.5", U, 0), ("flatten", 0, 0), ("gap", 0, 0), ("gmp", U + 4 * 8, 0)),
    *(("pool2", U + 9 * 4 * 8, 0), ("pool3/2 p1", U + 9 * 4 * 8, 0), ("avgpool2", U, 0)),
    *(("pool4/3 ceil", U + 4 * 4 * 8, 0), ("adaptiveavgpool3", U, 0)),
    *(("adaptiveavgpool1x3", U, 0), ("adaptiveavgpool3x1", U, 0)),
    *(("adaptiveavgpool1", 0, 0), ("adaptivemaxpool3", U + 9 * 4 * 8, 0)),
]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("word", "each", "once"), KINDS)
def test_every_layer_keeps_what_its_derivative_needs(word, each, once, batch):
    """Behind a convolution, a layer keeps what is written down here, and torch keeps that too."""
    network = parse(f"6x6x4 conv1-4 {word}")
    first, last = (node.name for node in network.nodes)
    found = first_kept(saved(steps_of(network), batch))
    assert found == {first: U * batch, last: each * batch + once}
    assert found == really_kept(network, batch)
    assert sum(found.values()) == in_the_graph(*running(network, batch))


@pytest.mark.parametrize("word", sorted(ACTIVATIONS))
def test_functions_keep_what_they_read_or_what_they_made(word):
    """Some functions keep their output, which the next layer reads anyway; others keep more."""
    network = parse(f"6x6x4 conv1-4 {word} conv1-4")
    found = first_kept(saved(steps_of(network)))
    assert found == really_kept(network, 1)
    *_, last = found.values()
    assert last == (0 if word in {"relu", "sigmoid", "tanh", "softmax", "logsoftmax"} else U)


@pytest.mark.parametrize("word", [word for word, *_ in KINDS])
def test_nothing_is_kept_where_no_gradient_flows(word):
    """A layer straight on the input keeps something if it learns, and nothing else does."""
    network = parse(f"6x6x4 {word} fc-5")
    steps = steps_of(network)
    found = first_kept(saved(steps, 3))
    learns = memory(steps[:1]).weights > 0
    assert (found[network.nodes[0].name] > 0) == learns
    assert found[network.nodes[-1].name] > 0
    assert found == really_kept(network, 3)


@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp64"])
@pytest.mark.parametrize(("word", "each", "once"), KINDS)
def test_other_dtypes(word, each, once, dtype):
    """In half and double precision, values shrink and grow, and indices stay 8 bytes."""
    network = parse(f"6x6x4 conv1-4 {word}")
    # The CPU has no half precision for LRN, whose sizes the meta device has.
    device = "meta" if word.startswith("lrn") else "cpu"
    really = really_kept(network, 3, dtype, device)
    found = first_kept(saved(steps_of(network), 3, dtype))
    assert found == really
    assert found[network.nodes[0].name] == 3 * U // 4 * BYTES_OF[dtype]
    layer = network.nodes[-1].layer
    if each and not once and getattr(layer, "reduction", "") != "max":
        assert found[network.nodes[-1].name] == 3 * each // 4 * BYTES_OF[dtype]


@pytest.mark.parametrize("dtype", ["fp32", "tf32", "bf16"])
def test_dropout_keeps_a_byte_a_unit_on_a_gpu(dtype):
    """Dropout's mask is a boolean on cuda and a value on the CPU; all else is the same there."""
    steps = steps_of(parse("6x6x4 conv1-4 relu drop.5 pool2 fc-3"))
    on_cpu, on_cuda = (saved(steps, 3, dtype, device=device) for device in ("cpu", "cuda"))
    assert on_cuda["drop1"] == (Kept("mask", "drop1:mask", 3 * 6 * 6 * 4),)
    assert on_cpu["drop1"] == (Kept("mask", "drop1:mask", 3 * 6 * 6 * 4 * BYTES_OF[dtype]),)
    del on_cpu["drop1"], on_cuda["drop1"]
    assert on_cpu == on_cuda
    both = [memory(steps, 3, dtype, train=True, device=device) for device in ("cpu", "cuda")]
    assert both[0].saved["drop1"] == BYTES_OF[dtype] * both[1].saved["drop1"]


def test_dropout_of_nothing_keeps_nothing():
    """Dropout that drops nothing is the identity, and keeps nothing."""
    network = parse("6x6x4 conv1-4 drop.0 fc-3")
    assert first_kept(saved(steps_of(network), 3)) == really_kept(network, 3)


# ------------------------------------------------------------------------ shared memory, products


def test_shared_memory_is_kept_once():
    """What several layers keep is counted at the first; flattening makes no memory of its own."""
    network = parse("6x6x4 conv1-4 relu [conv3-2 | conv1-2 | pool3/1] flatten fc-3 relu fc-2")
    names = [node.name for node in network.nodes]
    steps = steps_of(network)
    found = first_kept(saved(steps))
    assert found == really_kept(network, 1)
    everything = {
        **dict.fromkeys(names, 0),
        "conv1": U,
        "relu1": U,
        "fc1": 2 * U,
        "relu2": 12,
        network.nodes[4].name: 36 * 4 * 8,
    }
    assert found == everything
    kept = saved(steps)
    assert sum(one.storage == "relu1" for tensors in kept.values() for one in tensors) == 4
    concat = network.nodes[5].name
    assert storages(steps)["flatten1"] == storages(steps)[concat] == concat


def node(name, layer, *inputs):
    """A node, its inputs behind one another."""
    return Node(name, layer, inputs)


PRODUCTS = {
    # Two factors, each for the other's gradient; of three, the product of the first two as well.
    "two": ([node("a", Activation("gelu"), "c"), node("m", Multiply(), "c", "a")], 2 * U),
    "three": (
        [
            node("a", Activation("gelu"), "c"),
            node("b", Activation("silu"), "c"),
            node("m", Multiply(), "c", "a", "b"),
        ],
        4 * U,
    ),
    "a square": ([node("m", Multiply(), "c", "c")], U),
    "a cube": ([node("m", Multiply(), "c", "c", "c")], 2 * U),
    # A factor without parameters is needed, and needs nothing.
    "the input behind": ([node("m", Multiply(), "c", "input")], U),
    "the input in front": ([node("m", Multiply(), "input", "c")], U),
    "the input in between": ([node("m", Multiply(), "c", "input", "c")], 3 * U),
    "the input twice": ([node("m", Multiply(), "input", "input", "c")], U),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("case", PRODUCTS)
def test_products(case, batch):
    """A product keeps the factors, and of three the product of two, where a gradient needs them."""
    nodes, size = PRODUCTS[case]
    conv = Node("c", Convolution(kernel_size=1, out_channels=4), ("input",))
    network = Network((conv, *nodes), input=Shape((6, 6), 4))
    found = saved(steps_of(network), batch)
    assert first_kept(found) == really_kept(network, batch)
    assert sum({one.storage: one.size for one in found["m"]}.values()) == size * batch
    assert sum(first_kept(found).values()) == in_the_graph(*running(network, batch))


def test_gates_keep_the_small_factor_small():
    """A gate of one position keeps a value a channel, and what it scales as a whole."""
    network = parse("6x6x4 conv1-4 (id * gap conv1-4 sigmoid)")
    found = saved(steps_of(network), 2)
    assert first_kept(found) == really_kept(network, 2)
    assert sorted(one.size for one in found["mul1"]) == [2 * 4 * 4, 2 * U]


@pytest.mark.parametrize(
    "text",
    [
        "6x6x4 conv1-4 (id * gap conv1-4 sigmoid * gelu)",
        "6x6x4 conv1-4 (gap conv1-4 sigmoid * id * gelu)",
    ],
)
def test_gates_in_a_product_of_three(text):
    """What a gate has scaled is as large as what it scales, whichever comes first."""
    network = parse(text)
    found = saved(steps_of(network), 2)
    assert first_kept(found) == really_kept(network, 2)
    assert sorted(one.size for one in found["mul1"]) == [2 * 4 * 4, 2 * U, 2 * U, 2 * U]


# --------------------------------------------------------------------------------- random networks


def trainable(network, batch, dtype):
    """The network's twin and input, where torch runs it at all."""
    model, x = running(network, batch, dtype)
    try:
        model(x)
    except ValueError as error:  # a batch norm of one value a channel
        assert "more than 1 value" in str(error)  # noqa: PT017 - not the subject
        assume(condition=False)
    return model, x


@settings(max_examples=60)
@given(tangles())
def test_random_networks_keep_what_torch_keeps(network):
    """In any network, at batch 1 and 3, layers keep what torch keeps, and the graph has it."""
    for batch in (1, 3):
        model, x = trainable(network, batch, "fp32")
        found = memory(steps_of(network), batch, train=True).saved
        assert found == allocations.kept(model, x)
        assert found == really_kept(network, batch, device="meta")
        if model(x).requires_grad:
            assert sum(found.values()) == in_the_graph(model, x)
        else:
            assert not any(found.values())


@settings(max_examples=40)
@given(tangles())
def test_random_networks_in_half_precision(network):
    """In bf16 too, each layer keeps what torch keeps; norms have statistics of their own dtype."""
    assume(not any(isinstance(one.layer, LocalResponseNorm) for one in network.nodes))
    volumes = len(network.input.sizes) == 3
    pools = [one.layer for one in network.nodes if isinstance(one.layer, Pool)]
    assume(not (volumes and any(pool.reduction == "average" for pool in pools)))
    for batch in (1, 3):
        model, x = trainable(network, batch, "bf16")
        found = memory(steps_of(network), batch, "bf16", train=True).saved
        really = allocations.kept(model, x)
        layers = {one.name: one.layer for one in network.nodes}
        assert found.keys() == really.keys() == layers.keys()
        for name, size in found.items():
            assert size == really[name] or isinstance(layers[name], NORMS)


# ------------------------------------------------------------------- weights, gradients, optimizer

LEARNING = [
    "6x6x4 conv3-8 relu conv3-8 nobias bn pool2 fc-10",
    "6x6x4 conv3-8 g2 bn noaffine gn2 convt2-4/2 ln fc-3 nobias",
    "12x12x1 relu fc-7",
    "6x6x6x2 conv3-4 bn relu gap fc-2",
]
ASKED = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.1),
}


def size_of(tensors):
    """Bytes of tensors, whatever else is among them."""
    return sum(t.numel() * t.element_size() for t in tensors if isinstance(t, torch.Tensor))


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp64"])
@pytest.mark.parametrize("optimizer", ASKED)
@pytest.mark.parametrize("text", LEARNING)
def test_what_stands_between_steps(text, optimizer, dtype):
    """Weights, buffers, gradients and what an optimizer remembers are torch's after a step."""
    network = parse(text)
    model, x = running(network, 3, dtype)
    chosen = ASKED[optimizer](list(model.parameters()))
    for _ in range(2):
        chosen.zero_grad()
        model(x).sum().backward()
        chosen.step()
    found = memory(steps_of(network), 3, dtype, train=True, optimizer=optimizer)
    assert found.weights == size_of(model.parameters()) > 0
    assert found.buffers == size_of(model.buffers())
    assert found.gradients == size_of(p.grad for p in model.parameters())
    values = [value for state in chosen.state.values() for value in state.values()]
    assert found.optimizer == size_of(values)
    assert (found.optimizer > 0) == (optimizer != "sgd")


def test_by_hand():
    """A convolution and a linear layer: every number as a person counts it."""
    steps = steps_of(parse("4x4x2 conv3-3 bn relu fc-5"))
    weights = (3 * 3 * 2 * 3 + 3) + (3 + 3) + (48 * 5 + 5)
    found = memory(steps, 2, train=True, optimizer="adam")
    assert found.weights == found.gradients == 4 * weights
    assert found.buffers == 2 * 3 * 4 + 8
    assert found.optimizer == 2 * 4 * weights + 6 * 4
    kept = {"conv1": 2 * 32 * 4, "bn1": 2 * 48 * 4 + 2 * 3 * 4, "relu1": 2 * 48 * 4, "fc1": 0}
    assert found.saved == kept
    assert found.activations == sum(kept.values())


def test_a_forward_pass_keeps_nothing():
    """Without training there are no gradients, no kept tensors, and no optimizer's memory."""
    steps = steps_of(parse(LEARNING[0]))
    found = memory(steps, 3, optimizer="adam")
    assert (found.gradients, found.optimizer, found.saved, found.activations) == (0, 0, {}, 0)
    assert found.weights > 0
    assert found.peak > found.weights + found.buffers


@pytest.mark.parametrize(
    ("word", "hint"), [("adamw", "did you mean adam?"), ("x", "one of sgd, momentum, adam")]
)
def test_unknown_optimizers_are_refused(word, hint):
    """An optimizer that is not known is refused, training or not, and one that works is named."""
    steps = steps_of(parse(LEARNING[0]))
    for train in (False, True):
        with pytest.raises(ArchitectureError, match="is no optimizer") as caught:
            memory(steps, train=train, optimizer=word)
        assert hint in str(caught.value)


# ------------------------------------------------------------------------------------- the peak


def really_most(network, batch, *, train, optimizer=None):
    """The most bytes alive in a pass of tensors that have sizes and no values."""
    with FakeTensorMode():
        model, x = running(network, batch, train=train)
        held = []
        if optimizer:
            chosen = ASKED[optimizer](list(model.parameters()))
            model(x).sum().backward()
            chosen.step()
            chosen.zero_grad()
            states = chosen.state.values()
            held = [v for state in states for v in state.values() if isinstance(v, torch.Tensor)]
        with allocations.Live([*model.parameters(), *model.buffers(), x, *held]) as live:
            with torch.set_grad_enabled(train):
                y = model(x)
            if y.requires_grad:
                y.sum().backward()
    return live.peak


# How much more is really held at one time, at batch 8: what a backward function makes for itself.
PEAKS = [
    ("vgg19", 0, 0.0001),
    ("vgg11", 0, 0.0001),
    ("alexnet-torchvision", 0, 0.0001),
    ("alexnet", 0.0001, 0.024),
    ("resnet18", 0, 0.004),
    ("resnet50", 0, 0.009),
    ("googlenet", 0.0001, 0.004),
    ("inception-reduced", 0, 0.0001),
    ("minigooglenet", 0, 0.006),
]


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(("name", "forward", "training"), PEAKS)
def test_the_peak_of_the_zoo(name, forward, training, train):
    """The predicted peak is no more than the real one, and below it by as little as is said."""
    network = zoo.load(name)
    found = memory(steps_of(network), 8, train=train).peak
    really = really_most(network, 8, train=train)
    assert found <= really <= found * (1 + (training if train else forward))


@pytest.mark.parametrize("optimizer", ASKED)
def test_the_peak_holds_what_an_optimizer_remembers(optimizer):
    """What an optimizer remembers is in the peak, predicted and real."""
    network = zoo.load("lenet5")
    found = memory(steps_of(network), 4, train=True, optimizer=optimizer)
    really = really_most(network, 4, train=True, optimizer=optimizer)
    assert found.peak <= really <= found.peak * 1.001
    plain = memory(steps_of(network), 4, train=True)
    assert found.peak - plain.peak == found.optimizer


def test_the_peak_by_hand():
    """The most that is alive, forward and backward, is what a person finds on paper."""
    steps = steps_of(parse("4x4x1 conv1-2 nobias relu conv1-3 nobias gap"))
    image, first, second, vector = 4 * 16, 4 * 32, 4 * 48, 4 * 3
    weights = 4 * (2 + 6)
    # Behind the second convolution nothing reads the ReLU; then it and what it made are the most.
    assert memory(steps).peak == weights + image + first + second
    # Kept to the end: the input and the ReLU. In the second convolution's backward pass there are
    # the gradients of its output, its input and its weights.
    assert memory(steps, train=True).peak == weights + image + first + second + first + 4 * 6
    assert memory(steps, 5).peak == weights + 5 * (image + first + second)
    assert vector < first


def test_an_output_lives_until_its_last_reader():
    """What a shortcut reads again stays alive over the branch, and goes behind the join."""
    steps = steps_of(parse("4x4x2 conv1-2 nobias (id + conv1-8 nobias conv1-2 nobias) conv1-2"))
    small, large = 4 * 32, 4 * 128
    weights = 4 * (4 + 16 + 16 + 6)
    assert memory(steps).peak == weights + small + small + large + small
    straight = steps_of(parse("4x4x2 conv1-2 nobias conv1-8 nobias conv1-2 nobias conv1-2"))
    assert memory(straight).peak == weights + small + small + large


@pytest.mark.parametrize(
    ("text", "size"),
    [
        # Kept: the image. Flattening gives its gradient on: it and the weights' are the most.
        ("4x4x1 conv1-2 nobias flatten", 8 + 64 + 128 + 8),
        # The caller holds the image, though nothing else does.
        ("8x8x1 avgpool2 conv1-2 nobias", 8 + 256 + 64 + 128 + 8),
        # Two summands and their sum, before any gradient is there.
        ("4x4x1 (conv1-8 nobias + conv1-8 nobias) gap", 64 + 64 + 3 * 512),
        # An image, three branches, and all of them in one.
        ("4x4x1 [conv1-8 nobias | conv1-8 nobias | conv1-8 nobias]", 96 + 64 + 6 * 512),
    ],
)
def test_the_peak_of_a_training_step_by_hand(text, size):
    """The most that a training step holds, where it is the forward pass and where it is not."""
    network = parse(text)
    assert memory(steps_of(network), train=True).peak == size
    assert size <= really_most(network, 1, train=True) <= size + 16


PLAIN = (Convolution, Linear, Activation, Add, Concat)


@settings(max_examples=60)
@given(tangles())
def test_the_peak_of_random_networks(network):
    """No training step holds less than predicted; plain forward passes hold exactly that."""
    steps = steps_of(network)
    assume(memory(steps).weights > 0)
    if not any(isinstance(one.layer, BatchNorm) for one in network.nodes):
        found = memory(steps, 3, train=True).peak
        assert found <= really_most(network, 3, train=True)
    if all(isinstance(one.layer, PLAIN) for one in network.nodes):
        assert memory(steps, 3).peak == really_most(network, 3, train=False)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("6x6x4 conv1-4 drop.5", id="dropout does nothing in a forward pass"),
        pytest.param("6x6x4 conv1-4 pool2/1", id="max pooling makes indices that nobody reads"),
    ],
)
def test_the_peak_of_forward_passes(text):
    """A forward pass holds what is predicted, whatever layer it ends in."""
    network = parse(text)
    assert memory(steps_of(network), 3).peak == really_most(network, 3, train=False)


def test_held_memory_goes_with_its_last_keeper():
    """Memory that two layers keep counts once, and is free when both have let it go."""
    held = Held()
    one, two = Kept("input", "a", 100), Kept("output", "b", 10)
    held.add([one, two])
    held.add([one])
    assert (held.size, held.counts) == (110, {"a": 2, "b": 1})
    held.drop([one])
    assert held.size == 110
    held.drop([one])
    assert (held.size, held.counts) == (10, {"b": 1})
    held.drop([two])
    assert (held.size, held.counts) == (0, {})


# -------------------------------------------------------------------------------------- witnesses


@pytest.mark.parametrize("fake", [False, True])
def test_what_is_alive(fake):
    """Memory counts from when it is made until nobody has it; views and in-place work add none."""

    def check():
        known = torch.ones(16)  # 64 bytes
        with allocations.Live([known, known[2:]]) as live:
            assert (live.now, live.peak) == (64, 64)
            one = known * 2
            assert live.now == 128
            view = one[:4].view(2, 2)
            view.add_(1)
            assert (live.now, live.peak) == (128, 128)
            two = torch.cat([one, one])
            assert (live.now, live.peak) == (256, 256)
            del two
            three = known + 1
            assert (live.now, live.peak) == (192, 256)
            del one, three
            four = torch.zeros(2, dtype=torch.float64)
            assert live.now == 64 + 64 + 16  # the view keeps what it looks at
            del view
            four.add_(1)
            assert (live.now, live.peak) == (64 + 16, 256)

    if fake:
        with FakeTensorMode():
            check()
    else:
        check()


def test_what_is_kept_in_evaluation_mode():
    """The witness leaves the model's mode alone: dropout keeps nothing where it does nothing."""
    model, x = running(parse("6x6x4 conv1-4 drop.5 fc-2"), 1, train=False)
    assert allocations.kept(model, x) == {"conv1": U, "drop1": 0, "fc1": U}
    assert not model.training
