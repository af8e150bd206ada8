# ruff: noqa: TID253 - these tests are of what needs torch
"""What a person types and gets: help, one line for what is wrong, JSON, pages and pictures."""

import dataclasses
import io
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.image import imread

import training
from archcalc.main import run
from training import chain, cli, experiments
from training.engine import datasets
from training.engine.record import DONE, FILE, TASKS, Record
from training.errors import TrainingError
from training.experiments import EXPERIMENTS, experiment, runner
from training.options import heading

MINI = "--dataset digits --examples 64 --validation 40 --test-examples 40 --width 0.05 --size 8"
ROWS = (
    "--dataset digits --examples 64 --validation 40 --test-examples 40 --width 5 --size 8 "
    "--method adagrad,adam --rate 0.001,0.1"
)
TINY = {
    "perceptron": "--sets 6 --points 4 --test-points 9 --epochs 3",
    "init": "--networks 2 --examples 30 --activation tanh --init he",
    "dying-relu": "--simulations 6 --points 64 --epochs 3 --hidden-layers 2,3 --born 9",
    "batchnorm-dropout": "--dataset digits --seeds 2 --epochs 1 --batch 26 --variant plain,both",
    "dataset": "digits --validation 300",
    "lr-finder": f"{MINI} --seeds 1 --candidates 3 --epochs 1 --sweep 1",
    "cyclical-lr": f"{MINI} --seeds 2 --epochs 2 --step 1 --policy exp_range,one-cycle",
    "batch-size": f"{MINI} --seeds 1 --largest 64 --hold 1it",
    "batch-finder": f"{MINI} --seeds 1 --smallest 16 --largest 32 --trial 1",
    "cyclical-batch": f"{MINI} --seeds 1 --epochs 2 --step 1 --b-min 8 --b-max 32",
    "optimizers": f"{ROWS} --seeds 2 --search-epochs 1 --epochs 2",
}
# The options of every experiment with MiniGoogLeNet.
NETWORK = {
    "preset": ("full", "full"),
    "dataset": ("my own.npz", "my own.npz"),
    "examples": ("99", 99),
    "validation": ("9", 9),
    "test_examples": ("8", 8),
    "width": ("0.5", 0.5),
    "size": ("20", 20),
    "augment": ("flip, shift2", "shift2,flip"),
    "batch": ("32", 32),
    "momentum": ("0.5", 0.5),
    "seeds": ("4", 4),
    "precision": ("bf16", "bf16"),
    "micro_batch": ("16", 16),
    "data_dir": ("somewhere", "somewhere"),
    "seed": ("12", 12),
}
RATES = {
    "lr_min": ("1e-4", 1e-4),
    "lr_max": ("0.5", 0.5),
    "epochs": ("3", 3),
    "step": ("7", 7),
    "decay": ("0.25", 0.25),
}
# An option of every setting, with a value that is not its default, as it is typed and as it is.
TYPED = {
    "perceptron": {
        "sets": ("7", 7),
        "points": ("5", 5),
        "test_points": ("8", 8),
        "epochs": ("4", 4),
        "loss": ("hinge", ("hinge",)),
        "rate": ("0.5, 2e-1", (0.5, 0.2)),
        "seed": ("12", 12),
    },
    "init": {
        "setting": ("mnist", "mnist"),
        "activation": ("tanh,leakyrelu.2", ("tanh", "leakyrelu.2")),
        "init": ("he , normal.03", ("he", "normal.03")),
        "networks": ("3", 3),
        "examples": ("31", 31),
        "data_dir": ("somewhere", "somewhere"),
        "seed": ("12", 12),
    },
    "dying-relu": {
        "activation": ("leaky", ("leaky",)),
        "function": ("step,abs", ("step", "abs")),
        "hidden_layers": ("3, 1", (3, 1)),
        "width": ("3", 3),
        "init": ("rai,torch", ("rai", "torch")),
        "simulations": ("7", 7),
        "points": ("65", 65),
        "batch": ("32", 32),
        "epochs": ("0", 0),
        "born": ("9", 9),
        "seed": ("12", 12),
    },
    "batchnorm-dropout": {
        "dataset": ("my own.npz", "my own.npz"),
        "variant": ("bn, both", ("bn", "both")),
        "dropout_placement": ("last,before", ("last", "before")),
        "seeds": ("3", 3),
        "epochs": ("0", 0),
        "batch": ("32", 32),
        "rate": ("1e-2", 0.01),
        "augment": ("flip, shift3", "shift3,flip"),
        "examples": ("99", 99),
        "validation": ("9", 9),
        "test_examples": ("8", 8),
        "data_dir": ("somewhere", "somewhere"),
        "seed": ("12", 12),
    },
    "dataset": {
        "dataset": ("my own.npz", "my own.npz"),
        "validation": ("9", 9),
        "classes": ("4, 2", (4, 2)),
        "data_dir": ("somewhere", "somewhere"),
        "seed": ("12", 12),
    },
    "lr-finder": {
        "candidates": ("7", 7),
        "epochs": ("3", 3),
        "sweep": ("2", 2),
        "lr_min": ("1e-4", 1e-4),
        "lr_max": ("0.5", 0.5),
        **NETWORK,
    },
    "cyclical-lr": {"policy": ("one-cycle, exp_range", ("one-cycle", "exp_range"))}
    | RATES
    | NETWORK,
    "batch-size": {
        "policy": ("halve", ("halve",)),
        "smallest": ("4", 4),
        "largest": ("256", 256),
        "hold": ("2ep", "2ep"),
        **RATES,
        **NETWORK,
    },
    "batch-finder": {"smallest": ("4", 4), "largest": ("256", 256), "trial": ("2", 2)}
    | RATES
    | NETWORK,
    "cyclical-batch": {
        "policy": ("decaying", ("decaying",)),
        "b_min": ("4", 4),
        "b_max": ("256", 256),
        **RATES,
        **NETWORK,
    },
}
TYPED["optimizers"] = {
    "method": ("adam, sgd-nesterov", ("adam", "sgd-nesterov")),
    "dropout": ("with", ("with",)),
    "rate": ("0.1, 1e-3", (0.001, 0.1)),
    "widen": ("5", 5),
    "search_epochs": ("3", 3),
    "epochs": ("4", 4),
    "weight_decay": ("0", 0.0),
    **{k: v for k, v in NETWORK.items() if k not in {"augment", "momentum", "micro_batch"}},
    "width": ("20", 20),
}
# A folder of another run, whose results an option takes; a test of its own.
FOUND = {"lr_finder", "batch_finder", "cyclical_lr"}
# An option that decides what others have where nothing is said.
DECISIVE = {"setting", "preset", "policy"}
# Experiments whose cost nobody predicts.
FEW = {"perceptron", "init", "dying-relu", "batchnorm-dropout", "dataset"}
ALONE = ("dataset", "dataset")
# Options that say how and where, not what.
COMMON = {
    *("output", "device", "json", "tasks", "status", "only"),
    *("resume", "overwrite", "checkpoint-every", "help"),
}
# Those with a theory that needs no run.
EXPLAINED = {"optimizers"}
every = pytest.mark.parametrize("name", EXPERIMENTS)


