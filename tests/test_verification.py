# ruff: noqa: TID253 - these tests are of what needs torch
import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib import import_module, metadata

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archcalc as ac
from archcalc import ArchitectureError, Node, Shape, load, parse, twin, verify, zoo
from archcalc.case import Case
from archcalc.checks import Cause, Check, Line, Verification
from archcalc.count import product
from archcalc.counters import TOOLS, base, counter, torchinfo
from archcalc.errors import MeasurementError
from archcalc.layers import Activation, Convolution, Linear
from archcalc.main import run
from archcalc.measure import gradient, machine, verification
from archcalc.measure.twin import tensors
from archcalc.measure.verification import AGAINST, WITNESSES, installed
from archcalc.network import Port
from archcalc.receptive import Field
from archcalc.render import render, views

FORMATS = ("text", "markdown", "latex", "csv", "json", "html")
DEEP = {name for name in zoo.NAMES if re.match("resnet1[05]", name)}  # slow, and more of the same
LIGHT = ("lenet5", "alexnet", "inception-reduced", "resnet18", "minigooglenet")
OTHER = {  # an input that is not the network's own, not square, and small
    **dict.fromkeys(zoo.NAMES, "32x35x3"),
    "lenet5": "32x37x1",
    **dict.fromkeys(("alexnet", "alexnet-ungrouped", "alexnet-torchvision"), "67x71x3"),
    **dict.fromkeys(("inception-naive", "inception-reduced"), "9x11x256"),
}


def is_one_line(err):
    """A single line of ours."""
    return err.startswith("archcalc: ") and err.count("\n") == 1 and "Traceback" not in err


# ----------------------------------------------------------------------------------- the zoo


