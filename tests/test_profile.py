# ruff: noqa: TID253 - these tests are of what needs torch
"""Times land on the layer that took them, under ceilings that hold, and are drawn whole."""

import contextlib
import csv
import io
import itertools
import json
import math
import os
import re
import shlex
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from rich.console import Console
from strategies import tangles
from torch import nn

import archcalc as ac
from archcalc import ArchitectureError, roofline
from archcalc.case import Case
from archcalc.costs import backward
from archcalc.counters.marks import Marks, watched
from archcalc.errors import MeasurementError
from archcalc.layers import Add, Concat
from archcalc.main import run
from archcalc.measure import allocations, clock, machine, profiling
from archcalc.measure.twin import Twin
from archcalc.memory import memory, saved
from archcalc.notation import write_word
from archcalc.render import FORMATS, figures, render
from archcalc.render.views.profile import milliseconds, profiled
from archcalc.roofline import DEVICES, Work, known
from archcalc.timings import Ceilings, LayerTime, Pass, Profile, Spread

SMALL = "8x8x3 conv3-8 bn relu pool2 flatten fc-10"
CEILINGS = Ceilings(1e11, 1e10, 1e-6, "a guess")


@pytest.fixture
def quick(monkeypatch):
    """Ceilings that need no measuring."""
    monkeypatch.setattr(profiling, "measured_ceilings", lambda *_: CEILINGS[:2])


def measured(text=SMALL, **options):
    """A short profile."""
    return ac.profile(text, **{"repeats": 3, **options})


def case_of(text, batch=2, dtype="fp32"):
    """A network on its own input."""
    return Case.of(ac.load(text), batch=batch, dtype=dtype)


def made_up(text, *, train=True, batch=2, seconds=0.0123, ceilings=CEILINGS, **other):
    """A profile of a network that nobody ran."""
    case = case_of(text, batch)
    rows = []
    spread = Spread(seconds, 0.9 * seconds, 1.1 * seconds)
    for step, back in zip(case.steps, backward(case), strict=True):
        forward = roofline.forward(step, case)
        again = roofline.backward(step, back, (), (True,) * len(step.inputs), case)
        passes = [
            Pass(work, spread, max(work.bound(*ceilings[:2])), "memory" if work.bytes else "")
            for work in (forward, again)
        ]
        word = write_word(step.layer)
        rows.append(LayerTime(step.name, word, passes[0], passes[1] if train else None))
    both = memory(case, train=train)
    known = {
        "case": case,
        "train": train,
        "optimizer": "sgd",
        "device": "a device",
        "kind": "cpu",
        "ceilings": ceilings,
        "rows": tuple(rows),
        "step": spread,
        "update": spread if train else None,
        "repeats": 7,
        "predicted": both,
        "measured": both._replace(peak=both.peak + 12_345),
        "release": "2.6.0",
    }
    return Profile(**{**known, **other})


