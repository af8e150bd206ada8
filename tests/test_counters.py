# ruff: noqa: TID253 - some of these tests are of what needs torch
import json
import logging
import subprocess
import sys
from fractions import Fraction
from importlib import import_module

import pytest
import torch
from hypothesis import given, settings
from strategies import tangles

import archcalc as ac
from archcalc import load, parse, verify
from archcalc.case import Case
from archcalc.costs import backward, cost, graded
from archcalc.count import count, integer
from archcalc.counters import NAMES, TOOLS, counter, counters
from archcalc.counters.base import MACS, Reading, Term, macs
from archcalc.errors import ArchitectureError, MeasurementError
from archcalc.main import run
from archcalc.measure.verification import _unknown
from archcalc.network import INPUT
from archcalc.render.views.counted import counted_data

VGG19 = "(conv3-64 relu) x2 pool2 (conv3-128 relu) x2 pool2 (conv3-256 relu) x4 pool2 "
VGG19 += "((conv3-512 relu) x4 pool2) x2 {} fc-4096 relu fc-4096 relu fc-1000"
FORMATS = ("text", "markdown", "latex", "csv", "json", "html")
EVERYTHING = "HxWx4 conv3-8/2 bn relu convt2-4/2 ln gn2 lrn pool3/1 avgpool2 gelu softmax gap "
EVERYTHING += "conv1-6 nobias relu6 fc-5 bn relu"


def total(name, network, input=None, batch=1):  # noqa: A002 - as everywhere
    """What a counter makes of a network."""
    tool, case = counter(name), Case.of(network, input)
    return sum(term.amount.value for step in case.steps for term in tool.terms(step, batch))


# ------------------------------------------------------------------------------ without tools


@pytest.mark.parametrize(
    ("name", "network", "number"),
    [
        ("mac", load("vgg19"), 19_632_062_464),
        ("flop", load("vgg19"), 39_264_124_928),
        ("torch", load("vgg19"), 39_264_124_928),
        ("fvcore", load("vgg19"), 19_632_062_464),
        ("fvcore", parse("224x224x3 " + VGG19.format("adaptiveavgpool7")), 19_632_087_552),
        ("fvcore", parse("224x224x3 " + VGG19.format("")), 19_632_062_464),
        ("torchinfo", load("vgg19"), 19_646_923_752),
        ("torch", load("alexnet"), 2 * 724_406_816),
        ("thop", load("alexnet"), 724_406_816),
        ("torchinfo", load("alexnet"), 724_406_816 + 659_272),
        ("fvcore", load("resnet50-torchvision"), 4_089_184_256 + 2 * 11_113_984 + 100_352),
    ],
)
def test_totals(name, network, number):
    """Well-known networks have the totals that the tools are known to report."""
    assert total(name, network) == number


def test_totals_grow_with_the_batch():
    """Tools that count the batch count it whole; ptflops averages what its modules count."""
    network = load("lenet5")
    for name in NAMES:
        if name != "ptflops":
            assert total(name, network, batch=7) == 7 * total(name, network)
    pools = 28 * 28 * 6 + 10 * 10 * 16  # what ptflops' patched functions see of each example
    assert total("ptflops", network, batch=7) == total("ptflops", network) + 6 * pools