@pytest.mark.parametrize("name", zoo.NAMES)
def test_the_zoo_at_its_own_size(name):
    """A twin has our shapes, parameters and half torch's FLOPs, whole and layer by layer."""
    case = Case.of(load(name))
    report = ac.report(name)
    model = twin(name, device="meta").eval()
    (x,) = tensors(case, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        shapes = {layer: tuple(y.shape[1:]) for layer, y in model.outputs(x)}
    rows = report.rows[1:]
    assert shapes == {row.name: (row.output.channels, *row.output.sizes) for row in rows}
    assert flops.get_total_flops() == 2 * report.totals["macs"] == report.totals["flops"]
    own = dict(model.named_modules())
    for row in rows:
        parameters = own[model.paths[row.name]].parameters() if row.name in model.paths else ()
        assert sum(p.numel() for p in parameters) == row.cost.parameters.value, row.name
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == report.totals["parameters"]
    if name not in DEEP:
        x = x.expand(4, *x.shape[1:])
        rule = counter("torchinfo")
        expected = sum(term.amount.value for step in case.steps for term in rule.terms(step, 4))
        assert torchinfo.read(model, x).totals["mult_adds"] == expected


@pytest.mark.parametrize("name", zoo.NAMES)
def test_the_zoo_at_another_size(name):
    """Fvcore and torchinfo are explained to the unit, for a batch at a small, oblong size."""
    network, size = load(name), OTHER[name]
    found = verify(network, size, against=["fvcore", "torchinfo"], batch=4)
    assert found.explained, found.complaint()
    assert str(found.case.input) == size
    totals = ac.report(network, size).totals
    by = {(check.witness, check.quantity): check for check in found.checks}
    assert by["fvcore", "flops"].ours == by["torchinfo", "mult_adds"].ours == 4 * totals["macs"]
    assert by["fvcore", "parameters"].theirs == totals["parameters"]
    assert by["torchinfo", "parameters"].theirs == totals["parameters"]
    neurons = by["fvcore", "activations"]
    assert neurons.theirs == neurons.ours > 0
    for check in found.checks[2:]:
        assert check.theirs == check.ours + sum(cause.amount for cause in check.causes())


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("name", LIGHT)
def test_all_tools_at_both_sizes_and_batches(name, own, batch):
    """Every tool is explained for one example and several, at two sizes."""
    if own and batch > 1:
        against = ["torchinfo", "torch"]  # the meta device has no values to compute
    else:
        against = ["fvcore", "torchinfo", "ptflops", "thop"]
    network, size = load(name), None if own else OTHER[name]
    found = verify(network, size, against=against, batch=batch)
    assert found.explained, found.complaint()
    assert {check.witness for check in found.checks} == {"twin", *against}
    assert any(check.causes() for check in found.checks)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_fields_of_the_zoo(name):
    """Every layer's receptive field is the support of its gradient, nearly all compared whole."""
    supports, note = gradient.read(Case.of(load(name)))
    known = [row.name for row in ac.report(name).rows[1:] if None not in row.seen.fields]
    assert set(supports) == {f"{layer}, {axis}" for layer in known for axis in ("height", "width")}
    every = [one for found in supports.values() for one in found]
    assert {len(found) for found in supports.values()} <= {1, 2}
    assert [one for one in every if one.predicted != one.measured] == []
    whole = [one for one in every if one.whole]
    assert f"{len(whole)} of {len(every)} outputs see no padding" in note
    assert len(whole) >= 0.75 * len(every)
    assert all(re.fullmatch(r"\d+\.\.\d+", one.predicted) for one in whole)


def test_vgg19_sees_268_pixels():
    """The last pool of VGG19 sees 268 pixels, and gradients say so."""
    supports, _ = gradient.read(Case.of(load("vgg19")))
    for axis in ("height", "width"):
        first, second = supports[f"pool5, {axis}"]
        ends = [list(map(int, one.measured.split(".."))) for one in (first, second)]
        assert first.whole
        assert ends[0][1] - ends[0][0] + 1 == 268
        assert ends[1][0] - ends[0][0] == 32


# ---------------------------------------------------------------- receptive fields by gradient

WRONG = {
    "larger": lambda field: Field(tuple((a, b + 1) for a, b in field.spans), field.shift),
    "moved": lambda field: Field(tuple((a + 1, b + 1) for a, b in field.spans), field.shift),
    "smaller": lambda field: Field(tuple((a + 1, b) for a, b in field.spans), field.shift),
    "stride": lambda field: Field(field.spans, field.shift + 1),
}


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_wrong_field_is_noticed(capsys, monkeypatch, how, axis):
    """A field that is larger, smaller, moved or of another stride fails, on either axis."""
    honest = gradient.fields

    def faulty(case):
        found = list(honest(case))
        for step, seen in zip(case.steps, found, strict=True):
            if step.name == "c3":
                axes = list(seen["input"].fields)
                axes[axis] = WRONG[how](axes[axis])
                seen["input"] = seen["input"]._replace(fields=tuple(axes))
        return found

    monkeypatch.setattr(gradient, "fields", faulty)
    assert run(["verify", "lenet5", "--against", "gradient"]) == 1
    out, err = capsys.readouterr()
    assert is_one_line(err)
    assert f"lenet5, c3, {('height', 'width')[axis]}, output " in err
    assert "receptive field" in err
    assert "c3, " in out


@pytest.mark.parametrize(
    ("text", "whole", "every"),
    [
        ("20x2 conv3-2 p0", 2, 2),
        ("20x2 conv5-2/2 p0 pool2", 4, 4),
        ("20x24x2 conv3x5-2 p0", 4, 4),
        ("9x10x11x2 conv3-2 p0 avgpool2", 12, 12),
        ("16x16x2 convt3-2/2 p1 op1 conv3-2 p0", 8, 8),
        ("16x2 adaptiveavgpool5", 2, 2),
        ("16x2 gap fc-3", 2, 2),
        ("16x2 (conv3-2 d2 + conv3-2) bn", 8, 8),
    ],
)
def test_fields_are_compared_whole(text, whole, every):
    """In one to three axes, outputs that see no padding are compared whole, in every layer."""
    network = parse(text)
    supports, _ = gradient.read(Case.of(network))
    found = [one for both in supports.values() for one in both]
    assert all(one.predicted == one.measured for one in found)
    assert (sum(one.whole for one in found), len(found)) == (whole, every)
    axes = {1: ["length"], 2: ["height", "width"], 3: ["depth", "height", "width"]}
    expected = [
        f"{node.name}, {axis}" for axis in axes[len(network.input.sizes)] for node in network.nodes
    ]
    assert list(supports) == expected


def test_fields_as_numbers():
    """A field by gradient is the first and the last input that an output reads."""
    supports, _ = gradient.read(Case.of(parse("20x2 conv3-4/2 p0 conv3-4 p0 d2")))
    first, second = supports["conv1, length"]
    assert (first.output, second.output) == (4, 5)
    assert (first.measured, second.measured) == ("8..10", "10..12")
    first, second = supports["conv2, length"]
    assert first.measured == f"{2 * first.output}..{2 * first.output + 10}"
    assert second.output == first.output + 1


def test_padding_cuts_a_field():
    """Where an output sees padding, its field is cut, and the note says how many are whole."""
    (found,) = gradient.read(Case.of(parse("4x2 conv9-2 p4")))[0].values()
    assert all(one.predicted == one.measured for one in found)
    note = verify(parse("1x1x2 conv3-2"), against=["gradient"]).checks[-1].note
    assert "outputs see no padding" in note


def test_a_field_that_is_cut_lies_within_the_predicted_one(monkeypatch):
    """Where an output sees padding, a field that does not hold what it reads is noticed too."""
    case = Case.of(parse("4x2 conv9-2 p4"))
    monkeypatch.setattr(gradient, "LONGEST", 4)
    (found,) = gradient.read(case)[0].values()
    assert [(one.predicted, one.measured, one.whole) for one in found] == [
        *(("0..3", "0..3", False), ("0..3", "0..3", False))
    ]
    honest = gradient.fields

    def moved(case):
        (seen,) = honest(case)
        (field,) = seen["input"].fields
        spans = tuple((first + 4, last + 4) for first, last in field.spans)
        return [{"input": seen["input"]._replace(fields=(Field(spans, field.shift),))}]

    monkeypatch.setattr(gradient, "fields", moved)
    (found,) = gradient.read(case)[0].values()
    assert [one.predicted == one.measured for one in found] == [False, False]
    assert not verify(case.network, against=["gradient"]).explained


def test_plain_networks_keep_their_windows():
    """What is looked at has one channel, averages for maxima, and the same windows."""
    case = Case.of(parse("16x16x4 conv3-8 g2 bn relu pool3/2 convt2-4/2 gap fc-9 softmax"))
    plain = Case.of(case.network.mapped(lambda layer: layer.averaging()), "16x16x1")
    for before, after in zip(case.steps, plain.steps, strict=True):
        assert (after.name, after.output.sizes) == (before.name, before.output.sizes)
        assert after.layer.windows(*after.shapes) == before.layer.windows(*before.shapes)
        assert after.output.channels == 1
        assert not after.layer.biases(*after.shapes).value
        assert getattr(after.layer, "reduction", "average") == "average"
        assert after.layer.kind not in {"bn", "relu", "softmax"}


def test_looking_at_fields_draws_no_random_numbers():
    """The gradient's witness leaves torch's random state as it was."""
    torch.manual_seed(3)
    before = torch.get_rng_state()
    gradient.read(Case.of(parse("12x2 conv3-4 pool2")))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("conv3-4 pool2", {"input": "12x12x3"}),
        ("HxWx3 conv3-4", {"at": "H=12,W=12"}),
        ("HxWx3 conv3-K", {"at": "H=12,W=12,K=4"}),
        ("4x4x3 conv1-4", {"input": "12x15x3"}),
    ],
)
def test_fields_at_the_input_that_was_given(text, asked):
    """Fields are compared on the input that was given."""
    found = verify(parse(text), **asked, against=["gradient"])
    assert found.explained
    assert "12x" in found.checks[-1].note


