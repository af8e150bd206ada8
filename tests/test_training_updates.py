# ruff: noqa: TID253 - these tests are of what needs torch
import inspect
import math
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import archcalc as ac
from training.engine import cohort, fused, initializers, kernel, losses, streams
from training.engine.activations import Activations
from training.engine.cohort import Cohort, Member, Way, member_keys
from training.engine.models import Dense, Mlp
from training.engine.networks import Net
from training.engine.schedules import Schedule
from training.engine.updates import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Mixed,
    NAdam,
    RMSprop,
    RMSpropNesterov,
    Rule,
)
from training.errors import TrainingError
from training.experiments.dying_relu.experiment import plain_survey

laws = settings(max_examples=60, deadline=None, derandomize=True)


def doubles(*shape, seed=0):
    """Standard normal numbers that come from no code under test."""
    return torch.randn(
        *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1)
    )


def keys_of(count, seed=5):
    """The keys of as many members."""
    return member_keys(seed, [Member(number) for number in range(count)])


def same(one, other):
    """Equal to the last bit, and no numbers in the same places."""
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


# -------------------------------------------------------------------------------------- updates

OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adadelta": torch.optim.Adadelta,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
}
OF_TORCH = [
    SGD(),
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    SGD(weight_decay=0.1),
    SGD(momentum=0.8, nesterov=True, weight_decay=0.1),
    Adagrad(),
    Adagrad(eps=1e-3, weight_decay=0.1),
    RMSprop(),
    RMSprop(alpha=0.9, eps=1e-3, weight_decay=0.1),
    Adadelta(),
    Adadelta(rho=0.95, eps=1e-3, weight_decay=0.1),
    Adam(),
    Adam(beta1=0.8, beta2=0.9, eps=1e-3, weight_decay=0.1),
    AdamW(),
    AdamW(beta1=0.8, beta2=0.9, eps=1e-3, weight_decay=0.5),
    AdamW(weight_decay=0.0),
    NAdam(),
    NAdam(beta1=0.8, beta2=0.9, eps=1e-3, momentum_decay=0.1, weight_decay=0.1),
]
EVERY = [*OF_TORCH, RMSpropNesterov(), RMSpropNesterov(rho=0.8, alpha=0.5, weight_decay=0.1)]
UPDATES = 100


def label(rule):
    """The rule's name and what is not its default."""
    usual = type(rule)().settings()
    told = [f"{k}={v}" for k, v in rule.settings().items() if usual[k] != v]
    return " ".join([rule.name, *told])


def arguments(rule):
    """The rule's hyperparameters as ``torch.optim`` calls them."""
    found = {name: value for name, value in rule.settings().items() if name != "name"}
    if "beta1" in found:
        found["betas"] = (found.pop("beta1"), found.pop("beta2"))
    return found


def of_many_sizes(seed=0):
    """Gradients ``(updates, members, numbers)`` from 1e-4 to 1e2, one number never having one."""
    g = doubles(UPDATES, 3, 7, seed=seed) * 10.0 ** torch.arange(-4, 3)
    g[..., 3] = 0
    return g


def walk(rule, theta, gradients, rate):
    """Parameters after each update."""
    state, path = rule.begin(theta), []
    for t, g in enumerate(gradients, 1):
        theta, state = rule.update(theta, g, state, rate, t)
        path.append(theta)
    return torch.stack(path)


def test_every_rule_is_tested():
    """Each rule is compared with ``torch.optim``, save the one that it has not."""
    every = {*Rule.__subclasses__(), *Adam.__subclasses__()} - {Mixed}
    kinds = {kind for kind in every if kind.__module__ == Rule.__module__}
    assert {type(rule) for rule in EVERY} == kinds
    assert set(OPTIMIZERS) == {rule.name for rule in OF_TORCH}
    assert kinds - {type(rule) for rule in OF_TORCH} == {RMSpropNesterov}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("rate", [1e-3, 0.07])