# ------------------------------------------------------------------------------ the device table


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("NVIDIA H200", "H200"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-80GB", "A100-SXM4-80GB"),
        ("NVIDIA A100 80GB PCIe", "A100 80GB PCIe"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("NVIDIA A100-PCIE-40GB", "A100"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-16GB", "V100-SXM2"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA A10", "A10"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("NVIDIA L40S", None),
        ("NVIDIA L40", None),
        ("NVIDIA A10G", None),
        ("NVIDIA A1000 Laptop GPU", None),
        ("Tesla V100-PCIE-16GB", None),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA GH200 480GB", None),
        ("NVIDIA H100 NVL", None),
        ("Intel(R) Xeon(R) Processor", None),
        ("", None),
    ],
)
def test_devices_go_by_torchs_names(name, row):
    """A device is found by what torch calls it, and no other device is taken for it."""
    found = known(name)
    assert (found and found.name) == row


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_every_device_is_plausible(device):
    """Every row has a source, rates in order, and TF32 with bf16 only since Ampere."""
    assert "data sheet" in device.source or "architecture" in device.source
    assert all(known(name) is device for name in device.called)
    assert device.called
    peak, ampere = device.peak, device.name not in {"T4", "V100-SXM2"}
    assert ("tf32" in peak) == ("bf16" in peak) == ampere
    assert set(peak) <= {"fp64", "fp32", "tf32", "fp16", "bf16"}
    assert peak["fp32"] <= peak.get("tf32", peak["fp32"]) < peak["fp16"]
    assert peak.get("bf16", peak["fp16"]) == peak["fp16"]
    assert peak.get("fp64", 0) < peak["fp32"]
    assert 1e12 < peak["fp32"] < 1e14
    assert 1e11 < device.bandwidth < 1e13
    assert 5 < peak["fp32"] / device.bandwidth < 200


def test_known_numbers():
    """Some ceilings are those that the data sheets print, dense."""
    assert known("NVIDIA H200").peak["bf16"] == 989.4e12
    assert known("NVIDIA H200").bandwidth == 4.8e12
    assert known("NVIDIA A100-SXM4-80GB").peak["tf32"] == 156e12
    assert known("NVIDIA A100-SXM4-80GB").bandwidth == 2.039e12
    assert known("NVIDIA A100-SXM4-40GB").bandwidth == 1.555e12
    assert known("Tesla T4").peak == {"fp32": 8.1e12, "fp16": 65e12}
    assert known("Tesla V100-SXM2-32GB").peak["fp64"] == 7.8e12


# ------------------------------------------------------------------------------- a layer's work

WORK = [  # the last layer's FLOPs and values, forward, on 8x8x4 at batch 2
    ("conv3-8", 2 * 2 * 9 * 4 * 8 * 64, 2 * (256 + 512) + 9 * 4 * 8 + 8),
    ("conv3-8/2 nobias", 2 * 2 * 9 * 4 * 8 * 16, 2 * (256 + 128) + 9 * 4 * 8),
    ("conv3-8 g2 nobias", 2 * 2 * 9 * 2 * 8 * 64, 2 * (256 + 512) + 9 * 2 * 8),
    ("fc-10", 2 * 2 * 256 * 10, 2 * (256 + 10) + 2560 + 10),
    ("relu", 0, 2 * (256 + 256)),
    ("bn", 0, 2 * (256 + 256) + 8),
    ("pool2", 0, 2 * (256 + 64)),
    ("gap", 0, 2 * (256 + 4)),
    ("drop.5", 0, 2 * (256 + 256)),
    ("[id | id | id]", 0, 2 * (3 * 256 + 768)),
    ("(id + id)", 0, 2 * (2 * 256 + 256)),
    ("flatten", 0, 0),
]


@pytest.mark.parametrize(("dtype", "size"), [("fp32", 4), ("tf32", 4), ("bf16", 2), ("fp64", 8)])
@pytest.mark.parametrize(("word", "flops", "values"), WORK)
def test_forward_work_by_hand(word, flops, values, dtype, size):
    """A layer reads its inputs and weights once and writes its output once; a MAC is two FLOPs."""
    case = case_of(f"8x8x4 {word}", dtype=dtype)
    assert roofline.forward(case.steps[-1], case) == Work(flops, size * values)


# The same behind a convolution, backward, at batch 2: FLOPs, and bytes in fp32.
BACK = [
    ("conv3-8", 4 * 2 * 9 * 4 * 8 * 64, 4 * (2 * (512 + 256) + 2 * 296 + 2 * 256)),
    ("fc-10", 4 * 2 * 256 * 10, 4 * (2 * (10 + 256) + 2 * 2570 + 2 * 256)),
    ("relu", 0, 4 * 2 * 3 * 256),
    ("bn", 0, 4 * (2 * 3 * 256 + 2 * 8) + 2 * 4 * 4),
    ("pool2", 0, 4 * 2 * (64 + 256 + 256) + 2 * 64 * 8),
    ("avgpool2", 0, 4 * 2 * (64 + 256 + 256)),
    ("[id | id]", 0, 0),
    ("(id + id)", 0, 0),
    ("(id * id)", 0, 4 * 2 * (256 + 2 * 256 + 2 * 256)),
    ("flatten", 0, 0),
]


@pytest.mark.parametrize(("word", "flops", "size"), BACK)
def test_backward_work_by_hand(word, flops, size):
    """A backward pass reads a gradient, what was kept and weights; it writes gradients.

    Where the gradients of its inputs are the one that comes in, or parts of it, nothing moves.
    """
    case = case_of(f"8x8x4 conv1-4 {word}")
    step, back = case.steps[-1], backward(case)[-1]
    wanted = (True,) * len(step.inputs)
    found = roofline.backward(step, back, saved(case)[step.name], wanted, case)
    assert found == Work(flops, size)


def test_a_first_layer_makes_no_gradient_of_the_input():
    """A layer on the input makes gradients of its weights alone; one that learns nothing, none."""
    for word, work in [
        ("conv3-8", Work(2 * 2 * 9 * 4 * 8 * 64, 4 * (2 * 512 + 296 + 2 * 256))),
        ("relu", Work(0, 0)),
        ("pool2", Work(0, 0)),
    ]:
        case = case_of(f"8x8x4 {word}")
        (step,), (back,), (kept,) = case.steps, backward(case), saved(case).values()
        assert roofline.backward(step, back, kept, (False,), case) == work


def test_bounds():
    """Work takes FLOPs over the peak, and bytes over the bandwidth."""
    assert Work(600, 40).bound(200, 10) == (3, 4)
    assert Work(0, 0).bound(200, 10) == (0, 0)


@given(tangles())
def test_work_adds_up(network):
    """Forward FLOPs are the report's; whatever moves anything moves its output at least."""
    case = Case.of(network, batch=3, dtype="bf16")
    works = [roofline.forward(step, case) for step in case.steps]
    assert sum(work.flops for work in works) == 3 * ac.report(network).totals["flops"]
    for step, work in zip(case.steps, works, strict=True):
        assert work.bytes == 0 or work.bytes > 2 * 3 * step.output.units.value
        assert work.bytes > 0 or write_word(step.layer) == "flatten"


# ------------------------------------------------------------------------------ a clock that is set


class Clock:
    """Time passes when it is told to."""

    def __init__(self):
        self.now = 0

    def perf_counter(self):
        """What it shows."""
        return self.now

    def costing(self, function, forward, back=0):
        """The function, which takes so long, as does its derivative."""
        owner = self

        class Slow(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):  # noqa: ARG004 - torch's own
                return x.clone()

            @staticmethod
            def backward(ctx, gradient):  # noqa: ARG004 - torch's own
                owner.now += owner.cost(back)
                return gradient

        def slow(*args, **options):
            self.now += self.cost(forward)
            y = function(*args, **options)
            return Slow.apply(y) if isinstance(y, torch.Tensor) else y

        return slow

    @staticmethod
    def cost(amount):
        """Seconds, or the next of many."""
        return next(amount) if isinstance(amount, itertools.count) else amount


@pytest.fixture
def ticking(monkeypatch, quick):  # noqa: ARG001 - a fixture that another needs
    """A clock that stands still, and a way to make functions slow by it."""
    clk = Clock()
    monkeypatch.setattr(clock, "time", clk)

    def slow(owner, name, forward, back=0):
        monkeypatch.setattr(owner, name, clk.costing(getattr(owner, name), forward, back))

    clk.slow = slow
    return clk


def medians(found):
    """Median seconds of every layer, forward and backward."""
    return {
        row.name: (row.forward.time.median, row.backward.time.median if row.backward else None)
        for row in found.rows
    }


BRANCHED = "8x8x3 conv3-4 (relu + conv1-4) [pool3/1 | id] flatten fc-3"


def test_time_lands_on_the_layer_that_took_it(ticking):
    """Forward and backward, each layer and join has the time that it took, and no other."""
    ticking.slow(nn.Conv2d, "forward", 5, 50)
    ticking.slow(nn.ReLU, "forward", 3, 30)
    ticking.slow(nn.MaxPool2d, "forward", 7, 70)
    ticking.slow(nn.Linear, "forward", 11, 110)
    ticking.slow(nn.Flatten, "forward", 2, 20)
    ticking.slow(Add, "run", 13, 130)
    ticking.slow(Concat, "run", 13, 130)
    ticking.slow(torch.optim.SGD, "step", 1000)
    found = measured(BRANCHED, train=True)
    conv, join = (5, 50), (13, 130)
    names = [step.name for step in found.case.steps]
    times = [conv, (3, 30), conv, join, (7, 70), join, (2, 20), (11, 110)]
    assert medians(found) == dict(zip(names, times, strict=True))
    assert found.update == Spread(1000, 1000, 1000)
    layers = sum(one.time.median for one in found.passes())
    assert found.step == Spread(layers + 1000, layers + 1000, layers + 1000)
    forward = measured(BRANCHED)
    alone = [one for one, _ in times]
    assert medians(forward) == {n: (one, None) for n, one in zip(names, alone, strict=True)}
    assert forward.step.median == sum(alone)
    assert forward.update is None


def test_looking_modules_up_is_no_layers_time(ticking):
    """What the twin has to find before its first layer runs is in no layer's time."""
    for way in ("named_modules", "get_submodule"):
        ticking.slow(Twin, way, 1000)
    ticking.slow(nn.Conv2d, "forward", 5)
    found = measured("8x8x3 conv3-4 relu")
    assert medians(found) == {"conv1": (5, None), "relu1": (0, None)}
    assert found.step.median > 1000  # the twin does look up


def test_a_layer_used_twice_has_the_time_of_each_use(ticking, used_twice):
    """Each use has its own time, forward and backward, though the module is one."""
    ticking.slow(nn.Conv2d, "forward", itertools.count(1), itertools.count(101))
    found = ac.profile(used_twice, train=True, repeats=1)
    # Three passes before it warm up, and every pass has two uses; the backward pass begins behind.
    assert medians(found) == {"a": (7, 108), "conv2": (8, 107), "relu1": (0, 0)}


@pytest.mark.parametrize("slow", ["conv1", "relu1", "conv2", "fc1"])
def test_a_slow_layer_is_found_by_the_real_clock(monkeypatch, quick, slow):  # noqa: ARG001
    """What sleeps in one layer's backward function is in that layer's time, by the real clock."""

    class Sleep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):  # noqa: ARG004 - torch's own
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):  # noqa: ARG004 - torch's own
            time.sleep(0.15)
            return gradient

    real = Twin._place

    def placed(self, name, leaf):
        if name == slow:
            leaf.register_forward_hook(lambda _, __, y: Sleep.apply(y))
        return real(self, name, leaf)

    monkeypatch.setattr(Twin, "_place", placed)
    found = measured("8x8x3 conv3-4 relu conv3-4 fc-3", train=True, repeats=2)
    times = {name: back for name, (_, back) in medians(found).items()}
    assert times.pop(slow) >= 0.15 > sum(times.values())
    assert max(forward for forward, _ in medians(found).values()) < 0.15
    assert found.step.median >= 0.15