# ----------------------------------------------------------- graphs that are no chain of layers

PARTNERS = ("torch", "fvcore", "torchinfo", "thop", "gradient")


def by_quantity(found):
    """The checks of a verification by witness and quantity."""
    assert found.explained, found.complaint()
    return {(check.witness, check.quantity): check for check in found.checks}


@pytest.mark.parametrize("batch", [1, 3])
def test_a_layer_used_twice(used_twice, batch):
    """Its weights count once and its work twice, for us and for every tool, in one line."""
    checks = by_quantity(verify(used_twice, against=[*PARTNERS, "ptflops"], batch=batch))
    weights, macs = 3 * 3 * 3 * 3 + 3, 2 * (8 * 8 * 3) * (3 * 3 * 3)
    for tool in ("twin", "fvcore", "torchinfo", "thop", "ptflops"):
        assert checks[tool, "parameters"].lines == (Line("a", weights, weights),)
    for tool, quantity in (("fvcore", "flops"), ("thop", "macs")):
        assert checks[tool, quantity].lines == (Line("a", batch * macs, batch * macs),)
    flops = 2 * batch * macs
    assert checks["torch", "flops"].lines == (Line("a", flops, flops),)
    back = 2 * flops - flops // 2  # but the first use makes no gradient of the network's input
    assert checks["torch", "backward_flops"].lines == (Line("a", back, back),)
    mult_adds = checks["torchinfo", "mult_adds"]
    biases = Cause("+1 per bias addition", 2 * batch * 8 * 8 * 3)
    assert mult_adds.theirs == batch * macs + biases.amount
    assert mult_adds.causes() == (biases,)
    assert [line.name for line in checks["twin", "output"].lines] == ["a", "conv2", "relu1"]
    fields = {line.name: line.theirs for line in checks["gradient", "receptive field"].lines}
    assert fields["a, height, output 3"] == "2..4"
    assert fields["conv2, height, output 3"] == "1..5"


@pytest.mark.parametrize(
    "text",
    [
        *("8x8x4 a: conv3-4 nobias =a", "8x8x4 a: conv3-4 g2 =a =a", "8x8x4 a: convt3-4 =a"),
        *("8x8x4 a: bn =a", "8x8x4 a: ln relu =a", "8x8x4 a: gn2 =a", "2x2x4 a: fc-16 relu =a"),
        *("8x8x4 a: conv3-4 pool2 =a", "8x8x4 a: conv3-4/2 (=a + pool2) =a", "9x4 a: lrn =a"),
    ],
)
def test_every_kind_used_twice(text):
    """Whatever is used again, at another size as well, is explained by every tool."""
    for batch in (1, 3):
        found = verify(text, against=[*TOOLS, "gradient"], batch=batch)
        assert found.explained, found.complaint()


@pytest.mark.parametrize("batch", [1, 3])
def test_two_inputs_and_two_outputs(two_ends, batch):
    """Every layer is explained, and its field is compared in each input."""
    checks = by_quantity(verify(two_ends, against=PARTNERS, batch=batch))
    weights = {"a": 27 * 4 + 4, "b": 2 * 4 + 4, "fc": 8 * 6 * 4 * 5 + 5}
    macs = {"a": 48 * 4 * 27, "b": 48 * 4 * 2, "fc": 8 * 6 * 4 * 5}
    for tool in ("twin", "fvcore", "torchinfo", "thop"):
        lines = checks[tool, "parameters"].lines
        assert {line.name: line.theirs for line in lines} == weights
    for line in checks["torch", "flops"].lines:
        assert line.theirs == 2 * batch * macs[line.name]
    back = {line.name: line.theirs for line in checks["torch", "backward_flops"].lines}
    uses = {"a": 1, "b": 1, "fc": 2}  # products of the backward pass
    assert back == {name: 2 * batch * uses[name] * macs[name] for name in macs}
    shapes = {line.name: line.theirs for line in checks["twin", "output"].lines}
    assert shapes == {**dict.fromkeys(("a", "b", "sum", "relu"), "8x6x4"), "fc": "5"}
    fields = {line.name: line.theirs for line in checks["gradient", "receptive field"].lines}
    assert fields["sum, height in left, output 3"] == "5..7"
    assert fields["sum, height in right, output 3"] == "3..3"
    assert fields["fc, width in left, output 0"] == "0..11"
    assert "a, height in right, output 3" not in fields