@pytest.fixture
def bare(monkeypatch):
    """Runs write their record alone, neither page nor figures."""
    monkeypatch.setattr(runner, "write", lambda *_: None)


def option(setting):
    """How the option of a setting is written."""
    return f"--{setting.replace('_', '-')}"


def typed(name, setting, text):
    """The words that give a setting a value; what stands on its own has no option."""
    return [text] if (name, setting) == ALONE else [option(setting), text]


def made(*args):
    """The experiment of a command line, and what else it asks for."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "run", lambda what, where, **how: found.append((what, where, how)))
        assert run(["training", *args]) == 0
    return found[0]


def is_one_line(message):
    """Whether it is one line of archcalc's that no terminal can take for more than text."""
    start, line, end = message[:10], message[10:-1], message[-1:]
    return start == "archcalc: " and end == "\n" and line.isprintable() and line == line.strip()


def contents(folder):
    """Everything below a folder, and what is in its files."""
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


# -------------------------------------------------------------------------------------------- help


@cache
def shown(*args):
    """What a command shows on a wide terminal."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setenv("COLUMNS", "200")
        patch.setenv("TERMINAL_WIDTH", "200")
        patch.setattr("typer.rich_utils.MAX_WIDTH", 200)
        assert run(["training", *args]) == 0
    return out.getvalue()


def options(name):
    """The options that a command's help shows, and the default of each, as it is written."""
    found = {}
    for line in shown(name, "--help").splitlines():
        match = re.match(r"│ --([a-z-]+) ", line)
        if re.match(r"│ +NAME ", line):
            found[(last := "dataset")] = None
        if match:
            last = match[1]
            found[last] = None
        default = re.search(r"\[default: (.*?)\]", line)
        if default:
            found[last] = default[1]
    return found


@every
def test_every_setting_has_an_option(name):
    """The options of a command are the fields of its experiment, and those common to all."""
    settings = {one.name.replace("_", "-") for one in dataclasses.fields(experiment(name))}
    assert settings == options(name).keys() - COMMON - {"explain"}
    assert ("explain" in options(name)) == (name in EXPLAINED)
    assert options(name).keys() >= COMMON
    assert {one.replace("_", "-") for one in {*TYPED[name], *FOUND}} >= settings
    assert {one.replace("_", "-") for one in TYPED[name]} == settings - {
        one.replace("_", "-") for one in FOUND
    }


def fields(name):
    """What is read of an experiment's class, which is not run."""
    return training.options.options(*EXPERIMENTS[name])


@every
def test_what_is_read_of_a_class_is_what_it_has(name):
    """A class that is read has the fields, types and heading that it has once it is imported."""
    kinds = {one.name: one.type for one in dataclasses.fields(experiment(name))}
    assert {field: one.kind for field, one in fields(name).items()} == kinds
    assert {*kinds.values()} <= {*cli.TYPES}
    folder = sys.modules[experiment(name).__module__.rpartition(".")[0]]
    assert heading(EXPERIMENTS[name][0]) == folder.__doc__.splitlines()[0]


@every
def test_every_option_has_a_sentence(name):
    """An option's help is its docstring's: a letter first, a full stop last, no markup."""
    for field, one in fields(name).items():
        assert re.fullmatch(r"[A-Za-z][^`]+\.", one.meaning), (field, one.meaning)
        assert one.meaning.removesuffix(training.options.OF_PRESET).endswith(".")
        assert "  " not in one.meaning
        assert " ".join(one.meaning.split()[:4]) in shown(name, "--help")


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [
        ("batchnorm-dropout", "dropout_placement", "Some of dense, conv, before, last."),
        ("batchnorm-dropout", "dataset", f"One of {', '.join(datasets.NAMES)}, or a .npz file."),
        ("lr-finder", "precision", "fp32, bf16, or on a GPU tf32. The preset has its own."),
        ("init", "init", "Initializers; the setting's own if none is named."),
    ],
)
def test_what_a_docstring_refers_to_is_listed_or_left_out(name, field, words):
    """Help lists the words of a table, here or elsewhere, and leaves out where to read more."""
    assert fields(name)[field].meaning == words


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("rate-and-batch", {*NETWORK, "lr_min", "lr_max", "b_min", "b_max"}),
        ("all", {"preset", "data_dir", "seed"}),
    ],
)
def test_the_options_of_several_experiments(name, own):
    """Who runs several experiments has the options that all of them or the finders are given."""
    assert options(name).keys() - COMMON == {one.replace("_", "-") for one in own}
    assert options(name).keys() >= COMMON
    assert options(name)["preset"] == chain.QUICK


@every
def test_the_defaults_shown_are_those_of_the_class(name):
    """A default in the help is what the experiment's class has, whichever field it is of."""
    for one in dataclasses.fields(experiment(name)):
        said = options(name)[one.name.replace("_", "-")]
        value = one.default
        if value in (None, (), ""):
            assert not said, one.name
        elif isinstance(value, tuple):
            assert tuple(type(value[0])(word) for word in said.split(",")) == value, one.name
        else:
            assert type(value)(said) == value, one.name
    common = {option: options(name)[option] for option in COMMON}
    assert common.pop("device") == "auto"
    assert float(common.pop("checkpoint-every")) == runner.KEEP
    assert set(common.values()) == {None}


@every
def test_without_options_the_class_decides(name):
    """A command without options runs its class as it is, where the configuration says."""
    what, where, how = made(name)
    assert what == experiment(name)()
    assert where is None
    assert how == {"device": "auto", "resume": False, "overwrite": False, "keep": runner.KEEP}


@pytest.mark.parametrize(
    ("name", "setting"), [(name, setting) for name, typed in TYPED.items() for setting in typed]
)
def test_an_option_sets_its_field_alone(name, setting):
    """What is typed behind an option is the value of its field, and changes no other."""
    text, value = TYPED[name][setting]
    full = ("--b-min", "2", "--b-max", "4") if text == "full" and "b_min" in TYPED[name] else ()
    what, _, _ = made(name, *typed(name, setting, text), *full)
    assert getattr(what, setting) == value != getattr(experiment(name)(), setting)
    if setting not in DECISIVE:
        usual = experiment(name)()
        others = {one.name for one in dataclasses.fields(what)} - {setting}
        assert [one for one in others if getattr(what, one) != getattr(usual, one)] == []


@every
def test_the_other_options_are_told_to_the_run(name):
    """Where, on which device, how often kept, resumed or overwritten: a run hears what is typed."""
    args = ("--output", "a b", "--device", "cpu", "--checkpoint-every", "0.25")
    _, where, how = made(name, *args, "--resume")
    assert where == Path("a b")
    assert how == {"device": "cpu", "resume": True, "overwrite": False, "keep": 0.25}
    assert made(name, "--overwrite")[2]["overwrite"] is True


@pytest.mark.parametrize(
    ("typed", "tasks"),
    [("adam/dropout", ("adam/dropout",)), ("b , a/seed0", ("b", "a/seed0"))],
)
def test_a_run_hears_which_tasks_are_named(typed, tasks):
    """`--only` names the tasks that are run; where it is not typed, nothing is said of any."""
    assert made("optimizers", "--only", typed)[2]["only"] == tasks
    assert "only" not in made("optimizers")[2]


