"""The committed results of the experiments are what their records say, at the assignments' size."""

import json
import math
import re
from pathlib import Path
from statistics import fmean

import pytest

from training.engine.record import FILE, Record
from training.experiments import EXPERIMENTS, runner
from training.experiments.minigooglenet import finders

COMMITTED = Path(__file__).parent.parent / "tables" / "training"
FOLDERS = sorted(path.parent for path in COMMITTED.glob(f"*/{FILE}"))
named = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def test_every_experiment_has_results():
    """Each experiment has a committed record, and each folder and file is of one."""
    assert {Record.read(folder).experiment for folder in FOLDERS} == set(EXPERIMENTS)
    assert {path for path in COMMITTED.iterdir() if path.is_dir()} == set(FOLDERS)


@named
def test_the_page_is_drawn_from_the_record(folder):
    """A committed page is, letter for letter, what its record and the program give today."""
    record = runner.shown(Record.read(folder))
    assert (folder / "README.md").exists() == record.finished  # else nothing can be told yet
    page = (folder / "README.md").read_text() if record.finished else ""
    pictures = re.findall(r"!\[(.+?)\]\(\1\.png\)", page)
    assert not record.finished or runner.page(record, pictures) == page
    assert {f"{name}.png" for name in pictures} == {path.name for path in folder.glob("*.png")}


@named
def test_the_numbers_are_the_records(folder):
    """Committed results equal those computed from the record, but for rounding."""
    record = runner.shown(Record.read(folder))
    assert (folder / "results.json").exists() == record.finished
    if record.finished:
        ours = json.loads(json.dumps(runner.results(record)))
        assert same(ours, json.loads((folder / "results.json").read_text()))


def same(a, b):
    """Whether two JSON documents are equal, floats to eleven digits."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-11, abs_tol=1e-15)
    return a == b


def test_the_comparison_can_fail():
    """A number that is off by a millionth is noticed."""
    assert same({"a": [1.0, "b"]}, {"a": [1.0, "b"]})
    assert not same({"a": [1.0, "b"]}, {"a": [1.000001, "b"]})
    assert not same({"a": [1.0]}, {"a": [1.0, 2.0]})


@named
def test_a_record_says_where_it_comes_from(folder):
    """A record, and each task's, names command, versions, hardware, a clean commit, and time."""
    record = Record.read(folder)
    assert record.finished or record.tasks
    assert record.seconds > 0
    assert record.about["command"] == runner.experiment_of(record).command()
    for about in (record.about, *record.tasks.values()):
        assert about["command"].startswith("archcalc training ")
        assert about["hardware"]
        assert re.fullmatch(r"[0-9a-f]{12}", about["commit"])
        assert {"python", "torch", "numpy", "archcalc"} <= set(about["versions"])


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("perceptron", {"sets": 1000, "points": 20, "test_points": 1000, "epochs": 1000}),
        ("init-ball", {"setting": "ball", "examples": 1000}),
        ("init-mnist", {"setting": "mnist", "examples": 1000}),
        (
            "dying-relu",
            {
                "activation": ["relu", "leaky"],
                "hidden_layers": [9, 10],
                "width": 2,
                "simulations": 1000,
                "points": 3000,
                "batch": 64,
            },
        ),
        (
            "dying-relu-functions",
            {
                "function": ["abs", "xsin5x", "step"],
                "init": ["he", "torch", "glorot", "rai"],
                "simulations": 1000,
                "points": 3000,
            },
        ),
        (
            "batchnorm-dropout",
            {
                "dataset": "mnist",
                "variant": ["plain", "bn", "bn-input", "bn-pixel", "dropout", "both"],
                "validation": 0,
                "augment": "",
            },
        ),
        (
            "batchnorm-dropout-placement",
            {
                "dataset": "mnist",
                "variant": ["dropout", "both"],
                "dropout_placement": ["dense", "conv", "before", "last"],
                "validation": 0,
            },
        ),
    ],
)
def test_results_have_the_assignments_size(name, size):
    """What is committed was run at the size that the assignments ask for."""
    configuration = Record.read(COMMITTED / name).configuration
    assert {key: configuration[key] for key in size} == size


def collapsed(folder, **group):
    """The curve of collapsed fractions of a group, with their intervals."""
    groups = runner.results(Record.read(folder))["results"]["groups"]
    (found,) = [g for g in groups if all(g[key] == value for key, value in group.items())]
    return [point["collapsed"] for point in found["curve"]]


@pytest.mark.parametrize("hidden", [9, 10])
def test_nine_of_ten_networks_collapse(hidden):
    """He's initialization: over 90 % of 1,000 ReLU networks end constant, and no leaky one."""
    relu = collapsed(COMMITTED / "dying-relu", activation="relu", hidden=hidden)
    assert relu[-1][0] > 0.9
    assert all(later[0] >= relu[0][0] for later in relu)
    assert {
        point[0] for point in collapsed(COMMITTED / "dying-relu", activation="leaky", hidden=hidden)
    } == {0.0}