def test_a_convention_needs_no_torch():
    """`archcalc vgg19 --convention torchinfo` says torchinfo's number without loading torch."""
    program = (
        "import sys; from archcalc.main import run; status = run(sys.argv[1:]); "
        "assert not {'torch', 'torchinfo', 'fvcore', 'numpy', 'ptflops'} & set(sys.modules); "
        "sys.exit(status)"
    )
    command = [sys.executable, "-c", program, "vgg19", "--convention", "torchinfo"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "19,646,923,752" in done.stdout
    assert "14,861,288" in done.stdout  # the difference: one per bias addition


@pytest.mark.parametrize(
    ("name", "ratio"),
    [("alexnet-torchvision", 2.9016), ("alexnet", 2.8545), ("vgg19", 2.9956), ("resnet50", 2.9694)],
)
def test_forward_and_backward(name, ratio):
    """Forward and backward cost three times the forward pass, less the first layer's once."""
    case = Case.of(load(name))
    forward = [cost(step).macs.value for step in case.steps]
    back = sum(one.weights.value + one.inputs.value for one in backward(case))
    first = next(number for number in forward if number)
    expected = 3 - Fraction(first, sum(forward))
    assert Fraction(sum(forward) + back, sum(forward)) == expected
    assert abs(float(expected) - ratio) < 6e-5


def test_gradients_flow_behind_the_first_parameter():
    """An input gradient is wanted where any parameter lies before, through a join as well."""
    text = "8x8x4 relu [a: conv1-4 | pool3/1 b: bn | c: relu] d: conv1-2 e: conv1-2"
    case = Case.of(parse(text))
    wanted = graded(case)
    by_name = {step.name: back for step, back in zip(case.steps, backward(case), strict=True)}
    assert not wanted[INPUT]
    assert not wanted["relu1"]
    assert not wanted["pool1"]
    assert wanted["b"]
    assert by_name["a"].inputs.value == 0
    assert by_name["a"].weights.value == 4 * 4 * 64
    assert by_name["d"].inputs.value == by_name["d"].weights.value == 12 * 2 * 64


def test_gradients_flow_behind_weights_that_are_used_again():
    """A use of earlier weights learns as the first one does: what reads it wants its gradient."""
    case = Case.of(parse("8x8x4 [a: conv1-4 | b: =a c: conv1-2]"))
    assert case.steps[1].own == ()
    assert graded(case)["b"]
    backs = {step.name: back for step, back in zip(case.steps, backward(case), strict=True)}
    assert (backs["b"].weights.value, backs["b"].inputs.value) == (4 * 4 * 64, 0)
    assert (backs["c"].weights.value, backs["c"].inputs.value) == (4 * 2 * 64, 4 * 2 * 64)


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("name", NAMES)
def test_formulas_become_the_numbers(name, batch):
    """A total in letters is the number that comes out where the letters are numbers at once."""
    network = parse(EVERYTHING)
    formula = total(name, network, batch=batch)
    assert {"H", "W"} <= set(formula.letters()), formula
    for height, width in ((32, 64), (16, 8)):
        number = total(name, network, f"{height}x{width}x4", batch)
        assert formula.substitute({"H": height, "W": width}) == number


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 3])
def test_ours_in_a_tools_unit(name, batch):
    """Ours is the MACs in the tool's unit: times its scale, times the examples that it counts."""
    rule = counter(name)
    assert rule.scale == (2 if name in {"flop", "torch"} else 1)
    for step in Case.of(load("16x16x4 conv3-8/2 bn relu convt2-4/2 gap fc-5")).steps:
        expected = rule.scale * macs(step).value * (1 if name == "ptflops" else batch)
        assert rule.ours(step, batch) == expected
        terms = {term.cause: term.amount.value for term in rule.terms(step, batch)}
        assert terms.get(MACS, 0) == expected
        assert 0 not in terms.values()
    assert macs(step).value == 20


def test_unknown_convention():
    """A convention that is not there is named, with the nearest one."""
    with pytest.raises(ArchitectureError, match=r"'torchinof'.*did you mean torchinfo\?"):
        counter("torchinof")


@pytest.mark.parametrize("args", [["lenet5", "--convention", "fvcor"], ["lenet5", "--convention"]])
def test_a_wrong_convention_is_one_line(capsys, tmp_path, args):
    """What is wrong is one line, status 2, and nothing is written."""
    path = tmp_path / "out.txt"
    assert run(["lenet5", "--output", str(path), *args[1:]]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert err.startswith("archcalc: ")
    assert not path.exists()


@pytest.mark.parametrize("other", [["--table"], ["--working"], ["--depth", "1"]])
def test_a_convention_is_a_page_of_its_own(capsys, other):
    """`--convention` beside another page is refused, both named."""
    assert run(["lenet5", "--convention", "fvcore", *other]) == 2
    assert other[0] in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 2])