@pytest.mark.parametrize("listing", ["tasks", "status"])
@pytest.mark.parametrize(
    ("name", "place"),
    [("optimizers", None), ("rate-and-batch", "rate-and-batch"), ("all", "all-quick")],
)
def test_tasks_are_listed_and_nothing_is_run(monkeypatch, capsys, listing, name, place):
    """`--tasks` and `--status` show what the overview says of the run's folder, and run nothing."""
    heard = []

    def listed(*what, **how):
        heard.append((what, how))
        return ["a task"], {"tasks": ["a"]}

    monkeypatch.setattr(runner, "run", None)
    overview = SimpleNamespace(overview=listed)
    monkeypatch.setattr(experiments, "overview", overview, raising=False)
    monkeypatch.setitem(sys.modules, "training.experiments.overview", overview)
    monkeypatch.setattr(chain, "overview", listed, raising=False)
    line = ["training", name, "--seed", "3", "--device", "cpu", f"--{listing}"]
    assert run(line) == run([*line, "--json"]) == run([*line, "--output", "x"]) == 0
    assert capsys.readouterr().out.startswith('a task\n{\n  "tasks": [')
    if place is None:
        what = (experiment(name)(seed=3),)
        places = [None, None, Path("x")]
    else:
        what = name, {"preset": chain.QUICK, "seed": 3}
        places = [runner.RUNS / place, runner.RUNS / place, Path("x")]
    how = {"device": "cpu", "status": listing == "status"}
    assert heard == [((*what, place), how) for place in places]


def test_the_help_names_every_experiment(capsys):
    """The commands are the experiments, their chains, and the drawing of tables, a line each."""
    listed = re.findall(r"^│ ([a-z][a-z-]*) +(\S.+?) +│$", shown("--help"), re.MULTILINE)
    assert {name for name, _ in listed} == {*EXPERIMENTS, *chain.CHAINS, "tables", "report"}
    assert not capsys.readouterr().err


def test_no_command_is_a_question(capsys):
    """`archcalc training` alone shows the help, with the status of an error."""
    assert run(["training"]) == 2
    bare = capsys.readouterr()
    assert run(["training", "--help"]) == 0
    assert capsys.readouterr().out == bare.out
    assert "dying-relu" in bare.out
    assert not bare.err


def test_both_ways_to_call_are_the_same(capsys):
    """`python -m training` and `archcalc training` show the same but for their own names."""
    args = ["dying-relu", "--help"]
    assert run(["training", *args]) == 0
    one = capsys.readouterr().out
    assert cli.run(args) == 0
    other = capsys.readouterr().out
    assert "Usage: archcalc training dying-relu" in one
    assert "Usage: python -m training dying-relu" in other
    there, here = (text.partition("dying-relu")[2].split() for text in (one, other))
    assert there == here


# ---------------------------------------------------------------------------- what must be there


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
HEAVY = ("torch", "torchvision", "numpy", "matplotlib", "numba")
LOADED = """
import atexit, sys
atexit.register(lambda: sys.__stderr__.write("loaded " + " ".join(sys.modules)))
"""


@pytest.fixture(scope="module")
def hiding(tmp_path_factory):
    """A folder that hides the packages which HIDDEN names from an interpreter."""
    folder = tmp_path_factory.mktemp("hiding")
    (folder / "sitecustomize.py").write_text(HIDE)
    return folder


def fresh(folder, args, hidden=""):
    """Run a command in an interpreter of its own, with a folder's sitecustomize."""
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "HIDDEN": hidden}
    command = [sys.executable, "-m", *args]
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=60, check=False, cwd=folder
    )


@pytest.mark.parametrize(
    ("program", "missing"),
    [
        ("archcalc training dying-relu", "torch"),
        ("training perceptron", "numpy"),
        ("archcalc training init", "matplotlib"),
        ("training tables", "torch"),
    ],
)
def test_what_is_missing_is_said(hiding, program, missing):
    """Without torch, numpy or matplotlib a command ends with 1 and says how to install it."""
    done = fresh(hiding, program.split(), missing)
    assert done.returncode == 1
    assert not done.stdout
    assert is_one_line(done.stderr), done.stderr
    assert missing in done.stderr
    assert "pip install 'archcalc[training]'" in done.stderr
    assert not (hiding / "runs").exists()


def test_images_need_torchvision(tmp_path, monkeypatch, capsys):
    """Without torchvision the setting that needs it ends with 1 and says how to install it."""
    monkeypatch.setitem(sys.modules, "torchvision", None)
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    args = ["init", "--setting", "mnist", "--data-dir", str(tmp_path)]
    assert run(["training", *args, "--output", str(tmp_path / "run")]) == 1
    assert "pip install 'archcalc[training]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    ["archcalc training --help", "archcalc training dying-relu --help", "training init -h"],
)
def test_help_needs_nothing_heavy(hiding, args):
    """Help is shown where nothing heavy is installed."""
    done = fresh(hiding, args.split(), " ".join(HEAVY))
    assert done.returncode == 0
    assert not done.stderr
    assert "Usage: " in done.stdout


@pytest.mark.parametrize(
    "args",
    ["archcalc --help", "archcalc training perceptron -h", "training dying-relu --width x"],
)
def test_help_loads_nothing_heavy(tmp_path, args):
    """Neither help nor a number that is none loads torch, numpy, matplotlib or numba."""
    (tmp_path / "sitecustomize.py").write_text(LOADED)
    done = fresh(tmp_path, args.split())
    modules = done.stderr.rpartition("loaded ")[2].split()
    assert "typer" in modules
    assert {name.partition(".")[0] for name in modules} & {*HEAVY} == set()


def test_the_check_of_what_is_loaded_can_fail(tmp_path):
    """Where something imports heavy packages behind the commands' back, each is noticed."""
    for name in HEAVY:
        (tmp_path / f"{name}.py").write_text('"""A decoy."""\n')
    (tmp_path / "sitecustomize.py").write_text(f"import {', '.join(HEAVY)}\n{LOADED}")
    modules = fresh(tmp_path, ["archcalc", "--help"]).stderr.rpartition("loaded ")[2].split()
    assert {*HEAVY} <= {*modules}


# ---------------------------------------------------------------------------------- what is wrong

LONG = "x" * 99_999
BASE = {
    "perceptron": "--sets 2 --points 2 --test-points 2 --epochs 1 --rate 1 --loss hinge",
    "init": "--networks 1 --examples 2 --activation relu --init he",
    "dying-relu": "--simulations 2 --points 64 --epochs 0 --hidden-layers 2 --born 0 --batch 1",
    "batchnorm-dropout": "--dataset digits --seeds 1 --epochs 0 --variant plain",
    "dataset": "digits --validation 300",
    "lr-finder": f"{MINI} --candidates 3 --epochs 1 --sweep 1",
    "cyclical-lr": f"{MINI} --epochs 2 --step 1",
    "batch-size": f"{MINI} --largest 64 --hold 1it",
    "batch-finder": f"{MINI} --smallest 16 --largest 32 --trial 1",
    "cyclical-batch": f"{MINI} --epochs 2 --step 1 --b-min 8 --b-max 32",
    "optimizers": f"{ROWS} --seeds 1 --search-epochs 1 --epochs 1",
}