def test_the_first_passes_do_not_count(ticking):
    """Three passes warm up; then layers are timed, then whole steps, each as often as said."""
    ticking.slow(nn.ReLU, "forward", itertools.count(1))
    found = measured("8x8x3 relu", repeats=5)
    assert found.rows[0].forward.time == Spread(6, 5, 7)  # calls 4 to 8
    assert found.step == Spread(11, 10, 12)  # calls 9 to 13
    assert found.repeats == 5
    assert measured("8x8x3 conv3-2", repeats=1).step == Spread(0, 0, 0)


def test_quartiles():
    """A spread is the median and the quartiles, whatever the order; of one pass, that pass."""
    assert Spread.of([3.0]) == Spread(3, 3, 3)
    assert Spread.of([4.0, 2.0]) == Spread(3, 2.5, 3.5)
    assert Spread.of([5, 1, 4, 2, 3]) == Spread(3, 2, 4)


@given(st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=20))
def test_medians_lie_between_quartiles(seconds):
    """The median lies between the quartiles, and those between the shortest and the longest."""
    found = Spread.of(seconds)
    slack = 1e-9 * max(seconds)
    assert min(seconds) - slack <= found.low <= found.median + slack
    assert found.median <= found.high + slack <= max(seconds) + 2 * slack


# ------------------------------------------------------------------------- which node is whose


def test_a_node_belongs_to_the_first_that_claims_it():
    """Every node is called once, before and after, for the layer that made it, in reverse order."""
    heard = []
    marks = Marks(lambda name: heard.append(f"<{name}"), lambda name: heard.append(f"{name}>"))
    x = torch.ones(3, requires_grad=True)
    marks.known(x * 1, "no tensor", None)
    a = (x * 2).exp()
    marks.claim("a", a)
    b = a + a.sin()
    marks.claim("b", b)
    marks.claim("c", b)
    marks.claim("d", torch.ones(2))
    b.sum().backward()
    assert heard == ["<b", "b>"] * 2 + ["<a", "a>"] * 2


def test_what_was_there_before_is_nobodys():
    """A module's nodes are those between its input and its output; its hooks go in the end."""
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Sequential(nn.Tanh()))
    heard = []
    x = torch.ones(2, 3, requires_grad=True).exp()
    with watched(model, heard.append, lambda name: heard.append(f"/{name}")):
        y = model(x)
    y.sum().backward()
    assert heard[:4] == ["2.0", "/2.0", "1", "/1"]
    assert heard[4:] == ["0", "/0"] * 2  # the product, and the weights turned; not exp
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_watching_ends_where_something_raises():
    """Hooks go also where the forward pass raises."""
    model = nn.Sequential(nn.Linear(3, 3))
    with pytest.raises(RuntimeError, match="shapes"), watched(model, print, print):
        model(torch.ones(2, 4))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


# ------------------------------------------------------------------------------- real profiles


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp64", "tf32", "fp16"])
@pytest.mark.usefixtures("quick")
def test_every_layer_has_a_time(dtype, train):
    """Each layer is there in order, with times and bounds that are positive and ordered."""
    found = measured(train=train, dtype=dtype, batch=2)
    assert [row.name for row in found.rows] == [step.name for step in found.case.steps]
    assert (found.case.dtype, found.train, found.case.batch) == (dtype, train, 2)
    for row in found.rows:
        assert (row.backward is not None) == train
    for one in found.passes():
        assert 0 < one.time.low <= one.time.median <= one.time.high
        assert (one.bound > 0) == bool(one.limit) == (one.work != Work(0, 0))
    assert sum(bool(one.limit) for one in found.passes()) == 5 * (1 + train)
    assert 0 < found.step.low <= found.step.median <= found.step.high
    assert (found.update is not None) == train
    assert found.flops == sum(one.work.flops for one in found.passes()) > 0
    assert found.bound == sum(one.bound for one in found.passes()) > 0


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.usefixtures("quick")
def test_measured_memory_is_predicted(optimizer):
    """Weights, buffers, gradients, optimizer and kept tensors are measured as predicted."""
    found = measured(train=True, batch=3, optimizer=optimizer)
    ours, theirs = found.predicted, found.measured
    assert ours._replace(peak=0) == theirs._replace(peak=0)
    assert ours.optimizer == {"sgd": 0, "momentum": 1, "adam": 2}[optimizer] * ours.weights + (
        6 * 4 if optimizer == "adam" else 0
    )
    assert ours.peak == theirs.peak > 0
    assert ours == memory(case_of(SMALL, 3), train=True, optimizer=optimizer)


@pytest.mark.usefixtures("quick")
def test_measured_memory_of_a_forward_pass():
    """A forward pass has weights and buffers, and nothing else."""
    found = measured(batch=3, dtype="bf16")
    assert found.measured[2:5] == found.predicted[2:5] == (0, 0, {})
    assert found.measured == found.predicted
    assert found.measured.weights == 2 * ac.report(SMALL).totals["parameters"]


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", ["used_twice", "two_ends"])
@pytest.mark.usefixtures("quick")
def test_graphs_beyond_a_chain(request, name, train):
    """Networks with shared layers, or several inputs and outputs, are timed and predicted too."""
    network = request.getfixturevalue(name)
    found = ac.profile(network, train=train, batch=3, optimizer="adam", repeats=2)
    assert [row.name for row in found.rows] == [node.name for node in network.nodes]
    totals = ac.report(network).totals
    assert found.predicted == found.measured
    assert found.predicted.weights == 4 * totals["parameters"]
    assert sum(row.forward.work.flops for row in found.rows) == 3 * totals["flops"]
    for one in found.passes():
        assert 0 < one.time.low <= one.time.median <= one.time.high
        assert (one.bound > 0) == bool(one.limit) == (one.work != Work(0, 0))
    assert render(profiled(found), "text")
    assert figures.profile(found, "png").startswith(SIGNS["png"])


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.usefixtures("quick")
def test_a_layer_with_two_outputs_has_a_time(split, train):
    """The pass of a layer with two outputs moves both, and has its time."""
    found = ac.profile(split, train=train, batch=3, repeats=1)
    row = found.rows[1]
    assert (row.name, row.forward.work) == ("split", Work(0, 4 * 3 * 2 * 8 * 8 * 4))
    assert row.forward.time.median > 0
    assert (row.backward is not None) == train
    assert not train or row.backward.time.median > 0
    assert found.predicted[:5] == found.measured[:5]