@pytest.mark.parametrize("rule", OF_TORCH, ids=label)
def test_a_rule_is_that_of_torch(rule, rate):
    """A hundred updates are those of ``torch.optim`` with the same settings and gradients."""
    begin = doubles(3, 7, seed=9)
    parameter = nn.Parameter(begin.clone())
    optimizer = OPTIMIZERS[rule.name]([parameter], **arguments(rule), lr=rate)
    path = walk(rule, begin, of_many_sizes(), rate)
    for ours, g in zip(path, of_many_sizes(), strict=True):
        parameter.grad = g.clone()
        optimizer.step()
        torch.testing.assert_close(ours, parameter.detach(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "rule", [SGD(), Adagrad(), RMSprop(), Adadelta(), Adam(), AdamW(), NAdam()]
)
def test_defaults_are_those_of_torch(rule):
    """Every hyperparameter that is not told is what ``torch.optim`` takes."""
    usual = inspect.signature(OPTIMIZERS[rule.name]).parameters
    for argument, value in arguments(rule).items():
        assert value == usual[argument].default, argument


@pytest.mark.parametrize("rule", EVERY, ids=label)
def test_a_members_rate_is_its_own(rule):
    """With a rate each, members go where each goes alone with its rate."""
    begin, rates = doubles(3, 7, seed=9), torch.tensor([[0.5], [0.01], [0.002]]).double()
    together = walk(rule, begin, of_many_sizes(), rates)
    for member, rate in enumerate(rates[:, 0].tolist()):
        own = slice(member, member + 1)
        alone = walk(rule, begin[own], of_many_sizes()[:, own], rate)
        torch.testing.assert_close(together[:, own], alone, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("rule", EVERY, ids=label)
def test_nothing_is_changed_in_place(rule):
    """An update leaves parameters, gradient, state and rate as they were."""
    theta, rate = doubles(3, 7), torch.full((3, 1), 0.1, dtype=torch.float64)
    state = rule.begin(theta)
    for t in range(1, 4):
        g = doubles(3, 7, seed=t)
        before = [tensor.clone() for tensor in (theta, g, rate, *state.values())]
        rule.point(theta, state)
        after, then = rule.update(theta, g, state, rate, t)
        for kept, tensor in zip(before, (theta, g, rate, *state.values()), strict=True):
            assert torch.equal(kept, tensor)
        assert then.keys() == state.keys()
        assert after.shape == theta.shape
        theta, state = after, then


@pytest.mark.parametrize("rule", EVERY, ids=label)
def test_the_state_of_a_member_is_a_row(rule):
    """Before the first update nothing is remembered, and each memory has a row a member."""
    state = rule.begin(doubles(3, 7))
    remembers = rule.name == "sgd" and bool(rule.momentum)
    assert ("velocity" in state) == (remembers or rule.name == "rmsprop-nesterov")
    for name, value in state.items():
        assert value.shape == ((3, 1) if name == "product" else (3, 7))
        assert torch.equal(value, torch.full_like(value, float(name == "product")))


@pytest.mark.parametrize("rule", OF_TORCH, ids=label)
def test_the_gradient_is_taken_where_the_parameters_are(rule):
    """No rule of torch's looks ahead."""
    theta = doubles(3, 7)
    _, state = rule.update(theta, doubles(3, 7, seed=1), rule.begin(theta), 0.1, 1)
    assert torch.equal(rule.point(theta, state), theta)


def slope_of_a_valley(x, y, z):
    """The gradient of (1 - x)^2 + 3 (y - x^2)^2, in which z does not occur."""
    assert math.isfinite(z)
    return [-2 * (1 - x) - 12 * x * (y - x * x), 6 * (y - x * x), 0.0]


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_rmsprop_with_nesterov_momentum(decay):
    """RMSProp with Nesterov momentum is algorithm 8.6 of Goodfellow, Bengio and Courville.

    It is written down here line for line in plain numbers. The book divides by the root of r; eps,
    1e-7, is added to the root. The penalty's gradient is taken where the loss's is.
    """
    rule = RMSpropNesterov(rho=0.9, alpha=0.8, weight_decay=decay)
    rate, rho, alpha, eps = 0.002, 0.9, 0.8, 1e-7
    assert rule.eps == eps

    theta, v, r = [-1.0, 2.0, 0.5], [0.0] * 3, [0.0] * 3
    ours = torch.tensor([theta], dtype=torch.float64)
    state = rule.begin(ours)
    for t in range(1, UPDATES + 1):
        interim = [theta[i] + alpha * v[i] for i in range(3)]
        g = [g + decay * at for g, at in zip(slope_of_a_valley(*interim), interim, strict=True)]
        r = [rho * r[i] + (1 - rho) * g[i] ** 2 for i in range(3)]
        v = [alpha * v[i] - rate / (math.sqrt(r[i]) + eps) * g[i] for i in range(3)]
        theta = [theta[i] + v[i] for i in range(3)]

        point = rule.point(ours, state)
        assert point[0].tolist() == pytest.approx(interim, rel=1e-11)
        gradient = torch.tensor([slope_of_a_valley(*point[0].tolist())], dtype=torch.float64)
        ours, state = rule.update(ours, gradient, state, rate, t)
        assert ours[0].tolist() == pytest.approx(theta, rel=1e-11)
    assert (ours[0, 2] == 0.5) == (decay == 0)
    assert RMSpropNesterov().settings() == {
        "name": "rmsprop-nesterov",
        "weight_decay": 0.0,
        "rho": 0.9,
        "alpha": 0.9,
        "eps": 1e-7,
    }


def test_settings():
    """A rule tells its name and every hyperparameter, as they are."""
    assert SGD(momentum=0.9, nesterov=True).settings() == {
        "name": "sgd",
        "weight_decay": 0.0,
        "momentum": 0.9,
        "nesterov": True,
    }


# --------------------------------------------------------------------------------------- models


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("1x1x6 fc-3", [Dense("fc1", 6, 3, bias=True, dropout=0, activation="id")]),
        (
            "1x1x6 drop.2 fc-8 tanh drop.5 fc-3",
            [
                Dense("fc1", 6, 8, bias=True, dropout=0.2, activation="tanh"),
                Dense("fc2", 8, 3, bias=True, dropout=0.5, activation="id"),
            ],
        ),
        (
            "4x5x2 flatten fc-3 leakyrelu.01 fc-2 nobias sigmoid",
            [
                Dense("fc1", 40, 3, bias=True, dropout=0, activation="leakyrelu.01"),
                Dense("fc2", 3, 2, bias=False, dropout=0, activation="sigmoid"),
            ],
        ),
        (
            "1x1x1 (fc-2 relu) x2 drop.5 drop.2 fc-1",
            [
                Dense("fc1", 1, 2, bias=True, dropout=0, activation="relu"),
                Dense("fc2", 2, 2, bias=True, dropout=0, activation="relu"),
                Dense("fc3", 2, 1, bias=True, dropout=0.6, activation="id"),
            ],
        ),
        (
            "1x1x2 fc-3 leakyrelu fc-2 leakyrelu.25 fc-1",
            [
                Dense("fc1", 2, 3, bias=True, dropout=0, activation="leakyrelu"),
                Dense("fc2", 3, 2, bias=True, dropout=0, activation="leakyrelu.25"),
                Dense("fc3", 2, 1, bias=True, dropout=0, activation="id"),
            ],
        ),
    ],
)
def test_models_are_read(text, layers):
    """A text's linear layers have their sizes, activations behind and dropout in front of them."""
    model = Mlp.read(text)
    assert model.text == text
    assert list(model.layers) == layers
    assert model.widest == max(max(d.fan_in, d.out) for d in layers)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fc-2 relu fc-1", "does not begin with its input's size"),
        ("4x4x1 conv3-2 fc-1", "conv1: a stack of linear layers has no conv"),
        ("1x1x4 relu fc-1", "relu1: a stack of linear layers has no relu"),
        ("1x1x4 fc-2 relu tanh fc-1", "tanh1: a stack of linear layers has no tanh"),
        ("1x1x4 fc-2 bn fc-1", "a stack of linear layers has no bn"),
        ("1x1x4 [fc-2 | fc-2] fc-1", "a stack of linear layers has no concat"),
        ("1x1x4 fc-N fc-1", "N stands for a number"),
        ("1x1xC fc-1", "C stands for a number"),
    ],
)
def test_other_networks_are_refused(text, said):
    """What is no stack of linear layers of known sizes is refused in one line that says why."""
    with pytest.raises(TrainingError) as caught:
        Mlp.read(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["1x1x4 fc-8 drop.5 tanh fc-3", "1x1x4 fc-8 tanh fc-3 drop.5"],
    ids=["between a layer and its activation", "behind the last layer"],
)
def test_dropout_that_cannot_be_kept_is_refused(text):
    """Dropout stands in front of a linear layer; elsewhere it is refused, not moved or left out."""
    with pytest.raises(TrainingError):
        Mlp.read(text)


@pytest.mark.parametrize(
    ("word", "left"),
    [("leakyrelu.0", 0.0), ("leakyrelu.00001", 1e-5), ("leakyrelu.12345678", 0.12345678)],
)
def test_a_slope_is_what_is_written(word, left):
    """A slope of the text is the slope of the model to the last digit, zero and small ones too."""
    model = Mlp.read(f"1x1x1 fc-1 {word}")
    theta = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    found = model.forward(theta, torch.tensor([[[-1.0]]], dtype=torch.float64))
    assert found.item() == pytest.approx(-left, rel=1e-12)


SIZES = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=5)


@given(st.integers(1, 9), SIZES)
@laws
def test_parameters_are_those_that_archcalc_counts(size, layers):
    """A model has as many parameters as archcalc's report of its text, and cuts them all up."""
    words = [f"fc-{out}{'' if bias else ' nobias'}" for out, bias in layers]
    text = f"1x1x{size} {' relu '.join(words)}"
    model = Mlp.read(text)
    assert model.parameters == ac.report(text).totals["parameters"]
    parts = model.split(torch.zeros(2, model.parameters)).values()
    assert sum(weight[0].numel() + bias[0].numel() for weight, bias in parts) == model.parameters


def test_how_a_member_is_cut():
    """Each layer's weights stand row by row, then its biases, and what is cut out is no copy."""
    model = Mlp.read("1x1x3 fc-2 relu fc-2 nobias relu fc-1")
    theta = torch.arange(30.0).view(2, 15)
    (w1, b1), (w2, b2), (w3, b3) = model.split(theta).values()
    assert w1[1].tolist() == [[15, 16, 17], [18, 19, 20]]
    assert b1.tolist() == [[6, 7], [21, 22]]
    assert w2[0].tolist() == [[8, 9], [10, 11]]
    assert b2.shape == (2, 0)
    assert w3.tolist() == [[[12, 13]], [[27, 28]]]
    assert b3.tolist() == [[14], [29]]
    w2[0, 1, 0] = -1
    assert theta[0, 10] == -1