def test_born_dead_fractions_lie_inside_the_bounds():
    """Width 2, 10 and 11 layers: 20,000 networks are born dead as often as Lu et al. prove."""
    birth = runner.results(Record.read(COMMITTED / "dying-relu"))["results"]["birth"]
    rows = {(row["width"], row["layers"]): row for row in birth}
    for layers in (10, 11):
        row = rows[2, layers]
        assert row["lower"] <= row["born_dead"][0] <= row["upper"]


# On the test images of MNIST, in at most twenty epochs; seeds, as a CPU has time for few.
BARS = {
    "plain": 0.988,
    "bn": 0.989,
    "bn-input": 0.989,
    "bn-pixel": 0.989,
    "dropout": 0.985,
    "both": 0.987,
}


@pytest.mark.parametrize("variant", BARS)
def test_lenet_reaches_its_bar(variant):
    """Every variant of LeNet-5, dropout in its dense layers, has the mean accuracy it should."""
    record = Record.read(COMMITTED / "batchnorm-dropout")
    assert record.configuration["epochs"] <= 20
    assert record.configuration["seeds"] >= 3
    groups = runner.results(record)["results"]["groups"]
    (found,) = [g for g in groups if g["variant"] == variant and g["placement"] in {"", "dense"}]
    accuracy = found["final"]["test_accuracy"]
    assert accuracy["mean"][0] >= BARS[variant]
    each = [
        record.arrays[f"{found['name']}/seed{seed}/test_accuracy"][-1]
        for seed in range(record.configuration["seeds"])
    ]
    assert accuracy["mean"][0] == pytest.approx(fmean(map(float, each)), abs=1e-6)
    assert all(round(10_000 * float(one), 3).is_integer() for one in each)  # of 10,000 images


# Of the experiments with MiniGoogLeNet a CPU has time for a small version.
SMALLER = (
    "lr-finder",
    "cyclical-lr",
    "batch-size-grow",
    "batch-finder",
    "cyclical-batch",
)


@pytest.mark.parametrize("name", SMALLER)
def test_a_smaller_run_says_so(name):
    """A page of a run that is not the assignment's says it below every table, and its figures."""
    record = Record.read(COMMITTED / name)
    assert record.configuration["preset"] == "quick"
    page = (COMMITTED / name / "README.md").read_text()
    assert page.count("not the assignment's size.\n") == page.count("\n### ") > 1
    assert "not the assignment's size" in runner.experiment_of(record).short()  # below figures
    index = (COMMITTED / "README.md").read_text()
    assert index.count("rate-and-batch --preset assignment` | | not run |") == 1


@pytest.mark.parametrize("name", SMALLER)
def test_what_was_predicted_was_measured(name):
    """Parameters and FLOPs are measured as archcalc predicts them, memory within a hundredth."""
    cost = Record.read(COMMITTED / name).about["cost"]
    ours, theirs = cost["predicted"], cost["measured"]
    assert ours["parameters"] == theirs["parameters"]
    assert ours["training"] == theirs["training"]
    assert ours["memory"] <= theirs["memory"] <= 1.01 * ours["memory"]


@pytest.mark.parametrize("finder", finders.KEYS)
def test_usual_values_are_what_the_finders_read(finder):
    """What the quick preset takes for rates and batches is what the committed finders read."""
    found = runner.results(Record.read(COMMITTED / finder))["results"]
    usual = finders.QUICK_RATES | finders.QUICK_BATCHES
    for key in finders.KEYS[finder]:
        assert found[key] == usual[key]


def test_later_parts_use_what_the_finders_read():
    """The committed runs between rates and batches are between those that were found."""
    for name in SMALLER[1:]:
        given = Record.read(COMMITTED / name).configuration
        assert {key: given[key] for key in finders.QUICK_RATES} == finders.QUICK_RATES
    given = Record.read(COMMITTED / "cyclical-batch").configuration
    assert {key: given[key] for key in finders.QUICK_BATCHES} == finders.QUICK_BATCHES


def test_fashion_mnist_is_as_large_as_the_assignment_says():
    """70,000 images, 60,000 to train, of them 1,000 held out; 7,000 of each of ten classes."""
    found = runner.results(Record.read(COMMITTED / "dataset"))["results"]
    assert found["sizes"] == {
        "train": 59_000,
        "validation": 1000,
        "test": 10_000,
        "total": 70_000,
    }
    assert [row["total"] for row in found["classes"]] == [7000] * 10
    assert len(found["shown"]) == 3
