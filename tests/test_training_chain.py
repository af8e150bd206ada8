# ruff: noqa: TID253 - these tests are of what needs torch
"""Experiments in turn, each with what those before it have found; pages of a diverged network."""

import io
import json
import shlex

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from archcalc.cli import run
from training import chain, cli, progress, runner
from training.errors import StoppedError
from training.loop import Loop
from training.record import FILE, Record

MINI = (
    "--dataset digits --examples 64 --validation 32 --test-examples 32 --width 0.05 --size 8 "
    "--seeds 1 --data-dir unused"
)
READ = "--lr-min 0.01 --lr-max 0.5 --b-min 8 --b-max 32"
SHORT = {
    "lr-finder": {"candidates": 2, "epochs": 1, "sweep": 1},
    "cyclical-lr": {"epochs": 1, "step": 1, "policy": ("exp_range", "constant")},
    "batch-size-grow": {"largest": 64, "hold": "1it"},
    "batch-size-sweep": {"largest": 32, "sweep_epochs": 1},
    "batch-finder": {"largest": 32, "trial": 1},
    "cyclical-batch": {"epochs": 1, "step": 1},
}


@pytest.fixture(autouse=True)
def _quick(cheap, monkeypatch):
    """Parts of a second."""
    parts = {name: (of, more | SHORT.get(name, {})) for name, (of, more) in chain.PARTS.items()}
    monkeypatch.setattr(chain, "PARTS", parts)
    with cheap():
        yield


def line(folder, *more):
    """The words of a chain's command."""
    return ["training", chain.CHAIN, *shlex.split(f"{MINI} {READ}"), "--output", str(folder), *more]


def records(folder):
    """The records of the parts, by folder."""
    return {name: Record.read(folder / name) for name in chain.PARTS}


def test_a_chain_runs_its_parts(tmp_path, capsys, monkeypatch):
    """Each part has a folder with a page and a finished record, and uses what was found before."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)  # which takes long
    assert run(line(tmp_path)) == 0
    out = capsys.readouterr().out
    assert out.count("Made by archcalc training") == len(chain.PARTS)
    found = records(tmp_path)
    assert all(record.finished for record in found.values())
    assert all((tmp_path / name / "README.md").exists() for name in found)
    for name, record in found.items():
        if name not in {"dataset", "lr-finder"}:
            assert (record.configuration["lr_min"], record.configuration["lr_max"]) == (0.01, 0.5)
    batches = found["cyclical-batch"].configuration
    assert (batches["b_min"], batches["b_max"]) == (8, 32)
    assert found["dataset"].configuration["validation"] == 32
    assert found["batch-size-grow"].configuration["policy"] == "grow"
    assert found["batch-size-sweep"].configuration["policy"] == "sweep"


def test_a_part_takes_what_the_finders_read(tmp_path):
    """Without a person's reading, rates and batches are those of the finders' results."""
    given = {"dataset": "digits", "preset": "quick"}
    for name, read in (
        ("lr-finder", {"lr_min": 0.02, "lr_max": 0.3}),
        ("batch-finder", {"b_min": 4, "b_max": 256}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / runner.RESULTS).write_text(
            json.dumps({"schema": f"archcalc.training.{name}/1", "results": read})
        )
    last = chain.part("cyclical-batch", given, tmp_path)
    assert (last.lr_min, last.lr_max, last.b_min, last.b_max) == (0.02, 0.3, 4, 256)
    mine = chain.part("cyclical-batch", given | {"lr_min": 0.1, "b_max": 8}, tmp_path)
    assert (mine.lr_min, mine.lr_max, mine.b_min, mine.b_max) == (0.1, 0.3, 4, 8)


def test_a_chain_goes_on_where_it_was_stopped(tmp_path, monkeypatch, capsys):
    """A part that was stopped is resumed, finished ones are read and those behind it are run."""
    monkeypatch.setattr(runner, "write", lambda *_: None)
    monkeypatch.setattr(cli, "_deliver", lambda *_: None)
    for name in ("dataset", "batch-size-sweep"):
        chain.PARTS.pop(name)
    real = Loop._train

    def stopped(self, place, *rest):
        if self.record.experiment == "batch-size" and place == 1:
            raise StoppedError("stopped here")
        return real(self, place, *rest)

    monkeypatch.setattr(Loop, "_train", stopped)
    assert run(line(tmp_path)) == 130
    before = (tmp_path / "cyclical-lr" / FILE).read_bytes()
    assert not (tmp_path / "batch-finder").exists()
    monkeypatch.setattr(Loop, "_train", real)
    assert run(line(tmp_path)) == 2  # without --resume what is unfinished is left alone
    assert "--resume" in capsys.readouterr().err
    assert run(line(tmp_path, "--resume")) == 0
    assert (tmp_path / "cyclical-lr" / FILE).read_bytes() == before
    assert all(record.finished for record in records(tmp_path).values())
    assert len(records(tmp_path)["batch-size-grow"].about["resumed"]) == 1


def test_a_diverged_network_is_shown_as_diverged(tmp_path, capsys):
    """At a rate that is too high a page and its figures say so, and the other arms have numbers."""
    args = ["training", "cyclical-lr", *shlex.split(MINI), "--output", str(tmp_path / "run")]
    rates = ["--lr-min", "1e-3", "--lr-max", "1e30", "--epochs", "2", "--step", "1"]
    assert run([*args, *rates, "--policy", "exp_range,one-cycle"]) == 0
    assert "1 of 1 diverged" in capsys.readouterr().out
    results = json.loads((tmp_path / "run" / runner.RESULTS).read_text())["results"]
    assert {name for name, arm in results["arms"].items() if arm["diverged"] != [None]}
    assert (tmp_path / "run" / "curves.png").stat().st_size > 10_000


# -------------------------------------------------------------------------------------- the display


@pytest.fixture
def terminal(monkeypatch):
    """What is drawn on a terminal, which standard error is taken for."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr(progress, "Console", lambda **_: console)
    return file


