# ruff: noqa: TID253 - these tests are of what needs torch
"""Networks of any notation as populations, the order of their data, and what is watched in them."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from archcalc import load, twin
from training.engine import losses, probes, statistics, streams
from training.engine.cohort import Cohort, Member
from training.engine.data import Augmentation, Data
from training.engine.datasets import Images
from training.engine.networks import MOMENTUM, Net
from training.engine.record import plain
from training.engine.updates import SGD, Adam
from training.errors import TrainingError
from training.experiments import runner, words
from training.experiments.batchnorm_dropout import experiment as batchnorm_dropout
from training.experiments.batchnorm_dropout.experiment import BatchnormDropout
from training.experiments.batchnorm_dropout.grid import PLACEMENTS, VARIANTS, Group, text

LENET = "28x28x1 c1: conv5-6 p2 tanh avgpool2 c3: conv5-16 p0 tanh avgpool2 conv5-120 p0 tanh fc-10"
TEXTS = [
    LENET,
    LENET.replace("tanh", "bn tanh"),
    "12x12x3 conv3-8 bn relu [conv1-4 | conv3-6 bn relu | pool3/1 conv1-2 nobias] lrn bn "
    "(id + conv3-12 g2 relu) gap fc-5 softmax",
    "9x9x2 conv3-4 p0 avgpool3 flatten bn noaffine fc-3 logsoftmax",
    "9x9x4 conv3x5-6 g2 bn avgpool3/2 conv3-4 d2 leakyrelu.2 avgpool3 ceil fc-7 bn tanh "
    "fc-2 nobias",
    "7x6x2 avgpool2 conv2-4 p0 bn (conv1-3 * conv1-3) adaptiveavgpool2 lrn3 fc-3",
    "10x3 conv3-4 bn relu pool2 fc-3",
    "6x6x1 fc-8 lrn fc-3",
]
every = pytest.mark.parametrize("notation", TEXTS)
MEMBERS = 3


def cohort(notation, members=MEMBERS, rule=None, per_unit=(), seed=1, first=0):
    """Members at birth; their numbers begin with ``first``."""
    net = Net.read(notation, per_unit)
    own = [Member(first + number, "torch", rate=0.01) for number in range(members)]
    return Cohort.born(net, own, seed, loss=losses.cross_entropy, rule=rule or Adam())


def modules(own):
    """Torch's own modules with the parameters of each member."""
    found = []
    parts = own.model.split(own.parameters)
    for member in range(len(own)):
        one = twin(load(own.model.text))
        leaves = dict(one.named_modules())
        with torch.no_grad():
            for name, (weight, bias) in parts.items():
                leaf = leaves[one.paths[name]]
                leaf.weight.copy_(weight[member])
                if bias.numel():
                    leaf.bias.copy_(bias[member])
        found.append(one)
    return found


def images(own, batch=16, members=MEMBERS, seed=0):
    """Random images of a model's size, ``(members, batch, channels, ...)``."""
    size = load(own.model.text).input
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(members, batch, size.channels, *size.sizes, generator=chance)