@pytest.mark.usefixtures("quick")
def test_letters_and_inputs():
    """Letters get values, and an input that is given goes before the network's own."""
    found = ac.profile("HxWx3 conv3-K", at={"H": 8, "W": 9, "K": 4}, repeats=1)
    assert str(found.case.input) == "8x9x3"
    assert found.rows[0].forward.work.flops == 2 * 27 * 4 * 72
    found = ac.profile("8x8x3 conv3-4", "6x6x3", repeats=1, dtype="float32")
    assert (str(found.case.input), found.case.dtype) == ("6x6x3", "fp32")


# ----------------------------------------------------------------------------- ceilings and limits


@pytest.mark.parametrize(
    ("ceilings", "limit", "bound"),
    [
        (Ceilings(1e3, 1e12, 0.0, ""), "compute", 2 * 27 * 8 * 64 / 1e3),
        (Ceilings(1e12, 1e3, 0.0, ""), "memory", 4 * (192 + 512 + 224) / 1e3),
        (Ceilings(1e12, 1e12, 5.0, ""), "launch", 5.0),
    ],
)
def test_the_lowest_ceiling_is_the_limit(monkeypatch, ceilings, limit, bound):
    """The bound is the longest of three times, and the limit is named after it."""
    monkeypatch.setattr(profiling, "ceilings_of", lambda *_, **__: ceilings)
    found = measured("8x8x3 conv3-8 flatten", repeats=1)
    conv, flat = (row.forward for row in found.rows)
    assert (conv.limit, conv.bound) == (limit, bound)
    assert (flat.limit, flat.bound) == ("", 0)
    assert found.ceilings is ceilings


def test_ceilings_are_measured():
    """Measured ceilings are those of a machine: positive, finite, a source named."""
    peak, bandwidth = profiling.measured_ceilings("cpu", "fp32")
    assert 1e8 < peak < 1e16
    assert 1e8 < bandwidth < 1e14


def test_ceilings_count_products_and_copies(monkeypatch):
    """The peak is the fastest product's, two FLOPs a MAC; a copy is read and written."""
    sizes = []

    def least(_, x, times):
        sizes.append((x.shape, times))
        return {512: 4.0, 1024: 0.5, 2048: 2.0}.get(x.shape[0], 8.0)

    monkeypatch.setattr(profiling, "_least", least)
    # The first takes long enough for larger ones to be left out.
    assert profiling.measured_ceilings("cpu", "fp32") == (2 * 512**3 / 4, 2 * 4 * 2**26 / 8)
    assert [len(shape) for shape, _ in sizes] == [2, 1]
    monkeypatch.setattr(profiling, "_least", lambda _, x, __: 0.5 if x.dim() == 2 else 8.0)
    assert profiling.measured_ceilings("cpu", "bf16") == (2 * 2048**3 / 0.5, 2 * 4 * 2**26 / 8)


@pytest.mark.parametrize(("dtype", "gigabytes"), [("fp32", 2), ("bf16", 2), ("fp64", 4)])
def test_ceilings_leave_room_on_a_gpu(monkeypatch, dtype, gigabytes):
    """Before the model is there, a GPU's ceilings take 2 GiB at most, and 4 in double precision."""

    def least(run_once, x, _):
        run_once(x)
        return 0.5

    monkeypatch.setattr(profiling, "_least", least)
    with allocations.Live() as live:
        profiling.measured_ceilings("meta", dtype)
    assert 2**30 < live.peak <= gigabytes * 2**30


def test_the_least_of_five_rounds_counts(monkeypatch):
    """A round that comes first does not count, however short; of the others the least does."""
    clk = Clock()
    monkeypatch.setattr(clock, "time", clk)
    rounds = iter([1, 9, 8, 3, 7, 6])

    def work(_):
        clk.now += next(rounds)

    assert profiling._least(work, torch.ones(1), 1) == 3
    assert list(rounds) == []


@pytest.mark.parametrize(
    ("device", "dtype", "calibrate", "source"),
    [
        ("NVIDIA H200", "bf16", False, "NVIDIA's H200 data sheet, SXM"),
        ("NVIDIA H200", "bf16", True, "measured here"),
        ("Tesla T4", "fp32", False, "NVIDIA's T4 data sheet"),
        ("Tesla T4", "bf16", False, "measured here"),
        ("NVIDIA L40S", "fp32", False, "measured here"),
    ],
)
def test_ceilings_of_a_table_or_measured(monkeypatch, device, dtype, calibrate, source):
    """Ceilings are the table's where it has device and dtype, unless one asks to measure."""
    zeros = torch.zeros
    monkeypatch.setattr(profiling, "named", lambda _: device)
    monkeypatch.setattr(profiling, "_least", lambda *_: 2e-4)
    monkeypatch.setattr(profiling, "measured_ceilings", lambda *_: (12.0, 34.0))
    monkeypatch.setattr(torch, "zeros", lambda size, device: zeros(size, device=device and "cpu"))
    found = profiling.ceilings_of("cuda", dtype, calibrate=calibrate)
    assert found.source == source
    row = known(device)
    asked = source == "measured here"
    assert found[:2] == ((12, 34) if asked else (row.peak[dtype], row.bandwidth))
    assert found.launch == pytest.approx(1e-6)


@pytest.mark.usefixtures("quick")
def test_ceilings_of_a_cpu():
    """A CPU's ceilings are measured on the spot, and bounds are made of them."""
    found = measured(repeats=1, calibrate=True)
    assert found.ceilings[:2] == CEILINGS[:2]
    assert found.ceilings.source == "measured here"
    assert 0 < found.ceilings.launch < 0.1
    threads = torch.get_num_threads()
    assert found.device.endswith(f", {threads} thread{'s' * (threads > 1)}")
    conv = found.rows[0].forward
    assert conv.bound == max(*conv.work.bound(*CEILINGS[:2]), found.ceilings.launch)


# ------------------------------------------------------------------------------ nothing is changed


def state():
    """What a profile must leave as it was."""
    return (
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.get_default_device(),
    )