def test_inputs_by_their_names(two_ends):
    """Each input is given by its name; ptflops, which gives one only, says so."""
    sizes = {"left": "10x8x3", "right": "5x4x2"}
    found = verify(two_ends, sizes, against=PARTNERS)
    assert found.explained, found.complaint()
    assert {name: str(shape) for name, shape, _ in found.case.inputs} == sizes
    with pytest.raises(MeasurementError, match="ptflops gives a network one input only"):
        verify(two_ends, against=["ptflops"])


@pytest.mark.parametrize("batch", [1, 3])
def test_a_layer_with_two_outputs(split, batch):
    """Both outputs have their shapes compared, and whoever reads either one is explained."""
    checks = by_quantity(verify(split, against=[*PARTNERS, "ptflops"], batch=batch))
    shapes = {line.name: line.theirs for line in checks["twin", "output"].lines}
    assert shapes["split"] == "8x8x1 8x8x3"
    macs = {"stem": 8 * 8 * 4 * 27, "a": 4 * 4 * 2 * 9, "b": 4 * 4 * 2 * 3}
    flops = {line.name: line.theirs for line in checks["torch", "flops"].lines}
    assert flops == {name: 2 * batch * macs[name] for name in macs}
    fields = {line.name: line.theirs for line in checks["gradient", "receptive field"].lines}
    assert fields["b, height, output 2"] == "3..5"
    assert fields["sum, height, output 2"] == "2..6"


def test_a_wrong_second_output_is_noticed(split, monkeypatch):
    """A second output of another shape than ours is unexplained."""
    layer = split.nodes[1].layer
    monkeypatch.setattr(type(layer), "run", lambda _, __, x: (x[:, :1], x[:, 1:, ::2]))
    nodes = (*split.nodes[:2], Node("last", Activation("relu"), ("split",)))
    found = verify(replace(split, nodes=nodes, outputs=("last", Port("split", 1))), against=[])
    (line,) = (line for check in found.checks for line in check.unexplained)
    assert (line.name, line.ours, line.theirs) == ("split", "8x8x1 8x8x3", "8x8x1 4x8x3")


@pytest.mark.parametrize("name", ["used_twice", "two_ends", "split"])
@pytest.mark.parametrize("form", FORMATS)
def test_such_graphs_are_drawn(request, name, form):
    """Their verification is drawn in every format, and is JSON."""
    found = verify(request.getfixturevalue(name), against=["torch", "gradient"])
    json.dumps(found.to_dict(), allow_nan=False)
    if form != "json":
        assert "a" in render(views.of(found), form)


# ------------------------------------------------------------------------------ what is said


def reads(monkeypatch, name, change):
    """Make a tool read what it reads, changed."""
    tool = counter(name)
    (honest,) = tool.readings
    changed = tool._replace(readings=(lambda *args: change(honest(*args)),))
    monkeypatch.setattr(import_module(f"archcalc.counters.{name}"), "COUNTER", changed)


def raises(error):
    """A change that comes to nothing."""

    def change(_):
        raise error

    return change


def _checks(found):
    return [(check.witness, check.quantity) for check in found.checks]


def test_who_is_asked():
    """Without names, torch, fvcore and torchinfo are asked; a name twice is asked once."""
    assert AGAINST == ("torch", "fvcore", "torchinfo")
    found = verify(load("lenet5"))
    assert _checks(found) == [
        *(("twin", "output"), ("twin", "parameters"), ("torch", "flops")),
        *(("torch", "backward_flops"), ("fvcore", "flops"), ("fvcore", "activations")),
        *(("fvcore", "parameters"), ("torchinfo", "mult_adds"), ("torchinfo", "parameters")),
    ]
    twice = verify(load("lenet5"), against=["torchinfo", "torchinfo"])
    assert _checks(twice)[2:] == _checks(found)[-2:]


def test_who_is_installed():
    """All that is installed is asked: torchvision only where it has the network."""
    assert installed(load("lenet5")) == [*TOOLS, "gradient"]
    assert installed(load("vgg11")) == list(WITNESSES)


def test_who_is_installed_without_the_tools(monkeypatch):
    """A tool that is not there is not asked by `--against all`."""
    there = verification.find_spec
    missing = {"thop", "ptflops", "torchvision"}
    monkeypatch.setattr(
        verification, "find_spec", lambda name: None if name in missing else there(name)
    )
    assert installed(load("vgg11")) == ["torch", "fvcore", "torchinfo", "gradient"]