def test_members_are_drawn_from_their_own_streams():
    """A layer's weights and biases are its initializer's, from the member's stream of its name."""
    model = Mlp.read("1x1x3 fc-4 relu fc-4 relu fc-2 nobias")
    names = ["he", "torch", "rai", "he", "normal.5"]
    keys = keys_of(5)
    theta = model.draw(keys, names)
    assert theta.dtype == torch.float32
    for member, name in enumerate(names):
        for d, (weight, bias) in zip(model.layers, model.split(theta).values(), strict=True):
            own = streams.fold(keys[member], "init", d.name)
            drawn = initializers.initializer(name)(own.view(1), d.out, d.fan_in)
            assert torch.equal(weight[member], drawn.weight[0])
            assert torch.equal(bias[member], drawn.bias[0] if d.bias else torch.empty(0))
        alone = model.draw(keys[member : member + 1], [name])
        assert torch.equal(alone[0], theta[member])


MODULES = {
    "relu": nn.ReLU(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "leakyrelu.01": nn.LeakyReLU(0.01),
    "leakyrelu.25": nn.LeakyReLU(0.25),
}


def sequential(model, theta):
    """One member as torch builds it, from the numbers in their stated order."""
    modules, numbers = [], iter(theta.tolist())

    def some(*shape):
        count = math.prod(shape)
        return torch.tensor([next(numbers) for _ in range(count)], dtype=torch.float64).view(*shape)

    for d in model.layers:
        linear = nn.Linear(d.fan_in, d.out, bias=d.bias, dtype=torch.float64)
        parts = {"weight": some(d.out, d.fan_in)}
        linear.load_state_dict(parts | ({"bias": some(d.out)} if d.bias else {}))
        modules += [linear] if d.activation == "id" else [linear, MODULES[d.activation]]
    assert next(numbers, None) is None
    return nn.Sequential(*modules)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "1x1x1 fc-1",
        "1x1x3 fc-2 nobias",
        "1x1x1 (fc-2 relu) x9 fc-1",
        "1x1x5 fc-7 tanh fc-4 relu fc-3 leakyrelu.01 fc-2",
        "1x1x5 fc-7 nobias leakyrelu.25 fc-6 fc-2 nobias",
        "2x2x3 flatten fc-9 sigmoid fc-4 tanh",
        "1x1x4 drop.5 fc-3 relu drop.2 fc-2",
    ],
)
def test_a_member_is_the_network_that_torch_builds(text, shared):
    """Outputs are those of ``torch.nn.Sequential`` with the same weights, without dropout."""
    model = Mlp.read(text)
    theta = doubles(4, model.parameters)
    x = doubles(1 if shared else 4, 6, model.layers[0].fan_in, seed=1)
    found = model.forward(theta, x)
    assert found.shape == (4, 6, model.layers[-1].out)
    for member in range(4):
        expected = sequential(model, theta[member])(x[0 if shared else member])
        torch.testing.assert_close(found[member], expected, rtol=1e-11, atol=1e-12)


def test_members_bring_their_own_activations():
    """A member's activation stands where the text has one, save behind the last layer."""
    model = Mlp.read("1x1x3 fc-4 relu fc-4 fc-4 relu fc-2 sigmoid")
    names = ["tanh", "leakyrelu.25", "relu"]
    theta, x = doubles(3, model.parameters), doubles(3, 5, 3, seed=1)
    found = model.forward(theta, x, Activations(names))
    for member, name in enumerate(names):
        own = Mlp.read(f"1x1x3 fc-4 {name} fc-4 fc-4 {name} fc-2 sigmoid")
        expected = sequential(own, theta[member])(x[member])
        torch.testing.assert_close(found[member], expected, rtol=1e-6, atol=1e-8)


def test_all_layers_are_watched():
    """A watcher sees every layer in order, before its activation and behind it."""
    model = Mlp.read("1x1x3 fc-4 tanh fc-5 fc-2 sigmoid")
    theta, x = doubles(3, model.parameters), doubles(1, 6, 3, seed=1)
    seen = {}
    found = model.forward(theta, x, watch=seen.__setitem__)
    assert list(seen) == ["fc1.z", "fc1.a", "fc2.z", "fc2.a", "fc3.z", "fc3.a"]
    h = x
    for (weight, bias), d, function in zip(
        model.split(theta).values(),
        model.layers,
        (torch.tanh, torch.clone, torch.sigmoid),
        strict=True,
    ):
        z = torch.einsum("moi,mbi->mbo", weight, h.expand(3, 6, -1)) + bias[:, None]
        torch.testing.assert_close(seen[f"{d.name}.z"], z)
        torch.testing.assert_close(seen[f"{d.name}.a"], function(z))
        h = function(z)
    assert torch.equal(seen["fc3.a"], found)


WIDE = 200


def dropped(text, keys):
    """Ones through layers that only hand on what they get: what dropout makes of them."""
    model = Mlp.read(text)
    theta = torch.eye(WIDE).flatten().repeat(len(model.layers)).expand(3, -1)
    return model.forward(theta, torch.ones(1, 50, WIDE), keys=keys)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"1x1x{WIDE} drop.3 fc-{WIDE} nobias", 0.7),
        (f"1x1x{WIDE} drop.5 drop.2 fc-{WIDE} nobias", 0.4),
        (f"1x1x{WIDE} drop.5 fc-{WIDE} nobias drop.5 fc-{WIDE} nobias", 0.25),
        (f"1x1x{WIDE} fc-{WIDE} nobias drop.3 fc-{WIDE} nobias", 0.7),
    ],
    ids=["one", "two at once", "one behind the other", "a hidden one"],
)
def test_dropout(text, kept):
    """Dropout drops its share and scales what it keeps, so that the mean stays; layers apart."""
    found = dropped(text, keys_of(3)).double()
    values = torch.unique(found)
    assert values.tolist() == pytest.approx([0, 1 / kept], rel=1e-6)
    error = math.sqrt(kept * (1 - kept) / found.numel())
    assert abs((found > 0).double().mean() - kept) < 4 * error
    masks = (found > 0).double() - kept
    between = [
        (masks[0] * masks[1]).mean(),  # members
        (masks[:, 1:] * masks[:, :-1]).mean(),  # examples
        (masks[..., 1:] * masks[..., :-1]).mean(),  # units
    ]
    for correlation in between:
        assert abs(correlation) < 4 * kept * (1 - kept) / math.sqrt(50 * WIDE)


def test_dropout_is_a_members_own():
    """The same keys drop the same, others drop others, and company changes nothing."""
    text = f"1x1x{WIDE} drop.5 fc-{WIDE} nobias"
    keys = keys_of(3)
    found = dropped(text, keys)
    assert torch.equal(dropped(text, keys), found)
    assert torch.equal(dropped(text, keys.flip(0)), found.flip(0))
    other = dropped(text, streams.fold(keys, "update", 1))
    assert 0.4 < (other == found).double().mean() < 0.6
    x = doubles(3, 4, WIDE)
    model, theta = Mlp.read(text), doubles(3, WIDE * WIDE, seed=1)
    together = model.forward(theta, x, keys=keys)
    for member in range(3):
        own = slice(member, member + 1)
        alone = model.forward(theta[own], x[own], keys=keys[own])
        torch.testing.assert_close(alone, together[own], rtol=1e-11, atol=1e-11)


def test_no_dropout_without_keys():
    """Where no keys are given nothing is dropped or scaled."""
    text = f"1x1x{WIDE} drop.5 fc-{WIDE} nobias"
    assert torch.equal(dropped(text, None), torch.ones(3, 50, WIDE))


# --------------------------------------------------------------------------------------- kernel


