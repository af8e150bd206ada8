"""The README shows what the commands really print."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest

import archcalc as ac
from archcalc.counters import TOOLS, counter
from archcalc.main import run
from archcalc.render.views.counted import counted_data
from training import chain
from training.experiments import EXPERIMENTS as ALL_EXPERIMENTS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SHOWN = re.findall(r"```\n\$ archcalc ([^\n]*?)(?: {2,}\([^\n]*\))?\n(.*?)```", README, re.DOTALL)
COMMANDS = sorted(set(re.findall(r"`archcalc ([^`|]+)`", README)))
OTHERS = {*chain.CHAINS, "report"}  # which have tests of their own
EXPERIMENTS = [
    command
    for command in COMMANDS
    if command.startswith("training ") and command.split()[1] not in OTHERS
]
MINI = (
    "--dataset digits --examples 64 --validation 32 --test-examples 32 --width 0.05 --size 8 "
    "--seeds 1"
)
# The experiments that the README names, small enough for a test.
SMALL = {
    "perceptron": "--sets 5 --epochs 2",
    "init": "--networks 1 --examples 20",
    "dying-relu": "--simulations 4 --epochs 1 --points 64 --born 20",
    "batchnorm-dropout": "--dataset digits --seeds 1 --epochs 1 --batch 26",
    "dataset": "--validation 9",
    "lr-finder": f"{MINI} --candidates 3 --epochs 1 --sweep 1",
    "cyclical-lr": f"{MINI} --epochs 2 --step 1",
    "batch-size": f"{MINI} --largest 64 --hold 1it",
    "batch-finder": f"{MINI} --smallest 16 --largest 32 --trial 1",
    "cyclical-batch": f"{MINI} --epochs 2 --step 1 --b-min 8 --b-max 32",
    "optimizers": "--dataset digits --examples 64 --validation 40 --test-examples 40 --width 5 "
    "--size 8 --seeds 1 --method adam --rate 0.001,0.01 --search-epochs 1 --epochs 1",
}


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_shown_output_is_real(capsys, monkeypatch, command, output):
    """Every output in the README is a part of what its command prints."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert run(shlex.split(command)) == 0
    assert output in capsys.readouterr().out


def test_something_is_shown():
    """The README shows the VGG19 table and at least two more outputs."""
    assert len(SHOWN) >= 3
    assert "143,652,544" in SHOWN[0][1]


@pytest.mark.parametrize("command", EXPERIMENTS)
def test_named_experiments_run(capsys, cheap, monkeypatch, tmp_path, command):
    """Every experiment that the README names runs, made small, and writes its page and figures."""
    monkeypatch.chdir(tmp_path)
    small = SMALL[command.split()[1]]
    words = shlex.split(command.replace("dataset fashion-mnist", "dataset digits"))
    with cheap():
        assert run([*words, *shlex.split(small), "--output", "here"]) == 0
    assert "Made by archcalc training" in capsys.readouterr().out
    written = {path.suffix for path in Path("here").iterdir() if path.is_file()}
    assert written - {".svg"} == {".md", ".json", ".npz", ".png"}


def test_every_experiment_is_named():
    """The README names every experiment."""
    assert {command.split()[1] for command in EXPERIMENTS} == set(SMALL) == set(ALL_EXPERIMENTS)


def test_fractions_are_the_committed_results():
    """Every percentage that the README says of the dying ReLU stands on the page that it names."""
    (said,) = re.findall(r"\nOf 1,000 ReLU networks(.*?)\n\n", README, re.DOTALL)
    page = (ROOT / "tables" / "training" / "dying-relu" / "README.md").read_text()
    relu, leaky = re.findall(r"^\| (?:relu|leaky) \| abs \| 9 \| he \| (.*)$", page, re.MULTILINE)[
        :2
    ]
    numbers = re.findall(r"[0-9.]+ %", said)
    assert len(numbers) == 4
    assert numbers[:2] == re.findall(r"[0-9.]+ %", relu)[:2]
    assert numbers[2:] == re.findall(r"[0-9.]+ %", leaky)[2:4]