def test_groups_in_the_backward_pass():
    """Torch forgets groups in the gradient of grouped weights: the cause is named."""
    found = verify(load("8x8x4 conv3-8 conv3-8 g2"), against=["torch"], batch=3)
    back = found.checks[-1]
    assert back.quantity == "backward_flops"
    assert found.explained
    first, second = back.lines
    macs = [8 * 8 * 8 * 4 * 9, 8 * 8 * 8 * 4 * 9]
    assert (first.ours, first.theirs, first.causes) == (6 * macs[0], 6 * macs[0], ())
    assert (second.ours, second.theirs) == (12 * macs[1], 18 * macs[1])
    assert second.causes == (Cause("weight gradient as if without its groups, x2", 6 * macs[1]),)


def test_lines_and_checks_add_up():
    """A rest is the difference less its causes; totals and causes are sums over the layers."""
    cause = Cause("bias", 3)
    good, bad = Line("a", 10, 13, (cause,)), Line("b", 5, 9, (cause,))
    same, other = Line("c", "1x2", "1x2"), Line("d", "1x2", "2x1")
    assert [line.difference for line in (good, bad, same, other)] == [3, 4, 0, 1]
    assert [line.rest for line in (good, bad, same, other)] == [0, 1, 0, 1]
    check = Check("torchinfo", "1", "cpu", "mult_adds", (good, bad))
    assert (check.ours, check.theirs) == (15, 22)
    assert check.causes() == (Cause("bias", 6),)
    assert check.unexplained == (bad,)
    case = Case.of(load("lenet5"))
    found = Verification(case, (check,))
    assert not found.explained
    expected = "lenet5, b: mult_adds of torchinfo 1: 9, ours 5, 1 unexplained"
    assert found.complaint() == expected
    fine = Verification(case, (check._replace(lines=(good,)),))
    assert fine.explained
    assert fine.complaint() == ""


def test_rests_of_two_signs_do_not_cancel():
    """Too much in one layer and too little in another is not explained."""
    lines = (Line("a", 10, 11), Line("b", 10, 9))
    check = Check("thop", "1", "cpu", "macs", lines)
    found = Verification(Case.of(load("lenet5")), (check,))
    assert not found.explained
    assert found.to_dict()["checks"][0]["unexplained"] == 2


@pytest.mark.parametrize("quantity", ["flops", "parameters"])
def test_what_a_tool_counts_outside_all_layers(monkeypatch, quantity):
    """What a tool's total has beside the layers is a line of its own, and unexplained."""

    def more(reading):
        return reading._replace(totals=reading.totals | {quantity: reading.totals[quantity] + 17})

    reads(monkeypatch, "fvcore", more)
    found = verify(load("lenet5"), against=["fvcore"])
    (check,) = (check for check in found.checks if check.unexplained)
    assert (check.witness, check.quantity) == ("fvcore", quantity)
    assert check.unexplained == (Line("outside all layers", 0, 17),)
    assert "outside all layers" in found.complaint()


def test_a_layer_that_only_a_tool_counts(monkeypatch):
    """What a tool counts for a layer that costs nothing by our rules is unexplained."""

    def more(reading):
        flops = reading.layers["flops"] | {"relu1": 5}
        totals = reading.totals | {"flops": reading.totals["flops"] + 5}
        return reading._replace(layers=reading.layers | {"flops": flops}, totals=totals)

    reads(monkeypatch, "fvcore", more)
    found = verify(load("8x8x3 conv3-4 relu"), against=["fvcore"])
    assert found.checks[2].unexplained == (Line("relu1", 0, 5),)


@pytest.mark.parametrize(
    ("layer", "method", "quantity"),
    [
        (Convolution, "macs", "flops"),
        (Linear, "macs", "backward_flops"),
        (Convolution, "weights", "parameters"),
        (Linear, "parameters", "parameters"),
        (Convolution, "output", "output"),
    ],
)
def test_a_fault_of_ours_is_noticed(capsys, monkeypatch, layer, method, quantity):
    """A layer that we count wrongly fails, and is named on standard error."""
    honest = getattr(layer, method)

    def faulty(self, *shapes, **output):
        found = honest(self, *shapes, **output)
        if method == "output":
            return found if found.channels != 16 else Shape(found.sizes[::-1], 16)
        if method == "parameters":
            *others, last = found
            return *others, last._replace(size=product(2, last.size))
        return product(2, found)

    monkeypatch.setattr(layer, method, faulty)
    size = ["--input", "28x30x1"]
    status = run(["verify", "lenet5", *size, "--against", "torch"])
    out, err = capsys.readouterr()
    assert status == 1
    assert is_one_line(err)
    assert "unexplained" in err
    assert "lenet5, " in err
    assert quantity.replace("_flops", "").replace("flops", "FLOPs") in out


@pytest.fixture
def installed_anew():
    """Releases are asked for anew, and forgotten afterwards."""
    base.release.cache_clear()
    yield
    base.release.cache_clear()