@pytest.fixture(params=[(True, False), (False, True)], ids=["convolutions", "products"])
def precision(request):
    """TF32 flags that differ from what either dtype wants."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = request.param
    yield request.param
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.parametrize("dtype", ["fp32", "tf32", "bf16", "fp64"])
@pytest.mark.usefixtures("quick", "precision")
def test_the_process_is_left_as_it_was(dtype):
    """Random numbers, default dtype, TF32, threads and gradients are what they were before."""
    before = state()
    measured(SMALL + " drop.5 fc-3", train=True, dtype=dtype, repeats=1)
    assert state() == before
    with torch.no_grad():
        measured(dtype=dtype, repeats=1)
        assert not torch.is_grad_enabled()
    assert state() == before


@pytest.mark.usefixtures("quick")
def test_training_switches_gradients_on():
    """A training step is profiled also where gradients are switched off around it."""
    with torch.no_grad():
        assert measured(train=True, repeats=1).measured.gradients > 0


@pytest.mark.usefixtures("quick", "precision")
def test_the_process_is_left_as_it_was_by_errors(monkeypatch):
    """So they are where something raises in the middle of it."""
    before = state()

    def raising(*_, **__):
        torch.randn(3)
        raise KeyError("on the way")

    monkeypatch.setattr(clock, "layers", raising)
    with pytest.raises(KeyError, match="on the way"):
        measured(train=True, dtype="tf32")
    assert state() == before


@pytest.mark.parametrize(("dtype", "wanted"), [("tf32", True), ("fp32", False), ("bf16", False)])
@pytest.mark.parametrize("device", ["cuda", "cpu"])
@pytest.mark.usefixtures("precision")
def test_tf32_is_on_for_tf32_alone(device, dtype, wanted):
    """A GPU multiplies as TF32 for tf32, and not for fp32, which torch would not do by itself."""

    def flags():
        if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # before torch 2.9
            return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
        switches = torch.backends.cudnn.conv, torch.backends.cuda.matmul
        return tuple(switch.fp32_precision == "tf32" for switch in switches)

    before = state()
    with profiling._multiplying(device, dtype):
        assert flags() == ((wanted, wanted) if device == "cuda" else flags())
    assert state() == before


SETTINGS = {
    "high": ("set_float32_matmul_precision('high')", "get_float32_matmul_precision()"),
    "medium": ("set_float32_matmul_precision('medium')", "get_float32_matmul_precision()"),
    "ieee": ("backends.fp32_precision = 'ieee'", "backends.fp32_precision"),
}
FORKS = """
import os, sys, torch
import archcalc as ac
from archcalc.measure import profiling
profiling.measured_ceilings = lambda *_: (1e11, 1e10)
profiling._Run.memory = lambda _: None  # slow to load
for name, (setting, read) in {settings}.items():
    pid = os.fork()
    if not pid:
        exec("torch." + setting)
        before = eval("torch." + read)
        ac.profile("8x8x3 conv3-8", repeats=1)
        os._exit(before != eval("torch." + read))
    print(name, os.waitpid(pid, 0)[1], flush=True)
"""


@pytest.fixture(scope="module")
def precisions_kept():
    """Which ways to set the precision of products a profile leaves alone, each in a new process."""
    command = [sys.executable, "-c", FORKS.replace("{settings}", repr(SETTINGS))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return re.findall(r"^(\w+) 0$", done.stdout, re.MULTILINE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes of Unix")
@pytest.mark.parametrize(
    "name",
    [
        "high",
        "medium",
        "ieee",
    ],
)
def test_torchs_own_ways_to_set_the_precision_stay(precisions_kept, name):
    """However a process has set the precision of products, it is set so afterwards."""
    assert name in precisions_kept


@pytest.mark.usefixtures("quick")
def test_no_gradients_pile_up(monkeypatch):
    """Every step begins without gradients, also behind passes whose layers were timed."""
    seen = []
    real = profiling._Run.memory

    def looking(self):
        seen.append([p.grad for p in self.model.parameters()])
        return real(self)

    monkeypatch.setattr(profiling._Run, "memory", looking)
    measured(train=True, repeats=1)
    assert seen
    assert all(grad is None for grad in seen[0])
    assert len(seen[0]) == 6


# ------------------------------------------------------------------------------- wrong from Python


@pytest.mark.parametrize(
    ("text", "options", "status", "says"),
    [
        (SMALL, {"dtype": "int8"}, 2, "one of fp64, fp32, tf32, fp16, bf16"),
        (SMALL, {"dtype": "fp33"}, 2, "'fp33' is no dtype"),
        (SMALL, {"optimizer": "adamw"}, 2, "did you mean adam?"),
        (SMALL, {"device": "tpu"}, 2, "'tpu' is no device"),
        (SMALL, {"device": "meta"}, 1, "nothing runs on the meta device"),
        (SMALL, {"batch": 0}, 2, "between 1 and"),
        ("8x8x3 relu", {"train": True}, 2, "nothing to learn"),
        ("HxWx3 conv3-8", {}, 2, "letters"),
        ("conv3-8", {}, 2, "input"),
        (SMALL, {"repeats": 0}, 2, "repeats"),
        ("8x8x3 gap bn fc-2", {"train": True}, 1, "at batch 1: Expected more than 1 value"),
        ("8x8x3 lrn fc-2", {"dtype": "bf16"}, 1, "bf16"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_what_cannot_be_profiled(text, options, status, says):
    """What cannot be run is refused with an error that is one line."""
    before = torch.get_rng_state()
    with pytest.raises((ArchitectureError, MeasurementError)) as caught:
        measured(text, **{"repeats": 1, **options})
    assert caught.value.status == status
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_cuda(monkeypatch):
    """Without a CUDA device, cuda is refused, and what works is named."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MeasurementError, match="no CUDA device here; --device cpu works"):
        machine.chosen("cuda")
    assert [machine.chosen(name).type for name in ("cpu", "meta")] == ["cpu", "meta"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert machine.chosen("cuda").type == "cuda"
    with pytest.raises(ArchitectureError, match="did you mean cuda"):
        machine.chosen("cude")


@pytest.mark.parametrize("train", [False, True])
def test_memory_is_asked_for_before_anything_runs(monkeypatch, train):
    """A network runs where as many bytes are free as it needs, and not where one is missing."""
    options = {"train": train, "optimizer": "adam"}
    case = case_of(SMALL, 5, "bf16")
    need = memory(case, **options).peak
    assert need > memory(case).peak or not train
    ran, asked = [], []
    for there in (need, need - 1, None, 0):
        monkeypatch.setattr(machine, "free", lambda device, b=there: asked.append(device) or b)
        with (
            contextlib.suppress(MeasurementError),
            machine.fitting(case, "cpu", **options),
        ):
            ran.append(there)
    assert ran == [need, None]
    assert asked == ["cpu"] * 4
    with machine.fitting(case_of(SMALL, 10**9), "meta"):
        ran.append("meta")
    assert ran == [need, None, "meta"]


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("mat1 and mat2"), False),
        (KeyError("x"), False),
    ],
)
def test_memory_that_runs_out_on_the_way(error, ours):
    """Memory that runs out is said in one line; what else goes wrong is not called that."""
    with pytest.raises(Exception) as caught, machine.fitting(case_of(SMALL, 1), "cpu"):  # noqa: PT011
        raise error
    if ours:
        assert isinstance(caught.value, MeasurementError)
        assert "did not fit; a smaller --batch" in str(caught.value)
    else:
        assert caught.value is error


