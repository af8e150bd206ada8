"""Experiments in turn, each with what those before it have found; pages of a diverged network."""

import io
import json
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import pytest
from rich.console import Console

from archcalc.main import run
from training import chain, cli
from training.engine import progress, ranks
from training.engine.loop import Loop
from training.engine.record import FILE, Record
from training.errors import StoppedError, TrainingError
from training.experiments import experiment, runner
from training.experiments.batchnorm_dropout import experiment as batchnorm_dropout
from training.report import page as report

REAL, PREPARED = chain.PARTS, batchnorm_dropout.prepared  # before any test makes them small
MINI = (
    "--dataset digits --examples 64 --validation 32 --test-examples 32 --width 0.05 --size 8 "
    "--seeds 1 --data-dir unused"
)
READ = "--lr-min 0.01 --lr-max 0.5 --b-min 8 --b-max 32"
SHORT = {
    "lr-finder": {"candidates": 2, "epochs": 1, "sweep": 1},
    "cyclical-lr": {"epochs": 1, "step": 1, "policy": ("exp_range", "constant")},
    "batch-size-grow": {"largest": 64, "hold": "1it"},
    "batch-finder": {"largest": 32, "trial": 1},
    "cyclical-batch": {"epochs": 1, "step": 1},
}


@pytest.fixture(autouse=True)
def _quick(cheap, monkeypatch):
    """Parts of a second."""
    parts = {
        name: one._replace(more={**one.more, **SHORT.get(name, {})})
        for name, one in chain.PARTS.items()
    }
    monkeypatch.setattr(chain, "PARTS", parts)
    with cheap():
        yield


def line(folder, *more):
    """The words of a chain's command."""
    return ["training", chain.CHAIN, *shlex.split(f"{MINI} {READ}"), "--output", str(folder), *more]


def records(folder):
    """The records of the parts, by folder."""
    return {name: Record.read(folder / name) for name in chain.CHAINS[chain.CHAIN]}


@pytest.mark.usefixtures("sketched")
def test_a_chain_runs_its_parts(tmp_path, capsys):
    """Each part has a folder with a page and a finished record, and uses what was found before."""
    assert run(line(tmp_path)) == 0
    out = capsys.readouterr().out
    assert out.count("Made by archcalc training") == len(chain.CHAINS[chain.CHAIN]) == 6
    found = records(tmp_path)
    assert all(record.finished for record in found.values())
    assert all((tmp_path / name / "README.md").exists() for name in found)
    for name, record in found.items():
        if name not in {"dataset", "lr-finder"}:
            assert (record.configuration["lr_min"], record.configuration["lr_max"]) == (0.01, 0.5)
    batches = found["cyclical-batch"].configuration
    assert (batches["b_min"], batches["b_max"]) == (8, 32)
    assert found["dataset"].configuration["validation"] == 32
    # the cyclical rate's network is trained once, where it is asked for
    assert "exp_range/seed0" in found["cyclical-lr"].tasks
    assert list(found["cyclical-batch"].tasks) == ["decaying/seed0", "growing/seed0"]


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
    held = [chain.part(name, given, tmp_path).validation for name in ("dataset", "lr-finder")]
    assert held == [1000, 1000]  # the preset's, which is not what dataset itself would hold out


def test_a_chain_goes_on_where_it_was_stopped(tmp_path, monkeypatch, capsys):
    """A part that was stopped is resumed, finished ones are read and those behind it are run."""
    monkeypatch.setattr(runner, "write", lambda *_: None)
    monkeypatch.setattr(cli, "_deliver", lambda *_: None)
    some = ("lr-finder", "cyclical-lr", "batch-size-grow", "batch-finder", "cyclical-batch")
    monkeypatch.setitem(chain.CHAINS, chain.CHAIN, some)
    real = Loop._train

    def stopped(self, task, *rest):
        if task.tasks == ("halve/seed0",):
            raise StoppedError("stopped here")
        return real(self, task, *rest)

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
    began = [about["started"] for about in records(tmp_path)["batch-size-grow"].tasks.values()]
    assert len(began) == 3


def test_a_diverged_network_is_shown_as_diverged(tmp_path, capsys):
    """At a rate that is too high a page and its figures say so, and the other arms have numbers."""
    args = ["training", "cyclical-lr", *shlex.split(MINI), "--output", str(tmp_path / "run")]
    rates = ["--lr-min", "1e-3", "--lr-max", "1e30", "--epochs", "2", "--step", "1"]
    assert run([*args, *rates, "--policy", "exp_range,one-cycle"]) == 0
    assert "1 of 1 diverged" in capsys.readouterr().out
    results = json.loads((tmp_path / "run" / runner.RESULTS).read_text())["results"]
    assert {name for name, arm in results["arms"].items() if arm["diverged"] != [None]}
    assert (tmp_path / "run" / "curves.png").stat().st_size > 10_000


