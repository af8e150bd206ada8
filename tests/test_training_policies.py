# ruff: noqa: TID253 - these tests are of what needs torch
"""Schedules, batches of any size, parts, 16 bits, and the experiments that are made of them."""

import json
import math
import shlex
import time
from dataclasses import replace
from functools import cache
from itertools import accumulate, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from archcalc import load
from archcalc.layers import Convolution, Linear
from archcalc.main import run
from training.engine import datasets, losses, probes, rules, schedules, streams
from training.engine.cohort import Cohort, Member
from training.engine.data import Augmentation, Data
from training.engine.loop import Loop, state_of
from training.engine.models import Mlp
from training.engine.networks import Net
from training.engine.ranks import Ranks
from training.engine.record import Record
from training.engine.steps import Steps, epochs, iterations
from training.engine.updates import SGD, Adam
from training.errors import StoppedError, TrainingError
from training.experiments import runner
from training.experiments.batch_finder.experiment import BatchFinder
from training.experiments.batch_size.experiment import PARTS, BatchSize, accumulated
from training.experiments.cyclical_batch.experiment import CyclicalBatch
from training.experiments.cyclical_lr.experiment import CyclicalLr
from training.experiments.lr_finder.experiment import LrFinder
from training.experiments.minigooglenet import finders
from training.experiments.minigooglenet.experiment import SCORES, Plan, ladder, text
from training.experiments.preset import prepared

CPU = torch.device("cpu")
laws = settings(max_examples=50, deadline=None, derandomize=True)
few = settings(max_examples=20, deadline=None, derandomize=True)

# The network at a tenth of its width on 8x8 pixels, and few images.
TINY = {
    "dataset": "digits",
    "examples": 64,
    "validation": 24,
    "test_examples": 20,
    "width": 0.1,
    "size": 8,
    "batch": 16,
    "seeds": 2,
}
ALL = [LrFinder, CyclicalLr, BatchSize, BatchFinder, CyclicalBatch]
experiments = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)


def keys_of(count, seed=5):
    """The keys of as many members."""
    return streams.fold(streams.root(seed), torch.arange(count))


def random(*shape, seed=0):
    """Standard normal numbers that come from no code under test."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + 1))


def same(one, other):
    """Equal to the last bit, and no numbers in the same places."""
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def refusal(function, *args, **named):
    """The one line with which something is refused."""
    with pytest.raises(TrainingError) as caught:
        function(*args, **named)
    line = str(caught.value)
    assert line
    assert "\n" not in line
    return line


# ---------------------------------------------------------------------------------------- schedules


def rates_of(make, highest, updates):
    """The rates of a scheduler of torch, update for update."""
    rule = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=highest)
    other = make(rule)
    found = []
    for _ in range(updates):
        found.append(other.get_last_lr()[0])
        rule.step()
        other.step()
    return found


@pytest.mark.parametrize("step", [1, 2, 3, 7])
@pytest.mark.parametrize(("low", "high"), [(1e-3, 0.1), (0.05, 0.06), (1e-5, 2.0)])
@pytest.mark.parametrize("scale", schedules.SCALES)
def test_cyclical_rates_are_torchs(step, low, high, scale):
    """Over six cycles and a half each rate is that of ``CyclicLR``."""
    gamma = 0.97 if scale == "exp_range" else 1.0
    updates = 13 * step
    theirs = rates_of(
        lambda rule: torch.optim.lr_scheduler.CyclicLR(
            rule, low, high, step, mode=scale, gamma=gamma, cycle_momentum=False
        ),
        low,
        updates,
    )
    ours = schedules.cyclical(step, low / high, scale, gamma)
    assert [high * ours(t) for t in range(updates)] == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        # up in two updates, down in two, from a tenth to all
        (schedules.cyclical(2, 0.1), [0.1, 0.55, 1, 0.55, 0.1, 0.55, 1, 0.55, 0.1]),
        # height .9, then .45, then .225
        (
            schedules.cyclical(2, 0.1, "triangular2"),
            [0.1, 0.55, 1, 0.55, 0.1, 0.325, 0.55, 0.325, 0.1, 0.2125, 0.325, 0.2125, 0.1],
        ),
        # height .9 * .5^t
        (
            schedules.cyclical(2, 0.1, "exp_range", 0.5),
            [0.1 + 0.9 * part for part in (0, 1 / 4, 1 / 4, 1 / 16, 0, 1 / 64, 1 / 64)],
        ),
        (schedules.cyclical(1, 0.0), [0, 1, 0, 1, 0]),
        (schedules.cyclical(4, 1.0), [1] * 9),
    ],
    ids=str,
)
def test_cyclical_factors_by_hand(schedule, factors):
    """The factors are those that Smith's formula gives on paper."""
    assert [schedule(t) for t in range(len(factors))] == pytest.approx(factors, abs=1e-12)


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.999])
def test_exp_range_decays(gamma):
    """Each cycle's peak is less high than the one before, by gamma to the cycle's length."""
    schedule = schedules.cyclical(3, 0.2, "exp_range", gamma)
    peaks = [schedule(3 + 6 * cycle) - 0.2 for cycle in range(5)]
    assert peaks[0] < 0.8
    for one, other in pairwise(peaks):
        assert other / one == pytest.approx(gamma**6)


@pytest.mark.parametrize("gamma", [1.0, 1.5, 0.0, -0.5, math.nan])
def test_an_exp_range_that_does_not_decay_is_refused(gamma):
    """``exp_range`` takes a gamma between 0 and 1, which is not the default."""
    with pytest.raises(ValueError, match="exp_range"):
        schedules.cyclical(3, 0.2, "exp_range", gamma)
    with pytest.raises(ValueError, match="exp_range"):
        schedules.cyclical(3, 0.2, "exp_range")


def test_another_scale_is_refused():
    """A scale that Smith has not is no cycle."""
    with pytest.raises(ValueError, match="sine"):
        schedules.cyclical(3, 0.2, "sine")


@pytest.mark.parametrize("updates", [1, 2, 3, 4, 5, 10, 11, 100])
@pytest.mark.parametrize("rise", [0.3, 0.4])
def test_one_cycle_is_torchs(updates, rise):
    """Each rate is that of ``OneCycleLR`` along cosines, with its defaults, for runs of any length.

    Beyond the run's end the rate stays what it was.
    """
    high = 0.2

    def make(rule):
        return torch.optim.lr_scheduler.OneCycleLR(
            rule, high, total_steps=updates + 1, pct_start=rise, cycle_momentum=False
        )

    theirs = rates_of(make, high, updates + 1)
    ours = schedules.onecycle(updates + 1, rise)
    assert [high * ours(t) for t in range(updates + 1)] == pytest.approx(theirs, rel=1e-9)
    assert ours(updates + 5) == pytest.approx(1 / 25 / 1e4)


def test_one_cycles_ends():
    """It begins at 1/25 of the highest rate, reaches it after 30 %, and ends at 1/250,000."""
    one = schedules.onecycle(100)
    assert (one(0), one(29), one(99)) == pytest.approx((0.04, 1, 4e-6))
    assert max(range(100), key=one) == 29
    other = schedules.onecycle(100, 0.5, 10.0, 100.0)
    assert (other(0), other(49), other(99)) == pytest.approx((0.1, 1, 1e-3))


@pytest.mark.parametrize("updates", [1, 2, 3, 10, 157])
def test_a_range_test_rises_geometrically(updates):
    """The factors are numpy's from the lowest to 1, and 1 afterwards."""
    schedule = schedules.rising(updates, 1e-10)
    factors = [schedule(t) for t in range(updates)]
    assert factors == pytest.approx(np.geomspace(1e-10, 1, updates).tolist(), rel=1e-9)
    if updates > 1:
        assert schedule(updates) == schedule(10 * updates) == 1


@pytest.mark.parametrize(
    ("schedule", "written"),
    [
        (schedules.cyclical(8, 0.01), "triangular(8, floor 0.01)"),
        (schedules.cyclical(8, 0.01, "triangular2"), "triangular2(8, floor 0.01)"),
        (
            schedules.cyclical(8, 0.01, "exp_range", 0.9),
            "exp_range(8, floor 0.01, gamma 0.9)",
        ),
        (schedules.onecycle(30), "onecycle(30, 0.3, 25, 10000)"),
        (schedules.rising(30, 1e-10), "rising(30, 1e-10)"),
        (
            schedules.warmup(2) * schedules.rising(3, 0.5),
            "warmup(2) * rising(3, 0.5)",
        ),
    ],
    ids=str,
)
def test_schedules_are_written(schedule, written):
    """A schedule's text has its numbers."""
    assert str(schedule) == schedule.text == written


def test_schedules_of_one_text_are_one():
    """Two schedules are equal where their texts are, whatever functions they hold."""
    assert schedules.cyclical(8, 0.1) == schedules.cyclical(8, 0.1)
    assert hash(schedules.rising(3, 0.1)) == hash(schedules.rising(3, 0.1))
    different = [
        *(schedules.cyclical(8, 0.1), schedules.cyclical(9, 0.1), schedules.cyclical(8, 0.2)),
        schedules.cyclical(8, 0.1, "triangular2"),
        *(schedules.cyclical(8, 0.1, "exp_range", gamma) for gamma in (0.5, 0.6)),
        *(schedules.rising(3, 0.1), schedules.rising(4, 0.1), schedules.rising(3, 0.2)),
        *(schedules.onecycle(30), schedules.onecycle(31), schedules.constant()),
    ]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize("changed", [{"rise": 0.5}, {"first": 10.0}, {"last": 100.0}])
def test_one_cycles_that_differ_are_not_equal(changed):
    """A one-cycle schedule of other numbers is another: members keep the one that is theirs."""
    assert schedules.onecycle(30, **changed) != schedules.onecycle(30)


# --------------------------------------------------------------------------------------------- data


def numbered(count, members, **given):
    """A training set in which an example is its number, and its target ten times that."""
    x = torch.arange(float(count)).view(1, count, 1, 1, 1)
    y = 10 * torch.arange(count)[None]
    given = {"batch": 4, "keys": keys_of(members), **given}
    return Data(x, y, given.pop("batch"), streams.root(3), **given)


def numbers(x):
    """The numbers of the examples of a batch, ``(members, batch)``."""
    return x.flatten(1).long()