COMMANDS = [
    (["foo"], ["'foo'"]),
    ([""], ["''"]),
    (["perceptrn"], ["'perceptrn'", "perceptron"]),
    (["dying"], ["'dying'", "dying-relu"]),
    (["dying_relu"], ["'dying_relu'", "dying-relu"]),
    (["--foo"], ["--foo"]),
    (["perceptron", "3"], ["(3)"]),
    (["dying-relu", "--simulation", "3"], ["--simulation", "--simulations"]),
    (["dying-relu", "--hidden_layers", "3"], ["--hidden_layers", "--hidden-layers"]),
    (["perceptron", "--json=1"], ["--json", "value"]),
    (["perceptron", "--sets"], ["--sets", "argument"]),
    (["perceptron", "--resume", "--overwrite"], ["--resume", "--overwrite", "choose one"]),
    (["perceptron", "-x"], ["-x"]),
    (["all", "--preset", "quik"], ["--preset", "'quik'", "quick"]),
    (["all", "--preset", ""], ["--preset", ", ".join(chain.PRESETS)]),
    (["all", "--device", "tpu"], ["--device", "'tpu'", "auto, cpu or cuda"]),
    (["all", "--seed", "x"], ["--seed", "'x'"]),
    (["all", "--seed", "9999999999999999999"], ["--seed", "9,223,372,036,854,775,807"]),
    (["all", "--output", " "], ["--output", "names no folder"]),
    (["all", "--output", "file"], ["file: "]),
    (["all", "--output", "file/x"], ["file/x: Not a directory"]),
    (["all", "--output", "x" * 300], ["too long"]),
    (["all", "--output", "a\0b"], ["a\\x00b"]),
    (["all", "--data-dir", "a\0b"], ["--data-dir"]),
    (["all", "--resume", "--overwrite"], ["--resume", "--overwrite", "choose one"]),
    (["all", "--checkpoint-every", "0"], ["--checkpoint-every", "positive"]),
    (["all", "--epochs", "3"], ["--epochs"]),
    (["all", "--only", "init"], ["--only", "one experiment's command"]),
    (["rate-and-batch", "--only", "x"], ["--only", "one experiment's command"]),
    (["perceptron", "--only", ""], ["--only", "nothing is named"]),
    (["perceptron", "--only", "a,,b"], ["--only", "empty word"]),
    (["perceptron", "--only", "a, a"], ["--only", "a is named twice"]),
    (["perceptron", "--tasks", "--status"], ["--tasks", "--status", "choose one"]),
    (["all", "--tasks", "--status"], ["--tasks", "--status", "choose one"]),
    (["perceptron", "--tasks", "--resume"], ["--tasks", "leave out --resume"]),
    (["perceptron", "--status", "--overwrite"], ["--status", "--overwrite"]),
    (["perceptron", "--status", "--only", "a"], ["--status", "and --only"]),
    (["tables", "nowhere"], ["nowhere", FILE]),
    (["tables", "empty"], ["empty", FILE]),
    (["tables", "file"], ["file", FILE]),
]

# A word that is none, and one that has to be named instead.
WORDS = [
    ("perceptron", "loss", "hing", "hinge"),
    ("perceptron", "loss", "perceptorn", "perceptron"),
    ("perceptron", "loss", "HINGE", "hinge"),
    ("perceptron", "loss", "mse", "perceptron, hinge"),
    ("init", "setting", "bal", "ball"),
    ("init", "setting", "mnst", "mnist"),
    ("init", "setting", "cifar", "ball, mnist"),
    ("init", "setting", "", "ball, mnist"),
    ("init", "activation", "rleu", "relu"),
    ("init", "activation", "sigmiod", "sigmoid"),
    ("init", "activation", "leakyrelu-1", "leakyrelu"),
    ("init", "activation", "swish", "relu, leakyrelu"),
    ("init", "activation", "relu\0", "relu"),
    ("init", "init", "glorott", "glorot"),
    ("init", "init", "trch", "torch"),
    ("init", "init", "normal", "normal.01"),
    ("init", "init", "normal-1", "normal.01"),
    ("init", "init", "normal1e3", "normal.01"),
    ("init", "init", "xavier", "glorot"),
    ("dying-relu", "activation", "lekay", "leaky"),
    ("dying-relu", "activation", "reul", "relu"),
    ("dying-relu", "activation", "tanh", "relu, leaky"),
    ("dying-relu", "function", "asb", "abs"),
    ("dying-relu", "function", "xsin5", "xsin5x"),
    ("dying-relu", "function", "stp", "step"),
    ("dying-relu", "function", "exp", "abs, xsin5x, step"),
    ("dying-relu", "init", "hee", "he"),
    ("dying-relu", "init", "normal.01", "he, torch, glorot, rai"),
    ("dying-relu", "init", "\x1b[31m", "he, torch, glorot, rai"),
    ("batchnorm-dropout", "dataset", "mnits", "mnist"),
    ("batchnorm-dropout", "dataset", "imagenet.tar", "mnist, fashion-mnist, cifar10, digits"),
    ("batchnorm-dropout", "variant", "bn-inptu", "bn-input"),
    ("batchnorm-dropout", "variant", "a", "plain, bn, bn-input, bn-pixel, dropout, both"),
    ("batchnorm-dropout", "dropout_placement", "dens", "dense"),
    ("batchnorm-dropout", "dropout_placement", "everywhere", "dense, conv, before, last"),
    ("batchnorm-dropout", "augment", "flop", "shift2,flip"),
    ("batchnorm-dropout", "augment", "shift0", "shift2,flip"),
    ("batchnorm-dropout", "augment", "flip,flip", "shift2,flip"),
    ("lr-finder", "preset", "quik", "quick"),
    ("cyclical-lr", "preset", "", ", ".join(experiment("cyclical-lr").presets)),
    ("lr-finder", "precision", "fp16", "bf16"),
    ("lr-finder", "precision", "double", "fp32, tf32, bf16"),
    ("cyclical-lr", "policy", "triangluar", "triangular"),
    ("cyclical-lr", "policy", "cosine", "triangular, triangular2, exp_range"),
    ("batch-size", "policy", "grwo", "grow"),
    ("batch-size", "hold", "30", "5ep"),
    ("cyclical-batch", "policy", "growin", "growing"),
    ("cyclical-batch", "dataset", "fashion", "fashion-mnist"),
    ("batch-finder", "augment", "flop", "shift2,flip"),
    ("optimizers", "method", "adagard", "adagrad"),
    ("optimizers", "method", "rmsprop-momentum", "rmsprop"),
    ("optimizers", "dropout", "witout", "without"),
    ("optimizers", "dropout", "0.5", "without, with"),
    ("dying-relu", "device", "tpu", "auto, cpu or cuda"),
    ("dying-relu", "device", "", "auto, cpu or cuda"),
    ("dying-relu", "device", "CUDA", "cuda"),
]
WORD_OPTIONS = sorted({word[:2] for word in WORDS})