def narrow(sizes):
    """A stack of layers of these sizes, the text's own activation between them."""
    first, *hidden, last = sizes
    return Mlp.read(" ".join([f"1x1x{first}", *(f"fc-{n} relu" for n in hidden), f"fc-{last}"]))


def names_of(slopes):
    """Activations of these slopes."""
    return [{0.0: "relu", 1.0: "id"}.get(slope, f"leakyrelu{slope}") for slope in slopes]


def by_autograd(model, theta, x, y, slopes):
    """Loss and gradient in 64 bits, differentiated by torch."""
    theta = theta.double().requires_grad_()
    h = x.double().expand(len(theta), -1, -1)
    for place, (weight, bias) in enumerate(model.split(theta).values(), 1):
        h = torch.einsum("moi,mbi->mbo", weight, h) + bias[:, None]
        if place < len(model.layers):
            h = torch.where(h > 0, h, torch.tensor(slopes).double()[:, None, None] * h)
    loss = (h - y.double()).square().mean((1, 2))
    return loss.detach(), torch.autograd.grad(loss.sum(), theta)[0]


def near(found, expected):
    """Equal in 32 bits: sums of some tens of products, each member's by its largest number.

    A member whose company leaks in is off by its own size, ten thousand times as much.
    """
    size = expected.abs().flatten(1).amax(1).clamp_min(1e-30)
    off = (found.double() - expected.double()).abs().flatten(1).amax(1) / size
    assert off.max() < 2e-5


@given(
    st.data(),
    st.integers(1, 3),
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.integers(1, 3),
    st.integers(1, 9),
    st.lists(st.sampled_from([0.0, 0.01, 0.5, 1.0]), min_size=1, max_size=4),
)
@laws
def test_the_kernel_differentiates(data, first, hidden, last, batch, slopes):
    """The kernel's loss and gradient are those of autograd, whatever the network and the batch."""
    model, members = narrow([first, *hidden, last]), len(slopes)
    seed = data.draw(st.integers(0, 10**6), "seed")
    own_x, own_y = data.draw(st.tuples(st.booleans(), st.booleans()), "own batch, own targets")
    theta = doubles(members, model.parameters, seed=seed).float()
    x = doubles(members if own_x else 1, batch, first, seed=seed + 1).float()
    y = doubles(members if own_y else 1, batch, last, seed=seed + 2).float()
    assert kernel.fits(model, theta, x)
    loss, gradient = kernel.gradients(model, theta, x, y, torch.tensor(slopes))
    assert loss.shape == (members,)
    expected = by_autograd(model, theta, x, y, slopes)
    near(loss.unsqueeze(1), expected[0].unsqueeze(1))
    near(gradient, expected[1])


@pytest.mark.parametrize("own_x", [True, False])
@pytest.mark.parametrize("curved", [False, True])
def test_cohorts_differentiate_alike_with_and_without_the_kernel(monkeypatch, own_x, curved):
    """Without numba, and for curved members always, a cohort finds the same by autograd."""
    slopes = [0.0, 0.01, 1.0, 0.0]
    members = [Member(n, "torch", name) for n, name in enumerate(names_of(slopes))]
    members += [Member(9, "torch", "tanh")] if curved else []
    model = narrow([2, 5, 4, 3])
    cohort = Cohort.born(model, members, 3, loss=losses.mse, rule=Adam())
    x, y = doubles(len(members) if own_x else 1, 8, 2).float(), doubles(1, 8, 3, seed=1).float()
    calls = []
    real = kernel.gradients
    monkeypatch.setattr(kernel, "gradients", lambda *a: calls.append(0) or real(*a))
    usual = cohort.gradients(cohort.parameters, x, y)
    assert len(calls) == (not curved)
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "_compiled", lambda: None)
        assert not kernel.fits(model, cohort.parameters, x)
        without = cohort.gradients(cohort.parameters, x, y)
    assert len(calls) == (not curved)
    expected = by_autograd(model, cohort.parameters[:4], x[:4], y, slopes)
    for one in (usual, without):
        assert not one[0].requires_grad
        near(one[0][:4].unsqueeze(1), expected[0].unsqueeze(1))
        near(one[1][:4], expected[1])


@pytest.mark.parametrize(
    "loss", [lambda p, y: losses.mse(p, y) / 2, lambda p, y: (p - y).abs().mean((1, 2))]
)
def test_the_kernel_is_for_squared_errors(loss):
    """Another loss than the mean squared error is differentiated itself."""
    cohort = Cohort.born(narrow([1, 2, 1]), [Member(0), Member(1)], 3, loss=loss, rule=Adam())
    x, y = doubles(1, 4, 1).float(), doubles(1, 4, 1, seed=1).float()
    found, _ = cohort.gradients(cohort.parameters, x, y)
    torch.testing.assert_close(found, loss(cohort.predict(x), y))


def test_no_numba_no_kernel(monkeypatch):
    """Where numba cannot be imported there is no kernel, and that is no error."""
    monkeypatch.setitem(sys.modules, "numba", None)
    assert kernel._compiled.__wrapped__() is None


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("1x1x1 (fc-2 relu) x9 fc-1", True),
        ("1x1x16 fc-16 relu fc-16", True),
        ("1x1x3 fc-2", True),
        ("1x1x3 fc-2 tanh fc-1", True),  # members bring their activations; the cohort asks them
        ("1x1x17 fc-2 relu fc-1", False),
        ("1x1x1 fc-17 relu fc-1", False),
        ("1x1x1 fc-2 relu fc-17", False),
        ("1x1x1 fc-2 nobias relu fc-1", False),
        ("1x1x1 fc-2 relu fc-1 nobias", False),
        ("1x1x1 fc-2 relu drop.5 fc-1", False),
        ("1x1x2 drop.5 fc-2 relu fc-1", False),
        ("1x1x1 fc-2 fc-1", False),
        ("1x1x1 fc-2 relu fc-1 relu", False),
    ],
)
def test_what_there_is_a_kernel_for(text, fits):
    """There is a kernel for narrow stacks with all biases and activations, and no dropout."""
    model = Mlp.read(text)
    theta, x = torch.zeros(2, model.parameters), torch.zeros(1, 3, model.layers[0].fan_in)
    assert kernel.fits(model, theta, x) == fits
    assert not kernel.fits(model, theta.double(), x.double())
    assert not kernel.fits(model, theta, x.double())
    assert not kernel.fits(model, theta.double(), x)
    assert not kernel.fits(model, theta.to("meta"), x.to("meta"))


MANY = 300  # members, enough for threads to share