def test_what_the_machine_says_of_itself(monkeypatch, tmp_path):
    """The processor has a name, and free memory is what the system calls available."""
    assert machine.processor()
    assert machine.named("cpu") == machine.processor()
    files = {"/proc/cpuinfo": tmp_path / "cpu", "/proc/meminfo": tmp_path / "memory"}
    monkeypatch.setattr(machine, "Path", lambda path: files[path])
    assert machine.free("cpu") is None
    assert machine.processor()
    files["/proc/cpuinfo"].write_text("vendor_id : x\nmodel name\t: A  fast one: CPU\n")
    files["/proc/meminfo"].write_text("MemTotal: 9 kB\nMemFree: 7 kB\nMemAvailable:  8 kB\n")
    assert machine.processor() == "A fast one: CPU"
    assert machine.free("cpu") == 8 * 1024


# ----------------------------------------------------------------------------------- what is drawn


def strict(text):
    """JSON without NaN and infinity, which JSON does not have."""

    def refuse(word):
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.usefixtures("quick")
def test_json_is_the_profile(train):
    """JSON has every number of the profile, and is strict."""
    found = measured(train=train, batch=2)
    data = strict(json.dumps(found.to_dict(), allow_nan=False))
    assert data["schema"] == "archcalc.profile/1"
    assert (data["input"], data["batch"], data["dtype"]) == ("8x8x3", 2, "fp32")
    assert (data["train"], data["optimizer"]) == (train, "sgd" if train else None)
    assert (data["device"], data["torch"]) == (found.device, found.release)
    assert data["repeats"] == 3
    assert data["network"] == found.case.network.name
    assert data["step"] == found.step._asdict()
    assert data["update"] == (found.update._asdict() if train else None)
    assert data["ceilings"] == found.ceilings._asdict()
    assert data["memory"]["predicted"] == found.predicted._asdict()
    assert data["memory"]["measured"] == found.measured._asdict()
    assert len(data["layers"]) == len(found.rows) == 6
    for one, row in zip(data["layers"], found.rows, strict=True):
        assert (one["name"], one["layer"]) == (row.name, row.word)
        for way in ("forward", "backward"):
            mine, theirs = getattr(row, way), one[way]
            assert (mine is None) == (theirs is None)
            if mine:
                work = {"flops": mine.work.flops, "bytes": mine.work.bytes}
                times = {"seconds": mine.time._asdict(), "bound": mine.bound, "limit": mine.limit}
                assert theirs == {**work, **times}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (1.23456e-6, "0.001"),
        (1.23456e-3, "1.235"),
        (12.3456e-3, "12.35"),
        (123.456e-3, "123.5"),
        (12.3456, "12,345.6"),
    ],
)
def test_milliseconds(seconds, shown):
    """Times are shown in milliseconds, at least to the microsecond."""
    assert milliseconds(seconds) == shown


class Tags(HTMLParser):
    """Which elements are open; each is closed by its own name."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):  # noqa: ARG002 - the parser's own
        """Open an element."""
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close the innermost one."""
        assert self.open.pop() == tag


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.usefixtures("quick")
def test_every_format_is_well_formed(form, train, capsys):
    """The command prints every layer in every format, and each format is what it says it is."""
    args = ["profile", *SMALL.split(), "--repeats", "2", "--format", form]
    assert run([*args, "--train"] if train else args) == 0
    out, err = capsys.readouterr()
    assert not err
    for name in ("conv1", "bn1", "relu1", "pool1", "fc1"):
        assert name in out
    assert ("training with sgd" in out or form in {"json", "csv"}) or not train
    assert "nan" not in re.findall(r"[a-z]+", out.lower())
    match form:
        case "json":
            assert strict(out)["train"] == train
        case "csv":
            tables = [list(csv.reader(part.splitlines())) for part in out.split("\n\n")]
            assert len(tables) == (4 if train else 3)
            assert all(len({len(row) for row in table}) == 1 for table in tables)
            assert tables[1][0][2] == "forward ms"
            sizes = {row[0]: row[1:] for row in tables[2]}
            weights = sizes["weights"]
            assert weights[0] == weights[1] == str(4 * (27 * 8 + 8 + 16 + 128 * 10 + 10))
        case "markdown":
            assert out.count("### ") == (4 if train else 3)
            lines = [line for line in out.splitlines() if line.startswith("|")]
            assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == (
                {3, 5, 19} if train else {3, 5, 11}
            )
        case "latex":
            assert out.count(r"\begin{") == out.count(r"\end{") >= 6
            assert out.count("{") == out.count("}")
            assert not re.search(r"(?<!\\)%", out)
        case "html":
            tags = Tags(out)
            assert not tags.open
            assert tags.seen.count("table") == (4 if train else 3)
        case "text":
            assert "Every layer" in out


def test_a_notebook_and_a_terminal_draw_it():
    """A profile is HTML in a notebook, and rich prints it."""
    found = made_up(SMALL)
    html = found._repr_html_()
    assert not Tags(html).open
    assert html.startswith('<div class="archcalc">')
    stream = io.StringIO()
    Console(file=stream, width=200).print(found)
    for words in ("Every layer", "conv1", "12.30", "Kept for the backward pass", "+12.35 KB"):
        assert words in stream.getvalue()


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        *(("googlenet", 0.0123), ("resnet50-torchvision", 123.456), ("inception-naive", 0.1)),
        *(("vgg19", 1.2e-6), ("lenet5", 12_345.678)),
    ],
)
def test_nothing_is_cut_at_80_columns(name, seconds, train):
    """At 80 columns no line is longer, no word broken, and every layer's time is there."""
    found = made_up(name, train=train, seconds=seconds)
    stream = io.StringIO()
    Console(file=stream, width=80, color_system=None).print(found)
    text = stream.getvalue()
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "…" not in text
    for row in found.rows:
        mine = [line for line in lines if line.split()[:1] == [row.name]]
        times = [line for line in mine if milliseconds(seconds) in line.split()]
        ways = [one for one in (row.forward, row.backward) if one is not None and one.limit]
        if ways:
            assert len(times) == 1
            assert times[0].split().count(milliseconds(seconds)) == len(ways)
            assert times[0].split().count("memory") == len(ways)