# ------------------------------------------------------------------------------------- everything

ORDER = (
    *("perceptron", "init-ball", "init-mnist", "dying-relu", "batchnorm-dropout", "dataset"),
    *("lr-finder", "cyclical-lr", "batch-size-grow", "batch-finder"),
    *("cyclical-batch", "optimizers"),
)
_NET = {
    "examples": 40,
    "validation": 20,
    "test_examples": 20,
    "width": 0.02,
    "size": 7,
    "seeds": 1,
    "augment": "none",
    "batch": 20,
    "epochs": 1,
}
_BORN = {"networks": 1, "examples": 9, "activation": ("tanh",), "init": ("he",)}
SMALL = {
    "perceptron": {"sets": 3, "points": 4, "test_points": 9, "epochs": 2},
    "init-ball": _BORN,
    "init-mnist": _BORN,
    "dying-relu": {
        "simulations": 3,
        "points": 64,
        "epochs": 1,
        "hidden_layers": (2,),
        "born": 0,
    },
    "batchnorm-dropout": {
        "seeds": 1,
        "epochs": 1,
        "batch": 26,
        "examples": 78,
        "test_examples": 78,
        "variant": ("plain",),
    },
    "dataset": {"validation": _NET["validation"]},
    "lr-finder": _NET | {"candidates": 2, "sweep": 1},
    "cyclical-lr": _NET | {"step": 1, "policy": ("exp_range", "constant")},
    "batch-size-grow": _NET | {"smallest": 16, "largest": 32, "hold": "1it"},
    "batch-finder": _NET | {"smallest": 16, "largest": 32, "trial": 1},
    "cyclical-batch": _NET | {"step": 1, "policy": ("growing",)},
    "optimizers": {
        "examples": 40,
        "validation": 20,
        "test_examples": 20,
        "width": 3,
        "size": 4,
        "seeds": 1,
        "search_epochs": 1,
        "epochs": 1,
        "method": ("adam",),
        "rate": (0.1, 0.01),
    },
}
READINGS = {
    "lr-finder": {"lr_min": 0.02, "lr_max": 0.3},
    "batch-finder": {"b_min": 4, "b_max": 16},
}


def read(record, folder):
    """In the place of pages and figures: the numbers that a finder hands on."""
    found = {
        "schema": f"archcalc.training.{record.experiment}/1",
        "results": READINGS.get(record.experiment, {}),
    }
    (folder / runner.RESULTS).write_text(json.dumps(found))


def written(folder, output, form):
    """In the place of the report: its form, and the parts that it found."""
    parts = sorted(path.parent.name for path in folder.glob(f"*/{FILE}"))
    output.write_text(json.dumps([form, parts]))


@pytest.fixture
def _small(monkeypatch, tmp_path):
    """Everything in seconds: small parts, no pictures, no data set but digits."""
    small(monkeypatch)
    monkeypatch.setenv("ARCHCALC_DATA", str(tmp_path / "no data"))


def small(patch):
    """Make parts small, and leave out what is drawn."""
    parts = {
        name: one._replace(quick=SMALL.get(name, {}), digits=_digits(one.of))
        for name, one in chain.PARTS.items()
    }
    patch.setattr(chain, "PARTS", parts)
    patch.setattr(runner, "write", read)
    patch.setattr(report, "write", written)


def _digits(of):
    return {"setting": "digits"} if of == "init" else {"dataset": "digits"}


def everything(folder, *more):
    """The words of the command of everything."""
    return ["training", "all", "--output", str(folder), "--device", "cpu", *more]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cheap):
    """A run of everything with --json: its folder, and what it wrote to the two streams."""
    folder = tmp_path_factory.mktemp("everything")
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, cheap():
        small(patch)
        patch.setenv("ARCHCALC_DATA", str(folder / "no data"))
        with redirect_stdout(out), redirect_stderr(err):
            assert run(everything(folder, "--json")) == 0
    return folder, out.getvalue(), err.getvalue()


def test_everything_is_run_in_order(whole):
    """Parts begin in the assignments' order, each in its folder; the report finds all finished."""
    folder, _, err = whole
    assert tuple(chain.CHAINS[chain.ALL]) == ORDER
    assert {path.name for path in folder.iterdir()} == {*ORDER, "report.html", "report.md"}
    begun = re.findall(rf"the record is kept in {re.escape(str(folder))}/(\S+)", err)
    assert tuple(begun) == ORDER
    assert all(Record.read(folder / name).finished for name in ORDER)
    for name, form in (("report.html", "html"), ("report.md", "markdown")):
        assert json.loads((folder / name).read_text()) == [form, sorted(ORDER)]