@pytest.mark.usefixtures("installed_anew")
def test_a_release_that_nobody_compared(capsys, monkeypatch):
    """A release that nobody compared is noted on the page and in the JSON."""
    honest = metadata.version
    newer = {"torchinfo": "1.9.3", "torch": "7.1.0+cu132"}
    monkeypatch.setattr(metadata, "version", lambda name: newer.get(name) or honest(name))
    args = ["verify", "lenet5", "--against", "torch,torchinfo,fvcore"]
    assert run(args) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "torchinfo 1.9.3 is not among the releases compared: 1.8.0." in out
    assert "torch 7.1.0 is not among the releases compared: 2.6 to 2.15." in out
    assert run([*args, "--format", "json"]) == 0
    notes = {
        check["witness"]: check["note"] for check in json.loads(capsys.readouterr().out)["checks"]
    }
    assert "1.9.3" in notes["torchinfo"]
    assert notes["fvcore"] is None


@pytest.mark.parametrize(
    ("installed_", "expected"),
    [
        ("2.15.0+cu132", "2.15.0"),
        ("1.8.0", "1.8.0"),
        ("0.1.5.post20221221", "0.1.5.post20221221"),
        ("0.1.1-2209072238", "0.1.1.post2209072238"),
    ],
)
@pytest.mark.usefixtures("installed_anew")
def test_releases(monkeypatch, installed_, expected):
    """A release is told without its local part."""
    monkeypatch.setattr(metadata, "version", lambda _: installed_)
    assert base.release("whatever") == expected


# ----------------------------------------------------------------------------------- formats

COMMAND = ["verify", "8x8x3 conv3-4 bn relu fc-3", "--against", "torchinfo,torch", "--batch", "2"]


@pytest.mark.parametrize("form", FORMATS)
def test_formats(capsys, tmp_path, form):
    """Every format has ours, theirs and the cause; a file gets what the screen gets."""
    assert run([*COMMAND, "--format", form]) == 0
    out, err = capsys.readouterr()
    assert not err
    plain = out.replace(",", "").replace("{}", "").replace("\\_", "_").replace("$", "")
    for expected in ("torchinfo", "+1 per bias addition", "15360"):
        assert expected in plain
    path = tmp_path / "out"
    assert run([*COMMAND, "--format", form, "--output", str(path)]) == 0
    written = path.read_text()
    if form != "text":
        assert written == out
    assert capsys.readouterr().out == ""


def test_csv(capsys):
    """CSV has a row a check: ours, theirs, the difference, its cause, and what is left."""
    assert run([*COMMAND, "--format", "csv"]) == 0
    tables = capsys.readouterr().out.split("\n\n")
    rows = list(csv.DictReader(io.StringIO(tables[0])))
    row = next(row for row in rows if row["quantity"] == "mult-adds")
    macs = 2 * (8 * 8 * 4 * 27 + 8 * 8 * 4 * 3)
    more = 2 * (8 * 8 * 4 + 2 * 4 + 3)
    assert (row["ours"], row["theirs"]) == (str(macs), str(macs + more))
    assert row["difference"] in {str(more), f"+{more}"}