def test_json_adds_up(capsys, name, batch):
    """Terms add up to a layer's count, counts to the total, and the total is the convention's."""
    network = "16x16x4 conv3-8 bn relu (id + conv3-8) pool2 gap fc-5"
    args = [network, "--convention", name, "--batch", str(batch), "--format", "json"]
    assert run(args) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "archcalc.convention/1"
    assert (data["convention"], data["batch"], data["input"]) == (name, batch, "16x16x4")
    for layer in data["layers"]:
        assert layer["count"] == sum(layer["terms"].values()) > 0
    assert data["total"] == sum(layer["count"] for layer in data["layers"])
    assert data["total"] == total(name, load(network), batch=batch)
    assert data["unit"] == counter(name).unit
    assert data["releases"] == list(counter(name).releases)


def test_json_has_formulas_as_text():
    """Where a size is a letter, counts are formulas as text."""
    data = counted_data(ac.report("HxWx3 conv3-4"), counter("torchinfo"))
    assert data["layers"] == [
        {
            "name": "conv1",
            "count": "112*H*W",
            "terms": {"MACs": "108*H*W", "+1 per bias addition": "4*H*W"},
        }
    ]
    assert data["total"] == "112*H*W"


@pytest.mark.parametrize("form", FORMATS)
def test_formats(capsys, form):
    """Every format has the layers, the causes and the totals."""
    assert run(["lenet5", "--convention", "torchinfo", "--format", form]) == 0
    out, err = capsys.readouterr()
    assert not err
    plain = out.replace(",", "").replace("{}", "").replace("\\", "")
    for expected in ("423038", "c5", "+1 per bias addition"):
        assert expected in plain.replace("$", "")


@pytest.mark.parametrize("form", FORMATS)
def test_the_list_of_conventions(capsys, form):
    """`archcalc conventions` has every convention with its tool and unit, in every format."""
    assert run(["conventions", "--format", form]) == 0
    out = capsys.readouterr().out.replace("\\_", "_").replace("\\allowbreak", "")
    for rule in counters():
        assert rule.name in out
        assert rule.unit in out
    assert "torch.utils.flop_counter.FlopCounterMode" in out.replace("{}", "")