def test_parts_are_what_the_assignments_ask(whole):
    """A folder's record is of its experiment, and of its setting."""
    given = {name: Record.read(whole[0] / name) for name in ORDER}
    assert {name: record.experiment for name, record in given.items()} == {
        name: chain.PARTS[name].of for name in ORDER
    }
    assert {record.experiment for record in given.values()} == {
        *(one.of for one in chain.PARTS.values())
    }
    assert given["init-ball"].configuration["setting"] == "ball"


def test_what_the_finders_found_is_handed_on(whole):
    """Parts behind a finder are between the rates and batches that it has read."""
    given = {name: Record.read(whole[0] / name).configuration for name in ORDER}
    for name in ORDER[ORDER.index("cyclical-lr") : ORDER.index("optimizers")]:
        assert {key: given[name][key] for key in READINGS["lr-finder"]} == READINGS["lr-finder"]
    batches = {key: given["cyclical-batch"][key] for key in READINGS["batch-finder"]}
    assert batches == READINGS["batch-finder"]
    assert given["dataset"]["validation"] == given["lr-finder"]["validation"] == 20


def test_digits_stand_in_and_it_is_said(whole):
    """Where no set is in the folder, parts take digits; the first line says so and what helps."""
    folder, _, err = whole
    line = err.splitlines()[0]
    assert f"MNIST, Fashion-MNIST and CIFAR-10 are not in {folder / 'no data'}: " in line
    assert "digits stand in" in line
    for name in ("mnist", "fashion-mnist", "cifar10"):
        assert f"archcalc training dataset {name}" in line
    assert "stand in" not in "".join(err.splitlines()[1:])
    for name in ORDER:
        given = Record.read(folder / name).configuration
        assert given.get("dataset", "digits") == "digits"
    assert Record.read(folder / "init-mnist").configuration["setting"] == "digits"


@pytest.mark.usefixtures("_small")
def test_sets_that_are_there_are_taken(tmp_path, monkeypatch, capsys):
    """A part whose set is in the folder takes it, the others digits; in full nothing stands in."""
    absent = {}

    def not_run(name, options, *_):
        absent[name] = options.get("dataset") or options.get("setting")
        raise TrainingError("not run here")

    monkeypatch.setattr(chain, "_run", not_run)
    data = tmp_path / "some data"
    (data / "FashionMNIST").mkdir(parents=True)
    (data / "mnist.npz").touch()
    assert run(everything(tmp_path / "a", "--data-dir", str(data))) == 1
    assert absent["dataset"] == absent["cyclical-batch"] == "fashion-mnist"
    assert (absent["batchnorm-dropout"], absent["optimizers"]) == ("mnist", "digits")
    assert absent["init-mnist"] == "mnist"
    line = capsys.readouterr().err.splitlines()[0]
    assert line.startswith(f"CIFAR-10 is not in {data}: ")
    assert line.endswith(f"archcalc training dataset cifar10 --data-dir '{data}'")
    assert run(everything(tmp_path / "b", "--preset", "full")) == 1
    assert absent["optimizers"] == "cifar10"
    assert "stand in" not in capsys.readouterr().err


def test_the_quick_sizes_are_sizes(monkeypatch, tmp_path):
    """Quick options make an experiment, of digits too; in full every part is the assignment's."""
    for finder in READINGS:
        (tmp_path / finder).mkdir()
        read(SimpleNamespace(experiment=finder), tmp_path / finder)
    monkeypatch.setattr(chain, "PARTS", REAL)
    monkeypatch.setattr(batchnorm_dropout, "prepared", PREPARED)
    for absent in ((), ("mnist", "fashion-mnist", "cifar10")):
        for name in ORDER:
            given = {"preset": "quick", "seed": 0}
            options = chain._options(name, given, absent)
            one = chain.part(name, options, tmp_path)
            known = {field.name for field in one.fields()}
            assert {*REAL[name].quick, *REAL[name].more} <= known
            if absent and REAL[name].images:
                one.tasks()  # digits are as many as it needs
                assert chain.studied(Record(one.name, one.configuration())).endswith("digits")
            full = chain.part(name, chain._options(name, given | {"preset": "full"}, ()), tmp_path)
            assert getattr(full, "preset", "full") == "full"
            usual = {"preset": "full"} if "preset" in known else {}
            handed = {key: getattr(full, key) for key in known & {"lr_min", "lr_max"}}
            handed |= {key: getattr(full, key) for key in known & {"b_min", "b_max"}}
            kind = experiment(REAL[name].of)
            if name != "dataset":  # which holds out what the others hold out
                assert full == kind(**usual, **handed, **REAL[name].more)


