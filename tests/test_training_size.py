"""What is not of the assignment's size is named, by the experiment and by the report."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from archcalc.main import run
from training import cli
from training.engine.record import Record
from training.errors import TrainingError
from training.experiments import EXPERIMENTS, experiment, parts
from training.experiments.base import NOT_ASSIGNED, smaller
from training.experiments.batchnorm_dropout.experiment import BatchnormDropout
from training.experiments.dataset.experiment import Dataset
from training.experiments.dying_relu.experiment import DyingRelu
from training.experiments.fixed import ALL, all_of, at_least, at_most, exactly, one_of
from training.experiments.init.experiment import Init
from training.experiments.perceptron.experiment import Perceptron
from training.experiments.preset import Preset
from training.report.page import Page, Shown
from training.report.sources import Run

COMMITTED = Path(__file__).parent.parent / "tables" / "training"
FIXED = [(name, field) for name in EXPERIMENTS for field in experiment(name).question]


@pytest.fixture
def typed(monkeypatch):
    """What a command line gives: the name of what is run, and its options."""
    found = {}
    monkeypatch.setattr(cli, "_run", lambda name, given, **_: found.update({name: given}))

    def read(command):
        found.clear()
        first, *args = shlex.split(command)
        assert first == "archcalc"
        assert run(args) == 0
        (name_and_options,) = found.items()
        return name_and_options

    return read


# ------------------------------------------------------------------------- what a question fixes


@pytest.mark.parametrize(
    ("fixed", "met", "missed"),
    [
        (exactly(64), [64, 64.0], [63, 65, 64.5]),
        (exactly("mnist"), ["mnist"], ["digits", ""]),
        (exactly(1.0), [1, 1.0], [0.25]),
        (ALL, [0], [1, 60_000]),
        (at_least(1000), [1000, 1001], [3, 999]),
        (at_most(64), [16, 64], [65]),
        (all_of("relu", "leaky"), [("leaky", "relu"), ("relu", "id", "leaky")], [("relu",), ()]),
        (one_of(9, 10), [9, (9,), (3, 10)], [3, (8, 11), ()]),
        (one_of("ball", "mnist"), ["ball"], ["digits", "al"]),
    ],
)
def test_what_is_fixed_is_met_or_not(fixed, met, missed):
    """A requirement is met by what it says, and by nothing else."""
    assert all(fixed.met(value) for value in met)
    assert not any(fixed.met(value) for value in missed)


def as_asked(name):
    """An experiment at the assignment's size."""
    of = experiment(name)
    return of(preset="assignment") if issubclass(of, Preset) else of()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_is_as_asked_has_no_remark(name):
    """An experiment at the assignment's size departs from it in nothing and has no remark."""
    asked = as_asked(name)
    assert asked.departures() == {}
    assert asked.assignment
    assert asked.remark() == ""


# Words that some field takes and no question asks for in it.
OTHER = ("digits", "last", "he", "triangular", "decaying")