# Options of whole numbers, and the least and the greatest that each takes.
WHOLE = [
    ("perceptron", "sets", 1, 10**7),
    ("perceptron", "points", 1, 10_000),
    ("perceptron", "test_points", 1, 10**7),
    ("perceptron", "epochs", 1, 10**7),
    ("perceptron", "seed", 0, 2**63 - 1),
    ("init", "networks", 1, 1000),
    ("init", "examples", 2, 10_000),
    ("init", "seed", 0, 2**63 - 1),
    ("dying-relu", "hidden_layers", 1, 1000),
    ("dying-relu", "width", 1, 1000),
    ("dying-relu", "simulations", 1, 10**6),
    ("dying-relu", "points", 1, 10**6),
    ("dying-relu", "epochs", 0, 10**5),
    ("dying-relu", "born", 0, 10**6),
    ("dying-relu", "seed", 0, 2**63 - 1),
    ("batchnorm-dropout", "seeds", 1, 1000),
    ("batchnorm-dropout", "epochs", 0, 1000),
    ("batchnorm-dropout", "batch", 2, 10**7),
    ("batchnorm-dropout", "examples", 0, 10**7),
    ("batchnorm-dropout", "validation", 0, 10**7),
    ("batchnorm-dropout", "test_examples", 0, 10**7),
    ("batchnorm-dropout", "seed", 0, 2**63 - 1),
    ("dataset", "validation", 0, 10**7),
    ("dataset", "seed", 0, 2**63 - 1),
    ("lr-finder", "candidates", 2, 1000),
    ("lr-finder", "epochs", 1, 1000),
    ("lr-finder", "sweep", 1, 1000),
    ("lr-finder", "examples", 0, 10**7),
    ("lr-finder", "validation", 1, 10**7),
    ("lr-finder", "test_examples", 0, 10**7),
    ("lr-finder", "size", 7, 10**7),
    ("lr-finder", "micro_batch", 4, 10**7),
    ("cyclical-lr", "batch", 2, 10**7),
    ("cyclical-lr", "seeds", 1, 10**7),
    ("cyclical-lr", "epochs", 1, 10_000),
    ("cyclical-lr", "step", 1, 10_000),
    ("optimizers", "widen", 0, 100),
    ("batch-finder", "trial", 1, 1000),
    ("optimizers", "search_epochs", 1, 10_000),
    ("optimizers", "epochs", 1, 10_000),
    ("optimizers", "width", 1, 100_000),
    ("optimizers", "size", 1, 10**7),
]
OPTIONAL = {  # whose empty text is the preset's value
    *(("optimizers", one) for one in ("widen", "search_epochs", "epochs", "width", "size")),
    *(("lr-finder", one) for one in ("sweep", "examples", "validation", "test_examples", "size")),
    *(("cyclical-lr", one) for one in ("seeds", "epochs", "step")),
    ("batch-finder", "trial"),
}
NO_NUMBERS = ["", " ", "x", "-1", "1.5", "1e3", "1_0", "\uff11\uff10", "\u0663", "9" * 400]
NUMBERS = [
    *(
        (name, setting, text)
        for name, setting, _, _ in WHOLE
        for text in NO_NUMBERS
        if text or (name, setting) not in OPTIONAL
    ),
    *((name, setting, str(least - 1)) for name, setting, least, _ in WHOLE if least),
    *((name, setting, str(most + 1)) for name, setting, _, most in WHOLE),
]
NO_REALS = ["", "x", "0", "-1", "0.0", "nan", "inf", "1e999", "1e-999", "\uff11\uff10", "1_0"]
REALS = [
    *(("perceptron", "rate", text) for text in NO_REALS if text),
    *(("batchnorm-dropout", "rate", text) for text in NO_REALS),
    *(("cyclical-lr", "momentum", text) for text in NO_REALS if text not in {"0", "0.0"}),
    *(("cyclical-lr", "decay", text) for text in NO_REALS),
    *(("cyclical-lr", "lr_min", text) for text in NO_REALS if text),
    *(("lr-finder", "width", text) for text in NO_REALS if text),
    *(("optimizers", "rate", text) for text in NO_REALS if text),
    *(("optimizers", "weight_decay", text) for text in NO_REALS if text not in {"0", "0.0"}),
    *((name, "checkpoint_every", text) for name in EXPERIMENTS for text in NO_REALS),
]
# Lists with an item that is empty, or twice the same.
LISTS = [
    ("perceptron", "loss", "hinge,,perceptron"),
    ("perceptron", "loss", "hinge,"),
    ("perceptron", "loss", "hinge,perceptron,hinge"),
    ("perceptron", "loss", ","),
    ("perceptron", "rate", "1,,2"),
    ("perceptron", "rate", "1,0.5,1.0"),
    ("perceptron", "rate", ""),
    ("perceptron", "rate", ","),
    ("init", "activation", "relu,,tanh"),
    ("init", "activation", "relu,relu"),
    ("init", "activation", ","),
    ("init", "init", "he,"),
    ("init", "init", "he,glorot,he"),
    ("init", "init", ","),
    ("dying-relu", "activation", ""),
    ("dying-relu", "activation", "relu,,leaky"),
    ("dying-relu", "activation", "relu,relu"),
    ("dying-relu", "function", ""),
    ("dying-relu", "function", "abs,abs"),
    ("dying-relu", "function", ",abs"),
    ("dying-relu", "hidden_layers", "9,,10"),
    ("dying-relu", "hidden_layers", "9,10,9"),
    ("dying-relu", "init", ""),
    ("dying-relu", "init", "he,he"),
    ("dying-relu", "init", "he,"),
    ("batchnorm-dropout", "variant", ""),
    ("batchnorm-dropout", "variant", "bn,,both"),
    ("batchnorm-dropout", "variant", "bn,bn"),
    ("batchnorm-dropout", "dropout_placement", ","),
    ("batchnorm-dropout", "dropout_placement", "last,dense,last"),
    ("dataset", "classes", ""),
    ("dataset", "classes", "3,3"),
    ("batch-size", "policy", ""),
    ("cyclical-lr", "policy", "one-cycle,,constant"),
    ("cyclical-lr", "policy", "constant,constant"),
    ("cyclical-batch", "policy", "growing,"),
    ("optimizers", "dropout", ""),
    ("optimizers", "method", "adam,,adagrad"),
    ("optimizers", "method", "adam,adam"),
    ("optimizers", "dropout", "with,with"),
    ("optimizers", "rate", "0.1,0.10"),
    ("optimizers", "rate", "0.1,,1"),
]
FOLDERS = [
    ("", ["--output", "''"]),
    ("  ", ["--output"]),
    ("file", ["file", "directory"]),
    ("file/below", ["file/below", "Not a directory"]),
    ("/proc/nowhere", ["/proc/nowhere", "No such file"]),
    ("/dev/null/x", ["/dev/null/x", "Not a directory"]),
    ("dangling", ["dangling"]),
    ("x" * 300, ["too long"]),
    ("a\0b", [r"a\x00b"]),
    ("file/\x1b[31m", [r"file/\x1b[31m", "Not a directory"]),
]
DATA = [
    ("empty", ["empty: there is no t10k-images-idx3-ubyte", "remove ", "empty/MNIST"]),
    ("unlabelled", ["damaged", "remove ", "unlabelled/MNIST"]),
    ("hollow", ["hollow", "damaged"]),
    ("garbage", ["garbage", "damaged"]),
    ("cut", ["cut", "damaged"]),
    ("few", ["few", "damaged"]),
    ("few-labels", ["few-labels", "damaged"]),
    ("odd-labels", ["odd-labels", "damaged"]),
]
LENET = [
    (["--variant", "bn", "--batch", "1436"], ["--batch 1436", "leaves a batch of one"]),
    (["--batch", "2000"], ["--batch 2000"]),
    (["--validation", "1437"], ["--validation", "1,437"]),
    (["--examples", "1438"], ["--examples 1438", "1,437", "0 takes all"]),
    (["--validation", "37", "--examples", "1401"], ["--examples 1401", "1,400"]),
    (["--test-examples", "361"], ["--test-examples 361", "360", "0 takes all"]),
    (["--variant", "dropout", "--dropout-placement", "before"], ["before", "--variant both"]),
    (["--dataset", "nowhere.npz"], ["nowhere.npz", "No such file"]),
    (["--dataset", "file.npz"], ["file.npz"]),
]