def test_json_has_every_part(whole):
    """--json is one document: each part with its seconds, data and command, and the report."""
    folder, out, _ = whole
    data = json.loads(out)
    assert data["schema"] == "archcalc.training.all/1"
    assert tuple(part["part"] for part in data["parts"]) == ORDER
    assert [part["failed"] for part in data["parts"]] == [None] * len(ORDER)
    for part in data["parts"]:
        record = Record.read(folder / part["part"])
        assert (part["seconds"], part["command"]) == (record.seconds, record.about["command"])
    on = {part["part"]: part["on"] for part in data["parts"]}
    assert on["perceptron"] == on["init-ball"] == on["dying-relu"] == "random points"
    assert on["init-mnist"] == on["optimizers"] == "scikit-learn's digits"
    assert data["report"] == {
        "html": str(folder / "report.html"),
        "markdown": str(folder / "report.md"),
    }


@pytest.mark.usefixtures("_small")
def test_a_table_tells_of_every_part(whole, capsys, monkeypatch):
    """Finished parts are read; one table has a line for each, and says where the report is."""
    folder, _, _ = whole
    monkeypatch.setattr(Loop, "run", None)  # nothing is trained
    assert run(everything(folder)) == 0
    out = capsys.readouterr().out
    for name in ORDER:
        assert re.search(rf"^{name} +\d+  .* +finished *$", out, re.MULTILINE)
    assert str(folder / "report.html") in out
    assert "Made by" not in out


@pytest.mark.usefixtures("_small")
def test_everything_goes_on_where_it_was_stopped(whole, tmp_path, monkeypatch, capsys):
    """Stopped and resumed, everything has the same bits; without --resume nothing is touched."""
    real = Loop._train

    def stopped(self, task, *rest):
        if task.tasks == ("halve/seed0",):
            raise StoppedError("stopped here")
        return real(self, task, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_train", stopped)
        assert run(everything(tmp_path)) == 130
    assert not (tmp_path / "report.html").exists()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob(f"*/{FILE}")}
    capsys.readouterr()
    assert run(everything(tmp_path)) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "batch-size-grow holds an unfinished record of this run; --resume" in err
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob(f"*/{FILE}")}
    assert run(everything(tmp_path, "--resume")) == 0
    for path, time in before.items():
        assert (path.stat().st_mtime_ns == time) == (path.parent.name != "batch-size-grow")
    for name in ORDER:
        ours, theirs = Record.read(tmp_path / name), Record.read(whole[0] / name)
        assert ours.arrays.keys() == theirs.arrays.keys()
        for key, array in ours.arrays.items():
            same = array.tobytes() == theirs.arrays[key].tobytes()
            assert same or key.endswith("/seconds"), (name, key)
    assert (tmp_path / "report.html").read_text() == (whole[0] / "report.html").read_text()


@pytest.mark.usefixtures("_small")
def test_a_failing_part_does_not_stop_the_others(whole, monkeypatch, tmp_path, capsys):
    """A failure is a line; the rest is run and reported; status 1, and the last line names it."""
    monkeypatch.setitem(READINGS, "batch-finder", {"b_min": None, "b_max": None})
    real = runner.run

    def failing(what, *rest, **how):
        if what.name == "optimizers":
            raise TrainingError("no room")
        return real(what, *rest, **how)

    for name in ORDER[:-3]:  # as if they had been run
        (tmp_path / name).symlink_to(whole[0] / name)
    monkeypatch.setattr(runner, "run", failing)
    assert run(everything(tmp_path, "--json")) == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    (cyclical,) = [line for line in lines if line.startswith("cyclical-batch failed: ")]
    assert "could read nothing off its curve" in cyclical
    assert "optimizers failed: no room" in lines
    assert lines[-1] == "archcalc: cyclical-batch, optimizers failed; why is said above"
    failed = {part["part"]: part["failed"] for part in json.loads(out)["parts"]}
    assert [name for name, why in failed.items() if why] == ["cyclical-batch", "optimizers"]
    assert failed["optimizers"] == "no room"
    assert json.loads((tmp_path / "report.md").read_text())[1] == sorted(ORDER[:-2])