def test_methods_are_the_committed_results():
    """Every percentage that the README says of a method at full size stands on the page."""
    (said,) = re.findall(r"\nNo rate serves all(.*?)not run\.", README, re.DOTALL)
    page = (ROOT / "tables" / "training" / "optimizers-full-size" / "README.md").read_text()
    found = dict(re.findall(r"^\| (AdaGrad|Adam|SGD)\b.*? ([0-9.]+ %) \|", page, re.MULTILINE))
    order = [found[name] for name in ("AdaGrad", "Adam", "SGD")]
    assert re.findall(r"[0-9.]+ %", said) == order


def test_accuracies_are_the_committed_results():
    """Every percentage that the README says of LeNet-5 is the mean of its seeds' on the page."""
    (said,) = re.findall(r"\nLeNet-5 on MNIST(.*?)epochs\.", README, re.DOTALL)
    page = (ROOT / "tables" / "training" / "batchnorm-dropout" / "README.md").read_text()
    rows = re.findall(r"^\| [a-d]? \| ([a-z/-]+) \| ([0-9., ]+) % \|", page, re.MULTILINE)
    accuracies = {name: f"{fmean(map(float, each.split(', '))):.2f} %" for name, each in rows}
    order = ("plain", "bn", "bn-input", "dropout/dense", "both/dense")
    assert re.findall(r"[0-9.]+ %", said) == [accuracies[name] for name in order]
    seeds, epochs = re.findall(r"of (\d+) seeds, (\d+)\s", said)[0]
    assert f"{seeds} seeds, {epochs} epochs" in page


def test_rates_are_the_committed_reading():
    """The rates that the README says are those that the committed finder reads."""
    (said,) = re.findall(r"learns at rates from ([0-9.]+) to ([0-9.]+):", README)
    page = (ROOT / "tables" / "training" / "lr-finder" / "README.md").read_text()
    assert f"lr-min = {said[0]}, lr-max = {said[1]}." in page


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith("training")])
def test_named_commands_run(capsys, monkeypatch, tmp_path, command):
    """Every command that the README names runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mynet.txt").write_text(EXAMPLE)
    (tmp_path / "tables").mkdir()
    assert run(shlex.split(command.replace("...", ""))) == 0
    assert not capsys.readouterr().err


(EXAMPLE,) = re.findall(r"```\n(32x32x3 .*?)```", README, re.DOTALL)


def test_the_example_network_is_one():
    """The network of the README is read and counted."""
    assert ac.report(EXAMPLE).totals["parameters"] > 0


def test_the_python_example_says_what_it_gives():
    """Each expression of the Python example has the value that its comment shows."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    scope = {}
    checked = 0
    for line in code.splitlines():
        expression, _, comment = line.partition("  #")
        if re.match(r"\w+ = |import ", expression):
            exec(expression, scope)  # noqa: S102 - the README's own example
        elif expression and not comment.strip().startswith("draws"):
            assert repr(eval(expression, scope)) == comment.strip()  # noqa: S307
            checked += 1
    assert checked == 3


def test_the_table_of_tools_is_what_their_conventions_count():
    """Each total in the README's table of tools is that of its convention."""
    (table,) = re.findall(r"\n(\| tool \| VGG19.*?)\n\n", README, re.DOTALL)
    head, _, ours, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
    ]
    reports = [ac.report(name.lower()) for name in head[1:4]]
    assert ours[1:4] == [f"{report.totals['macs']:,}" for report in reports]
    assert [row[0] for row in rows] == [*TOOLS]
    for name, *totals, rule in rows:
        rule_of_tool = counter(name)
        counts = [counted_data(report, rule_of_tool)["total"] for report in reports]
        assert totals == [f"{count:,}" for count in counts]
        assert rule == rule_of_tool.rule


def test_version_is_one():
    """The package, the command and the metadata agree on the version."""
    from importlib.metadata import version  # noqa: PLC0415

    command = [sys.executable, "-m", "archcalc", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"archcalc {ac.__version__}\n"
    assert version("archcalc") == ac.__version__


def test_package_is_typed():
    """A type checker finds the marker that archcalc and training are typed, and the schema."""
    package = Path(ac.__file__).parent
    assert (package / "py.typed").is_file()
    assert (package.parent / "training" / "py.typed").is_file()
    assert (package / "report.schema.json").is_file()