CYCLES = [
    ("init", ["--setting", "digits", "--examples", "1438"], ["--examples 1438", "1,437"]),
    ("lr-finder", ["--width", "1.5"], ["--width", "1.5"]),
    ("lr-finder", ["--lr-min", "1", "--lr-max", "0.1"], ["--lr-min, --lr-max", "less than 0.1"]),
    ("lr-finder", ["--validation", "1437"], ["1,437", "--validation"]),
    ("cyclical-lr", ["--lr-max", "1e-9"], ["--lr-min, --lr-max"]),
    ("cyclical-lr", ["--momentum", "1"], ["--momentum"]),
    ("cyclical-lr", ["--decay", "1"], ["--decay", "would not decay"]),
    (
        "cyclical-lr",
        ["--lr-finder", "empty"],
        ["empty/results.json", "archcalc training lr-finder"],
    ),
    ("batch-size", ["--largest", "16"], ["--smallest 32, --largest 16"]),
    ("batch-size", ["--largest", "128"], ["--largest 128", "64"]),
    ("batch-finder", ["--smallest", "1"], ["--smallest 1"]),
    ("batch-finder", ["--smallest", "33", "--largest", "63"], ["two powers of two"]),
    ("cyclical-batch", ["--b-min", "40"], ["--b-min, --b-max", "less than 32"]),
    ("cyclical-batch", ["--b-min", "1"], ["--b-min"]),
]

OPTION_CASES = [
    *((name, setting, text, [f"'{text}'", word]) for name, setting, text, word in WORDS),
    *((name, setting, LONG, ["xxxxx", "..."]) for name, setting in WORD_OPTIONS),
    *((name, setting, text, [option(setting)]) for name, setting, text in NUMBERS),
    *((name, setting, text, [option(setting), "positive"]) for name, setting, text in REALS),
    *((name, setting, text, []) for name, setting, text in LISTS),
    *(("perceptron", "output", text, says) for text, says in FOLDERS),
]
ESCAPED = {"\0": "\\x00", "\x1b": "\\x1b"}
CASES = [
    *COMMANDS,
    *(([name, *BASE[name].split(), option(s), text], says) for name, s, text, says in OPTION_CASES),
    *(
        (["init", *BASE["init"].split(), "--setting", "mnist", "--data-dir", text], says)
        for text, says in DATA
    ),
    *(
        (["batchnorm-dropout", *BASE["batchnorm-dropout"].split(), *args], says)
        for args, says in LENET
    ),
    *(([name, *BASE[name].split(), *args], says) for name, args, says in CYCLES),
    (["cyclical-batch", "--preset", "full"], ["--b-min", "--batch-finder"]),
    (["cyclical-batch", "--batch-finder", "file"], ["file/results.json"]),
]


@pytest.mark.parametrize(("variant", "fine"), [("plain", True), ("dropout", True), ("bn", False)])
def test_a_batch_of_one_is_refused_where_batch_norm_is(variant, fine):
    """65 images in batches of 64 leave one: only networks with batch norm cannot learn from it."""
    options = {"dataset": "digits", "examples": 65, "validation": 30, "test_examples": 30}
    asked = experiment("batchnorm-dropout")(**options, variant=(variant,), batch=64, seeds=1)
    with nullcontext() if fine else pytest.raises(TrainingError, match="leaves a batch of one"):
        assert asked.tasks()


def label(case):
    """A test's name: the end of the command line."""
    return ascii(" ".join(case[0][:1] + case[0][-2:]))[1:-1][:60]


def idx(shape, data, kind=8):
    """A file of MNIST's format."""
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    return bytes([0, 0, kind, len(shape)]) + sizes + data


IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
OTHER_HALF = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")  # nobody reads them


def mnist(folder, images, labels):
    """MNIST's files; None is a file that is not there."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    files = {IMAGES: images, LABELS: labels, **dict.fromkeys(OTHER_HALF, b"")}
    for name, data in files.items():
        if data is not None:
            (raw / name).write_bytes(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file, and MNIST in every state but the right one."""
    here = tmp_path_factory.mktemp("wrong")
    (here / "file").write_text("")
    (here / "file.npz").write_text("no archive")
    (here / "dangling").symlink_to("nowhere/at/all")
    (here / "empty" / "MNIST" / "raw").mkdir(parents=True)
    pixels = idx((10_000, 28, 28), bytes(10_000 * 784))
    digits = idx((10_000,), bytes(range(10)) * 1000)
    few = idx((10, 28, 28), bytes(7840)), idx((10,), bytes(range(10)))
    mnist(here / "unlabelled", pixels, None)
    mnist(here / "hollow", b"", b"")
    mnist(here / "garbage", b"garbage!" * 9, digits)
    mnist(here / "cut", pixels[:-1], digits)
    mnist(here / "few", *few)
    mnist(here / "few-labels", pixels, few[1])
    mnist(here / "odd-labels", pixels, idx((10_000,), bytes([10]) * 10_000))
    return here