@pytest.mark.usefixtures("_small")
def test_what_needs_a_part_that_failed_is_not_run(monkeypatch, tmp_path, capsys):
    """Without the finder's run no part that needs it is tried, whatever lies in its folder."""
    tried = []

    def failing(_, place, **__):
        tried.append(place.name)
        raise TrainingError("no room")

    (tmp_path / "lr-finder").mkdir()
    read(SimpleNamespace(experiment="lr-finder"), tmp_path / "lr-finder")
    monkeypatch.setattr(runner, "run", failing)
    assert run(everything(tmp_path)) == 1
    assert tuple(tried) == (*ORDER[:7], "optimizers")
    err = capsys.readouterr().err
    assert "cyclical-lr failed: it needs what lr-finder would have found\n" in err
    assert err.count(" failed: ") == len(ORDER)
    assert "lr-finder, cyclical-lr, batch-size-grow" in err.splitlines()[-1]


@pytest.mark.usefixtures("_small")
def test_a_report_that_fails_is_named(whole, monkeypatch, capsys):
    """Where the report cannot be written the parts are told all the same; the status is 1."""

    def broken(*_):
        raise TrainingError("no room")

    monkeypatch.setattr(report, "write", broken)
    assert run(everything(whole[0], "--json")) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["report"] is None
    assert "report failed: no room" in err.splitlines()
    assert err.splitlines()[-1] == "archcalc: report failed; why is said above"


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("first", [True, False])
def test_one_rank_writes_the_report(tmp_path, monkeypatch, first):
    """Of several processes the first alone writes the report, and tells what came of the parts."""
    own = SimpleNamespace(first=first, leads=lambda work: work() if first else None)
    monkeypatch.setattr(ranks, "join", lambda _: own)
    monkeypatch.setattr(chain, "_run", lambda *_: None)
    (tmp_path / "run").mkdir()
    found = chain.everything({"preset": "quick"}, tmp_path / "run")
    assert (tmp_path / "run" / "report.html").exists() == first
    assert len(found) == first * len(ORDER)


@pytest.mark.usefixtures("_small")
def test_another_run_is_refused_at_once(whole, capsys):
    """A folder of other options is refused in one line, before anything is run or written."""
    before = {path: path.stat().st_mtime_ns for path in whole[0].rglob("*")}
    assert run(everything(whole[0], "--seed", "7")) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "perceptron holds a record with --seed 0, not 7;" in err
    assert before == {path: path.stat().st_mtime_ns for path in whole[0].rglob("*")}


def test_where_nothing_is_said_the_preset_decides(tmp_path, monkeypatch):
    """Without --output a preset has a folder of its own below runs."""
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(chain, "everything", lambda _, where, **__: asked.append(where) or [])
    for preset in ("quick", "full"):
        assert run(["training", "all", "--preset", preset]) == 0
    assert [str(one) for one in asked] == ["runs/all-quick", "runs/all-full"]


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
    """Above a part's steps stands which of how many it is; behind all of them comes the report."""
    with progress.parts_display(["one", "two", "three"], shown=True) as begin:
        display = progress._SHOWN.get()
        begin("two")
        (first,) = drawn(display)
        assert first.startswith("2 of 3 parts: two ")
        with progress.bar(shown=True) as told:
            told(4, 10, "grid")
            first, now = drawn(display)
            assert first.startswith("2 of 3 parts: two ")
            assert now.startswith("grid ")
            assert "4/10 steps" in now
        assert len(drawn(display)) == 1
        assert display.parts.tasks[0].completed == 1
        begin("report")
        (first,) = drawn(display)
        assert first.startswith("3 of 3 parts: report ")
        assert display.parts.tasks[0].completed == 3
    assert progress._SHOWN.get() is None


def test_a_bar_alone_is_as_before(terminal):
    """Without a display of the whole a bar is drawn by itself; where nothing is shown, nothing."""
    with progress.bar(shown=True) as told:
        told(10, 10, "grid")
    assert "grid" in terminal.getvalue()
    assert "10/10 steps" in terminal.getvalue()
    size = len(terminal.getvalue())
    with progress.parts_display(["one"], shown=False) as begin, progress.bar(shown=False) as told:
        begin("one")
        told(10, 10, "grid")
    assert len(terminal.getvalue()) == size


def test_without_a_terminal_nothing_is_drawn(capsys):
    """Where standard error is no terminal there are no bars, not even of the whole."""
    with progress.parts_display(["one"], shown=True) as begin, progress.bar(shown=True) as told:
        begin("one")
        told(10, 10, "grid")
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("_small")
def test_everything_has_one_display(whole, terminal):
    """On a terminal the command draws one display, in which every part and the report appear."""
    assert run(everything(whole[0])) == 0
    text = terminal.getvalue()
    assert "12 of 12 parts: report" in text
    assert "steps" not in text  # nothing was left to learn