def close(a, b):
    """Equal but for the rounding of 32 bits."""
    return torch.allclose(a, b, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------------------------- networks


@every
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_a_network_is_torchs_modules(notation, shared):
    """All members at once give what torch's modules give one by one, in training and at test."""
    own = cohort(notation)
    theirs = modules(own)
    x = images(own)[: 1 if shared else None]
    batches = [x[0 if shared else member] for member in range(MEMBERS)]
    out = own.forward(own.parameters, x, training=True)
    assert close(out, torch.stack([one(b) for one, b in zip(theirs, batches, strict=True)]))
    for one in theirs:
        one.eval()
    out = own.predict(x)
    assert close(out, torch.stack([one(b) for one, b in zip(theirs, batches, strict=True)]))
    together = own.model.forward(own.parameters, x, buffers=own.buffers)
    assert close(out, together)
    assert own.model.parameters == sum(p.numel() for p in theirs[0].parameters())


@every
def test_running_statistics_are_torchs(notation):
    """After three batches the running means and variances are those of torch's modules."""
    own = cohort(notation)
    theirs = modules(own)
    for seed in range(3):
        x = images(own, seed=seed)
        own.gradients(own.parameters, x, torch.zeros(1, 16, dtype=torch.int64))
        for one, batch in zip(theirs, x, strict=True):
            one(batch)
    for name in own.model.norms:
        leaves = [dict(one.named_modules())[one.paths[name]] for one in theirs]
        assert close(own.buffers[f"{name}.mean"], torch.stack([m.running_mean for m in leaves]))
        assert close(own.buffers[f"{name}.var"], torch.stack([m.running_var for m in leaves]))
    assert {name.rpartition(".")[0] for name in own.buffers} == {*own.model.norms}


@every
def test_gradients_are_torchs(notation):
    """A member's gradient is that of torch's modules with its parameters, whoever is beside it."""
    own = cohort(notation)
    x = images(own)
    classes = own.predict(x).shape[2]
    y = torch.arange(16).remainder(classes).expand(MEMBERS, -1)
    loss, gradient = own.gradients(own.parameters, x, y)
    _, together = own.descent(own.parameters, x, y)
    parts = own.model.split(gradient)
    for member, one in enumerate(modules(own)):
        theirs = functional.cross_entropy(one(x[member]), y[member])
        theirs.backward()
        assert close(loss[member], theirs.detach())
        leaves = dict(one.named_modules())
        for name, (weight, bias) in parts.items():
            leaf = leaves[one.paths[name]]
            assert close(weight[member], leaf.weight.grad), name
            assert not bias.numel() or close(bias[member], leaf.bias.grad), name
    assert close(gradient, together)


def test_a_network_learns_as_in_torch():
    """Twenty of Adam's updates of a population are those of `torch.optim.Adam`, member by member.

    Biases in front of a batch norm have no gradient but rounding, which Adam makes large: there
    are none here.
    """
    notation = "8x8x1 conv3-4 nobias bn tanh avgpool2 fc-8 nobias bn relu fc-3"
    own = cohort(notation)
    theirs = modules(own)
    rules = [torch.optim.Adam(one.parameters(), lr=0.01) for one in theirs]
    for step in range(20):
        x, y = images(own, seed=step), torch.arange(16).remainder(3).expand(MEMBERS, -1)
        own.advance(x, y)
        for one, rule, batch in zip(theirs, rules, x, strict=True):
            rule.zero_grad()
            functional.cross_entropy(one(batch), y[0]).backward()
            rule.step()
    x = images(own, seed=99)
    for one in theirs:
        one.eval()
    outputs = torch.stack([one(batch) for one, batch in zip(theirs, x, strict=True)])
    assert torch.allclose(own.predict(x), outputs, rtol=1e-2, atol=1e-3)
    fresh = cohort(notation).predict(x)
    assert not torch.allclose(fresh, outputs, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("rule", [Adam(), SGD(momentum=0.9, nesterov=True)], ids=["adam", "sgd"])
def test_company_changes_nothing(rule):
    """On a CPU a member's path in company is its path alone, bit for bit: weights and statistics.

    With dropout, batch norm, and an order and changes of the images that are each member's own.
    """
    notation = "8x8x1 drop.2 conv3-4 bn tanh drop.5 avgpool2 fc-8 bn relu drop.5 fc-3"

    def train(own):
        x, y = images(own, 50, 1), torch.arange(50).remainder(3)[None]
        change = Augmentation(1, flip=True)
        data = Data(x, y, 16, streams.root(0), own.keys, change)
        for epoch in range(2):
            batches = data.shuffled(epoch)
            for number in range(data.per_epoch):
                own.advance(*batches(number))
        return own

    together = train(cohort(notation, rule=rule))
    for member in range(MEMBERS):
        alone = train(cohort(notation, 1, rule, first=member))
        assert torch.equal(together.parameters[member], alone.parameters[0])
        for name, value in alone.buffers.items():
            assert torch.equal(together.buffers[name][member], value[0])
        part = together.part([member])
        assert torch.equal(part.buffers["bn1.mean"], alone.buffers["bn1.mean"])
    assert not torch.equal(together.parameters[0], together.parameters[1])


def test_evaluation_changes_nothing():
    """Predictions, scores and everything that is watched leave parameters and statistics alone."""
    own = cohort("8x8x1 drop.2 conv3-4 bn tanh avgpool2 fc-8 bn relu drop.5 fc-3")
    own.gradients(own.parameters, images(own), torch.zeros(1, 16, dtype=torch.int64))
    before = {name: value.clone() for name, value in own.buffers.items()}
    theta = own.parameters.clone()
    set_ = Images(images(own, 40, 1)[0], torch.arange(40).remainder(3))
    one, two = (own.predict(set_.x[None]) for _ in range(2))
    assert torch.equal(one, two)
    probes.score(own, set_)
    probes.distributions(own, set_.x[None], ["conv1", "bn1"], 4)
    probes.variances(own, set_)
    probes.adjusted(own, set_)
    assert torch.equal(own.parameters, theta)
    assert all(torch.equal(own.buffers[name], value) for name, value in before.items())


def test_a_digest_is_of_every_bit():
    """Members with the same weights have the same digest, and one bit changes it."""
    own = cohort(LENET)
    before = probes.digest(own)
    assert before.shape == (MEMBERS, 32)
    assert len({tuple(one.tolist()) for one in before}) == MEMBERS
    assert torch.equal(before, probes.digest(cohort(LENET)))
    own.parameters[1, 5] = torch.nextafter(own.parameters[1, 5], torch.tensor(9.0))
    same = (probes.digest(own) == before).all(1)
    assert same.tolist() == [True, False, True]


def test_a_layer_is_born_by_its_name():
    """Networks that differ in normalization and dropout are born with the same weights."""
    plain_, normed = cohort(LENET), cohort(LENET.replace("tanh", "bn tanh drop.5"))
    one, two = (own.model.split(own.parameters) for own in (plain_, normed))
    for name, (weight, bias) in one.items():
        assert torch.equal(weight, two[name][0])
        assert torch.equal(bias, two[name][1])
    bound = 1 / math.sqrt(25 * 6)
    assert 0.95 * bound < one["c3"][0].abs().max() < bound
    gamma, beta = two["bn1"]
    assert torch.equal(gamma, torch.ones(MEMBERS, 6))
    assert torch.equal(beta, torch.zeros(MEMBERS, 6))


def test_every_pixel_may_have_a_norm_of_its_own():
    """Batch norm per unit is torch's one-dimensional one on the image as a vector."""
    assert Net.read("6x5x2 bn noaffine fc-3", ["bn1"]).norms == {"bn1": 60}
    own = cohort("6x5x2 bn conv3-4 tanh fc-3", per_unit=["bn1"])
    assert own.model.norms == {"bn1": 60}
    assert own.model.parameters == 60 * 2 + (9 * 2 * 4 + 4) + (30 * 4 * 3 + 3)
    x = images(own)
    seen = {}
    own.model.forward(own.parameters, x, buffers=own.buffers, training=True, watch=seen.__setitem__)
    for member in range(MEMBERS):
        theirs = nn.BatchNorm1d(60)
        wanted = theirs(x[member].flatten(1)).view(x[member].shape)
        assert close(seen["bn1"][member], wanted)
        assert close(own.buffers["bn1.mean"][member], theirs.running_mean)
        assert close(own.buffers["bn1.var"][member], theirs.running_var)


def test_without_buffers_a_batch_is_its_own_measure():
    """Without running statistics a batch is normalized by itself, and nothing remembers it."""
    own = cohort("6x6x1 bn noaffine conv3-4 fc-3")
    x = images(own, 200, 1) * 7 + 3
    seen = {}
    own.model.forward(own.parameters, x, watch=seen.__setitem__)
    assert close(seen["bn1"].mean(), torch.tensor(0.0))
    assert close(seen["bn1"].std(), torch.tensor(1.0))
    assert torch.equal(own.buffers["bn1.mean"], torch.zeros(MEMBERS, 1))
    own.gradients(own.parameters, x, torch.zeros(1, 200, dtype=torch.int64))
    assert close(own.buffers["bn1.mean"], torch.full((MEMBERS, 1), MOMENTUM * float(x.mean())))


@pytest.mark.parametrize(
    ("notation", "per_unit", "says"),
    [
        ("conv3-4 fc-3", (), "8x8x1|28x28x1"),
        ("8x8x1 convt2-4 fc-3", (), "convt1: no population has a layer of kind convt yet"),
        ("8x8x4 gn2 fc-3", (), "gn1: no population"),
        ("8x8x4 ln fc-3", (), "ln1: no population"),
        ("8x8x4 bn fc-3", ("bn2",), "no batch normalization is called bn2"),
        ("8x8x4 bn fc-3", ("fc1",), "no batch normalization is called fc1"),
    ],
)
def test_what_no_population_has(notation, per_unit, says):
    """A network that cannot be stacked is refused with the layer and its kind."""
    with pytest.raises(TrainingError, match=says):
        Net.read(notation, per_unit)


def test_glorot_is_of_linear_layers():
    """Glorot's initialization, which needs a layer's fan_out, is refused for a convolution."""
    keys = streams.fold(streams.root(0), torch.arange(2))
    with pytest.raises(TrainingError, match="conv1: glorot is of linear layers; he, torch"):
        Net.read("8x8x1 conv3-4 fc-3").draw(keys, ["he", "glorot"])
    theta = Net.read("8x8x1 fc-30 bn fc-3").draw(keys, ["he", "glorot"])
    assert abs(float(theta[1, : 64 * 30].std()) - math.sqrt(2 / 94)) < 0.01


# ----------------------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("dropped", [0.0, 0.2, 0.5, 0.9])
def test_dropout_keeps_its_share(dropped):
    """The share that is kept is 1 - p within five standard errors; of p = 0 it is everything."""
    count = 200_003
    kept = streams.kept(streams.root(3), dropped, count)
    assert kept.shape == (count,)
    assert kept.dtype == torch.bool
    error = math.sqrt(dropped * (1 - dropped) / count)
    assert abs(float(kept.double().mean()) - (1 - dropped)) <= 5 * error + 2**-16
    lanes = kept[:200_000].view(-1, 4).double()  # four decisions come of one number
    if dropped:
        table = torch.corrcoef(lanes.mT) - torch.eye(4)
        assert table.abs().max() < 5 / math.sqrt(50_000)


def test_dropout_is_each_members_and_updates_own():
    """Masks differ between members, layers and updates, and the mean of what passes is kept."""
    own = cohort("40x40x1 drop.5 conv1-1 drop.5 fc-3", 2)
    x = torch.ones(1, 50, 1, 40, 40)
    seen = []
    for update in (0, 1):
        found = {}
        keys = streams.fold(own.keys, "update", update)
        own.model.forward(own.parameters, x, keys=keys, watch=found.__setitem__)
        seen.append(found["drop1"])
        one, two = found["drop1"]
        assert set(one.unique().tolist()) == {0.0, 2.0}
        assert not torch.equal(one, two)
        assert abs(float(one.mean()) - 1) < 0.02  # the deviation of 80,000 such units is 0.0035
        masks = (found["drop1"][0] > 0, found["drop2"][0].ne(0))
        assert not torch.equal(*masks)
    assert not torch.equal(*seen)


def test_every_update_drops_anew():
    """The same update drops the same units again, and the next one others."""
    own = cohort("8x8x1 fc-30 tanh drop.5 fc-3")
    x, y = images(own), torch.zeros(1, 16, dtype=torch.int64)
    one, again = (own.gradients(own.parameters, x, y)[1] for _ in range(2))
    own.updates += 1
    _, other = own.gradients(own.parameters, x, y)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


# ---------------------------------------------------------------------------------- order, changes


def test_every_member_reads_everything_in_an_order_of_its_own():
    """In an epoch each member reads each example once, with its target; orders are all different.

    A member's order is the same alone.
    """
    x, y = torch.arange(50.0).view(1, 50, 1, 1, 1), torch.arange(50)[None]
    keys = streams.fold(streams.root(0), torch.arange(3))
    data = Data(x, y, 16, streams.root(0), keys)
    assert data.per_epoch == 4
    orders = []
    for epoch in range(2):
        batches = data.shuffled(epoch)
        parts = [batches(number) for number in range(4)]
        assert [one.shape for one, _ in parts] == [(3, 16, 1, 1, 1)] * 3 + [(3, 2, 1, 1, 1)]
        read = torch.cat([one for one, _ in parts], 1).flatten(1)
        assert torch.equal(read, torch.cat([two for _, two in parts], 1).float())
        for member in range(3):
            assert torch.equal(read[member].sort().values, torch.arange(50.0))
            alone = Data(x, y, 16, streams.root(0), keys[member : member + 1]).shuffled(epoch)
            assert torch.equal(alone(1)[0][0], parts[1][0][member])
            orders.append(tuple(read[member].tolist()))
    assert len(set(orders)) == 6


def test_one_order_of_all_members():
    """Without keys all members read the same order, each its own set, and every example once."""
    x = torch.stack([torch.arange(10.0), torch.arange(10.0) + 100]).unsqueeze(2)
    batches = Data(x, x, 4, streams.root(0)).shuffled(0)
    read = torch.cat([batches(number)[0] for number in range(3)], 1)
    assert torch.equal(read[1] - read[0], torch.full((10, 1), 100.0))
    assert torch.equal(read[0].flatten().sort().values, torch.arange(10.0))


@pytest.mark.parametrize("written", ["", "flip", "shift1", "shift12,flip"])
def test_augmentations_are_written_as_they_are_read(written):
    """The text of an augmentation reads as the same again, whatever the order and spaces."""
    found = Augmentation.read(written)
    assert str(found) == written
    assert Augmentation.read(" , ".join(reversed(written.split(",")))) == found


@pytest.mark.parametrize(
    "wrong", ["shift", "shift0", "shift-1", "shift100", "flip2", "x", "flip flip"]
)
def test_what_is_no_augmentation(wrong):
    """What no augmentation is called is refused with one that is."""
    with pytest.raises(TrainingError, match="shift2,flip"):
        Augmentation.read(wrong)


def test_images_are_shifted_and_mirrored():
    """Every changed image is one of the 2 (2s + 1)^2 that it may become, and each comes as often.

    The border is repeated; another key gives other changes, the same key the same.
    """
    shift, batch = 1, 3600
    image = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(1))
    keys = streams.fold(streams.root(0), torch.arange(2))
    x = image.expand(2, batch, 2, 4, 5)
    out = Augmentation(shift, flip=True)(x, keys)
    padded = np.pad(image.numpy(), ((0, 0), (shift, shift), (shift, shift)), mode="edge")
    wanted = []
    for mirrored in (padded, padded[:, :, ::-1]):
        wanted += [mirrored[:, r : r + 4, c : c + 5] for r in range(3) for c in range(3)]
    for member in range(2):
        counts = [
            int((out[member] == torch.from_numpy(one.copy())).flatten(1).all(1).sum())
            for one in wanted
        ]
        assert sum(counts) == batch
        assert all(120 < count < 290 for count in counts), counts  # 200 each, 6.5 deviations
    assert not torch.equal(out[0], out[1])
    assert torch.equal(Augmentation(shift, flip=True)(x[:1], keys[:1])[0], out[0])
    assert torch.equal(Augmentation()(x, keys), x)


# --------------------------------------------------------------------------------- what is watched


@pytest.fixture(scope="module")
def trained():
    """Three small networks that have learnt a little, and their images."""
    own = cohort("8x8x1 conv3-4 bn tanh avgpool2 drop.5 fc-12 bn tanh fc-3")
    x = images(own, 300, 1)[0]
    y = (x.mean((1, 2, 3)) > 0).long() + (x[:, 0, 0, 0] > 1).long()
    for number in range(30):
        part = slice(10 * number, 10 * number + 10)
        own.advance(x[None, part], y[None, part])
    return own, Images(x, y)


def test_a_score_is_loss_and_accuracy(trained, monkeypatch):
    """The score is torch's cross-entropy and the share of right classes, however it is cut."""
    own, set_ = trained
    logits = own.predict(set_.x[None])
    wanted = [functional.cross_entropy(one, set_.y) for one in logits]
    right = (logits.argmax(2) == set_.y).float().mean(1)
    for size in (1000, 7):
        monkeypatch.setattr(probes, "CHUNK", size)
        found = probes.score(own, set_)
        assert close(found.loss, torch.stack(wanted))
        assert torch.allclose(found.accuracy, right)
    assert 0.3 < float(right.mean()) < 1


def test_correlations_are_numpys():
    """The mean absolute correlation is that of numpy's table; a unit that never changes is out."""
    values = np.random.default_rng(0).normal(size=(2, 40, 5))
    values[1, :, 3] = values[1, :, 0] * -2 + 1
    table = np.abs([np.corrcoef(one.T) for one in values])
    off = ~np.eye(5, dtype=bool)
    wanted = torch.tensor([one[off].mean() for one in table]).float()
    assert close(probes.correlation(torch.from_numpy(values)), wanted)
    dead = np.concatenate([values, np.full((2, 40, 1), 0.5)], 2)
    assert close(probes.correlation(torch.from_numpy(dead)), wanted)
    assert probes.correlation(torch.ones(1, 4, 3)).isnan().all()


def test_silencing_nothing_costs_nothing(trained):
    """Without silenced units accuracy is the network's, with all of them that of its biases."""
    own, set_ = trained
    values = probes.last_hidden(own, set_)
    assert values.shape == (3, 300, 12)
    everything = probes.score(own, set_).accuracy
    assert close(probes.silenced(own, values, set_.y, 0.0, 3, 0), everything)
    bias = own.model.split(own.parameters)["fc2"][1].argmax(1)
    none = torch.stack([(set_.y == one).float().mean() for one in bias])
    assert close(probes.silenced(own, values, set_.y, 1.0, 3, 0), none)
    half = probes.silenced(own, values, set_.y, 0.5, 20, 0)
    assert torch.equal(half, probes.silenced(own, values, set_.y, 0.5, 20, 0))
    assert not torch.equal(half, probes.silenced(own, values, set_.y, 0.5, 20, 1))


def test_scaling_up_keeps_the_mean_of_what_is_read():
    """Units that are kept are scaled by 1/(1 - share): equal units give the same logits."""
    own = cohort("1x1x4 fc-8 nobias fc-3", 1)
    values = torch.ones(1, 30, 8) * torch.linspace(-1, 1, 30)[None, :, None]
    weight, _ = own.model.split(own.parameters)["fc2"]
    weight[:] = torch.randn(1, 3, 1, generator=torch.Generator().manual_seed(0)) / 8
    y = (values @ weight.mT + own.model.split(own.parameters)["fc2"][1])[0].argmax(1)
    assert float(probes.silenced(own, values, y, 0.5, 5, 0)) == 1


def test_variances_are_of_what_batch_norm_reads(trained, monkeypatch):
    """The variance of what each batch norm reads at test time is that of the values themselves."""
    own, set_ = trained
    monkeypatch.setattr(probes, "CHUNK", 70)
    found = probes.variances(own, set_)
    seen = {}
    own.model.forward(own.parameters, set_.x[None], buffers=own.buffers, watch=seen.__setitem__)
    conv = seen["conv1"].movedim(2, 0).flatten(2).var(2).mT
    assert close(found["bn1"], conv)
    assert close(found["bn2"], seen["fc1"].var(1))


def test_the_variance_under_dropout():
    """A unit of mean c and variance v, kept with probability q, has (v + c^2)/q - c^2 in training.

    The formula of the answers, against dropout itself.
    """
    c, v, q = 0.7, 0.3, 0.5
    x = c + math.sqrt(v) * streams.normal(streams.root(0), 400_000)
    dropped = x * streams.kept(streams.root(1), 1 - q, 400_000) / q
    assert abs(float(dropped.var()) - ((v + c * c) / q - c * c)) < 0.01
    assert abs(float(x.var()) - v) < 0.01


def test_adjusted_statistics_are_those_of_the_images(trained, monkeypatch):
    """With running statistics anew every batch norm gives mean beta and deviation gamma.

    Over the images that they were computed on, without dropout; the members are left alone.
    """
    own, set_ = trained
    monkeypatch.setattr(probes, "CHUNK", 70)
    before = own.buffers["bn2.var"].clone()
    again = probes.adjusted(own, set_)
    assert torch.equal(own.buffers["bn2.var"], before)
    assert not close(again.buffers["bn2.var"], before)
    seen = {}
    again.model.forward(
        again.parameters, set_.x[None], buffers=again.buffers, watch=seen.__setitem__
    )
    for name in ("bn1", "bn2"):
        gamma, beta = own.model.split(own.parameters)[name]
        values = seen[name].movedim(2, 0).flatten(2)
        assert torch.allclose(values.mean(2).mT, beta, atol=1e-4)
        assert torch.allclose(values.std(2).mT, gamma.abs(), rtol=2e-3)
    assert all(
        close(value, probes.adjusted(again, set_).buffers[name])
        for name, value in again.buffers.items()
    )


def test_distributions_are_of_the_first_channels(trained):
    """Means and deviations are over images and positions; what a layer lacks is NaN."""
    own, set_ = trained
    found = probes.distributions(own, set_.x[None], ["conv1", "fc1"], 6)
    seen = {}
    own.model.forward(own.parameters, set_.x[None], watch=seen.__setitem__)
    conv, dense = seen["conv1"].movedim(2, 0).flatten(2), seen["fc1"]
    assert found["mean"].shape == found["std"].shape == (3, 2, 6)
    assert close(found["mean"][:, 0, :4], conv.mean(2).mT)
    assert close(found["std"][:, 0, :4], conv.std(2).mT)
    assert close(found["mean"][:, 1], dense.mean(1)[:, :6])
    assert found["mean"][:, 0, 4:].isnan().all()
    at = torch.tensor([0.15, 0.5, 0.85])
    assert close(found["percentiles"][:, 1], dense[:, :, 0].quantile(at, dim=1).mT)


# ---------------------------------------------------------------------------------- the experiment


def places():
    """All groups there can be."""
    asked = BatchnormDropout(dropout_placement=tuple(PLACEMENTS))
    return asked.groups()


@pytest.mark.parametrize("group", places(), ids=lambda group: group.name)
def test_a_variant_is_lenet_with_what_it_says(group):
    """LeNet-5's 61,706 parameters, two for each normalized channel, and dropout where it is said.

    Nothing is dropped behind the output, and no hidden layer lacks what the variant has.
    """
    notation = text(group, 1, 10)
    net = Net.read(notation)
    what = VARIANTS[group.variant]
    added = 2 * (6 + 16 + 120 + 84) * what.norm + 2 * (what.input != "standard")
    assert net.parameters == 61_706 + added
    if what.input == "bn-pixel":
        assert Net.read(notation, ["input/bn"]).parameters == 61_706 + added + 2 * 783
    names = [move.name for move in net.moves]
    hidden = {
        "": [],
        "dense": ["c5", "f6"],
        "conv": ["c1", "c3", "c5", "f6"],
        "before": ["c5", "f6"],
        "last": ["f6"],
    }[group.placement]
    dropped = [name for name in names if name.endswith("/drop")]
    inputs = ["input/drop"] * (what.drop and group.placement != "last")
    assert dropped == [*inputs, *(f"{layer}/drop" for layer in hidden)]
    assert names[-1] == "output"
    order = {name: place for place, name in enumerate(names)}
    for name in dropped[len(inputs) :]:
        layer = name.partition("/")[0]
        if group.placement == "before":
            assert order[name] == order[layer] + 1 == order[f"{layer}/bn"] - 1
        else:
            assert order[name] == order[layer] + 2 + what.norm  # behind the activation
    normed = [name for name in names if name.endswith("/bn")]
    wanted = [f"{layer}/bn" for layer in ("c1", "c3", "c5", "f6")] * what.norm
    assert normed == ["input/bn"] * (what.input != "standard") + wanted


def test_dropout_alone_has_no_batch_norm_to_be_before():
    """The placement before batch norms is of what has them."""
    asked = BatchnormDropout(dropout_placement=("before", "dense"))
    assert [g for g in asked.groups() if g.placement == "before"] == [Group("both", "before")]


def test_the_comparison_is_in_pairs():
    """A difference is of members with the same number, with Student's interval of the differences.

    What all seeds share is no part of the spread.
    """
    asked = BatchnormDropout(variant=("plain", "bn"), seeds=5, epochs=1)
    chance = np.random.default_rng(0)
    shared = chance.normal(0, 5, (5, 2))
    arrays = {}
    for group, gain in (("plain", 0.0), ("bn", 1.0)):
        for score in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
            arrays[f"{group}/{score}"] = shared + gain + chance.normal(0, 0.01, (5, 2))
            arrays[f"{group}/final_{score}"] = shared[:, 1] + gain
        arrays[f"{group}/training_loss"] = shared[:, :1]
        arrays[f"{group}/correlation"] = shared[:, 0]
        arrays[f"{group}/silenced"] = np.zeros((5, 5))
        for where in ("weighted", "read"):
            arrays[f"{group}/{where}/mean"] = np.arange(5 * 2 * 4 * 16.0).reshape(5, 2, 4, 16)
            arrays[f"{group}/{where}/std"] = np.full((5, 2, 4, 16), 4.0)
            arrays[f"{group}/{where}/percentiles"] = np.zeros((5, 2, 4, 3))
    for layer, count in (("c1", 6), ("c3", 16), ("c5", 120), ("f6", 84)):
        for what in ("gamma", "beta", "mean", "var", "test"):
            arrays[f"bn/{layer}/bn.{what}"] = np.full((5, count), 2.0 if what == "test" else 0.5)
    arrays["bn/adjusted_accuracy"] = arrays["bn/test_accuracy"][:, -1] + 0.25
    arrays["bn/adjusted_loss"] = arrays["bn/test_loss"][:, -1] - 0.5
    by_seed = {}
    for name, values in arrays.items():
        group, _, what = name.partition("/")
        by_seed |= {f"{group}/seed{number}/{what}": row for number, row in enumerate(values)}
    found = plain(asked.summarise(by_seed))
    (row,) = found["pairs"]
    assert (row["one"], row["two"]) == ("bn", "plain")
    difference = (arrays["bn/test_accuracy"] - arrays["plain/test_accuracy"])[:, 1]
    assert row["test_accuracy"] == plain(statistics.student(difference))
    assert row["test_accuracy"][2] - row["test_accuracy"][1] < 0.1
    assert row["train_loss"][:3] == [1.0, 1.0, 1.0]
    ours = {group["name"]: group for group in found["groups"]}
    spread = ours["bn"]["final"]["test_accuracy"]
    assert spread["std"] == pytest.approx(arrays["bn/test_accuracy"][:, 1].std(ddof=1))
    assert ours["plain"]["adjusted"] is None
    assert ours["bn"]["adjusted"]["gain"][:3] == pytest.approx([0.25] * 3)
    assert ours["bn"]["adjusted"]["loss_gain"][:3] == pytest.approx([-0.5] * 3)
    assert [norm["shift"][0] for norm in ours["bn"]["norms"]] == [4.0] * 4
    # a step of 64 between looks, of 4 standard deviations each
    assert ours["bn"]["drift"]["read"]["mean"] == [[16.0] * 4]
    assert ours["bn"]["drift"]["read"]["each"] == [[[16.0] * 4]] * 5
    assert ours["bn"]["drift"]["read"]["std"] == [[0.0] * 4]


@pytest.mark.parametrize(
    ("sample", "half"),
    [([1.0, 2.0, 3.0, 4.0, 5.0], 1.963243), ([0.0, 1.0] * 3, 0.574796), ([5.0] * 10, 0.0)],
)
def test_students_interval(sample, half):
    """The half width is t(0.975; n - 1) s / sqrt(n), by the tables."""
    found = statistics.student(sample)
    assert found.value == pytest.approx(np.mean(sample))
    assert found.high - found.value == pytest.approx(half, abs=1e-5)
    assert found.value - found.low == pytest.approx(half, abs=1e-5)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([0.01234, -0.00004, 0.02], "+1.23 [+0.00, +2.00]"),
        ([-0.00001, -0.01, 0.01], "+0.00 [-1.00, +1.00]"),
        ([0.5, None, None], "+50.00"),
        ([0.5, None, None, [0.25, 0.75]], "+25.00, +75.00"),
    ],
)
def test_differences_are_written_in_points(found, says):
    """Percentage points with their signs and ends; what rounds to zero is no negative zero."""
    assert words.points(found, 2) == says