def test_the_list_of_conventions_as_json(capsys):
    """The list as JSON has name, tool, unit, scale, rule and releases of each."""
    assert run(["conventions", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in data["conventions"]] == list(NAMES)
    for row in data["conventions"]:
        rule = counter(row.pop("name"))
        assert row.pop("releases") == list(rule.releases)
        assert row == {name: getattr(rule, name) for name in row}
        assert set(row) == {"tool", "unit", "scale", "rule"}


def test_the_page_of_a_convention(capsys):
    """The page says who counts, the batch, our own MACs, and the difference."""
    assert run(["lenet5", "--convention", "torch", "--batch", "2"]) == 0
    out = capsys.readouterr().out
    assert "batch 2: as torch.utils.flop_counter.FlopCounterMode 2.6 to " in out
    lines = {" ".join(line.split()) for line in out.splitlines()}
    assert "total FLOPs 1,666,080" in lines
    assert "our MACs, 2 FLOPs each 1,666,080" in lines
    assert "difference 0" in lines


def test_a_page_with_terms(capsys):
    """A layer's further terms stand below its MACs, each with its working."""
    assert run(["8x8x3 conv3-4 bn gap", "--convention", "fvcore"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "conv1 MACs (8*8*4)*(3*3*3) = 6,912 6,912" in lines
    assert "bn1 batch norm, 2 per unit 2*(8*8*4) = 512 512" in lines
    assert "gap1 adaptive average pooling, 1 per input unit 8*8*4 = 256 256" in lines
    assert "total flops 7,680" in lines
    assert "our MACs 6,912" in lines
    assert "difference 768" in lines


@pytest.mark.parametrize(
    ("name", "known", "release", "noted"),
    [
        ("torchinfo", "torchinfo", "1.8.0", False),
        ("torchinfo", "torchinfo", "1.8.1", True),
        ("torchinfo", "torchinfo", "1.7.0", True),
        ("torch", "torch", "2.6.0", False),
        ("torch", "torch", "2.15.3", False),
        ("torch", "torch", "2.10.1", False),
        ("torch", "torch", "2.5.1", True),
        ("torch", "torch", "1.13.1", True),
        ("torch", "torch", "3.0.0", True),
        ("torch", "torch", "2.16.0", True),
    ],
)
def test_a_release_that_nobody_compared_is_noted(name, known, release, noted):
    """Releases outside of those compared are named in a note, those inside are not."""
    note = _unknown(counter(name), Reading(known, release, {}, {}))
    assert bool(note) == noted
    if noted:
        assert f"{known} {release} is not among" in note
        assert counter(name).releases[0] in note


def test_a_counter_is_whole():
    """Every counter bears its name; a tool's says which package it is of, and how it is asked."""
    assert [rule.name for rule in counters()] == list(NAMES)
    assert [rule.name for rule in counters() if rule.tool] == list(TOOLS)
    for name in TOOLS:
        rule = counter(name)
        assert rule.package == name == rule.tool.partition(".")[0]
        assert rule.releases
        assert rule.readings
        assert set(rule.devices) <= {"meta", "cpu", "cuda"}
        assert "cpu" in rule.devices


@pytest.mark.parametrize("level", [logging.NOTSET, logging.INFO])
def test_a_logger_keeps_its_level(monkeypatch, level):
    """The logger of fvcore is quiet while it counts, and then, also after errors, as it was."""
    logger, (read,) = logging.getLogger("fvcore"), counter("fvcore").readings
    model = ac.twin("8x8x3 conv3-4")
    monkeypatch.setattr(logger, "level", level)
    levels = []
    model.conv1.register_forward_hook(lambda *_: levels.append(logger.level))
    read(model, torch.zeros(1, 3, 8, 8))
    assert set(levels) == {logging.ERROR}
    assert logger.level == level
    with pytest.raises(MeasurementError):
        read(model, torch.zeros(1, 5, 8, 8))
    assert logger.level == level


# --------------------------------------------------------------------------- against the tools

INPUTS = {1: "9x4", 2: "9x8x4", 3: "6x7x8x4"}
WORDS = (
    *("conv3-8", "conv3-8 nobias", "conv2-6/2p1", "conv3-8 d2 p0", "conv3-8 g2", "conv3-4 g4 d2"),
    *("conv1-4 g2 nobias", "convt3-6", "convt3-6/2 op1 p1", "convt2-8/2 g2 nobias", "convt3-4 d2"),
    *("pool2", "pool3/2p1", "pool2ceil", "pool3/1", "avgpool2", "avgpool3/2 p1", "avgpool3/1"),
    *("adaptiveavgpool3", "adaptiveavgpool1", "adaptivemaxpool3", "gap", "gmp"),
    *("fc-7", "fc-7 nobias", "bn", "bn noaffine", "ln", "ln noaffine", "gn2", "gn4 noaffine"),
    *("lrn", "lrn3", "lrn4", "drop.5", "flatten", "relu", "relu6", "leakyrelu.2", "elu", "elu.5"),
    *("selu", "gelu", "silu", "mish", "hardswish", "hardsigmoid", "softplus", "sigmoid", "tanh"),
    *("softmax", "logsoftmax"),
)
VECTORS = (
    *("fc-7", "bn", "bn noaffine", "ln", "gn2", "lrn", "relu", "softmax", "silu", "gelu"),
    *("drop.5", "flatten", "logsoftmax"),
)
JOINS = ("[conv1-3 | pool3/1 | id]", "(conv3-4 + id)", "(id * gap)", "(id * conv1-4 * relu)")


@pytest.mark.parametrize(
    "text",
    [
        *(f"{shape} {word}" for shape in INPUTS.values() for word in WORDS),
        *(f"9x8x4 flatten {word}" for word in VECTORS),
        *(f"9x8x4 {join}" for join in JOINS),
    ],
)
def test_single_layers(text):
    """A convention says of a layer what its tool itself reports, whatever the axes and batch."""
    network = load(text)
    for batch in (1, 3):
        found = verify(network, against=list(TOOLS), batch=batch)
        assert found.explained, found.complaint()
        seen = {check.witness for check in found.checks}
        assert seen == {"twin", *TOOLS}
        for check in found.checks:
            assert check.theirs == check.ours + sum(cause.amount for cause in check.causes())


@pytest.mark.parametrize(
    ("text", "batch"),
    [
        ("6x7x8x4 adaptiveavgpool7", 1),
        ("13x13x4 adaptiveavgpool3", 1),
        ("13x13x4 adaptiveavgpool3", 2),
    ],
)
def test_thop_computes_in_floats(text, batch):
    """Where thop's own floats end just below a whole number, the convention ends there too."""
    found = verify(load(text), against=["thop"], batch=batch)
    assert found.explained, found.complaint()


@pytest.mark.parametrize("name", ["fvcore", "torchinfo", "ptflops", "thop"])
def test_single_layers_have_something_to_explain(name):
    """Of the layers above, each tool counts many otherwise than we do."""
    explained = 0
    for word in (*WORDS[:7], *WORDS[-25:]):
        last = Case.of(load(f"9x8x4 {word}")).steps[-1]
        explained += any(term.cause != MACS for term in counter(name).terms(last))
    assert explained >= 3


@settings(max_examples=30)
@given(tangles())
def test_random_networks(network):
    """On random networks too, fvcore, ptflops and thop report what their conventions say."""
    for batch in (1, 3):
        found = verify(network, against=["fvcore", "ptflops", "thop"], batch=batch)
        assert found.explained, found.complaint()


def replaces(monkeypatch, rule):
    """Put a rule in the place of its counter's."""
    monkeypatch.setattr(import_module(f"archcalc.counters.{rule.name}"), "COUNTER", rule)


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("amount", [1, -1])
def test_a_wrong_convention_is_noticed(capsys, monkeypatch, name, amount):
    """A convention that is off by one in one layer fails, naming layer, tool and rest."""
    rule = counter(name)

    def wrong(step, batch):
        yield from rule.extras(step, batch)
        if step.name == "c5":
            yield Term("a mistake", count(amount))

    replaces(monkeypatch, rule._replace(extras=wrong))
    assert run(["verify", "lenet5", "--against", name]) == 1
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert err.startswith("archcalc: lenet5, c5: ")
    assert f" of {name} " in err
    assert err.endswith(f"{-amount} unexplained\n")
    assert "a mistake" in out
    found = verify(load("lenet5"), against=[name])
    assert not found.explained
    bad = [line for check in found.checks for line in check.unexplained]
    assert [(line.name, line.rest) for line in bad] == [("c5", -amount)]


def test_a_scale_that_is_wrong_is_noticed(monkeypatch):
    """A tool whose unit is taken for another one is unexplained in every layer with MACs."""
    replaces(monkeypatch, counter("fvcore")._replace(scale=2))
    found = verify(load("lenet5"), against=["fvcore"])
    assert {line.name for check in found.checks for line in check.unexplained} == {
        *("c1", "c3", "c5", "f6", "output")
    }
    assert integer(found.checks[2].theirs) == 416_520