def test_there_are_many_cases():
    """At least 300 different wrong command lines are tried."""
    assert len({tuple(args) for args, _ in CASES}) == len(CASES) >= 300


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize(("args", "says"), CASES, ids=[label(case) for case in CASES])
def test_wrong_input_gives_one_line(capsys, monkeypatch, folder, args, says):
    """The line says what was wrong and what works; the status is 2 and nothing is written."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ARCHCALC_DATA", raising=False)
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    status = run(["training", *args])
    out, err = capsys.readouterr()
    size = len(err)
    assert size < 500
    after = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    for path in sorted(after.keys() - before.keys(), reverse=True):  # for the next test's sake
        (path.rmdir if path.is_dir() else path.unlink)()
    assert status == 2
    assert not out
    assert is_one_line(err), err
    for written, meant in ESCAPED.items():
        says = [said.replace(written, meant) for said in says]
    assert [said for said in says if said not in err] == [], err
    assert after.keys() == before.keys()


@pytest.mark.parametrize(("name", "setting", "text"), LISTS)
def test_what_is_said_of_a_list(capsys, name, setting, text):
    """A list with an item missing or twice is refused with its option, or the item."""
    assert run(["training", name, *BASE[name].split(), option(setting), text]) == 2
    err = capsys.readouterr().err
    items = [item.strip() for item in text.split(",")]
    if "" in items:
        assert re.search(r"''|nothing", err), err
    else:
        assert f"{float(items[0]) if setting == 'rate' else items[0]} is named twice" in err


@pytest.mark.parametrize(("name", "setting", "least", "most"), WHOLE)
def test_the_bounds_of_a_number_are_said(name, setting, least, most, capsys):
    """The least and greatest whole number are taken; beyond them, a line says which they are."""
    for value in (least, most):
        found = getattr(made(name, *BASE[name].split(), option(setting), str(value))[0], setting)
        assert found == ((value,) if setting == "hidden_layers" else value)
    for value in (least - 1, most + 1):
        if value >= 0:
            assert run(["training", name, *BASE[name].split(), option(setting), str(value)]) == 2
            err = capsys.readouterr().err
            assert f"from {least} to {most:,}" in err.replace(f"{most}", f"{most:,}")


def test_cuda_is_refused_where_there_is_none(capsys, monkeypatch):
    """`--device cuda` without such a device is one line that names what works."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run(["training", "perceptron", *BASE["perceptron"].split(), "--device", "cuda"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err)
    assert "CUDA" in err
    assert "--device cpu" in err


@pytest.mark.parametrize(
    ("message", "fine"),
    [
        ("archcalc: no\n", True),
        ("archcalc: no", False),
        ("archcalc: no\nno\n", False),
        ("archcalc: \x1b[31m\n", False),
        ("no\n", False),
        ("", False),
    ],
)
def test_the_check_of_a_line_can_fail(message, fine):
    """A second line, a missing end, a foreign beginning and a control character are noticed."""
    assert is_one_line(message) == fine


@pytest.mark.usefixtures("bare")
def test_a_folder_with_an_odd_name_is_said_in_print(tmp_path, monkeypatch, capsys):
    """Nothing that a terminal would obey is written, whatever the folder is called."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # a run, and its finished record
        args = ["perceptron", *BASE["perceptron"].split(), "--output", "\x1b[31mred"]
        assert run(["training", *args]) == 0
        assert all(line.isprintable() for line in capsys.readouterr().err.splitlines())


# ------------------------------------------------------------------------------------ what is right


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, cheap):
    """Each experiment, run with --json: its folder, and what was written to the two streams."""
    found = {}
    for name, args in TINY.items():
        folder = tmp_path_factory.mktemp(name)
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), cheap():
            command = ["training", name, *args.split(), "--output", str(folder), "--json"]
            assert run(command) == 0
        found[name] = folder, out.getvalue(), err.getvalue()
    return found


def strict(text):
    """A JSON document in which nothing is NaN or infinite."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@every
def test_json_is_all_there_is(outputs, name):
    """--json writes one document, and what a person is told goes to standard error."""
    folder, out, err = outputs[name]
    assert isinstance(strict(out), dict)
    line, *more = err.splitlines()
    assert str(folder) in line
    assert len(more) == (name in {*EXPERIMENTS} - FEW)
    assert all("predicted" in one for one in more)