def others(value):
    """Values that could stand in the place of one."""
    match value:
        case tuple():
            yield from (tuple(one for one in value if one != out) for out in value)
            yield from ((word,) for word in (1, *OTHER))
        case str():
            yield from OTHER
        case _:
            yield from (0, 1, value - 1, value + 1, value // 2, value / 2)


@pytest.mark.parametrize(("name", "field"), FIXED)
def test_a_departure_is_seen(name, field):
    """Each field that a question fixes can depart from it, and is then named with its value."""
    asked, seen = as_asked(name), 0
    for value in others(getattr(asked, field)):
        try:
            other = replace(asked, **{field: value})
        except (TrainingError, TypeError):
            continue
        if other.departures():
            seen += 1
            (departing,) = other.departures()
            assert departing == field
            assert not other.assignment
            assert f"--{field.replace('_', '-')} " in other.remark()
            assert other.remark().endswith(
                f", not {asked.question[field].wording}: {NOT_ASSIGNED}."
            )
    assert seen


BORDERS = {
    Perceptron: [
        ("sets", [2, 5000], [1]),
        ("points", [], [19, 21]),
        ("test_points", [], [999, 1001]),
        ("loss", [("hinge", "perceptron")], [("hinge",), ("perceptron",)]),
        ("epochs", [1], []),
        ("rate", [(0.5,)], []),
        ("seed", [1], []),
    ],
    Init: [
        ("setting", ["ball", "mnist"], ["digits"]),
        ("activation", [("tanh", "sigmoid", "relu")], [("tanh", "relu"), ("id",)]),
        (
            "init",
            [("normal.1", "he", "normal1", "glorot")],
            [("normal.1", "he", "glorot"), ("normal.1", "normal1", "he")],
        ),
        ("networks", [1], []),
    ],
    DyingRelu: [
        ("activation", [("leaky", "relu")], [("relu",), ("leaky",)]),
        ("function", [("step",)], []),
        ("hidden_layers", [(9,), (10,), (3, 9)], [(8,), (8, 11)]),
        ("width", [], [1, 3]),
        ("simulations", [1000, 1001], [3, 999]),
        ("points", [], [2999, 3001]),
        ("batch", [], [63, 65]),
        ("epochs", [1], [0]),
        ("init", [("rai",)], []),
        ("born", [0], []),
    ],
    BatchnormDropout: [
        ("dataset", [], ["digits", "fashion-mnist", "own.npz"]),
        (
            "variant",
            [("bn", "bn-input", "dropout", "both")],
            [
                ("bn", "bn-pixel", "dropout", "both"),
                *(("bn-input", "dropout", "both"), ("bn", "bn-input", "both")),
                ("bn", "bn-input", "dropout"),
            ],
        ),
        ("dropout_placement", [("conv",), ("last", "dense")], [("last",)]),
        ("epochs", [1], [0]),
        ("examples", [], [3000]),
        ("validation", [], [5000]),
        ("test_examples", [], [2000]),
        ("seeds", [1], []),
        ("augment", ["shift2"], []),
    ],
    Dataset: [
        ("dataset", [], ["mnist", "digits"]),
        ("classes", [(4, 5, 6), (0, 1, 2, 3)], [(0, 1)]),
        ("validation", [1], []),
    ],
}
SIDES = [
    (of, field, value, departs)
    for of, fields in BORDERS.items()
    for field, fine, wrong in fields
    for departs, values in ((False, fine), (True, wrong))
    for value in values
]


@pytest.mark.parametrize(("of", "field", "value", "departs"), SIDES)
def test_a_question_is_taken_at_its_word(of, field, value, departs):
    """A question fixes what it says, on either side of the border; the rest is free."""
    assert list(of(**{field: value}).departures()) == [field] * departs


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (DyingRelu(simulations=3), "--simulations 3, not 1,000 or more"),
        (Perceptron(sets=1), "--sets 1, not 2 or more"),
        (BatchnormDropout(epochs=0), "--epochs 0, not 1 or more"),
        (
            BatchnormDropout(dataset="digits", examples=3000, variant=("plain", "bn")),
            "--dataset digits, not mnist; "
            "--variant plain,bn, not all of bn, bn-input, dropout, both; "
            "--examples 3,000, not all",
        ),
        (Dataset(classes=(0, 1)), "--classes 0,1, not 3 or more"),
    ],
)
def test_a_remark_is_a_sentence_for_people(made, said):
    """A remark names each option that departs, its value, and what the question asks."""
    assert made.remark() == f"{said}: {NOT_ASSIGNED}."


@dataclass(frozen=True, kw_only=True)
class Sized(Preset):
    """What has presets."""

    name = "sized"
    presets: ClassVar = {
        preset: {"examples": examples, "validation": 9, "test_examples": 0, "size": size}
        | {"seeds": 1, "precision": "fp32"}
        for preset, examples, size in (("quick", 50, 8), ("full", 0, 32))
    }
    question = {"size": exactly(32), "examples": ALL}


@dataclass(frozen=True, kw_only=True)
class Batched(Sized):
    """What its question fixes besides."""

    question = Sized.question | {"batch": exactly(64)}


def test_a_preset_is_compared_by_what_it_gives():
    """Fields that a preset fills are compared like those that are given, the base's among them."""
    assert list(Sized().departures()) == ["size", "examples"]
    assert Sized(preset="full").assignment
    assert Sized(size=32, examples=0).assignment
    assert Batched(preset="full").assignment
    assert list(Batched(preset="full", batch=32).departures()) == ["batch"]
    assert list(Batched(preset="full", size=16).departures()) == ["size"]