def population(hidden, seed=0, initializer="he"):
    """Many networks of one input and one output, their slopes, and a batch of each."""
    model = narrow([1, *hidden, 1])
    theta = model.draw(keys_of(MANY, seed), [initializer] * MANY)
    slopes = torch.tensor([0.0, 0.01, 0.0, 1.0]).repeat(MANY // 4)
    x, y = doubles(MANY, 8, 1).float(), doubles(MANY, 8, 1, seed=1).float()
    return model, theta, x, y, slopes


def test_threads_and_company_change_no_bit(threads):
    """Losses, gradients and surveys are the same bits on any number of threads, in any company."""
    model, theta, x, y, slopes = population([3, 4, 3], initializer="torch")
    grid = torch.linspace(-2, 2, 33)

    def found(own):
        given = theta[own], x[own], y[own], slopes[own]
        return *kernel.gradients(model, *given), *kernel.survey(
            model, theta[own], grid, slopes[own]
        )

    threads(1)
    alone = found(slice(None))
    for count in (1, 2, 3):
        threads(count)
        for own in (
            slice(None),
            slice(100, 101),
            slice(7, 290),
            slice(0, 128),
            slice(None, None, 3),
        ):
            for one, other in zip(alone, found(own), strict=True):
                assert torch.equal(one[own], other)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("members", [0, 1, 63, 64, 127, 128, 129, 1000])
def test_members_are_spread(threads, count, members):
    """Ranges cover all members once, and none has fewer than a thread is woken for."""
    ranges = []
    threads(count)
    kernel.spread(lambda told, first, end: ranges.append((told, first, end)), members, "x")
    ranges.sort()
    assert {told for told, _, _ in ranges} == {"x"}
    assert [i for _, first, end in ranges for i in range(first, end)] == list(range(members))
    assert len(ranges) == 1 or min(end - first for _, first, end in ranges) >= kernel.LEAST
    assert (len(ranges) > 1) == (count > 1 and members >= 2 * kernel.LEAST)
    assert len(ranges) <= 2 * count


def test_what_fails_on_a_thread_fails(threads):
    """An error on one of the threads is raised where the threads were woken."""

    def broken(first, _end):
        if first:
            raise ZeroDivisionError

    threads(2)
    with pytest.raises(ZeroDivisionError):
        kernel.spread(broken, MANY)


def test_the_kernel_reads_what_is_laid_out_otherwise():
    """Expanded, transposed and strided tensors are read as what they say."""
    model, theta, x, y, slopes = population([2, 2])
    expected = kernel.gradients(model, theta, x, y, slopes)
    found = kernel.gradients(
        model,
        theta.T.contiguous().T,
        x.transpose(0, 1).contiguous().transpose(0, 1),
        torch.stack([y, y], -1)[..., 0],
        torch.stack([slopes, slopes], 1)[:, 0],
    )
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    shared = kernel.gradients(model, theta, x[:1], y[:1], slopes)
    expanded = kernel.gradients(
        model, theta, x[:1].expand(MANY, -1, -1), y[:1].expand(MANY, -1, -1), slopes
    )
    for one, other in zip(shared, expanded, strict=True):
        assert torch.equal(one, other)


def test_a_lost_member_is_lost_alone():
    """A member with a NaN or a number too large has no loss, and no other member's bit changes."""
    model, theta, x, y, slopes = population([2, 2], initializer="torch")
    loss, gradient = kernel.gradients(model, theta, x, y, slopes)
    ill = theta.clone()
    ill[:3, 0] = math.nan  # one weight of the first layer, at each slope
    ill[70] = 1e30
    found = kernel.gradients(model, ill, x, y, slopes)
    well = torch.arange(MANY) >= 3
    well[70] = False
    assert torch.equal(torch.isfinite(found[0]), well)
    assert torch.equal(found[0][well], loss[well])
    assert torch.equal(found[1][well], gradient[well])


@pytest.mark.parametrize("slope", [0.0, 0.01, 1.0])
def test_the_kernel_is_the_models_at_infinity(slope):
    """Where a hidden value is beyond 32 bits the kernel has the loss that the model has."""
    model = narrow([1, 2, 1])
    theta = torch.tensor([[2e38, 2e38, 0, 0, 1, last, 0] for last in (1.0, -1.0)])
    x = torch.tensor([[[-2.0], [-1.0]], [[2.0], [0.0]]])
    activations = Activations(names_of([slope]) * 2)
    y, slopes = torch.zeros(2, 2, 1), torch.tensor([slope, slope])
    found, _ = kernel.gradients(model, theta, x, y, slopes)
    same(found, losses.mse(model.forward(theta, x, activations), y))


@pytest.mark.parametrize("hidden", [[1], [2] * 4, [2] * 9, [3] * 5, [5, 1, 4], [2] * 30])
@pytest.mark.parametrize("initializer", ["he", "torch"])
def test_surveys_agree(hidden, initializer):
    """The kernel's survey is that of tensor operations, for dead and living networks."""
    model, theta, _, _, slopes = population(hidden, initializer=initializer)
    grid = torch.linspace(-math.sqrt(7), math.sqrt(7), 101)
    found = kernel.survey(model, theta, grid, slopes)
    expected = plain_survey(model, theta, grid, slopes)
    assert torch.equal(found.off, expected.off)
    assert torch.equal(found.constant, expected.constant)
    torch.testing.assert_close(found.ends, expected.ends, rtol=1e-5, atol=1e-6)
    if initializer == "he" and len(hidden) > 3:
        assert 0 < (found.off[::2] > 0).double().mean() <= 1
        assert len(torch.unique(found.off)) > 3
    assert not found.constant[3::4].any()


# weight 1, bias 1, weight 2, bias 2, weight 3, bias 3 of a chain; slope; off, ends, constant
CHAINS = [
    ([1, 0, 1, 0, 1, 0], 0.0, 0, [0, 2], False),
    ([1, 0, 1, 0, -3, 1], 0.0, 0, [-5, 1], False),
    ([1, -3, 1, 5, 1, 7], 0.0, 1, [12, 12], True),  # off on the grid, and the bias goes on
    ([1, -2, 1, 5, 1, 7], 0.0, 1, [12, 12], True),  # 0 at the end is off
    ([1, 0, -1, 0, 1, 7], 0.0, 2, [7, 7], True),
    ([1, -3, -1, 0, 1, 7], 0.0, 1, [7, 7], True),  # both; the first counts
    ([1, 0, 1, 0, 0, 7], 0.0, 0, [7, 7], True),  # constant and not off
    ([1, -3, 1, 5, 1, 7], 0.5, 1, [9.5, 11.5], False),  # off, and yet no constant
    ([1, 0, 1, 0, 1, 0], 1.0, 0, [-2, 2], False),
]


@pytest.mark.parametrize(("theta", "slope", "off", "ends", "constant"), CHAINS)
def test_what_a_survey_says(theta, slope, off, ends, constant):
    """A survey tells the first layer that is off, the range, and whether nothing depends on x."""
    model = narrow([1, 1, 1, 1])
    given = torch.tensor([theta], dtype=torch.float32), torch.linspace(-2, 2, 5)
    for survey in (kernel.survey, plain_survey):
        found = survey(model, *given, torch.tensor([slope]))
        assert found.off.tolist() == [off]
        assert found.ends.tolist() == [ends]
        assert found.constant.tolist() == [constant]


def test_a_small_derivative_is_none_of_zero():
    """A network whose derivative is far below 32 bits is not called constant."""
    model = narrow([1] * 12)
    theta = torch.tensor([[0.01, 1.0] * 11])
    for survey in (kernel.survey, plain_survey):
        tiny = theta.clone()
        tiny[:, ::2] = 1e-10
        assert survey(model, tiny, torch.linspace(-1, 1, 5), torch.zeros(1)).constant.tolist() == [
            False
        ]


@pytest.mark.parametrize("survey", [kernel.survey, plain_survey])
@pytest.mark.parametrize(
    ("last", "ends"),
    [([1, 1], [0, math.inf]), ([-1, -1], [-math.inf, 0]), ([1, -1], [math.nan, math.nan])],
)
def test_a_survey_hides_no_infinity(survey, last, ends):
    """Infinities, and no numbers at a single point, are in the range that a survey tells."""
    theta = torch.tensor([[2e38, 2e38, 0, 0, *last, 0]])  # twice that is beyond 32 bits
    for grid in (torch.linspace(-2, 2, 5), torch.linspace(2, -2, 5)):
        found = survey(narrow([1, 2, 1]), theta, grid, torch.zeros(1))
        same(found.ends, torch.tensor([ends]))


# --------------------------------------------------------------------------------------- cohort

DROPOUT = Mlp.read("1x1x6 drop.2 fc-8 tanh drop.5 fc-3")
CHAIN = Mlp.read("1x1x2 (fc-3 relu) x4 fc-1")
WALKED = [
    *(SGD(), Adagrad(), RMSprop(), RMSpropNesterov(), Adadelta(), Adam(), AdamW(), NAdam()),
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    Adam(weight_decay=0.1),
]
RATES = {"sgd": 0.05, "adadelta": 1.0}  # at which something is learnt in twenty updates


def company(rule, activations):
    """Members that differ in all that a member can differ in, and two in nothing but the rate."""
    rate = RATES.get(rule.name, 0.01)
    first, second, third, fourth = activations
    return [
        Member(7, "he", first, rate),
        Member(0, "torch", second, rate / 2),
        Member(3, "glorot", third, 2 * rate),
        Member(12, "rai", fourth, rate),
        Member(5, "normal.5", first, rate / 4),
        Member(5, "normal.5", first, rate),
    ]


CURVED = ("tanh", "relu", "leakyrelu.3", "sigmoid")
STRAIGHT = ("relu", "leakyrelu.01", "id", "leakyrelu.3")


def born(members, rule, *, model=DROPOUT, loss=losses.cross_entropy, seed=3):
    """Members at birth."""
    return Cohort.born(model, members, seed, loss=loss, rule=rule)


def walked(cohort, updates=20):
    """Parameters and losses of each member on batches of its own, drawn from its stream."""
    first, last = cohort.model.layers[0].fan_in, cohort.model.layers[-1].out
    path = []
    for _ in range(updates):
        x = streams.normal(streams.fold(cohort.keys, "x", cohort.updates), 7, first).float()
        key = streams.fold(cohort.keys, "y", cohort.updates)
        if cohort.loss is losses.mse:
            y = streams.normal(key, 7, last).float()
        else:
            y = streams.integers(key, last, 7)
        loss = cohort.advance(x, y)
        path.append(torch.cat([cohort.parameters, loss.unsqueeze(1)], 1))
    return torch.stack(path, 1)


def close(one, other):
    """Equal but for the rounding of twenty updates in 32 bits, which products sum in any order."""
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def check_that_company_changes_nothing(make, members, equal):
    """The law of this package: alone each member follows the path that it follows in company."""
    together = walked(make(members))
    assert torch.isfinite(together).all()
    moved = (together[:, -1, :-1] - together[:, 0, :-1]).abs().amax(1)
    assert moved.min() > 1e-3
    for place, member in enumerate(members):
        equal(walked(make([member]))[0], together[place])


@pytest.mark.parametrize("rule", WALKED, ids=label)
def test_a_member_in_company_follows_the_path_that_it_follows_alone(rule):
    """Members of other seeds, births, activations and rates change no member's path."""
    check_that_company_changes_nothing(lambda some: born(some, rule), company(rule, CURVED), close)


@pytest.mark.parametrize("rule", WALKED, ids=label)
def test_the_kernels_paths_are_the_same_bits(rule):
    """Where the kernel differentiates, a member's path in company is that alone to the last bit."""
    members = company(rule, STRAIGHT)
    check_that_company_changes_nothing(
        lambda some: born(some, rule, model=CHAIN, loss=losses.mse), members, same
    )


class MixedOutputs(Mlp):
    """A model whose members see one another's outputs."""

    def forward(self, *args, **kwargs):
        """The outputs less their mean over members."""
        found = super().forward(*args, **kwargs)
        return found - found.mean(0)


class SharedDropout(Mlp):
    """A model whose members drop what the first of them drops."""

    def forward(self, theta, x, activations=None, *, keys=None, **given):
        """As the model, with the first member's keys for all."""
        own = None if keys is None else keys[:1].expand(len(keys))
        return super().forward(theta, x, activations, keys=own, **given)


@dataclass(frozen=True, kw_only=True)
class MixedGradients(SGD):
    """A rule that adds a thousandth of the others' gradient."""

    def update(self, theta, g, state, rate, t):
        """As the rule, with a little of the mean gradient."""
        return super().update(theta, g + 1e-3 * g.mean(0), state, rate, t)


@dataclass(frozen=True, kw_only=True)
class MixedStates(Adam):
    """A rule whose members remember a mean square in common."""

    def moments(self, g, state):
        """As the rule, with the mean square of all."""
        found = super().moments(g, state)
        return found | {"square": found["square"].mean(0).expand_as(g)}


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (MixedOutputs, SGD()),
        (MixedOutputs, Adam()),
        (SharedDropout, SGD()),
        (SharedDropout, Adam()),
        (Mlp, MixedGradients()),
        (Mlp, MixedStates()),
    ],
)
def test_members_that_are_mixed_are_noticed(kind, rule):
    """The check of paths fails where members see one another, be it by a thousandth."""
    model = kind(DROPOUT.text, DROPOUT.leaves, DROPOUT.layers)

    def make(members):
        return born(members, rule, model=model)

    with pytest.raises(AssertionError, match="not close"):
        check_that_company_changes_nothing(make, company(rule, CURVED), close)