some_sizes = st.lists(st.integers(1, 25), min_size=1, max_size=12).map(tuple)


@given(st.integers(1, 12), some_sizes, st.integers(1, 3))
@few
def test_batches_of_any_sizes_read_every_epoch_once(count, sizes, members):
    """Joined, batches are the epochs one after the other, each in every member's own order.

    A batch is as large as is said, even if it is larger than the set, and the targets go along.
    """
    read = numbered(count, members, sizes=sizes).reader()
    batches = [read(update) for update in range(len(sizes))]
    assert tuple(y.shape for _, y in batches) == tuple((members, size) for size in sizes)
    found = torch.cat([numbers(x) for x, _ in batches], 1)
    same(torch.cat([y for _, y in batches], 1), 10 * found)
    for begin in range(0, sum(sizes) - count + 1, count):
        epoch = found[:, begin : begin + count]
        same(epoch.sort().values, torch.arange(count).expand(members, -1))
    # the same orders as where a batch is the whole set
    whole = numbered(count, members, batch=count).reader()
    needed = range(-(-sum(sizes) // count))
    same(found, torch.cat([numbers(whole(e)[0]) for e in needed], 1)[:, : sum(sizes)])


@given(st.integers(1, 9), some_sizes, st.randoms(use_true_random=False))
@few
def test_batches_are_read_in_any_order(count, sizes, chance):
    """A batch depends on its number alone: read later, again, or by another reader, it is equal."""
    data = numbered(count, 2, sizes=sizes)
    expected = [data.reader()(update) for update in range(len(sizes))]
    read = data.reader()
    order = [*range(len(sizes)), *range(len(sizes))]
    chance.shuffle(order)
    for update in order:
        for one, other in zip(read(update), expected[update], strict=True):
            same(one, other)


def test_a_batch_ends_one_epoch_and_begins_the_next():
    """Of five examples, batches of three, four and three: the second spans two epochs."""
    data = numbered(5, 2, sizes=(3, 4, 3))
    read, whole = data.reader(), numbered(5, 2, batch=5)
    first, second = (numbers(whole.shuffled(epoch)(0)[0]) for epoch in range(2))
    same(numbers(read(1)[0]), torch.cat([first[:, 3:], second[:, :2]], 1))
    same(numbers(read(2)[0]), second[:, 2:])
    assert not torch.equal(first, second)


def test_a_batch_larger_than_the_set_has_examples_twice():
    """A batch of seven of three examples has each twice and one a third time."""
    (x, _) = numbered(3, 1, sizes=(7,)).reader()(0)
    assert sorted(np.bincount(numbers(x)[0]).tolist()) == [2, 2, 3]


@pytest.mark.parametrize("count", [12, 4])
def test_sizes_that_divide_the_set_are_constant_batches(count):
    """With every size the batch, which divides the set, both readers read the same."""
    constant = numbered(count, 3).reader()
    sized = numbered(count, 3, sizes=(4,) * 9).reader()
    for update in range(9):
        for one, other in zip(constant(update), sized(update), strict=True):
            same(one, other)


def test_constant_batches_begin_anew_with_every_epoch():
    """Without sizes, update ``u`` reads batch ``u mod per_epoch`` of epoch ``u div per_epoch``."""
    for data in (numbered(10, 2), numbered(10, 2, keys=None)):
        read = data.reader()
        assert data.per_epoch == 3
        for update in (0, 1, 2, 3, 5, 7, 2, 0):
            epoch, number = divmod(update, 3)
            for one, other in zip(read(update), data.shuffled(epoch)(number), strict=True):
                same(one, other)
            assert read(update)[0].shape[1] == (2 if number == 2 else 4)


def test_batches_of_sizes_are_changed_by_each_members_own_key():
    """Augmentation is drawn anew for every update and member, and is the same alone."""
    x, y = random(1, 9, 2, 6, 6), torch.arange(9)[None]
    keys, change = keys_of(3), Augmentation.read("shift2,flip")
    sizes = (5, 9, 4, 9)
    data = Data(x, y, 4, streams.root(3), keys, change, sizes)
    read, plain = data.reader(), data._replace(augmentation=Augmentation()).reader()
    for update in range(4):
        images, target = read(update)
        own = streams.fold(keys, "augment", update)
        same(images, change(plain(update)[0], own))
        same(target, plain(update)[1])
        assert not torch.equal(images, plain(update)[0])
        for member in range(3):
            alone = data._replace(keys=keys[member : member + 1]).reader()(update)
            same(alone[0][0], images[member])
    # the same images again in another update are changed otherwise
    once = Data(x[:, :1].repeat(1, 9, 1, 1, 1), y, 4, streams.root(3), keys, change, (9, 9))
    assert not torch.equal(once.reader()(0)[0], once.reader()(1)[0])


some_steps = st.builds(Steps, st.integers(0, 6), st.sampled_from(["ep", "it"]))


@given(st.integers(1, 12), some_sizes, some_steps)
@laws
def test_an_epoch_ends_with_the_update_that_reads_its_last_example(count, sizes, steps):
    """So many epochs are as many updates as it takes to read them; updates are counted as such."""
    found = numbered(count, 1, sizes=sizes).updates(steps)
    constant = numbered(count, 1, batch=5).updates(steps)
    if steps.unit == "it":
        assert found == constant == steps.length
        return
    assert constant == steps.length * math.ceil(count / 5)
    needed = steps.length * count
    if needed <= sum(sizes):
        assert sum(sizes[:found]) >= needed
        assert found == 0 or sum(sizes[: found - 1]) < needed
    else:
        assert found > len(sizes)


@given(st.integers(1, 12), some_sizes, st.lists(some_steps, max_size=6), st.booleans())
@laws
def test_moments_ascend_to_the_end(count, sizes, looks, sized):
    """Looks are taken behind updates, each once, in order, and none beyond the end."""
    data = numbered(count, 1, sizes=sizes if sized else ())
    until = iterations(len(sizes))
    found = data.moments(looks, until)
    assert all(one < other for one, other in pairwise(found))
    asked = [data.updates(look) for look in looks]
    assert all((update in found) == (update <= len(sizes)) for update in asked)
    assert set(found) <= set(asked)


def test_moments_end_with_an_epoch_too():
    """An end that is an epoch is the update that ends it."""
    data = numbered(10, 1, sizes=(3, 4, 3, 7, 3, 5))
    looks = [epochs(3), epochs(2), epochs(1), iterations(4), iterations(5), epochs(0), epochs(1)]
    assert data.moments(looks, epochs(2)) == [0, 3, 4, 5]
    assert numbered(10, 1).moments(looks, epochs(2)) == [0, 3, 4, 5, 6]


# ------------------------------------------------------------------------------------------ dropout


@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=4),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from([(), (1,), (3,), (2, 2)]),
)
@laws
def test_rows_of_a_mask_are_those_of_the_whole(shape, first, after, members):
    """What dropout keeps of some rows is what it keeps of them in a larger batch."""
    rows, *rest = shape
    keys = keys_of(math.prod(members)).view(members)
    whole = streams.kept(keys, 0.4, first + rows + after, *rest)
    part = streams.kept(keys, 0.4, rows, *rest, first=first)
    assert part.shape == (*members, rows, *rest)
    same(part, whole.narrow(len(members), first, rows))


# -------------------------------------------------------------------------------------------- parts

PLAIN = "6x6x2 conv3-3 relu drop.3 fc-7 tanh drop.5 fc-3"
# convolutions in branches, batch norm, dropout, a sum, average pooling
MIXED = (
    "8x8x1 conv3-4 bn relu [conv1-2 bn relu | conv3-3 bn relu | pool3/1] "
    "(id + conv3-9 bn relu) avgpool2 drop.3 fc-6 bn relu drop.5 fc-3"
)
BATCH = 10


def born(notation, members=3, rule=None, **given):
    """Members at birth; or these."""
    if isinstance(members, int):
        members = [Member(number, "torch", rate=0.05) for number in range(members)]
    return Cohort.born(
        Net.read(notation),
        members,
        1,
        loss=losses.cross_entropy,
        rule=rule or SGD(momentum=0.9),
        **given,
    )


def batch_of(own, batch=BATCH, seed=0):
    """Random images and classes, each member's own."""
    size = load(own.model.text).input
    x = random(len(own), batch, size.channels, *size.sizes, seed=seed)
    chance = torch.Generator().manual_seed(seed)
    return x, torch.randint(0, 3, (len(own), batch), generator=chance)


def close(one, other):
    """Equal but for the rounding of 32 bits."""
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("micro", [1, 3, 4, 5, 9, 10, 64])
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_a_batch_in_parts_is_the_whole_batch(micro, shared):
    """Without batch norm, loss and gradient are the whole batch's, with the same dropout.

    Be the last part as large as the others or not; each member's batch its own or all members'.
    """
    own = born(PLAIN)
    x, y = (part[: 1 if shared else None] for part in batch_of(own))
    own.updates = 7
    loss, gradient = own.gradients(own.parameters, x, y)
    parts = replace(own, micro=micro).gradients(own.parameters, x, y)
    close(parts[0], loss)
    close(parts[1], gradient)
    grouped = replace(own, micro=micro).descent(own.parameters, x, y)
    close(grouped[0], loss)
    close(grouped[1], gradient)
    # and dropout matters here
    own.updates = 8
    assert (own.gradients(own.parameters, x, y)[0] - loss).abs().min() > 1e-3


def test_an_update_in_parts():
    """Runs whose batches are computed in parts follow those whose are not, without batch norm."""
    one, other = born(PLAIN, rule=SGD(momentum=0.9)), born(PLAIN, micro=4)
    before = one.parameters.clone()
    for update in range(5):
        x, y = batch_of(one, seed=update)
        close(one.advance(x, y), other.advance(x, y))
    close(one.parameters, other.parameters)
    assert (one.parameters - before).norm() > 0.1
    assert one.updates == other.updates == 5


def seen(own, times=3):
    """The same members after some batches: running statistics are no longer those of birth."""
    for update in range(times):
        own.advance(*batch_of(own, seed=20 + update))
    return own