def drawn(display):
    """The lines of a display, as they stand now."""
    console = Console(file=io.StringIO(), width=100)
    console.print(display.live.renderable)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


@pytest.mark.usefixtures("terminal")
def test_one_display_counts_the_parts():
    """Above a part's steps stands which of how many it is; figures and report are steps too."""
    with progress.whole(["one", "two", "three"], shown=True) as begin:
        display = progress._SHOWN.get()
        begin("two")
        first, now = drawn(display)
        assert first.startswith("2 of 3 parts: two ")
        assert now.startswith("reading")
        with progress.bar(10, shown=True) as told:
            told(4, "grid")
            first, now = drawn(display)
            assert first.startswith("2 of 3 parts: two ")
            assert now.startswith("grid ")
            assert "4/10 steps" in now
        assert drawn(display)[1].startswith("figures and tables")
        assert display.parts.tasks[0].completed == 1
        begin("report")
        first, now = drawn(display)
        assert first.startswith("3 of 3 parts: report ")
        assert now.startswith("writing")
        assert display.parts.tasks[0].completed == 3
    assert progress._SHOWN.get() is None


def test_a_bar_alone_is_as_before(terminal):
    """Without a display of the whole a bar is drawn by itself; where nothing is shown, nothing."""
    with progress.bar(10, shown=True) as told:
        told(10, "grid")
    assert "grid" in terminal.getvalue()
    assert "10/10 steps" in terminal.getvalue()
    size = len(terminal.getvalue())
    with progress.whole(["one"], shown=False) as begin, progress.bar(10, shown=False) as told:
        begin("one")
        told(10, "grid")
    assert len(terminal.getvalue()) == size


def test_without_a_terminal_nothing_is_drawn(capsys):
    """Where standard error is no terminal there are no bars, not even of the whole."""
    with progress.whole(["one"], shown=True) as begin, progress.bar(10, shown=True) as told:
        begin("one")
        told(10, "grid")
    assert capsys.readouterr() == ("", "")