@pytest.mark.parametrize("rule", [SGD(), MixedGradients()], ids=["whole", "mixed"])
def test_mixed_bits_are_noticed(rule):
    """The check of bits passes for the plain rule and fails where a rule mixes its members."""

    def check():
        members = company(rule, STRAIGHT)
        check_that_company_changes_nothing(
            lambda some: born(some, rule, model=CHAIN, loss=losses.mse), members, same
        )

    if isinstance(rule, MixedGradients):
        with pytest.raises(AssertionError, match="not equal"):
            check()
    else:
        check()


@pytest.mark.parametrize("rule", WALKED, ids=label)
@pytest.mark.parametrize(
    ("model", "loss", "activations"),
    [(DROPOUT, losses.cross_entropy, CURVED), (CHAIN, losses.mse, STRAIGHT)],
    ids=["autograd", "kernel"],
)
def test_a_member_that_diverges_disturbs_none(rule, model, loss, activations):
    """A member whose rate takes it to infinity leaves every other member's path as it is."""
    members = company(rule, activations)
    wild = [*members[:2], Member(99, "he", activations[0], 1e30), *members[2:]]
    well = walked(born(members, rule, model=model, loss=loss))
    with_wild = walked(born(wild, rule, model=model, loss=loss))
    assert not (with_wild[2].abs() < 1e20).all()
    (same if model is CHAIN else close)(torch.cat([with_wild[:2], with_wild[3:]]), well)


@pytest.mark.parametrize("rule", WALKED, ids=label)
@pytest.mark.parametrize(
    ("model", "loss", "activations"),
    [(DROPOUT, losses.cross_entropy, CURVED), (CHAIN, losses.mse, STRAIGHT)],
    ids=["autograd", "kernel"],
)
def test_a_part_goes_on_like_the_whole(rule, model, loss, activations):
    """Some members, taken out in any order in the middle, go on as they would have."""
    whole = born(company(rule, activations), rule, model=model, loss=loss)
    walked(whole, 5)
    before = whole.parameters.clone()
    places = [4, 1, 3]
    part = whole.part(places)
    assert part.members == tuple(whole.members[place] for place in places)
    assert len(part) == 3
    rest = walked(part, 5)
    assert torch.equal(whole.parameters, before)
    assert (whole.updates, part.updates) == (5, 10)
    (same if model is CHAIN else close)(rest, walked(whole, 5)[places])