@every
def test_json_says_where_it_comes_from(outputs, name):
    """The document has its schema, configuration, versions, hardware, commit, command and time."""
    data = strict(outputs[name][1])
    assert data["schema"] == f"archcalc.training.{name}/1"
    what, _, _ = made(name, *TINY[name].split())
    assert data["configuration"] == what.configuration()
    assert data["versions"].keys() >= {"python", "archcalc", "torch", "numpy", "numba"}
    assert data["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert data["versions"]["numpy"] == np.__version__
    assert "cores" in data["hardware"]
    assert re.fullmatch(r"([0-9a-f]{12}(-dirty)?)?", data["commit"])
    assert data["seconds"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", data["finished"])
    assert data["started"] <= data["finished"]
    assert data["results"]
    record = Record.read(outputs[name][0])
    assert data["results"] == json.loads(json.dumps(runner.results(record)["results"]))


@every
def test_no_names_of_people_or_places(outputs, name):
    """A record's and a page's origin names neither the machine, nor its user, nor a folder."""
    folder, out, _ = outputs[name]
    places = {str(folder), str(Path.home()), os.uname().nodename, str(Path.cwd())} - {"/", ""}
    texts = [out, (folder / "README.md").read_text(), str(Record.read(folder).about)]
    assert [place for place in places for text in texts if place in text] == []


@every
@pytest.mark.usefixtures("bare")
def test_the_command_makes_the_same_record(outputs, cheap, name, tmp_path, monkeypatch):
    """The command that a result names, run in another folder, makes the same but for times."""
    folder, out, _ = outputs[name]
    program, *args = shlex.split(strict(out)["command"])
    assert program == "archcalc"
    monkeypatch.chdir(tmp_path)
    with cheap():
        assert run(args) == 0
    (path,) = tmp_path.glob(f"runs/*/{FILE}")
    here, there = Record.read(path.parent).arrays, Record.read(folder).arrays
    assert here.keys() == there.keys()
    for key, array in here.items():
        assert array.dtype == there[key].dtype
        assert key.endswith("/seconds") or array.tobytes() == there[key].tobytes(), key


@every
def test_a_command_says_what_is_not_usual(name):
    """A command has every option whose value is not the default, and reads as the same again."""
    usual = experiment(name)()
    alone = f" {usual.dataset}" if name == ALONE[0] else ""
    assert usual.command() == f"archcalc training {name}{alone}"
    given = [
        word
        for setting, (text, _) in TYPED[name].items()
        if setting not in {"setting", "data_dir"}
        for word in typed(name, setting, text)
    ]
    what, _, _ = made(name, *given)
    words = shlex.split(what.command())
    other = {
        option(one.name)
        for one in what.settings()
        if getattr(what, one.name) != getattr(what.baseline(), one.name)
        or (one.name in DECISIVE and getattr(what, one.name) != getattr(usual, one.name))
    }
    assert {word for word in words if word.startswith("--")} == other
    assert len(other) >= len(TYPED[name]) - 3
    assert made(*words[2:])[0] == what


def test_the_command_says_the_setting():
    """A command says its setting even where all else is as that setting has it."""
    images = experiment("init")(setting="mnist")
    assert made(*shlex.split(images.command())[2:])[0] == images


@every
def test_the_files_of_a_run(outputs, name):
    """A run leaves its records, its numbers, a page, and the pictures that the page shows."""
    folder, out, _ = outputs[name]
    pictures = {path.name for path in folder.glob("*.png")}
    drawings = {path.name for path in folder.glob("*.svg")}
    assert drawings == ({"block-diagram.svg"} if name == "batch-finder" else set())
    written = {path.name for path in folder.iterdir() if path.is_file()}
    assert written - drawings == {FILE, "results.json", "README.md", *pictures}
    tasks = [path for path in (folder / TASKS).rglob("*") if path.is_file()]
    assert {path.suffix for path in tasks} == (set() if name == "dataset" else {DONE})
    assert {path.name for path in folder.iterdir() if path.is_dir()} == (
        {TASKS} if tasks else set()
    )
    assert strict((folder / "results.json").read_text()) == strict(out)
    page = (folder / "README.md").read_text()
    assert page.startswith(f"# {experiment(name).title}\n")
    assert {*re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page)} == pictures != set()
    assert strict(out)["command"] in page.replace("\\", "")


@every
def test_pictures_are_pictures(outputs, name):
    """Every picture is a PNG of a size to look at, with lines and areas in several colours."""
    for path in outputs[name][0].glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        picture = imread(path)
        height, width, _ = picture.shape
        assert 300 <= height <= 4000
        assert 600 <= width <= 4000
        rounded = (picture[..., :3] * 255).astype(int) @ [1, 256, 65536]
        assert len(np.unique(rounded)) > 100, path.name
        white = 0xFFFFFF
        assert 0.01 < (rounded != white).mean() < 0.9, path.name
        for half in (rounded[: height // 2], rounded[height // 2 :]):  # nothing is all in a corner
            assert (half != white).mean() > 0.005, path.name


@pytest.mark.parametrize(
    ("before", "after"),
    [("--born 9", "--born 0"), ("--hidden-layers 2,3", "--hidden-layers 2")],
)
@pytest.mark.usefixtures("sketched")
def test_overwriting_leaves_no_old_pictures(tmp_path, before, after):
    """Of a run that is overwritten no picture is left beside the pages of the new one."""
    base = ["training", "dying-relu", *BASE["dying-relu"].split(), "--output", str(tmp_path)]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert run([*base, *before.split()]) == 0
        old = {path.name for path in tmp_path.glob("*.png")}
        assert run([*base, *after.split(), "--overwrite"]) == 0
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures != old
    page = (tmp_path / "README.md").read_text()
    assert {*re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page)} == pictures


def test_pages_are_drawn_again_from_a_record(outputs, capsys):
    """Where pages and pictures of a finished run are gone, the same command draws them again."""
    folder, out, _ = outputs["perceptron"]
    before = contents(folder)
    for path in folder.iterdir():
        if path.is_file() and path.name != FILE:
            path.unlink()
    command = ["training", "perceptron", *TINY["perceptron"].split(), "--output", str(folder)]
    assert run([*command, "--json"]) == 0
    assert capsys.readouterr().out == out
    assert contents(folder) == before


@pytest.mark.usefixtures("bare")
def test_text_is_tables_and_answers(outputs, capsys):
    """Without --json the tables and answers of the page are shown, and where they come from."""
    folder, out, _ = outputs["perceptron"]
    command = ["training", "perceptron", *TINY["perceptron"].split(), "--output", str(folder)]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "6 training sets after 3 epochs" in said
    assert "Which is better?" in said
    assert f"Made by {strict(out)['command']}" in " ".join(said.split())


@pytest.mark.usefixtures("bare")
def test_where_nothing_is_said_the_configuration_decides(tmp_path, monkeypatch, capsys):
    """A run without --output has a folder of its configuration below runs, another one another."""
    monkeypatch.chdir(tmp_path)
    for options_ in ("", "--seed 1", "--seed 1"):
        args = [*BASE["perceptron"].split(), *options_.split()]
        assert run(["training", "perceptron", *args]) == 0
    folders = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert len(folders) == 2
    assert all(name.startswith("perceptron-") for name in folders)
    assert f"runs/{folders[0]}" in (err := capsys.readouterr().err)
    assert f"runs/{folders[1]}" in err


# What is allowed and hardly sensible.
EXTREMES = [
    "perceptron --sets 1 --points 1 --test-points 1 --epochs 1",
    "perceptron --sets 2 --points 2 --test-points 2 --epochs 2 --rate 1e300,1e-300",
    "perceptron --sets 3 --points 2 --test-points 2 --epochs 1 --loss hinge",
    "perceptron --sets 3 --points 2 --test-points 2 --epochs 1 --loss perceptron",
    "init --networks 1 --examples 2 --activation id --init zero",
    "init --networks 1 --examples 2 --activation relu --init normal0",
    "init --networks 1 --examples 3 --activation relu --init normal1000000000",
    "init --networks 1 --examples 3 --activation leakyrelu1000000000000 --init he",
    "init --setting digits --networks 1 --examples 9 --activation tanh --init he",
    "dying-relu --simulations 1 --points 1 --batch 1 --epochs 0 --hidden-layers 1 --width 1"
    " --born 1",
    "dying-relu --simulations 1 --points 2 --batch 2 --epochs 1 --hidden-layers 1 --born 0"
    " --activation leaky --function step",
]


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize("args", EXTREMES)
def test_extremes_are_run(tmp_path, capsys, args):
    """Whatever is allowed runs to its end, and no number in its JSON is NaN or infinite."""
    assert run(["training", *args.split(), "--output", str(tmp_path), "--json"]) == 0
    data = strict(capsys.readouterr().out)
    assert data == strict((tmp_path / "results.json").read_text())
    assert (tmp_path / "README.md").exists()


@pytest.mark.usefixtures("bare")
def test_images_are_read(tmp_path, capsys, monkeypatch):
    """The setting that needs images takes them from --data-dir or ARCHCALC_DATA, the same.

    Where neither is there and no network either, a line says what to do.
    """
    known = dataclasses.replace(datasets.SOURCES["mnist"], digests={})
    monkeypatch.setitem(datasets.SOURCES, "mnist", known)
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    drawn = np.random.default_rng(0).integers(0, 256, 10_000 * 784, np.uint8).tobytes()
    pixels, digits = idx((10_000, 28, 28), drawn), idx((10_000,), bytes(range(10)) * 1000)
    mnist(tmp_path / "data", pixels, digits)
    args = [*["init", "--setting", "mnist", "--networks", "1"], *BASE["init"].split()[2:]]
    arrays = []
    for way in ("option", "variable", "neither"):
        output = ["--output", str(tmp_path / way)]
        given = ["--data-dir", str(tmp_path / "data")] if way == "option" else []
        if way == "variable":
            monkeypatch.setenv("ARCHCALC_DATA", str(tmp_path / "data"))
        else:
            monkeypatch.delenv("ARCHCALC_DATA", raising=False)
        assert run(["training", *args, *output, *given]) == (1 if way == "neither" else 0)
        if way != "neither":
            arrays.append(Record.read(tmp_path / way).arrays)
    assert str(tmp_path) not in str(Record.read(tmp_path / "option").about)
    assert arrays[0].keys() == arrays[1].keys()
    assert all(arrays[0][name].tobytes() == arrays[1][name].tobytes() for name in arrays[0])
    last = capsys.readouterr().err.splitlines()[-1]
    assert is_one_line(f"{last}\n")
    assert [word for word in ("MNIST", "--data-dir", "ARCHCALC_DATA") if word not in last] == []
    assert not list((tmp_path / "cache" / "archcalc").iterdir())