@pytest.mark.parametrize("against", [",".join(TOOLS), "gradient", "all", " torch , torchinfo "])
def test_json_adds_up(capsys, against):
    """In the JSON, theirs is ours plus the causes and the rest, by layer and in total."""
    args = ["verify", "12x12x4 conv3-8 bn pool2 conv3-8 g4 gap fc-3", "--batch", "3"]
    assert run([*args, "--against", against, "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["schema"], data["batch"]) == ("archcalc.verification/1", 3)
    assert (data["input"], data["explained"]) == ("12x12x4", True)
    numbers = 0
    for check in data["checks"]:
        layers = check["layers"]
        assert check["unexplained"] == 0
        if isinstance(layers[0]["ours"], str):
            assert all(layer["ours"] == layer["theirs"] for layer in layers)
            continue
        for one in (check, *layers):
            assert one["theirs"] == one["ours"] + sum(one["causes"].values()) + one["unexplained"]
            numbers += 1
        for side in ("ours", "theirs"):
            assert check[side] == sum(layer[side] for layer in layers)
        for cause, amount in check["causes"].items():
            assert amount == sum(layer["causes"].get(cause, 0) for layer in layers)
    assert numbers > 2
    seen = {check["witness"] for check in data["checks"]} - {"twin"}
    wanted = [*TOOLS, "gradient"] if against == "all" else against.replace(" ", "").split(",")
    assert seen == set(wanted)


@pytest.mark.parametrize("form", FORMATS)
def test_several_networks(capsys, monkeypatch, form):
    """`archcalc verify zoo` is one table of all networks, in every format."""
    monkeypatch.setattr(zoo, "NAMES", ("lenet5", "inception-reduced"))
    assert run(["verify", "zoo", "--against", "torchinfo", "--format", form]) == 0
    out = capsys.readouterr().out
    assert "lenet5" in out
    assert "inception-reduced" in out
    if form == "json":
        data = json.loads(out)
        assert data["schema"] == "archcalc.verifications/1"
        assert [one["network"] for one in data["networks"]] == ["lenet5", "inception-reduced"]
    if form == "text":
        assert "torchinfo 1.8.0: mult-adds" not in out  # layers only where not explained


def test_several_networks_of_which_one_fails(capsys, monkeypatch):
    """Among several networks, the one that is not explained is named and shown by layer."""
    monkeypatch.setattr(zoo, "NAMES", ("lenet5", "inception-reduced"))

    def more(reading):
        if "c5" in reading.layers["mult_adds"]:
            return reading
        layers = {path: n + 1 for path, n in reading.layers["mult_adds"].items()}
        return reading._replace(layers=reading.layers | {"mult_adds": layers})

    reads(monkeypatch, "torchinfo", more)
    assert run(["verify", "zoo", "--against", "torchinfo"]) == 1
    out, err = capsys.readouterr()
    assert is_one_line(err)
    assert err.startswith("archcalc: inception-reduced, ")
    assert out.count(": mult-adds") == 1


def test_the_page(capsys):
    """The page has a line a check, then the layers of what counts operations, then the totals."""
    assert run(["verify", "lenet5", "--against", "torchinfo"]) == 0
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "lenet5, input 28x28x1, batch 1: ours and theirs"
    assert "twin output 11 places 11 alike 0 none" in lines
    assert "twin parameters 61,706 61,706 0 none" in lines
    expected = "torchinfo mult-adds 416,520 423,038 +6,518 +1 per bias addition none"
    assert expected in lines
    assert "c5 48,000 48,120 +120 +1 per bias addition none" in lines
    assert "total 416,520 423,038 +6,518 +1 per bias addition none" in lines
    assert lines.count(expected.replace("torchinfo mult-adds", "total")) == 1
    assert "torchinfo 1.8.0 on the meta device" in " ".join(lines)


def test_several_causes_have_their_amounts(capsys):
    """Where a difference has several causes, each has its amount."""
    assert run(["verify", "8x8x3 conv3-4 bn", "--against", "torchinfo"]) == 0
    out = capsys.readouterr().out
    assert "+1 per bias addition: +256" in out
    assert "normalization, its parameters once per example: +8" in out


def test_in_a_terminal_and_a_notebook():
    """A verification draws itself."""
    from rich.console import Console  # noqa: PLC0415 - only this test draws

    found = verify(load("lenet5"), against=["torchinfo"])
    console = Console(file=io.StringIO(), width=160)
    console.print(found)
    assert "423,038" in console.file.getvalue()
    assert "423,038" in found._repr_html_()
    assert "<table" in found._repr_html_()


# ----------------------------------------------------------------------------- what goes wrong

WRONG_INPUT = [
    (["lenet5", "--against", "torchinof"], 2, ["'torchinof'", "did you mean torchinfo?"]),
    (["lenet5", "--against", "torch,nobody"], 2, ["'nobody' is no witness", "one of torch, fvc"]),
    (["lenet5", "--against", ""], 2, ["--against names nobody", "e.g."]),
    (["lenet5", "--against", " , "], 2, ["--against names nobody", "e.g."]),
    (["lenet5", "--device", "gpu"], 2, ["'gpu' is no device", "did you mean cpu?"]),
    (
        ["lenet5", "--device", "meta"],
        1,
        ["fvcore cannot count on the meta", "--against torch,torchinfo can"],
    ),
    (["lenet5", "--batch", "0"], 2, ["--batch", "'0'"]),
    (["lenet5", "--batch", "x"], 2, ["--batch", "'x'"]),
    (["lenet5", "--format", "xml"], 2, ["'xml'", "--format"]),
    (["vgg20"], 2, ["'vgg20'", "vgg19"]),
    (["HxWx3 conv3-3"], 2, ["letters", "H, W", "--at H=224"]),
    (["HxWx3 conv3-3", "--at", "H=8"], 2, ["letters", "W", "--at W=224"]),
    (["conv3-3"], 2, ["what goes in", "--input 224x224x3"]),
    (["lenet5", "--input", "8x8x1"], 2, ["c3", "kernel"]),
    (["lenet5", "--against", "torchvision"], 1, ["torchvision has no lenet5", "vgg19"]),
    (["8x8x8x3 avgpool9 p4", "--against", "torch"], 1, ["torch does not run this in fp32"]),
    (
        ["8x8x3 lrn fc-2", "--dtype", "bf16", "--device", "cpu", "--against", "torch"],
        *(1, ["torch does not run this in bf16 at batch 1"]),
    ),
    (["zoo", "--input", "8x8x3", "--against", "torch"], 2, ["lenet5: c3", "larger than"]),
    (["900000x900000x3 conv3-3", "--against", "fvcore"], 1, ["this needs 19.44 TB", "are free"]),
    ([], 2, ["NETWORK"]),
]


@pytest.mark.parametrize(("args", "status", "says"), WRONG_INPUT)
def test_wrong_input(capsys, tmp_path, args, status, says):
    """What goes wrong is one line, and an earlier file stays as it was."""
    path = tmp_path / "out.txt"
    path.write_text("before")
    assert run(["verify", *args, "--output", str(path)]) == status
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err), err
    for expected in says:
        assert expected in err
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_no_cuda(capsys, monkeypatch):
    """Where there is no CUDA device, one line says so."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run(["verify", "lenet5", "--device", "cuda"]) == 1
    assert "no CUDA device" in capsys.readouterr().err


@pytest.mark.parametrize("device", ["", "cpu", "meta"])
def test_where_tools_count(device):
    """Without a device, each tool counts where it costs least; else where it is told to."""
    found = verify(load("lenet5"), against=["torch", "torchinfo"], device=device)
    where = {(check.witness, check.quantity): check.device for check in found.checks}
    assert where["torch", "flops"] == where["torchinfo", "mult_adds"] == (device or "meta")
    assert where["torch", "backward_flops"] == "meta"
    assert where["twin", "output"] == "meta"
    assert found.explained
    assert {check.device for check in verify(load("lenet5"), against=["fvcore"]).checks[2:]} == {
        "cpu"
    }


@pytest.mark.parametrize("name", ["fvcore", "torchinfo", "ptflops", "thop"])
@pytest.mark.usefixtures("installed_anew")
def test_a_tool_that_is_not_installed(capsys, monkeypatch, name):
    """A tool that is not installed is named with what installs it; the status is 1."""
    honest = metadata.version

    def version(package):
        if package == name:
            raise metadata.PackageNotFoundError(package)
        return honest(package)

    monkeypatch.setattr(metadata, "version", version)
    assert run(["verify", "lenet5", "--against", name]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err)
    known = "archcalc[verify]" if name in {"fvcore", "torchinfo"} else name
    assert err == f"archcalc: {name} is not installed; pip install '{known}'\n"


def test_without_torch(tmp_path):
    """Without torch, verify says in one line what installs it, and conventions still work."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'torch': raise ModuleNotFoundError(name)\n"
    )
    program = (
        "import sys, importlib.util as u; real = u.find_spec; "
        "u.find_spec = lambda n, *a: None if n == 'torch' else real(n, *a); "
        "sys.modules['torch'] = None; "
        "from archcalc.main import run; a = run(['verify', 'lenet5']); "
        "b = run(['lenet5', '--convention', 'fvcore']); sys.exit(10 * a + b)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode == 10, done.stderr
    assert done.stderr == "archcalc: verify needs torch; pip install 'archcalc[verify]'\n"
    assert "416,520" in done.stdout


def test_too_large_for_the_memory(capsys, monkeypatch):
    """A network that does not fit is refused before it is built; the meta device needs nothing."""
    monkeypatch.setattr(machine, "free", lambda _: 100_000)
    assert run(["verify", "lenet5", "--against", "fvcore"]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err)
    assert "and more on the cpu, 100 KB are free; a smaller --batch" in err
    assert run(["verify", "lenet5", "--against", "torch,torchinfo"]) == 0
    monkeypatch.setattr(machine, "free", lambda _: None)
    assert run(["verify", "lenet5", "--against", "fvcore"]) == 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_memory_that_runs_out_on_the_way(capsys, monkeypatch, error):
    """Where memory runs out while a tool counts, one line says so."""
    reads(monkeypatch, "fvcore", raises(error))
    assert run(["verify", "lenet5", "--against", "fvcore"]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err)
    assert "it did not fit; a smaller --batch may" in err


def test_other_errors_are_not_for_want_of_memory(monkeypatch):
    """An error that has nothing to do with memory is not taken for one."""
    reads(monkeypatch, "fvcore", raises(RuntimeError("something else")))
    with pytest.raises(MeasurementError, match=r"does not run this .*: something else$"):
        verify(load("lenet5"), against=["fvcore"])


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("fvcore", "fvcore.nn.FlopCountAnalysis.by_module_and_operator"),
        ("torchinfo", "torchinfo.summary"),
        ("thop", "thop.profile"),
    ],
)
def test_a_tool_that_fails(capsys, monkeypatch, name, tool):
    """A tool that fails is named, in one line, with what it said."""

    def fails(*_, **__):
        raise ValueError("no idea\nat all")

    monkeypatch.setattr(tool, fails)
    assert run(["verify", "lenet5", "--against", name]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err)
    assert f"{name} failed: no idea" in err