# ------------------------------------------------------------------------------ the command of all


@pytest.mark.parametrize(
    "made",
    [
        *(of(**{field: value}) for of, field, value, departs in SIDES if departs),
        DyingRelu(simulations=3, points=10, batch=5, width=7, epochs=0, hidden_layers=(1,)),
        Init(setting="digits", activation=("relu",), init=("he",), networks=3, seed=4),
        BatchnormDropout(dataset="digits", examples=99, variant=("plain",), epochs=0, seeds=2),
    ],
)
def test_the_full_command_departs_in_nothing(typed, made):
    """The full command is one that can be typed; it changes what departs, and nothing else."""
    name, given = typed(made.full())
    full = experiment(name)(**given)
    assert full.departures() == {}
    for one in made.settings():
        if one.name not in made.departures():
            assert getattr(full, one.name) == getattr(made, one.name)


def test_digits_stand_in_for_mnist():
    """At full size, what was looked at on digits is looked at on MNIST, and not on the ball."""
    assert Init(setting="digits").full() == "archcalc training init --setting mnist"


# -------------------------------------------------------------------------------------- the report


def made_of(name, folder, **changed):
    """A part's run in a folder, its configuration changed, without any arrays."""
    record = Record.read(COMMITTED / name)
    other = Record(record.experiment, {**record.configuration, **changed})
    other.about = record.about
    (folder / name).mkdir()
    other.save(folder / name)
    return Run(name, folder)


QUESTIONS = [
    *("perceptron", "init-ball", "init-mnist", "dying-relu", "batchnorm-dropout", "dataset"),
    *("dying-relu-functions", "batchnorm-dropout-placement"),
]


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_committed_is_of_the_assignments_size(name):
    """Committed runs that a CPU has time for are as large as asked, in all that they are about."""
    assert Run(name, COMMITTED).remark == ""


def test_what_a_part_is_about_is_no_departure(tmp_path):
    """A part that is about ReLU alone does not depart in that, but does in all else."""
    chosen = parts.MORE["dying-relu-functions"].more
    assert list(DyingRelu(**chosen).departures()) == ["activation"]
    few = made_of("dying-relu-functions", tmp_path, simulations=3)
    assert few.remark == smaller(["--simulations 3, not 1,000 or more"])
    (tmp_path / "other").mkdir()
    leaky = made_of("dying-relu-functions", tmp_path / "other", activation=["leaky"])
    assert leaky.remark == smaller(["--activation leaky, not all of relu, leaky"])


@pytest.mark.parametrize("name", parts.EVERY)
def test_the_full_command_of_a_part_is_of_the_assignments_size(typed, name):
    """The command that a smaller run names departs in nothing but what its part is about."""
    of, given = typed(Run(name, COMMITTED).full)
    if of in EXPERIMENTS:
        full, more = experiment(of)(**given), parts.EVERY[name].more
        assert full.departures().keys() <= more.keys()
        assert all(getattr(full, field) == value for field, value in more.items())


def test_the_report_says_what_is_smaller(tmp_path):
    """A smaller run's question is listed, and what departs is told with the run and the command."""
    page = Page(tmp_path, tmp_path / "page.md", "markdown")
    page.question_link = "the question"
    few = made_of("perceptron", tmp_path, sets=1, points=3)
    for _ in range(2):  # tables of one run
        Shown(page, few)._cite("accuracy")
    said = smaller(["--sets 1, not 2 or more", "--points 3, not 20"])
    ((link, told),) = page.made.items()
    assert link == "[perceptron](#run-perceptron)"
    assert told == f" ({said}; at full size **not run**: `archcalc training perceptron`)"
    assert page.smaller == ["the question"]
    assert page.absent == {"archcalc training perceptron": ["the question"]}
    page.question_link = "another"
    page.made = {}
    Shown(page, Run("perceptron", COMMITTED))._cite("accuracy")
    assert page.made == {link: ""}
    assert page.smaller == ["the question"]