def test_the_whole_step_adds_up():
    """The page's sums are those of the rows: FLOP/s, examples a second, shares of the limits."""
    rows = []
    for place, (limit, seconds) in enumerate([("compute", 0.5), ("memory", 0.25), ("", 0.0)]):
        work = Work(3 * 10**9 if limit == "compute" else 0, 10**6 if limit else 0)
        one = Pass(work, Spread(seconds, seconds, seconds), seconds / 2, limit)
        rows.append(LayerTime(f"l{place}", "relu", one, None))
    found = made_up(SMALL, train=False, batch=8, seconds=2.0, rows=tuple(rows))
    cells = {row[0].text: row[1].text for row in profiled(found)[0].rows}
    assert cells["time of a step, ms"] == "2,000.0 [1,800.0, 2,200.0]"
    assert cells["examples a second"] == "4.0"
    assert cells["FLOP/s achieved"] == "1.5 G"
    assert cells["FLOP/s at most"] == "100 G (a guess)"
    assert cells["bytes/s at most"] == "10 G (a guess)"
    assert cells["bound of all layers, ms"] == "375.0, 18.8 %"
    assert cells["layers one by one, ms"] == "750.0"
    assert cells["time in compute-bound layers"] == "66.7 %"
    assert cells["time in memory-bound layers"] == "33.3 %"
    assert cells["time in launch-bound layers"] == "0.0 %"
    assert "of it the optimizer, ms" not in cells
    rows = {row[0].text: [cell.text for cell in row[2:]] for row in profiled(found)[1].rows}
    first = ["500.0", "500.0..500.0", "66.7", "6 G", "2 M", "250.0", "50.0 %", "compute"]
    assert rows["l0"] == first
    assert rows["l1"][2:4] == ["33.3", ""]
    assert rows["l2"] == [""] * 8


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.usefixtures("quick")
def test_the_command_that_makes_it_is_said(monkeypatch, train):
    """Below the first table stands a command that asks for the same profile."""
    found = measured("HxWx3 conv3-4 relu", at={"H": 6, "W": 7}, train=train, batch=2, dtype="bf16")
    (command,) = re.findall("archcalc (profile .*[^`])", profiled(found)[0].notes[-1])
    asked = []
    monkeypatch.setattr(
        profiling, "profile", lambda *args, **options: asked.append((args, options))
    )
    with contextlib.suppress(AttributeError):  # there is nothing to draw
        run(shlex.split(command))
    (((case,), options),) = asked
    assert case == found.case
    del options["calibrate"]
    assert options == {"train": train, "device": "cpu", "optimizer": "sgd", "repeats": 3}


@pytest.mark.usefixtures("quick")
def test_a_layer_without_a_backward_function_is_drawn():
    """Dropout of nothing gives its input back, makes no node, and the profile is drawn still."""
    assert render(profiled(measured("8x8x3 conv3-4 drop.0 fc-2", train=True, repeats=1)), "text")


# ------------------------------------------------------------------------------------- the figure

SIGNS = {"png": b"\x89PNG\r\n", "pdf": b"%PDF-", "svg": b"<?xml"}


@pytest.mark.parametrize("form", SIGNS)
def test_a_figure_is_an_image(form):
    """A figure is of its format, and the same when it is drawn again."""
    found = made_up(SMALL)
    one = figures.profile(found, form)
    assert one.startswith(SIGNS[form])
    assert len(one) > 10_000
    if form == "svg":
        Tags(one.decode().partition("<svg")[2].join(["<svg", ""]))
    else:
        assert figures.profile(found, form) == one


def test_an_svg_is_the_same_when_drawn_again():
    """The svg is the same when the same profile is drawn twice."""
    found = made_up("8x8x3 conv3-4")
    assert figures.profile(found, "svg") == figures.profile(found, "svg")


def blue_and_orange(image):
    """How many pixels have the colours of compute-bound and memory-bound bars."""
    colours = {"compute": (0x00, 0x72, 0xB2), "memory": (0xD5, 0x5E, 0x00)}
    red, green, blue = ((255 * image[:, :, i]).round() for i in range(3))
    return {
        name: int(((red == r) & (green == g) & (blue == b)).sum())
        for name, (r, g, b) in colours.items()
    }


@pytest.mark.parametrize(
    ("text", "train"),
    [
        *((SMALL, False), (SMALL, True), ("8x8x3 relu pool2", False), ("8x8x3 flatten", False)),
        *(("8x8x3 flatten", True), ("8x8x3 conv3-4 x60", True)),
    ],
)
def test_a_figure_is_not_blank(text, train):
    """Whatever was measured, the figure has bars in the colours of their limits."""
    found = made_up(text, train=train)
    image = imread(io.BytesIO(figures.profile(found, "png")))
    assert image.shape[0] > 400
    assert image.shape[1] > 1200
    assert image[:, :, :3].std() > 0.02
    pixels = blue_and_orange(image)
    legend = 250
    assert (pixels["compute"] > 100) == any(one.limit == "compute" for one in found.passes())
    bars = any(row.forward.limit for row in found.rows)
    assert (pixels["memory"] > 10 * legend) == bars


def test_the_longest_layers_are_drawn():
    """Of more layers than can be told apart, the longest are drawn, in the network's order."""
    text = "8x8x3 " + "conv3-4 " * 60
    found = made_up(text, train=False)
    rows = [
        row._replace(forward=row.forward._replace(time=Spread(place % 7 + 1.0, 1.0, 8.0)))
        for place, row in enumerate(found.rows)
    ]
    chosen = figures._longest(made_up(text, train=False, rows=tuple(rows)))
    assert len(chosen) == figures.MOST == 40
    assert [int(name[4:]) for name, *_ in chosen] == sorted(int(name[4:]) for name, *_ in chosen)
    kept = {name for name, *_ in chosen}
    left = [row.forward.time.median for row in rows if row.name not in kept]
    assert max(left) <= min(row.forward.time.median for row in chosen)


def test_a_figure_leaves_matplotlibs_settings():
    """Drawing changes no setting of matplotlib's, and opens no window."""
    import matplotlib as mpl

    from archcalc.render.style import SETTINGS  # noqa: PLC0415

    before = dict(mpl.rcParams)
    figures.profile(made_up(SMALL), "png")
    assert dict(mpl.rcParams) == before
    assert any(before[name] != value for name, value in SETTINGS.items())
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )


# ------------------------------------------------------------------------------------- the command