def test_ptflops_that_fails(capsys, monkeypatch):
    """A tool that says nothing but None has failed."""
    monkeypatch.setattr("ptflops.get_model_complexity_info", lambda *_, **__: (None, None))
    assert run(["verify", "lenet5", "--against", "ptflops"]) == 1
    assert capsys.readouterr().err == "archcalc: ptflops failed on this network\n"


def test_from_python():
    """What is wrong raises the library's own errors."""
    with pytest.raises(ArchitectureError, match="'nobody' is no witness"):
        verify(load("lenet5"), against=["nobody"])
    with pytest.raises(ArchitectureError, match="batch"):
        verify(load("lenet5"), batch=0)
    with pytest.raises(MeasurementError, match="fvcore cannot count on the meta device"):
        verify(load("lenet5"), against=["fvcore"], device="meta")
    with pytest.raises(ArchitectureError, match="no device"):
        verify(load("lenet5"), against=["gradient"], device="tpu")


def test_backward_is_asked_of_torch_itself():
    """Torch's backward pass costs twice the forward one, less the first layer once."""
    network = parse("8x8x3 conv3-4 relu conv3-5 fc-6")
    model = twin(network, device="meta")
    x = torch.zeros(2, 3, 8, 8, device="meta")
    forward, back = (read(model, x) for read in counter("torch").readings)
    first = forward.layers["flops"]["conv1"]
    assert back.totals["backward_flops"] == 2 * forward.totals["flops"] - first
    assert sum(back.layers["backward_flops"].values()) == back.totals["backward_flops"]
    assert forward.totals["flops"] == 4 * ac.report(network).totals["macs"]