def test_members_at_birth():
    """At birth parameters are the model's draw, and the state is the rule's beginning."""
    members = company(Adam(), CURVED)
    cohort = born(members, Adam(), seed=4)
    keys = member_keys(4, members)
    assert cohort.members == tuple(members)
    assert len(cohort) == 6
    assert cohort.updates == 0
    assert torch.equal(cohort.keys, keys)
    drawn = DROPOUT.draw(keys, [member.initializer for member in members])
    assert torch.equal(cohort.parameters, drawn)
    assert cohort.rates.tolist() == [[pytest.approx(member.rate)] for member in members]
    assert cohort.activations.names == tuple(member.activation for member in members)
    assert set(cohort.state) == {"mean", "square"}
    assert not any(value.any() for value in cohort.state.values())


def test_a_members_key_is_of_its_number_and_the_seed():
    """Members of one number and seed have one stream, wherever they stand; others have others."""
    keys = member_keys(3, [Member(5), Member(8), Member(5, "rai", "tanh", 1.0, "other")])
    assert keys[0] == keys[2] != keys[1]
    assert torch.equal(member_keys(3, [Member(8)])[0], keys[1])
    assert member_keys(4, [Member(5)])[0] != keys[0]
    assert keys[0] == streams.fold(streams.root(3), "member", 5)


def by_hand(cohort, x, y, rate):
    """One step of plain gradient descent in 64 bits, and the loss before it."""
    theta = cohort.parameters.double().requires_grad_()
    found = cohort.model.forward(theta, x.double())
    loss = nn.functional.mse_loss(found[0], y[0].double())
    (gradient,) = torch.autograd.grad(loss, theta)
    return loss.item(), theta.detach() - rate * gradient


@pytest.mark.parametrize("factor", [1.0, 0.25])
@pytest.mark.parametrize("text", ["1x1x2 fc-3 relu fc-1", "1x1x2 fc-3 nobias relu fc-1"])
def test_an_update(text, factor):
    """An update goes down the gradient by the rate times the factor, and tells the loss before."""
    member = Member(2, rate=0.3, schedule=Schedule("all the time", lambda _: factor))
    cohort = born([member], SGD(), model=Mlp.read(text), loss=losses.mse)
    x, y = doubles(1, 9, 2).float(), doubles(1, 9, 1, seed=1).float()
    for update in (1, 2):
        loss, theta = by_hand(cohort, x, y, 0.3 * factor)
        assert cohort.advance(x, y).tolist() == [pytest.approx(loss, rel=1e-5)]
        assert cohort.updates == update
        torch.testing.assert_close(cohort.parameters.double(), theta, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", [Adam(), NAdam()], ids=label)
def test_updates_are_counted_from_one(rule):
    """The rule is told the number of the update, the first being 1."""
    cohort = born([Member(2, rate=0.1)], rule, model=CHAIN, loss=losses.mse)
    x, y = doubles(1, 9, 2).float(), doubles(1, 9, 1, seed=1).float()
    for t in (1, 2, 3):
        _, gradient = cohort.gradients(cohort.parameters, x, y)
        theta, _ = rule.update(cohort.parameters, gradient, cohort.state, cohort.rates, t)
        cohort.advance(x, y)
        assert cohort.updates == t
        assert torch.equal(cohort.parameters, theta)


def test_a_schedule_is_its_members_own():
    """A schedule's factor holds for its own members, for the update alone that it is of."""
    shut = Schedule("shut at the second", lambda t: float(t != 1))
    half = Schedule("half", lambda _: 0.5)
    members = [m._replace(schedule=s) for m in company(SGD(), CURVED)[:2] for s in (shut, half)]
    cohort = born(members, SGD())
    rates = cohort.rates.clone()
    x, y = doubles(1, 9, 6).float(), torch.zeros(1, 9, dtype=torch.int64)
    moved = []
    for _ in range(3):
        before = cohort.parameters
        cohort.advance(x, y)
        moved.append((cohort.parameters != before).any(1).tolist())
        assert torch.equal(cohort.rates, rates)
    assert moved == [[True] * 4, [False, True] * 2, [True] * 4]
    usual = Member(0).schedule
    same = [m._replace(rate=m.rate * m.schedule(0), schedule=usual) for m in members]
    plain = born(same, SGD())
    first = born(members, SGD())
    plain.advance(x, y)
    first.advance(x, y)
    torch.testing.assert_close(first.parameters, plain.parameters, rtol=1e-6, atol=1e-7)


def test_a_rule_that_looks_ahead_is_asked_where():
    """The gradient of RMSProp with Nesterov momentum is taken ahead of the parameters."""
    rule = RMSpropNesterov()
    cohort = born([Member(2, rate=0.1)], rule, model=CHAIN, loss=losses.mse)
    x, y = doubles(1, 9, 2).float(), doubles(1, 9, 1, seed=1).float()
    cohort.advance(x, y)
    ahead = cohort.parameters + 0.9 * cohort.state["velocity"]
    loss, gradient = cohort.gradients(ahead, x, y)
    elsewhere, _ = cohort.gradients(cohort.parameters, x, y)
    theta, _ = rule.update(cohort.parameters, gradient, cohort.state, cohort.rates, 2)
    assert torch.equal(cohort.advance(x, y), loss)
    assert torch.equal(cohort.parameters, theta)
    assert loss != elsewhere


def test_dropout_is_drawn_anew_for_each_update():
    """An update's dropout is that of its number: the same when asked again, another at the next."""
    cohort = born([Member(2), Member(3)], SGD())
    x, y = doubles(1, 9, 6).float(), torch.zeros(1, 9, dtype=torch.int64)
    first, _ = cohort.gradients(cohort.parameters, x, y)
    assert torch.equal(cohort.gradients(cohort.parameters, x, y)[0], first)
    second, _ = replace(cohort, updates=1).gradients(cohort.parameters, x, y)
    assert (first != second).all()


def test_predictions():
    """Predictions are the model's outputs with each member's activation, without dropout."""
    cohort = born(company(SGD(), CURVED), SGD())
    x = doubles(1, 9, 6).float()
    found = cohort.predict(x)
    assert found.shape == (6, 9, 3)
    tracked = replace(cohort, parameters=cohort.parameters.clone().requires_grad_())
    assert not tracked.predict(x).requires_grad
    plain = Mlp.read("1x1x6 fc-8 tanh fc-3")
    expected = plain.forward(cohort.parameters, x, cohort.activations)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
    tanh = plain.forward(cohort.parameters[:1], x, Activations(["tanh"]))
    torch.testing.assert_close(found[:1], tanh, rtol=1e-5, atol=1e-6)


def test_a_batch_for_all_is_a_batch_for_each():
    """A batch shared by all members is to each of them what its own would be."""
    rule = Adam()
    x, y = doubles(1, 9, 6).float(), torch.arange(9).view(1, 9) % 3
    one, other = born(company(rule, CURVED), rule), born(company(rule, CURVED), rule)
    for _ in range(5):
        one.advance(x, y)
        other.advance(x.repeat(6, 1, 1), y.repeat(6, 1))
    close(one.parameters, other.parameters)


@pytest.mark.parametrize("text", ["1x1x4 fc-8 relu6 fc-3", "1x1x4 fc-8 softmax fc-3"])
def test_an_activation_that_no_member_can_have_is_refused(text):
    """What training does not compute is refused when the text is read, not later."""
    with pytest.raises(TrainingError, match="no activation is called"):
        Mlp.read(text)


def test_targets_that_broadcast_take_the_plain_path():
    """Targets of one column for three outputs are compared as mse compares them."""
    members = [Member(0), Member(1)]
    model = Mlp.read("1x1x2 (fc-3 relu) x2 fc-3")
    cohort = Cohort.born(model, members, 0, loss=losses.mse, rule=Adam())
    x, y = torch.ones(1, 5, 2), torch.ones(1, 5, 1)
    loss, _ = cohort.gradients(cohort.parameters, x, y)
    expected = losses.mse(cohort.predict(x), y)
    torch.testing.assert_close(loss, expected)


# ------------------------------------------------------------------------------ ready for a GPU


ONE = torch.ones(())


def some_net(**given):
    """Two networks with batch norm and dropout, and a batch of each."""
    net = Net.read("6x6x2 conv3-4 bn relu [conv1-4 | conv3-6] (id + conv1-10) flatten drop.5 fc-3")
    members = [Member(n, "torch", rate=0.1, rule=rule) for n, rule in enumerate((NAdam(), Adam()))]
    made = Cohort.born(net, members, 3, loss=losses.cross_entropy, rule=SGD(), **given)
    return made, doubles(2, 8, 2, 6, 6).float(), torch.arange(8).expand(2, -1) % 3


def launched(made, x, y):
    """An update as a GPU makes it."""
    rates = made.rates * made._factors()
    terms = fused.shared(made.rule, made.parameters, made.state, rates, made.updates + 1)
    loss = made._launched(x, y, terms, torch.tensor(made.updates))
    made.updates += 1
    return loss


@pytest.mark.parametrize("turn", [False, True])
def test_an_update_on_a_gpu_is_that_of_a_cpu(monkeypatch, turn):
    """What a GPU is given, worked out by a CPU, are the CPU's own updates, to the last bit."""
    monkeypatch.setattr(fused, "LARGE", 1)
    made, x, y = some_net()
    other, _, _ = some_net()
    for one in (made, other):
        one.way = Way(in_turn=turn)
        if turn:
            one._settle()
    for _ in range(3):
        same(launched(made, x, y), other.advance(x, y))
    same(made.parameters, other.parameters)
    for name, slot in other.state.items():
        same(made.state[name], slot)
    for name, value in other.buffers.items():
        same(made.buffers[name], value)


def test_a_graph_is_recorded_of_a_size_that_recurs(monkeypatch):
    """After some updates of a size its graph takes over, and another where the numbers moved."""
    seen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        cohort, "recorded", lambda work, given: seen.append(given[0].shape[1]) or work
    )
    made, x, y = some_net()
    for count in (8, 4, 8, 4, 8, 4, 8, 4, 8, 8):
        assert seen == [count for count in (8, 4) if made.updates > 6 + (count == 4)]
        launched(made, x[:, :count], y[:, :count])
    assert seen == [8, 4]
    made.parameters = made.parameters.clone()
    for _ in range(cohort.EAGER + 1):
        launched(made, x, y)
    assert seen == [8, 4, 8]
    made.way = Way(graphs=False)
    made.parameters = made.parameters.clone()
    for _ in range(cohort.EAGER + 1):
        launched(made, x, y)
    assert seen == [8, 4, 8]