@pytest.mark.parametrize("micro", [1, 3, 5])
def test_frozen_batch_norm_in_parts(micro):
    """Normalized by running statistics, which do not change, parts are the whole batch again."""
    own = seen(born(MIXED))
    x, y = batch_of(own)
    before = {name: value.clone() for name, value in own.buffers.items()}
    loss, gradient = own.gradients(own.parameters, x, y, training=False)
    parts = replace(own, micro=micro).gradients(own.parameters, x, y, training=False)
    close(parts[0], loss)
    close(parts[1], gradient)
    for name, value in own.buffers.items():
        same(value, before[name])


def test_batch_norm_in_training_sees_the_parts():
    """In training, parts are normalized by themselves: loss and gradient are other ones.

    Running statistics move once a part, to where the parts one after the other move them.
    """
    own = seen(born(MIXED))
    x, y = batch_of(own)
    there = [
        replace(own, micro=micro, buffers={k: v.clone() for k, v in own.buffers.items()})
        for micro in (0, 4)
    ]
    (loss, gradient), (other, another) = (c.gradients(c.parameters, x, y) for c in there)
    assert ((other - loss).abs() / loss > 1e-3).all()
    assert (torch.linalg.norm(another - gradient, dim=1) > 0.01 * gradient.norm(dim=1)).all()
    drop = streams.fold(own.keys, "update", own.updates)
    for part in (slice(0, 3), slice(3, 6), slice(6, 10)):  # as equal as may be
        own.forward(own.parameters, x[:, part], keys=drop, training=True, first=part.start)
    for name, value in own.buffers.items():
        close(there[1].buffers[name], value)
        assert not torch.allclose(there[0].buffers[name], value, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_accumulation_costs(precision):
    """Parts of a batch differ from the whole by batch norm in training, by rounding if frozen.

    That is measured in 32 bits, and nothing of the members changes.
    """
    own = seen(born(MIXED, precision=precision))
    x, y = (part[:1] for part in batch_of(own, 32))
    before = replace(own, buffers={k: v.clone() for k, v in own.buffers.items()})
    before.parameters = own.parameters.clone()
    found = accumulated(own, x, y)
    assert list(found) == list(PARTS)
    for name, value in found.items():
        assert value.shape == (3,)
        bound = value < 1e-5 if name.startswith("frozen") else value > 1e-3
        assert bound.all(), (name, value)
    same(own.parameters, before.parameters)
    for name, value in own.buffers.items():
        same(value, before.buffers[name])
    assert own.updates == before.updates
    # what the numbers are, by hand
    copies = [
        replace(own, micro=m, precision="fp32", buffers={k: v.clone() for k, v in b.items()})
        for m, b in ((0, own.buffers), (8, own.buffers))
    ]
    (loss, gradient), (other, another) = (c.gradients(c.parameters, x, y) for c in copies)
    same(found["parts_loss"], (loss - other).abs() / loss)
    ratio = (gradient - another).square().sum(1).sqrt() / gradient.square().sum(1).sqrt()
    torch.testing.assert_close(found["parts_gradient"], ratio)


def test_which_batch_is_computed_in_parts():
    """The growing batch's networks at the end: 512 images at most, in four parts."""
    asked = BatchSize(**TINY, smallest=16, largest=64)
    tasks = asked.tasks()
    grow, _, rates = (task.build(task.members, CPU)[0] for task in tasks)
    train = asked.sets().train
    expected = accumulated(grow, train.x[None], train.y[None])
    plans = asked.plans(64)
    for name, value in asked.more(grow, plans[0]).items():
        same(value, expected[name])
    assert asked.more(rates, plans[2]) == {}
    assert list(expected) == list(PARTS)


# ---------------------------------------------------------------------------------------- precision


def types_in(own, x):
    """The types of all layers' outputs."""
    found = {}
    own.forward(own.parameters, x, watch=lambda name, value: found.update({name: value.dtype}))
    found.pop("input")
    return set(found.values())


def test_16_bits_are_where_they_are_harmless():
    """With bf16 layers compute in 16 bits; what is kept and what comes out has 32."""
    own, plain = born(MIXED, precision="bf16"), born(MIXED)
    x, y = batch_of(own)
    assert torch.bfloat16 in types_in(own, x)
    assert types_in(plain, x) == {torch.float32}
    loss, gradient = own.gradients(own.parameters, x, y)
    assert loss.dtype == gradient.dtype == own.predict(x).dtype == torch.float32
    exact, slope = plain.gradients(plain.parameters, x, y)
    assert not torch.equal(loss, exact)
    torch.testing.assert_close(loss, exact, rtol=0.03, atol=0)
    assert (functional.cosine_similarity(gradient, slope, dim=1) > 0.98).all()
    for _ in range(3):
        own.advance(x, y)
    kept = {"parameters": own.parameters, **own.state, **own.buffers}
    assert {name: value.dtype for name, value in kept.items()} == dict.fromkeys(kept, torch.float32)
    assert all(value.isfinite().all() for value in kept.values())
    # numbers that 16 bits cannot hold
    assert not torch.equal(own.parameters, own.parameters.bfloat16().float())
    assert not torch.is_autocast_enabled("cpu")


def test_32_bits_are_what_the_network_computes():
    """With fp32 loss and gradient are the model's own, bit for bit: nothing is cast."""
    own = born(MIXED, 1)
    x, y = batch_of(own)
    theta = own.parameters.clone().requires_grad_()
    given = {
        "keys": streams.fold(own.keys, "update", 0),
        "buffers": own.model.begin(1),
        "training": True,
    }
    loss = losses.cross_entropy(own.model.forward(theta, x, **given), y)
    (gradient,) = torch.autograd.grad(loss.sum(), theta)
    found = own.gradients(own.parameters, x, y)
    same(found[0], loss.detach())
    same(found[1], gradient)
    for name, value in own.buffers.items():
        same(value, given["buffers"][name])
    with torch.autocast("cpu", torch.bfloat16):
        cast = losses.cross_entropy(own.model.forward(theta, x, **given).float(), y)
    assert not torch.equal(cast, loss)


# --------------------------------------------------------------------------------------- in company

WILD = 1e38
DENSE = "1x1x6 fc-8 tanh drop.2 fc-3"
NARROW = "1x1x2 fc-2 relu fc-2 relu fc-1"  # which has a kernel


def fleet(rates):
    """Members of these rates."""
    return [Member(number, "torch", rate=rate) for number, rate in enumerate(rates)]


def stacked(notation, members):
    """Members of linear layers; those of the narrow ones learn numbers, in place of classes."""
    loss = losses.mse if notation == NARROW else losses.cross_entropy
    return Cohort.born(Mlp.read(notation), members, 1, loss=loss, rule=SGD(momentum=0.9))


def walked(own, updates=8):
    """The losses of some updates, ``(updates, members)``; a member's batches are its number's."""
    size = load(own.model.text).input
    shape = (size.channels, *size.sizes) if isinstance(own.model, Net) else (size.channels,)
    found = []
    for update in range(updates):
        seeds = [100 * member.number + update for member in own.members]
        x = torch.stack([random(BATCH, *shape, seed=seed) for seed in seeds])
        y = torch.stack([(torch.arange(BATCH) + seed) % 3 for seed in seeds])
        found.append(own.advance(x, x[..., :1] if own.loss is losses.mse else y))
    return torch.stack(found)


def path(own, losses_seen, place):
    """All that there is of a member: what it learnt, what it remembers, what it lost."""
    kept = {"losses": losses_seen[:, place], "parameters": own.parameters[place]}
    kept |= {f"state/{name}": value[place] for name, value in own.state.items()}
    return kept | {f"buffers/{name}": value[place] for name, value in own.buffers.items()}


def compared_paths(one, other, check):
    """Check two paths name by name; what is compared is finite."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.isfinite().all(), name
        check(value, other[name])


@pytest.mark.parametrize("rule", [SGD(momentum=0.9), Adam()], ids=["sgd", "adam"])
def test_a_diverged_member_leaves_the_others_alone(rule):
    """Beside one that is NaN, members are bit for bit what they are alone: one after the other."""
    company = born(MIXED, fleet([0.05, WILD, 0.02, WILD]), rule)
    lost = walked(company)
    assert not company.parameters[1].isfinite().all()
    assert lost[-1, 1].isnan()
    for place in (0, 2):
        alone = born(MIXED, company.members[place : place + 1], rule)
        expected = path(alone, walked(alone), 0)
        compared_paths(path(company, lost, place), expected, same)


@pytest.mark.parametrize("notation", [MIXED, PLAIN, DENSE, NARROW])
def test_a_diverged_member_is_none_of_the_programs_concern(notation):
    """In one program for all members, one that is NaN changes not a bit of the others.

    To rounding they are what they are alone. So a network on a GPU, and linear layers anywhere.
    """

    def made(members):
        if notation in {DENSE, NARROW}:
            return stacked(notation, members)
        own = born(notation, members)
        own.gradients = own.descent  # all at once, as on a GPU
        return own

    rates = [0.05, WILD, 0.02]
    company, tame = made(fleet(rates)), made(fleet([0.05, 0.01, 0.02]))
    lost, others = walked(company), walked(tame)
    assert not company.parameters[1].isfinite().all()
    assert tame.parameters.isfinite().all()
    for place in (0, 2):
        found = path(company, lost, place)
        compared_paths(found, path(tame, others, place), same)
        alone = made(company.members[place : place + 1])
        compared_paths(found, path(alone, walked(alone), 0), close)


SCHEDULES = [
    schedules.cyclical(2, 1 / 3),
    schedules.cyclical(2, 1 / 3, "exp_range", 0.7),
    schedules.cyclical(2, 1 / 3),
    schedules.onecycle(8),
    schedules.rising(8, 1e-3),
    schedules.constant(),
]


@pytest.mark.parametrize(("notation", "rule"), [(PLAIN, SGD(momentum=0.9)), (MIXED, Adam())])
def test_a_schedule_in_company_is_the_schedule_alone(notation, rule):
    """Among members with other schedules, each follows its own, to the last bit."""
    members = [
        member._replace(schedule=schedule)
        for member, schedule in zip(
            fleet([0.05, 0.07, 0.1, 0.03, 0.05, 0.01]), SCHEDULES, strict=True
        )
    ]
    company = born(notation, members, rule)
    lost = walked(company, 6)
    for place, member in enumerate(members):
        alone = born(notation, [member], rule)
        compared_paths(path(company, lost, place), path(alone, walked(alone, 6), 0), same)


def test_a_schedule_is_of_the_updates_number():
    """An update's rate is the member's times the factor of its number, counted from 0."""
    members = [
        member._replace(schedule=schedule)
        for member, schedule in zip(fleet([0.1, 0.2, 0.4]), SCHEDULES[:3], strict=True)
    ]
    own = stacked(DENSE, members)
    own.rule = SGD()
    for update in range(5):
        before = own.parameters
        x, y = random(3, BATCH, 6, seed=update), torch.arange(3 * BATCH).view(3, BATCH) % 3
        _, gradient = own.gradients(before, x, y)
        own.advance(x, y)
        for place, member in enumerate(members):
            step = member.rate * member.schedule(update) * gradient[place]
            torch.testing.assert_close(
                before[place] - own.parameters[place], step, rtol=1e-3, atol=1e-7
            )


# -------------------------------------------------------------------------------------- the network

FILTERS = [96, 32, 32, 32, 48, 80, 112, 48, 96, 64, 80, 80, 48, 96, 96, 176, 160, 176, 160]


def layers(notation, kind):
    """The layers of a kind."""
    return [node.layer for node in load(notation).nodes if isinstance(node.layer, kind)]


@pytest.mark.parametrize(("channels", "parameters"), [(1, 1_651_098), (3, 1_652_826)])
def test_the_full_network_has_the_papers_parameters(channels, parameters):
    """At full size MiniGoogLeNet has as many trainable parameters as is published."""
    found = text(1.0, 32, channels, 10)
    assert Net.read(found).parameters == parameters
    assert found.startswith(f"32x32x{channels} ")


@pytest.mark.parametrize("width", [1.0, 0.5, 0.25, 0.1, 0.015, 1e-9])
@pytest.mark.parametrize(("size", "channels", "classes"), [(8, 1, 10), (16, 3, 7)])
def test_the_networks_width(width, size, channels, classes):
    """Every convolution has its share of filters, one at least; outputs are classes."""
    found = text(width, size, channels, classes)
    filters = [max(1, round(width * count)) for count in FILTERS]
    assert [int(str(one.out_channels)) for one in layers(found, Convolution)] == filters
    assert [int(str(one.out_features)) for one in layers(found, Linear)] == [classes]
    assert found.startswith(f"{size}x{size}x{channels} ")
    own = born(found, 1)
    assert own.predict(random(1, 2, channels, size, size)).shape == (1, 2, classes)


def test_the_smallest_images():
    """Seven pixels a side are one behind the last pooling, and enough."""
    own = born(text(0.1, 7, 1, 3), 1)
    assert own.advance(random(1, 4, 1, 7, 7), torch.arange(4)[None] % 3).isfinite().all()
    refusal(CyclicalLr, size=6)


# ----------------------------------------------------------------------------------------- the data


def digits(examples=64, held=24, tested=20, size=8, seed=0):
    """Prepared images."""
    return prepared("digits", None, examples, held, tested, size, seed, "cpu")


def places(part, by):
    """Which training images of the digits a normalized part holds, in order."""
    whole = datasets.load("digits")
    mean, std = by
    plain = (part.x * std + mean).flatten(1)
    apart = torch.cdist(plain, whole.x.flatten(1))
    nearest = apart.argmin(1)
    assert apart.gather(1, nearest[:, None]).max() < 1e-2
    same(part.y, whole.y[nearest])
    return nearest.tolist()


def chosen(**given):
    """Places of the images to learn from and of those held out, found by their own scale."""
    train, held, _, _ = digits(**given)
    # the split as the data set makes it, then checked against the images
    rest, own = datasets.load("digits").split(given.get("held", 24), given.get("seed", 0))
    count = given.get("examples", 64)
    mine = rest.split(count, given.get("seed", 0))[1] if count else rest
    by = mine.x.mean(), mine.x.std(correction=0)
    assert len(own.x) == len(held.x)
    return places(train, by), places(held, by)


@pytest.mark.parametrize("seed", [0, 3])
def test_what_is_held_out_is_not_learnt_from(seed):
    """The parts are as large as asked and have no image in common; none is in a part twice."""
    train, held = chosen(seed=seed)
    assert (len(train), len(held)) == (64, 24)
    assert len({*train, *held}) == 88
    assert [len(part.x) for part in digits(seed=seed)[:3]] == [64, 24, 20]


def test_all_images_are_learnt_from_or_held_out():
    """With 0 examples every image that is not held out is learnt from, and all tests are taken."""
    train, held = chosen(examples=0)
    assert sorted([*train, *held]) == list(range(1437))
    assert len(digits(examples=0, tested=0)[2].x) == 360


def test_the_same_images_are_held_out_however_many_are_learnt_from():
    """The validation images depend on their number and the seed, not on the training set's."""
    held = [chosen(examples=count)[1] for count in (0, 64, 200, 1413)]
    assert all(one == held[0] for one in held)
    assert chosen(seed=1)[1] != held[0]
    assert chosen(seed=1)[0] != chosen()[0]
    assert chosen() == chosen()


@pytest.mark.parametrize("size", [8, 12])
def test_images_are_normalized_as_those_that_are_learnt_from(size):
    """The training part has mean 0 and deviation 1; the others are moved by the same numbers."""
    train, held, test, _ = digits(size=size)
    assert train.x.shape == (64, 1, size, size)
    assert train.x.mean().item() == pytest.approx(0, abs=1e-5)
    assert train.x.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    for part in (held, test):
        assert abs(part.x.mean().item()) > 1e-3
        # black is black in every part
        assert part.x.min().item() == pytest.approx(train.x.min().item(), abs=1e-5)
    whole = datasets.load("digits", train=False)
    same(test.y, whole.y[:20])
    plain = whole.resized(size, size).x[:20].flatten()
    line = np.polyfit(plain.numpy(), test.x.flatten().numpy(), 1)
    assert np.polyval(line, plain) == pytest.approx(test.x.flatten().numpy(), abs=1e-4)


def test_too_few_images_are_refused():
    """More images than there are is an error that names the options; as many is none."""
    assert len(digits(examples=1413)[0].x) == 1413
    for asked in ({"examples": 1414}, {"held": 1436, "examples": 0}, {"held": 5000}):
        line = refusal(digits, **asked)
        assert "--examples" in line
        assert "--validation" in line
        assert "1,437" in line


def test_members_with_one_number_are_compared_in_pairs():
    """Of every way to train, networks of one number have one birth, one order, one change."""
    asked = CyclicalBatch(**TINY, epochs=2, step=1, b_min=8, b_max=32)
    built = [task.build(task.members, CPU) for task in asked.tasks()]
    assert [len(cohort) for cohort, _ in built] == [2, 2, 2]
    for cohort, data in built:
        same(cohort.parameters, built[0][0].parameters)
        same(cohort.keys, built[0][0].keys)
        same(data.shuffled(1)(0)[1][:, :8], built[0][1].shuffled(1)(0)[1][:, :8])
    assert not torch.equal(built[0][0].parameters[0], built[0][0].parameters[1])


# -------------------------------------------------------------------------------------------- plans


@pytest.mark.parametrize("sizes", [(), (3, 9, 30, 2, 16)])
def test_a_plan_tells_what_has_been_read(sizes):
    """The examples before an update are those that the reader gives, of sizes or of one batch."""
    plan = Plan("p", (), 7, sizes, looks=(epochs(1), iterations(2)), until=iterations(5))
    data = numbered(30, 1, batch=7, sizes=sizes)
    read = data.reader()
    sums = list(accumulate((read(update)[1].shape[1] for update in range(5)), initial=0))
    assert plan.read(list(range(6)), 30) == sums
    assert plan.read([5, 0, 2], 30) == [sums[5], 0, sums[2]]
    assert plan.moments(30) == data.moments(plan.looks, plan.until)


def test_powers_of_two():
    """A ladder has the powers of two from one number to the other, these included."""
    assert ladder(32, 256) == [32, 64, 128, 256]
    assert ladder(33, 255) == [64, 128]
    assert ladder(2, 3) == [2]


@pytest.mark.parametrize(
    ("hold", "expected"),
    [
        ("3it", [16] * 3 + [32] * 3 + [64] * 3),
        # of 100 examples: 7, 4 and 2 updates are an epoch
        ("1ep", [16] * 7 + [32] * 4 + [64] * 2),
        ("2ep", [16] * 14 + [32] * 8 + [64] * 4),
    ],
)
def test_a_batch_that_grows(hold, expected):
    """Each power of two is held for so many updates, or for the updates of so many epochs."""
    asked = BatchSize(**TINY, smallest=16, largest=64, hold=hold)
    assert asked.growing(100) == tuple(expected)
    grow, halve, rates = asked.plans(100)
    assert grow.sizes == tuple(expected)
    assert grow.until == iterations(len(expected))
    # as many examples in batches of the first size, the rate halved where the other doubles
    assert set(halve.sizes) == {16}
    assert halve.until == iterations(len(halve.sizes))
    assert abs(sum(halve.sizes) - sum(expected)) <= 8
    ends = [sum(b for b in expected if b <= size) / 16 for size in (16, 32)]
    schedule = halve.arms[0].schedule
    for place, end in enumerate(ends):
        assert schedule(round(end) - 1) == 0.5**place
        assert schedule(round(end)) == 0.5 ** (place + 1)
    assert schedule(len(halve.sizes) - 1) == 0.25
    # about as many examples, in whole epochs
    assert abs(rates.until.length * 100 - sum(expected)) <= 50
    assert (rates.until.unit, rates.sizes, rates.batch) == ("ep", (), 16)
    assert [arm.rate for plan in (grow, halve, rates) for arm in plan.arms] == [asked.lr_max] * 3


def test_candidates_of_the_batch_finder():
    """Each batch reads the same number of examples; its last quarter is an interval of its own."""
    asked = BatchFinder(**TINY, smallest=8, largest=64, trial=3)
    plans = asked.plans(100)
    assert [plan.batch for plan in plans] == [8, 16, 32, 64]
    assert {arm.rate for plan in plans for arm in plan.arms} == {asked.lr_min}
    moments = [plan.moments(100) for plan in plans]
    assert moments == [[0, 29, 39], [0, 15, 21], [0, 9, 12], [0, 4, 6]]
    assert [plan.read(seen, 100)[-1] for plan, seen in zip(plans, moments, strict=True)] == (
        [300] * 4
    )


def test_candidates_of_the_rate_finder():
    """Ten rates from 1e-9 to 10, five epochs each, and one network through all of them."""
    asked = LrFinder(**TINY)
    grid, sweep = asked.plans(100)
    assert [arm.rate for arm in grid.arms] == pytest.approx(np.geomspace(1e-9, 10, 10), rel=1e-3)
    assert (asked.rates()[0], asked.rates()[-1]) == (1e-9, 10)
    assert {str(arm.schedule) for arm in grid.arms} == {"constant"}
    assert grid.until == epochs(5)
    assert grid.moments(100) == [0, 7, 14, 21, 28, 35]
    assert sweep.until == iterations(5 * 7)
    assert sweep.moments(100) == list(range(36))
    (arm,) = sweep.arms
    rates = [arm.rate * arm.schedule(t) for t in range(35)]
    assert rates == pytest.approx(np.geomspace(1e-9, 10, 35), rel=1e-9)


def test_policies_of_the_rate():
    """In epochs: rates go from the lowest to the highest in a step, and back, or once.

    The constant one is their mean, and what decays has come to a share of its first height at the
    end.
    """
    asked = CyclicalLr(**TINY, lr_min=0.01, lr_max=0.2, epochs=12, step=3, decay=0.25)
    (plan,) = asked.plans(100)  # seven updates an epoch
    rates = {arm.name: [arm.rate * arm.schedule(t) for t in range(85)] for arm in plan.arms}
    assert {arm.rate for arm in plan.arms} == {0.2}
    assert plan.moments(100) == list(range(0, 85, 7))
    for name in ("triangular", "triangular2", "exp_range"):
        assert [rates[name][t] for t in (0, 42, 84)] == pytest.approx([0.01] * 3)
    assert [rates["triangular"][t] for t in (21, 63)] == pytest.approx([0.2] * 2)
    assert [rates["triangular2"][t] for t in (21, 63)] == pytest.approx([0.2, 0.105])
    decayed = [0.01 + 0.19 * 0.25**share for share in (0.25, 0.75)]
    assert [rates["exp_range"][t] for t in (21, 63)] == pytest.approx(decayed)
    assert rates["constant"] == pytest.approx([0.105] * 85)
    assert np.mean(rates["triangular"][:84]) == pytest.approx(0.105)
    assert max(rates["one-cycle"]) == pytest.approx(0.2, rel=0.01)
    assert rates["one-cycle"][83] == pytest.approx(0.2 / 25e4)


# -------------------------------------------------------------------------------- batches in cycles


def by_formula(asked, policy, count):
    """The sizes as the docstring has them, anew."""
    total, read, found = asked.epochs * count, 0, []
    low, high = math.log(asked.b_min), math.log(asked.b_max)
    while read < total:
        e = read / count
        phase = (e / (2 * asked.step)) % 1  # of a cycle
        near = 1 - abs(1 - 2 * phase)  # 0 at its ends, 1 in its middle
        height = asked.decay ** (e / asked.epochs)
        share = {"growing": 1 - (1 - near) * height, "decaying": near * height}[policy]
        found.append(min(round(math.exp(low + (high - low) * share)), total - read))
        read += found[-1]
    return (*found[:-2], found[-2] + 1) if found[-1] == 1 else tuple(found)


@given(
    st.integers(10, 300),
    st.integers(1, 9),
    st.integers(1, 3),
    st.tuples(st.integers(2, 20), st.integers(1, 100)),
    st.sampled_from([0.05, 0.1, 0.5, 0.99]),
    st.sampled_from(["growing", "decaying"]),
)
@laws
def test_batches_in_cycles(count, length, step, range_, decay, policy):
    """All epochs are read, by batches between b-min and b-max, but the last; none is 1."""
    low, high = range_[0], sum(range_)
    asked = CyclicalBatch(
        **TINY, epochs=length, step=step, b_min=low, b_max=high, decay=decay, policy=(policy,)
    )
    found = asked.sizes(policy, count)
    assert sum(found) == length * count
    assert all(low <= size <= high for size in found[:-1])
    assert 2 <= found[-1] <= high + 1
    assert found[0] == low or len(found) == 1
    expected = by_formula(asked, policy, count)
    # x.5 may round to either side, and changes what follows
    if len(found) == len(expected):
        assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 2
    assert abs(len(found) - len(expected)) <= 1


@pytest.mark.parametrize("policy", ["growing", "decaying"])
def test_sizes_by_the_formula(policy):
    """The sizes of a run of six cycles are the formula's."""
    asked = CyclicalBatch(**TINY, epochs=24, step=2, b_min=16, b_max=128)
    assert asked.sizes(policy, 2000) == by_formula(asked, policy, 2000)


@pytest.mark.parametrize("policy", ["growing", "decaying"])
def test_cycles_of_the_batch(policy):
    """The lower end of growing cycles rises to near b-max, the other's upper end falls to b-min."""
    asked = CyclicalBatch(**TINY, epochs=24, step=2, b_min=16, b_max=128)
    cycles, read = [[] for _ in range(6)], 0
    for size in asked.sizes(policy, 5000)[:-1]:  # the last is what is left
        cycles[int(read / 5000 / 4)].append(size)
        read += size
    low, high = [min(one) for one in cycles], [max(one) for one in cycles]
    if policy == "growing":
        assert all(a < b for a, b in pairwise(low))
        assert (low[0], *high) == (16, *[pytest.approx(128, abs=2)] * 6)
        # the last begins at 20 of 24 epochs
        assert low[-1] == pytest.approx(128 / 8 ** (0.1 ** (24 / 24)), rel=0.15)
    else:
        assert all(a > b for a, b in pairwise(high))
        assert high[0] == pytest.approx(16 * 8 ** (0.1 ** (2 / 24)), rel=0.03)
        assert high[-1] == pytest.approx(16 * 8 ** (0.1 ** (22 / 24)), rel=0.03)
        assert low == [16] * 6


def test_plans_of_cyclical_batches():
    """Each policy has a population at the lowest rate; beside them a rate in decaying cycles."""
    asked = CyclicalBatch(**TINY, epochs=3, step=1, b_min=4, b_max=32)
    growing, decaying, rates = asked.plans(64)
    for plan in (growing, decaying):
        assert plan.sizes == asked.sizes(plan.name, 64)
        assert [(arm.name, arm.rate, str(arm.schedule)) for arm in plan.arms] == [
            (plan.name, asked.lr_min, "constant")
        ]
        seen = plan.read(plan.moments(64), 64)
        assert (seen[0], seen[-1], len(seen)) == (0, 192, 4)
        for epoch, read in enumerate(seen):
            assert epoch * 64 <= read < epoch * 64 + 32
    assert [arm.name for arm in rates.arms] == ["exp_range"]
    assert (rates.until, rates.batch, rates.sizes) == (epochs(3), 16, ())


# ----------------------------------------------------------------------------------------- settings


def usual(kind, **given):
    """An experiment with batches where it has none of its own."""
    wanted = {"b_min": 8, "b_max": 32} if kind is CyclicalBatch else {}
    return kind(**{**wanted, **given})


@experiments
@pytest.mark.parametrize("preset", ["quick", "full"])
def test_presets_fill_what_is_not_said(kind, preset):
    """What is not said is the preset's; what is said is not."""
    found = usual(kind, preset=preset)
    expected = kind.presets[preset] | {
        name: value
        for name, value in kind.own[preset].items()
        if not isinstance(value, tuple) and name not in {"b_min", "b_max"}
    }
    assert len(expected) > 8
    for name, value in expected.items():
        assert getattr(found, name) == value
    full = {"examples": 0, "validation": 5000, "width": 1, "size": 32, "precision": "bf16"}
    if preset == "full":
        assert {name: getattr(found, name) for name in full} == full
    given = {
        "examples": 7,
        "validation": 8,
        "test_examples": 9,
        "width": 0.3,
        "size": 11,
        "augment": "flip",
        "seeds": 4,
        "precision": "fp32",
    }
    said = usual(kind, preset=preset, **given)
    assert {name: getattr(said, name) for name in given} == given
    for name in expected.keys() - given.keys():
        assert getattr(said, name) == expected[name]


def test_the_facts_values():
    """The assignment's numbers are those of the presets that are of its size."""
    full = CyclicalLr(preset="full")
    assert (full.lr_min, full.lr_max, full.epochs, full.step) == (1e-5, 1e-2, 48, 8)
    assert (full.batch, full.momentum) == (64, 0.9)
    grow = BatchSize(preset="full")
    assert (grow.batches()[0], grow.batches()[-1], grow.hold) == (32, 16384, "80it")
    assert LrFinder(preset="full").rates() == LrFinder().rates()
    for preset, width in (("assignment", 1), ("reduced", 0.25)):
        rates = {"preset": preset, "lr_min": 1e-3, "lr_max": 0.1}
        network = {"width": width, "size": 32, "examples": 0, "seeds": 1, "precision": "fp32"}
        asked = [
            (LrFinder(preset=preset), {"candidates": 10, "epochs": 5}),
            (CyclicalLr(**rates), {"policy": ("exp_range",), "epochs": 24}),
            (BatchSize(**rates), {"smallest": 32, "largest": 16384, "policy": ("grow", "halve")}),
            (BatchFinder(**rates), {"smallest": 64, "largest": 8192, "trial": 5}),
            (CyclicalBatch(**rates), {"policy": ("growing",), "epochs": 24}),
        ]
        for one, own in asked:
            assert {name: getattr(one, name) for name in network | own} == network | own
        # the growing batch reads as many of the 55,000 images as the cyclical rates do
        assert BatchSize(**rates).beside(55_000).epochs == 24


def typed(line):
    """The experiment of a command line."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "run", lambda what, *_, **__: found.append(what))
        assert run(["training", *shlex.split(line)]) == 0
    return found[0]


def again(asked):
    """The experiment of its own command."""
    program, command, name, *options = shlex.split(asked.command())
    assert [program, command, name] == ["archcalc", "training", asked.name]
    return typed(shlex.join([name, *options]))


LINES = [
    "lr-finder",
    "lr-finder --preset full",
    "lr-finder --candidates 4 --epochs 2 --sweep 7 --lr-min 1e-4 --lr-max .5 --seed 3",
    "lr-finder --preset full --width .25 --size 16 --lr-min 0.001",
    "cyclical-lr",
    "cyclical-lr --preset full --precision fp32 --dataset cifar10",
    "cyclical-lr --policy one-cycle,triangular --epochs 3 --step 1 --decay .3 --lr-max .7",
    "cyclical-lr --examples 0 --validation 9 --test-examples 0 --augment flip --seeds 5",
    "cyclical-lr --micro-batch 77 --momentum .5 --batch 3 --precision bf16",
    "batch-size",
    "batch-size --policy halve",
    "batch-size --preset full --policy grow --smallest 64",
    "batch-size --hold 2ep --largest 256 --lr-min 2e-3 --lr-max 0.3",
    "batch-size --preset reduced --lr-min 1e-3 --lr-max 0.1 --smallest 16 --largest 1024",
    "batch-finder",
    "batch-finder --preset full --trial 2",
    "batch-finder --smallest 4 --largest 64 --trial 5 --lr-min .02 --step 7 --seed 12345678901",
    "cyclical-batch",
    "cyclical-batch --b-min 5 --b-max 77 --policy decaying --epochs 7",
    "cyclical-batch --dataset 'my file.npz' --decay 0.01",
]


@pytest.mark.parametrize("line", LINES)
def test_a_command_runs_what_it_says(line):
    """An experiment's command is read as that experiment, whatever was said."""
    asked = typed(line)
    assert again(asked) == asked
    assert asked.configuration() == again(asked).configuration()
    assert type(asked).of(json.loads(json.dumps(asked.configuration()))) == asked
    # and says no more than it has to
    assert asked.command().count("--") <= line.count("--") + 2


def test_options_reach_the_experiment():
    """What is typed is what runs."""
    asked = typed(LINES[7])
    assert (asked.examples, asked.validation, asked.test_examples) == (0, 9, 0)
    assert (asked.augment, asked.seeds, asked.width) == ("flip", 5, 0.25)
    assert typed(LINES[6]).policy == ("one-cycle", "triangular")
    assert typed("cyclical-lr --augment none").augment == "none"
    assert typed(LINES[16]).seed == 12345678901


def test_a_command_without_augmentation():
    """That images are not changed is part of the command."""
    asked = CyclicalLr(augment="none")
    assert again(asked) == asked


def test_a_command_without_momentum():
    """Momentum 0, which an experiment can have, can be typed."""
    asked = CyclicalLr(momentum=0.0)
    assert again(asked) == asked


def test_a_command_of_full_cyclical_batches():
    """With the batches that somebody has found, the full preset's command is one that runs."""
    asked = CyclicalBatch(preset="full", b_min=64, b_max=1024)
    assert again(asked) == asked


WRONG = [
    (CyclicalLr, {"preset": "middle"}, "--preset"),
    (CyclicalLr, {"policy": ("sine",)}, "--policy"),
    (CyclicalLr, {"policy": ()}, "--policy"),
    (CyclicalLr, {"policy": ("triangular", "triangular")}, "--policy"),
    (CyclicalBatch, {"policy": ("triangular",)}, "--policy"),
    (BatchSize, {"policy": "shrink"}, "--policy"),
    (CyclicalLr, {"dataset": "letters"}, "--dataset"),
    (CyclicalLr, {"precision": "fp16"}, "--precision"),
    (CyclicalLr, {"width": 0.0}, "--width"),
    (CyclicalLr, {"width": 2.0}, "--width"),
    (CyclicalLr, {"width": math.nan}, "--width"),
    (CyclicalLr, {"momentum": 1.0}, "--momentum"),
    (CyclicalLr, {"size": 6}, "--size"),
    (CyclicalLr, {"batch": 1}, "--batch"),
    (CyclicalLr, {"micro_batch": 1}, "--micro-batch"),
    (CyclicalLr, {"validation": 0}, "--validation"),
    (CyclicalLr, {"examples": -1}, "--examples"),
    (CyclicalLr, {"test_examples": -1}, "--test-examples"),
    (CyclicalLr, {"seeds": 0}, "--seeds"),
    (CyclicalLr, {"seed": -1}, "--seed"),
    (CyclicalLr, {"decay": 1.0}, "--decay"),
    (CyclicalLr, {"decay": 0.0}, "--decay"),
    (CyclicalLr, {"epochs": 0}, "--epochs"),
    (CyclicalLr, {"step": 0}, "--step"),
    (CyclicalLr, {"lr_min": 0.5, "lr_max": 0.1}, "--lr-min, --lr-max"),
    (CyclicalLr, {"lr_min": 0.1, "lr_max": 0.1}, "--lr-min, --lr-max"),
    (CyclicalLr, {"lr_min": 5.0}, "--lr-min, --lr-max"),
    (LrFinder, {"lr_min": 0.5, "lr_max": 0.1}, "--lr-min, --lr-max"),
    (LrFinder, {"candidates": 1}, "--candidates"),
    (LrFinder, {"epochs": 0}, "--epochs"),
    (LrFinder, {"sweep": 0}, "--sweep"),
    (BatchSize, {"smallest": 64, "largest": 32}, "--smallest"),
    (BatchSize, {"smallest": 33, "largest": 64}, "--smallest 33, --largest 64"),
    (BatchSize, {"smallest": 1}, "--smallest"),
    (BatchFinder, {"smallest": 1024}, "--largest"),
    (BatchFinder, {"trial": 0}, "--trial"),
    (CyclicalBatch, {"b_min": 64, "b_max": 32}, "--b-min, --b-max"),
    (CyclicalBatch, {"b_min": 64, "b_max": 64}, "--b-min, --b-max"),
    (CyclicalBatch, {"b_min": 1}, "--b-min"),
]


@pytest.mark.parametrize(("kind", "given", "named"), WRONG)
def test_wrong_settings_are_refused(kind, given, named):
    """What cannot be is refused in one line that names the option."""
    assert named in refusal(kind, **given)


WRONG_LINES = [
    ("cyclical-lr --width 0", "--width"),
    ("cyclical-lr --width 2", "--width"),
    ("cyclical-lr --preset big", "--preset"),
    ("cyclical-lr --policy triangle", "triangular"),
    ("batch-size --hold 5", "length of training"),
    ("cyclical-lr --augment spin", "augmentation"),
    ("cyclical-batch --preset full", "--batch-finder"),
    ("lr-finder --candidates x", "--candidates"),
]


@pytest.mark.parametrize(("line", "named"), WRONG_LINES)
def test_wrong_lines_are_refused(line, named, capsys):
    """A command line that cannot be is told in one line, with status 2."""
    assert run(["training", *line.split()]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1


def test_a_batch_larger_than_the_training_set_is_refused():
    """A batch that grows is never larger than what there is."""
    asked = BatchSize(**TINY, smallest=16, largest=128)
    assert "--largest" in refusal(asked.tasks)
    assert "--largest" in refusal(asked.plans, 127)
    asked.plans(128)


def test_a_candidate_larger_than_the_training_set_is_refused():
    """Nor does the batch finder try batches that are no larger for being called so."""
    asked = BatchFinder(**TINY, smallest=16, largest=128)
    assert "--largest" in refusal(asked.tasks)


# ------------------------------------------------------------------------------------------ finders


def finished(folder, name, results, **about):
    """A folder with such results."""
    folder.mkdir()
    found = {"schema": f"archcalc.training.{name}/1", **about, "results": results}
    (folder / "results.json").write_text(json.dumps(found))
    return str(folder)


def test_rates_and_batches_of_finders(tmp_path):
    """A finder's folder fills what is not said, in place of the preset; what is said wins."""
    of_rates = finished(tmp_path / "lr", "lr-finder", {"lr_min": 0.002, "lr_max": 0.3, "arms": {}})
    of_batches = finished(tmp_path / "b", "batch-finder", {"b_min": 6, "b_max": 60})
    for kind in ALL[1:]:
        for preset in ("quick", "full"):
            found = usual(kind, preset=preset, lr_finder=of_rates)
            assert (found.lr_min, found.lr_max) == (0.002, 0.3)
        found = usual(kind, lr_finder=of_rates, lr_max=0.9)
        assert (found.lr_min, found.lr_max) == (0.002, 0.9)
    for preset in ("quick", "full"):
        found = CyclicalBatch(preset=preset, batch_finder=of_batches, lr_finder=of_rates)
        assert (found.b_min, found.b_max, found.lr_min) == (6, 60, 0.002)
    found = CyclicalBatch(batch_finder=of_batches, b_min=3)
    assert (found.b_min, found.b_max) == (3, 60)
    # where the numbers come from is not what is computed
    assert CyclicalLr(lr_finder=of_rates) == CyclicalLr(lr_min=0.002, lr_max=0.3)
    asked = typed(f"cyclical-lr --lr-finder {shlex.quote(of_rates)} --lr-max 0.5")
    assert (asked.lr_min, asked.lr_max) == (0.002, 0.5)
    assert "finder" not in asked.command()
    assert again(asked) == asked


@pytest.mark.parametrize("finder", ["lr-finder", "batch-finder"])
def test_folders_that_no_finder_has_filled(tmp_path, finder):
    """A folder without results, with another experiment's, or with none to read is refused."""
    keys = finders.KEYS[finder]
    asked = SimpleNamespace(**dict.fromkeys(keys))
    line = refusal(finders.fill, asked, finder, str(tmp_path / "none"))
    assert "results.json" in line
    assert f"archcalc training {finder} --output" in line
    bad = ["", "[]", "3", '{"results": []}', '{"results": {}}', "{", '{"results": null}', "\xff"]
    for number, wrong in enumerate([*bad, json.dumps({"results": {keys[0]: 1}})]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "results.json").write_bytes(wrong.encode("latin-1"))
        assert f"is not of a run of {finder}" in refusal(finders.fill, asked, finder, str(folder))
    other = {"lr-finder": "batch-finder", "batch-finder": "lr-finder"}[finder]
    foreign = finished(tmp_path / "foreign", other, dict.fromkeys(finders.KEYS[other], 1))
    assert f"is not of a run of {finder}" in refusal(finders.fill, asked, finder, foreign)
    for place, key in enumerate(keys):
        flat = finished(tmp_path / key, finder, dict.fromkeys(keys, 1) | {key: None})
        line = refusal(finders.fill, SimpleNamespace(**dict.fromkeys(keys)), finder, flat)
        assert "could read nothing" in line, place
        assert f"--{key.replace('_', '-')}" in line
        said = SimpleNamespace(**dict.fromkeys(keys) | {key: 7})  # is not read
        finders.fill(said, finder, flat)
        assert vars(said) == dict.fromkeys(keys, 1) | {key: 7}


# --------------------------------------------------------------------------------- what is read off

COUNTS = {"train": 64, "validation": 24, "test": 20, "classes": 10, "channels": 1}


def made_up(asked, last, count=COUNTS["train"]):
    """A record's arrays: the last training losses of each arm, ``(seeds,)``; before them 2.3.

    Every other number is that of its place, so that none is another.
    """
    arrays = {"counts": np.array(list((COUNTS | {"train": count}).values()))}
    number = 0
    for plan in asked.plans(count):
        looks = len(plan.moments(count))
        members = len(plan.arms) * asked.seeds
        loss = np.full((members, looks - 1), 2.3, np.float32)
        for place, arm in enumerate(plan.arms):
            if arm.name in last:
                loss[place * asked.seeds : (place + 1) * asked.seeds, -1] = last[arm.name]
        arrays[f"{plan.name}/training_loss"] = loss
        if plan.scored:
            for name in (*SCORES, "test_loss", "test_accuracy"):
                shape = (members, looks) if name in SCORES else (members,)
                arrays[f"{plan.name}/{name}"] = (
                    np.arange(number, number + math.prod(shape)).reshape(shape).astype(np.float32)
                )
                number += 1000
    return arrays


def summarised(asked, arrays, count=COUNTS["train"]):
    """What is made of arrays ``(members, ...)`` of plans, each member's under its task's name."""
    by_task = {"counts": arrays["counts"]}
    for plan in asked.plans(count):
        tasks = [task for arm in plan.arms for task in asked.trained(arm.name)]
        for name, values in arrays.items():
            population, _, what = name.partition("/")
            if population == plan.name:
                by_task |= {f"{task}/{what}": values[place] for place, task in enumerate(tasks)}
    return asked.summarise(by_task)


def around(mean, spread=0.15):
    """Two seeds' losses with this mean."""
    return [mean - spread, mean + spread]


CURVE = [2.3, 2.3, 2.3, 2.3, 1.3, 0.3, 0.4, 0.35, 2.3, 5.0]


def read_lr(losses_read=CURVE, change=None, **given):
    """What the rate finder makes of the losses at its ten rates."""
    asked = LrFinder(**TINY, **given)
    last = {f"{r:g}": around(y) for r, y in zip(asked.rates(), losses_read, strict=True)}
    arrays = made_up(asked, last)
    if change:
        change(arrays)
    return asked, summarised(asked, arrays)


def test_the_rate_finder_reads_its_mean_curve():
    """The range ends where the mean of the seeds' last losses crosses a tenth of its fall."""
    asked, found = read_lr()
    rates = asked.rates()
    # from 2.3 to 0.3: the level is 0.5, between rates 4 and 5, and 7 and 8
    low = rates[5] * (rates[4] / rates[5]) ** 0.2
    high = rates[7] * (rates[8] / rates[7]) ** (0.15 / 1.95)
    assert found["lr_min"] == rules.rounded(low)
    assert found["lr_max"] == rules.rounded(high)
    assert found["grid"]["basin"]["best"] == pytest.approx(rates[5])
    assert found["grid"]["basin"]["level"] == pytest.approx(0.5)
    assert found["grid"]["loss"] == pytest.approx(CURVE)
    assert found["grid"]["each"].shape == (10, 2)
    assert found["grid"]["start"] == pytest.approx([2.3] * 10)
    assert list(found["arms"]) == [f"{rate:g}" for rate in rates]
    assert found["counts"] == COUNTS
    assert found["text"] == text(0.1, 8, 1, 10)


def test_a_persons_reading_wins():
    """A rate that is said is what is to be used, beside the rule's own for the other."""
    _, found = read_lr()
    _, other = read_lr(lr_min=1e-7)
    assert (other["lr_min"], other["lr_max"]) == (1e-7, found["lr_max"])
    _, other = read_lr(lr_min=1e-7, lr_max=0.25)
    assert (other["lr_min"], other["lr_max"]) == (1e-7, 0.25)
    assert other["grid"]["basin"] == found["grid"]["basin"]


def test_a_rate_that_diverged_lies_outside():
    """One seed's NaN ends the range at the rate before; the record says after what it came."""

    def nan(arrays):
        arrays["grid/training_loss"][2 * 7 + 1, 2:] = math.nan
        arrays["grid/training_loss"][2 * 9, :] = math.inf

    asked, found = read_lr(change=nan)
    assert found["lr_max"] == rules.rounded(asked.rates()[6])
    arms = list(found["arms"].values())
    # the third of the intervals, an epoch each
    assert arms[7]["diverged"] == [None, 3 * 64]
    assert arms[9]["diverged"] == [64, None]
    assert arms[6]["diverged"] == [None, None]


def test_a_curve_without_a_fall_has_no_range():
    """Where no rate learns, nothing is read, and why is said; a person may say it still."""
    _, found = read_lr([2.3] * 10)
    assert found["lr_min"] is found["lr_max"] is None
    assert "hardly falls" in found["grid"]["basin"]["why"]
    _, found = read_lr([math.nan] * 10)
    assert found["lr_min"] is found["lr_max"] is None
    _, found = read_lr([2.3] * 10, lr_min=0.5)
    assert (found["lr_min"], found["lr_max"]) == (0.5, None)


def test_the_sweep_is_read_on_the_smoothed_mean():
    """One network's losses, smoothed, up to where they are four times the least."""
    asked = LrFinder(**TINY, sweep=25)
    updates = 100
    raw = np.concatenate([np.full(40, 2.3), np.linspace(2.3, 0.3, 30), np.full(10, 0.3)])
    raw = np.concatenate([raw, np.linspace(1, 100, 20)])

    def sweep(arrays):
        wave = np.where(np.arange(updates) % 2, 0.1, -0.1)
        arrays["sweep/training_loss"][:] = [raw + wave, raw - wave]

    arrays = made_up(asked, {})
    assert arrays["sweep/training_loss"].shape == (2, updates)
    sweep(arrays)
    swept = summarised(asked, arrays)["sweep"]
    assert swept["raw"] == pytest.approx(raw, rel=1e-5)
    assert swept["rates"] == pytest.approx(np.geomspace(1e-9, 10, updates))
    # a fiftieth of the sweep is two updates
    smooth = rules.smoothed(raw, 0.5)
    assert swept["loss"] == pytest.approx(smooth, rel=1e-5)
    end = rules.stopped(smooth)
    assert swept["stopped"] == end
    assert 75 < end < 100
    # the blog leaves out the first ten and the last one, fastai the first tenth and the last five
    rates = swept["rates"]
    expected = rules.basin(rates[10 : end - 1], swept["loss"][10 : end - 1])
    assert swept["basin"]["low"] == rules.rounded(expected.low)
    part = slice(end // 10, end - 5)
    assert swept["fastai"]["valley"] == rules.valley(rates[part], swept["loss"][part])


@pytest.mark.parametrize("end", [0, 3])
def test_a_sweep_that_stops_at_once(end):
    """Of what comes after the stop nothing is read: before it there is less than is left out."""
    asked = LrFinder(**TINY, sweep=25)
    arrays = made_up(asked, {})
    raw = np.concatenate([np.linspace(2.3, 0.3, 70), np.linspace(0.3, 5, 30)])
    arrays["sweep/training_loss"][:] = raw
    arrays["sweep/training_loss"][:, end] = math.nan
    swept = summarised(asked, arrays)["sweep"]
    assert swept["stopped"] == end
    assert swept["basin"]["low"] is swept["smith"] is None
    assert set(swept["fastai"].values()) == {None}


LOSSES = {8: 2.0, 16: 0.49, 32: 0.3, 64: 0.42, 128: 0.6, 256: 1.5, 512: 0.31}


def test_batches_are_read_off_the_mean_curve():
    """From the least loss, batches up and down while their mean loss is low: 16 to 64.

    Low is a tenth of the fall from the logarithm of the number of classes: here 0.5. What is low
    again beyond a batch that is not counts for nothing.
    """
    asked = BatchFinder(**(TINY | {"examples": 1000}), smallest=8, largest=512, trial=2)
    last = {str(b): around(y, 0.2) for b, y in LOSSES.items()}
    arrays = made_up(asked, last, 1000)
    found = summarised(asked, arrays, 1000)
    curve = found["curve"]
    assert (curve["b_min"], curve["b_max"]) == (16, 64)
    assert curve["batches"].tolist() == list(LOSSES)
    assert curve["loss"] == pytest.approx(list(LOSSES.values()))
    assert curve["each"].shape == (7, 2)
    assert curve["basin"]["level"] == pytest.approx(0.3 + 0.1 * (math.log(10) - 0.3))
    assert found["counts"] == COUNTS | {"train": 1000}
    assert (found["b_min"], found["b_max"]) == (16, 64)
    noise = [arm["noise"] for arm in found["arms"].values()]
    assert noise == pytest.approx([asked.lr_min * 1000 / (b * 0.1) for b in LOSSES])
    arrays["32/training_loss"][0, -1] = math.nan
    arrays["16/training_loss"][:, -1] = 0.3
    found = summarised(asked, arrays, 1000)
    assert (found["curve"]["b_min"], found["curve"]["b_max"]) == (16, 16)
    assert found["arms"]["32"]["diverged"][0] == 2000
    for b in LOSSES:
        arrays[f"{b}/training_loss"][:] = 2.3
    found = summarised(asked, arrays, 1000)
    assert found["curve"]["b_min"] is found["curve"]["b_max"] is None


@pytest.mark.parametrize("hold", ["4it", "3it", "1it", "2ep"])
def test_stages_of_a_growing_batch(hold):
    """Each size has its updates, its examples, its noise scale, and its last quarter's loss."""
    asked = BatchSize(**TINY, smallest=8, largest=32, hold=hold)
    arrays = made_up(asked, {})
    grow = asked.plans(64)[0]
    moments = grow.moments(64)
    arrays["grow/training_loss"][:] = [moments[1:], [0.5 + m for m in moments[1:]]]
    for number, name in enumerate(PARTS):
        arrays[f"grow/{name}"] = np.array([number, number + 1], np.float32)
    found = summarised(asked, arrays)
    held = {b: grow.sizes.count(b) for b in (8, 16, 32)}
    ends = list(accumulate(held.values()))
    for stage, (b, updates), end in zip(found["stages"], held.items(), ends, strict=True):
        assert (stage["batch"], stage["updates"]) == (b, updates)
        assert stage["examples"] == b * updates
        assert stage["noise"] == pytest.approx(asked.lr_max * 64 / (b * 0.1))
        assert stage["loss"].tolist() == [end, end + 0.5]
    assert [found["parts"][name].value for name in PARTS] == [0.5, 1.5, 2.5, 3.5]
    assert [(pair["one"], pair["two"]) for pair in found["pairs"]] == [
        ("grow", "exp_range"),
        ("halve", "exp_range"),
        ("grow", "halve"),
    ]


def test_ways_to_train_are_compared_in_pairs():
    """A difference is that of networks of the same number: the first way less the second."""
    asked = CyclicalLr(**TINY, epochs=2, step=1, policy=("exp_range", "constant", "one-cycle"))
    arrays = made_up(asked, {})
    arrays["rates/test_loss"][:] = [1, 2, 5, 8, 0, 0]
    found = summarised(asked, arrays)
    assert [(pair["one"], pair["two"]) for pair in found["pairs"]] == [
        ("exp_range", "constant"),
        ("exp_range", "one-cycle"),
    ]
    assert found["pairs"][0]["test_loss"].value == pytest.approx(-5)
    assert found["pairs"][1]["test_loss"].value == pytest.approx(1.5)
    arm = found["arms"]["constant"]
    assert arm["final"]["test_loss"]["each"].tolist() == [5, 8]
    assert arm["final"]["test_loss"]["mean"].value == 6.5
    assert arm["curves"]["val_accuracy"].tolist() == (
        arrays["rates/val_accuracy"][2:4].astype(float).tolist()
    )
    last = arrays["rates/val_accuracy"][2:4]
    assert arm["final"]["val_accuracy"]["each"].tolist() == last[:, -1].tolist()
    assert arm["final"]["best_val_accuracy"]["each"].tolist() == last.max(1).tolist()
    assert (arm["updates"], arm["examples"]) == ([0, 4, 8], [0, 64, 128])


def test_totals_of_cyclical_batches():
    """Every way has read all epochs, in the updates that its sizes take."""
    asked = CyclicalBatch(**TINY, epochs=4, step=1, b_min=4, b_max=32)
    found = summarised(asked, made_up(asked, {}))
    arms = found["arms"]
    assert {name: arm["total_examples"] for name, arm in arms.items()} == dict.fromkeys(
        ("growing", "decaying", "exp_range"), 256
    )
    assert {name: arm["total_updates"] for name, arm in arms.items()} == {
        "growing": len(asked.sizes("growing", 64)),
        "decaying": len(asked.sizes("decaying", 64)),
        "exp_range": 16,
    }
    assert [(pair["one"], pair["two"]) for pair in found["pairs"]] == [
        ("growing", "exp_range"),
        ("decaying", "exp_range"),
        ("growing", "decaying"),
    ]


# --------------------------------------------------------------------------------------------- runs


SHORT = TINY | {"seeds": 1, "width": 0.05, "augment": "none"}


def looped(asked, folder, record=None, keep=1e9):
    """A run's record, without page and figures."""
    record = record or Record(asked.name, asked.configuration(), {}, dict(asked.observed()))
    folder.mkdir(exist_ok=True)
    Loop(record, folder, asked.tasks_after, Ranks(), CPU, keep).run()
    return record


@cache
def short():
    """A run in which sizes change."""
    return CyclicalBatch(**SHORT, epochs=1, step=1, b_min=8, b_max=32, policy=("growing",))


def test_the_record_says_how_long_was_learnt(tmp_path):
    """Every task has seconds of its own, above 0, fewer than the run's, as the file has them."""
    began = time.monotonic()
    record = looped(short(), tmp_path)
    passed = time.monotonic() - began
    record.save(tmp_path)
    kept = Record.read(tmp_path).learning
    assert sorted(kept) == ["growing", "rates"]
    assert kept == record.learning
    assert all(seconds > 0 for seconds in kept.values())
    assert sum(kept.values()) < passed


@pytest.fixture
def clock(monkeypatch):
    """The loop's clock: an update takes a second; a look, and what is written, a thousand."""
    found = SimpleNamespace(now=0.0)

    def slow(work, seconds):
        def longer(*args, **given):
            found.now += seconds
            return work(*args, **given)

        return longer

    monkeypatch.setattr("training.engine.progress.Stop.now", lambda _: found.now)
    monkeypatch.setattr(Cohort, "advance", slow(Cohort.advance, 1.0))
    monkeypatch.setattr(Record, "save", slow(Record.save, 1000.0))
    monkeypatch.setattr(probes, "score", slow(probes.score, 1000.0))
    return found


@pytest.mark.parametrize("keep", [0.5, 1e9], ids=["often", "never"])
def test_only_updates_are_learning(tmp_path, clock, keep):
    """The seconds are those of updates: looks, scores and checkpoints are left out."""
    record = looped(short(), tmp_path, keep=keep)
    updates = {plan.name: plan.moments(64)[-1] for plan in short().plans(64)}
    assert record.learning == updates
    assert clock.now > 4000


@pytest.mark.parametrize(
    "stops", [[("growing", 1)], [("growing", 2), ("growing", 3), ("rates", 2)]]
)
def test_learning_time_goes_on_with_the_run(tmp_path, clock, monkeypatch, stops):
    """A run that is stopped and resumed has learnt for as long as one that is not, not less."""
    updates = {plan.name: plan.moments(64)[-1] for plan in short().plans(64)}
    assert updates["growing"] > 3
    record = None
    for name, update in stops:
        passed = [False]  # what comes before the task

        def ask(_, __, now, name=name, update=update, passed=passed):
            passed[0] |= name == "growing" or now > updates["rates"]
            return passed[0] and now == update

        if name == "rates":
            begin = Loop._begin

            def begun(self, task, begin=begin, passed=passed):
                passed[0] = task.name == "rates"
                return begin(self, task)

            monkeypatch.setattr(Loop, "_begin", begun)
        monkeypatch.setattr(Loop, "_ask", ask)
        with pytest.raises(StoppedError, match=f", update {update} "):
            record = looped(short(), tmp_path, record)
        state = state_of(tmp_path, {"growing": "growing", "rates": "exp_range"}[name] + "/seed0")
        assert sum(state.about["laps"]) + state.about["lap"] == update
        clock.now += 1e6  # the time between does not count
    monkeypatch.setattr(Loop, "_ask", lambda *_: False)
    record = looped(short(), tmp_path, record)
    assert record.learning == updates


@experiments
def test_an_experiment_runs(kind, tmp_path):
    """Each of them trains, is kept, and is summarised; every number that it needs is there."""
    given = {
        LrFinder: {"candidates": 2, "epochs": 1, "sweep": 1},
        CyclicalLr: {"epochs": 1, "step": 1, "policy": ("triangular", "one-cycle")},
        BatchSize: {"smallest": 32, "largest": 64, "hold": "1it", "step": 1},
        BatchFinder: {"smallest": 32, "largest": 64, "trial": 1},
        CyclicalBatch: {"epochs": 1, "step": 1, "b_min": 16, "b_max": 32},
    }[kind]
    asked = kind(**SHORT, **given)
    record = looped(asked, tmp_path)
    found = asked.summarise(record.arrays)
    assert found["counts"] == COUNTS
    assert all(np.isfinite(arm["learning_loss"]).all() for arm in found["arms"].values())
    if kind is BatchSize:
        assert found["parts"]["frozen_gradient"].value < 1e-5 < found["parts"]["parts_loss"].value


# --------------------------------------------------------------------------------------- small runs


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        # 65 images: the last batch of an epoch has one
        (CyclicalLr, {"examples": 65, "policy": ("constant",), "epochs": 1, "step": 1}),
        # a batch of 16 in parts of 5: the last has one
        (CyclicalLr, {"micro_batch": 5, "policy": ("constant",), "epochs": 1, "step": 1}),
        # 65 images in four parts of 16, and one more
        (BatchSize, {"examples": 65, "smallest": 16, "largest": 32, "hold": "1it", "batch": 13}),
    ],
    ids=["epoch", "parts", "accumulated"],
)
def test_one_example_is_left_over(kind, given, tmp_path):
    """Where the last map has one pixel, batch norm cannot have one example: no run ends there.

    It is refused before it begins, in a line that names an option, or goes to its end.
    """
    try:
        asked = kind(**(SHORT | given))
        asked.tasks()
    except TrainingError as error:
        assert "--" in str(error)  # noqa: PT017 - either will do
        return
    assert set(looped(asked, tmp_path).tasks) == {n for t in asked.tasks() for n in t.names}


def test_classes_are_the_data_sets(tmp_path):
    """A few images have not all classes; the network has, as validation and test need them."""
    asked = CyclicalLr(**(SHORT | {"examples": 8}), policy=("constant",), epochs=1, step=1)
    assert asked.counts()["classes"] == 10
    assert list(looped(asked, tmp_path).tasks) == ["constant/seed0"]


def test_a_size_that_is_held_for_nothing_is_refused():
    """A batch is held for an update at least."""
    for hold in ("0it", "0ep"):
        assert "--hold" in refusal(BatchSize, **TINY, smallest=16, largest=32, hold=hold)


def test_a_decay_that_rounds_to_none_is_refused():
    """What is too near to 1 to decay is told as such, if not as soon then with the plans."""
    with pytest.raises(TrainingError, match="--decay"):
        CyclicalLr(decay=1 - 1e-16 * 1.2).plans(2000)