def test_a_page_of_one_seed_says_that_it_says_nothing(tmp_path, capsys, cheap):
    """With one seed there is no spread, no interval and no verdict; with none trained, no drift."""
    given = {"dataset": "digits", "variant": ("plain", "bn"), "seeds": 1, "batch": 26}
    with cheap():
        record = runner.run(BatchnormDropout(**given, epochs=0), tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert " in the one pair" in page
    assert "Of 1 seed the values themselves are shown; they prove nothing." in page
    assert "[" not in page.partition("The comparison in pairs")[2].partition("Co-adaptation")[0]
    assert "The comparison in pairs" in page
    assert "Internal covariate shift, measured" not in page
    assert "first 10,000" in page
    assert runner.results(record)["results"]["groups"][0]["final"]["test_loss"]["std"] is None
    assert str(tmp_path) in capsys.readouterr().err


def some(examples, tested, *, seed, standard=False):
    """Digits to learn from and to test on, 37 of them held out."""
    counts = {"examples": examples, "held": 37, "tested": tested}
    given = {"seed": seed, "standard": standard, "device": "cpu"}
    return batchnorm_dropout.prepared("digits", None, **counts, **given)


def test_a_part_of_the_images_is_learnt_from_and_tested_on():
    """Training images are drawn with the seed from those not held out, test images the first."""
    whole = some(0, 0, seed=3)
    train, test = some(99, 9, seed=3)
    again, _ = some(99, 0, seed=3)
    other, _ = some(99, 0, seed=4)
    assert [len(part.x) for part in whole] == [1400, 37]
    assert (len(train.x), len(test.x)) == (99, 9)
    assert torch.equal(test.x, whole[1].x[:9])
    assert torch.equal(train.x, again.x)
    assert not torch.equal(train.x, other.x)
    there = {one.numpy().tobytes() for one in whole[0].x}
    drawn = [one.numpy().tobytes() for one in train.x]
    assert {*drawn} <= there
    assert drawn != [one.numpy().tobytes() for one in whole[0].x[:99]]
    normal, _ = some(99, 0, seed=3, standard=True)
    assert abs(float(normal.x.mean())) < 1e-5  # by the mean of what is learnt from