@pytest.fixture
def graphs(monkeypatch):
    """Stands in for CUDA graphs: says how often one is replayed, or fails to record."""

    def made(*, fails):
        replayed = []

        @contextmanager
        def recording(_):
            if fails:
                raise RuntimeError("no such graph")
            yield

        monkeypatch.setattr(torch.cuda, "graph", recording)
        stand_in = SimpleNamespace(replay=lambda: replayed.append(1))
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: stand_in)
        return replayed

    return made


def test_a_graph_reads_what_it_is_given(graphs):
    """A replay works on copies of what is given, and its result outlives the next replay."""
    replayed = graphs(fails=False)
    run = cohort.recorded(lambda x, _: x, [ONE, 2 * ONE])
    first, second = run(3 * ONE, ONE), run(4 * ONE, ONE)
    assert (first.item(), second.item(), len(replayed)) == (3, 4, 2)


def test_what_cannot_be_a_graph_goes_on_by_operations(graphs, caplog):
    """Where recording fails, that is said, and the work is done as before."""
    graphs(fails=True)
    run = cohort.recorded(torch.add, [ONE, ONE])
    assert run(ONE, 2 * ONE).item() == 3
    assert "no such graph" in caplog.text


@pytest.fixture
def switches():
    """Leaves torch's switches for precision as they were."""
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.conv.fp32_precision, products.fp32_precision, cudnn.benchmark
    yield lambda: (cudnn.conv.fp32_precision, products.fp32_precision)
    cudnn.conv.fp32_precision, products.fp32_precision, cudnn.benchmark = before


@pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="torch before 2.9"
)
@pytest.mark.parametrize(
    ("precision", "switch", "said"),
    [
        ("fp32", "ieee", "fp32 without TF32"),
        ("tf32", "tf32", "fp32 with TF32 in products and convolutions"),
        ("bf16", "ieee", "bf16 autocast, else fp32 without TF32"),
    ],
)
def test_a_gpu_is_told_how_to_compute(switches, precision, switch, said):
    """Products and convolutions are told the same, in every precision, and it is said."""
    assert cohort.numerics("cuda", precision) == said
    assert switches() == (switch, switch)
    assert torch.backends.cudnn.benchmark


def test_a_cpu_has_no_tf32():
    """On a CPU fp32 is what it is, and tf32 is refused."""
    assert cohort.numerics("cpu", "fp32") == "fp32"
    assert cohort.numerics("cpu", "bf16") == "bf16 autocast"
    with pytest.raises(TrainingError, match="tf32"):
        some_net(precision="tf32")


def test_the_way_is_that_of_birth():
    """A population computes the way that was set when it was born, and its views do."""
    before = cohort.WAY.set(Way(in_turn=True, channels_last=True))
    try:
        made, x, y = some_net()
    finally:
        cohort.WAY.reset(before)
    usual, _, _ = some_net()
    usual.way = Way(in_turn=False)
    assert made.way == made.part([1]).way == Way(in_turn=True, channels_last=True)
    assert made.in_turn
    assert not usual.in_turn
    for _ in range(3):
        close(made.advance(x, y), usual.advance(x, y))


def test_gradients_in_parts_are_the_gradient():
    """What layers are given apart, side by side, is the gradient; updates by it are the same."""
    made, x, y = some_net()
    made.way, made.micro = Way(in_turn=False), 3
    _, *parts = made.descent(made.parameters, x, y, apart=True)
    whole = made.descent(made.parameters, x, y)[1]
    assert len(parts) == 2 * len(made.model.leaves)
    same(torch.cat(parts, 1), whole)


def test_an_update_by_parts_is_one(monkeypatch):
    """A gradient in parts moves parameters and state as it does in one, to the last bit."""
    monkeypatch.setattr(fused, "LARGE", 1)
    for rule in EVERY:
        g, found = doubles(3, 37, seed=1).float(), []
        for given_ in (g, [g[:, :5], g[:, 5:5], g[:, 5:24], g[:, 24:]]):
            theta = doubles(3, 37).float()
            new = fused.update(rule, theta, given_, rule.begin(theta), 0.01, 1)
            found.append(torch.cat([theta, *new.state.values()], 1))
        same(*found)


def test_what_a_member_has_one_of_is_on_the_cpu():
    """No device is asked for a number that its members have one of."""
    assert NAdam().begin(torch.empty(2, 3, device="meta"))["product"].tolist() == [[1.0], [1.0]]