def is_one_line(err):
    """A complaint as every command makes it."""
    return err.startswith("archcalc: ") and err.endswith("\n") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["--device", "cude"], 2, "did you mean cuda?"),
        (["--device", "meta"], 1, "meta"),
        (["--dtype", "fp33"], 2, "'fp33'"),
        (["--dtype", "fp8"], 2, "one of fp64, fp32, tf32, fp16, bf16"),
        (["--optimizer", "adamm"], 2, "did you mean adam?"),
        (["--repeats", "0"], 2, "--repeats: '0'"),
        (["--repeats", "1.5"], 2, "--repeats: '1.5'"),
        (["--repeats", "-1"], 2, "-1"),
        (["--batch", "0"], 2, "--batch: '0'"),
        (["--batch", "many"], 2, "--batch: 'many'"),
        (["--input", "HxWx3"], 2, "--at H=224"),
        (["--input", "8x8"], 2, "HEIGHTxWIDTHxCHANNELS"),
        (["--at", "H=3"], 2, "H"),
        (["--figure", "a.jpg"], 2, "e.g. --figure a.png"),
        (["--figure", "a"], 2, "'a' is no image"),
        (["--format", "jsn"], 2, "did you mean json?"),
        (["--output", " "], 2, "names no file"),
        (["--output", "missing/a.txt"], 2, "missing/a.txt"),
        (["--figure", "missing/a.png"], 2, "missing/a.png"),
        (["--seed", "1"], 2, "--seed"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_wrong_input_is_one_line(capsys, monkeypatch, tmp_path, args, status, says):
    """What is wrong is said in one line on standard error, and nothing is written anywhere."""
    monkeypatch.chdir(tmp_path)
    short = [] if "--repeats" in args else ["--repeats", "1"]
    assert run(["profile", *SMALL.split(), *short, *args]) == status
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err), err
    assert says in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args",
    [
        ["--figure", "a.gif"],
        ["--figure", "missing/a.png"],
        ["--output", "missing/a.txt"],
        ["--format", "jsn"],
    ],
    ids=" ".join,
)
def test_nothing_is_measured_that_cannot_be_given_out(capsys, monkeypatch, tmp_path, args):
    """A format, a file or a figure that cannot be is refused before the long measurement."""

    def measuring(*_, **__):
        pytest.fail("measured before")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(profiling, "profile", measuring)
    assert run(["profile", *SMALL.split(), *args]) == 2
    assert is_one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["relu", "--input", "8x8x3", "--train"], 2, "leave --train out"),
        (["8x8x3 conv3-K"], 2, "letters in it: K"),
        (["vgg91"], 2, "did you mean vgg19"),
        (["alexnet", "vgg19"], 2, "archcalc compare alexnet vgg19"),
        ([], 2, "NETWORK"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_wrong_networks_are_one_line(capsys, words, status, says):
    """A network that cannot be run is refused in one line."""
    assert run(["profile", *words]) == status
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err), err
    assert says in err


@pytest.mark.usefixtures("quick")
def test_a_batch_that_does_not_fit(capsys, monkeypatch):
    """A batch that needs more memory than is free is refused before anything runs."""
    monkeypatch.setattr(machine, "free", lambda _: 10_000)
    monkeypatch.setattr(clock, "layers", lambda *_, **__: pytest.fail("it ran"))
    assert run(["profile", *SMALL.split(), "--batch", "64", "--train"]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err)
    assert "10 KB are free" in err
    assert "smaller --batch" in err


def test_cuda_where_there_is_none(capsys, monkeypatch):
    """Without a CUDA device --device cuda ends with 1, and says what works."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run(["profile", *SMALL.split(), "--device", "cuda"]) == 1
    assert "--device cpu works" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["png", "SVG", "pdf"])
@pytest.mark.usefixtures("quick")
def test_the_command_writes_a_figure(capsys, tmp_path, form):
    """--figure writes an image whole beside the page, over an old one too, and leaves no draft."""
    path = tmp_path / f"a.{form}"
    path.write_text("old")
    args = ["profile", *SMALL.split(), "--train", "--repeats", "1", "--figure", str(path)]
    assert run(args) == 0
    out, err = capsys.readouterr()
    assert "Every layer" in out
    assert not err
    data = path.read_bytes()
    assert data.startswith(SIGNS[form.lower()])
    if form == "png":
        assert imread(io.BytesIO(data)).size > 1000
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.usefixtures("quick")
def test_a_figure_that_fails_leaves_the_old_one(capsys, monkeypatch, tmp_path):
    """Where a figure cannot be written, the old file stays, and so does no draft."""
    path = tmp_path / "a.png"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    args = ["profile", *SMALL.split(), "--repeats", "1", "--figure", str(path)]
    assert run(args) == 2
    assert "No space left" in capsys.readouterr().err
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.usefixtures("quick")
def test_options_reach_the_profile(monkeypatch, capsys):
    """What is typed is what is run."""
    asked = []
    real = profiling.profile

    def noting(*args, **options):
        asked.append((args, options))
        return real(*args, **options)

    monkeypatch.setattr(profiling, "profile", noting)
    words = ["HxWx3 conv3-4 fc-2", "--train", "--dtype", "bf16", "--batch", "3"]
    words += ["--optimizer", "momentum", "--repeats", "2", "--calibrate"]
    words += ["--input", "HxHx3", "--at", "H=6", "--format", "json"]
    assert run(["profile", *words]) == 0
    (((case,), options),) = asked
    assert (str(case.input), case.batch, case.dtype) == ("6x6x3", 3, "bf16")
    assert case.steps[0].name == "conv1"
    assert options == {
        "train": True,
        "device": "cpu",
        "optimizer": "momentum",
        "repeats": 2,
        "calibrate": True,
    }
    data = strict(capsys.readouterr().out)
    assert (data["input"], data["batch"], data["optimizer"]) == ("6x6x3", 3, "momentum")
    assert data["repeats"] == 2
    numbers = [data["step"]["median"], data["ceilings"]["peak"], data["ceilings"]["launch"]]
    assert all(math.isfinite(number) and number > 0 for number in numbers)


@pytest.mark.usefixtures("quick")
def test_output_to_a_file(tmp_path, capsys):
    """--output writes the page, and nothing is printed."""
    path = tmp_path / "a.json"
    args = ["profile", *SMALL.split(), "--repeats", "1", "--format", "json", "--output", str(path)]
    assert run(args) == 0
    assert capsys.readouterr() == ("", "")
    assert strict(path.read_text())["schema"] == "archcalc.profile/1"


HIDE = """
import importlib.machinery
import os
finder = importlib.machinery.PathFinder
find = finder.find_spec
def find_spec(name, path=None, target=None):
    hidden = os.environ["HIDDEN"].split()
    return None if name.partition(".")[0] in hidden else find(name, path, target)
finder.find_spec = staticmethod(find_spec)
"""


@pytest.mark.parametrize(
    ("hidden", "args", "says"),
    [
        ("torch", [], "profile needs torch; pip install 'archcalc[verify]'"),
        ("matplotlib", ["--figure", "a.png"], "profile needs matplotlib; pip install"),
    ],
)
def test_what_is_missing_is_said(tmp_path, hidden, args, says):
    """Without torch, or matplotlib for a figure, the command ends with 1 and says what to do."""
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "HIDDEN": hidden}
    command = [sys.executable, "-m", "archcalc", "profile", *SMALL.split(), *args]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert is_one_line(done.stderr), done.stderr
    assert says in done.stderr
    assert not (tmp_path / "a.png").exists()


def test_without_a_figure_matplotlib_is_not_needed(monkeypatch, quick, capsys):  # noqa: ARG001
    """A profile without a figure never imports matplotlib."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "archcalc.render.figures", raising=False)
    monkeypatch.delitem(sys.modules, "archcalc.render.style", raising=False)
    assert run(["profile", *SMALL.split(), "--repeats", "1"]) == 0
    assert "Every layer" in capsys.readouterr().out
