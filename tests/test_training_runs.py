# ruff: noqa: TID253 - these tests are of what needs torch
"""A run gives what its configuration says, however often it is stopped and by how many it is made.

Commands that are killed run as processes of their own, children of one that has loaded torch.
"""

import contextlib
import io
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import time
import zipfile
from dataclasses import fields
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from archcalc.main import run
from training.engine import kernel, losses, streams
from training.engine.cohort import Cohort, Member
from training.engine.loop import Loop, state_of
from training.engine.models import Mlp
from training.engine.record import DONE, DRAFT, FILE, SCHEMA, STATE, TASKS, Record, plain, to_file
from training.engine.updates import Adam
from training.errors import StoppedError, TrainingError
from training.experiments import EXPERIMENTS, experiment, runner
from training.experiments.dying_relu.experiment import (
    END,
    DyingRelu,
    bounds,
    dense,
    look,
    plain_survey,
)
from training.experiments.init.experiment import MEASURES, SETTINGS, Init, ball
from training.experiments.perceptron.experiment import Perceptron, disagreement, predicted

CPU = torch.device("cpu")
FOLDER = "run"  # where a command keeps its record
LIMIT = 60  # seconds until a process is taken for one that hangs

MINI = (
    "--dataset digits --examples 48 --validation 32 --test-examples 32 --width 0.03 --size 7 "
    "--seeds 2 "
)
ROWS = (
    "--dataset digits --examples 48 --validation 32 --test-examples 32 --width 5 --size 7 "
    "--seeds 2 --method rmsprop-nesterov,adam --rate 0.001,0.01 --search-epochs 1 "
)
# Six to four hundred updates each, in a second or so; OFTEN makes many checkpoints.
RUNS = {
    "perceptron": "--sets 10 --points 10 --test-points 20 --epochs 40",
    "dying-relu": "--simulations 9 --points 99 --batch 10 --epochs 20 --hidden-layers 2,3 --born 0",
    "batchnorm-dropout": "--dataset digits --seeds 2 --epochs 1 --batch 4 --variant both",
    "batch-size": f"{MINI} --smallest 8 --largest 32 --hold 2it --micro-batch 12",
    "optimizers": f"{ROWS} --epochs 6 --batch 8 --dropout with",
}
OFTEN = "--checkpoint-every 0.01"
TINY = {
    "perceptron": "--sets 6 --points 4 --test-points 9 --epochs 3",
    "init": "--networks 2 --examples 30 --activation relu --init he",
    "dying-relu": "--simulations 6 --points 64 --epochs 3 --hidden-layers 2,3 --born 0",
    "batchnorm-dropout": "--dataset digits --seeds 2 --epochs 1 --batch 26 --variant both",
    "dataset": "digits --validation 300",
    "lr-finder": f"{MINI} --candidates 2 --epochs 1 --sweep 1",
    "cyclical-lr": f"{MINI} --epochs 2 --step 1 --policy exp_range",
    "batch-size": f"{MINI} --smallest 16 --largest 32 --hold 1it",
    "batch-finder": f"{MINI} --smallest 16 --largest 32 --trial 1",
    "cyclical-batch": f"{MINI} --epochs 1 --step 1 --b-min 8 --b-max 32",
    "optimizers": f"{ROWS} --epochs 1 --dropout without",
}
every = pytest.mark.parametrize("name", EXPERIMENTS)
# Those that differ in how they run; the others share all of it with batch-size.
different = pytest.mark.parametrize(
    "name", [name for name in EXPERIMENTS if not name.startswith(("cyclical", "batch-f"))]
)
trained = pytest.mark.parametrize("name", RUNS)


def line(name, options="", folder=FOLDER):
    """The words of a command behind ``archcalc training``."""
    return [name, *options.split(), "--output", str(folder)]


def same(a, b):
    """Whether two records' arrays are equal, times apart, by name, type, shape and every bit."""
    a, b = ({k: v for k, v in one.items() if not k.endswith("/seconds")} for one in (a, b))
    return a.keys() == b.keys() and all(
        (a[k].dtype, a[k].shape, a[k].tobytes()) == (b[k].dtype, b[k].shape, b[k].tobytes())
        for k in a
    )


def contents(folder):
    """Every file below a folder and what is in it."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@cache
def made(name, options):
    """The experiment of a command line."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "run", lambda what, *_, **__: found.append(what))
        assert run(["training", *line(name, options)]) == 0
    return found[0]


@pytest.fixture(autouse=True)
def _cheap(cheap):
    """Neither ceilings nor costs matter, nor how many images there are."""
    with cheap():
        yield


@pytest.fixture
def bare(monkeypatch):
    """Runs write their record alone, neither page nor figures."""
    monkeypatch.setattr(runner, "write", lambda *_: None)


@cache
def whole(name, options):
    """The arrays of a run that nothing has disturbed, made here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "write", lambda *_: None)
        patch.setattr(Record, "save", lambda *_: None)
        # nothing is written, but a folder is made
        patch.setattr(Path, "mkdir", lambda *_, **__: None)
        return runner.run(made(name, options), Path("/nowhere")).arrays


# ------------------------------------------------------------------------------------- processes

# Forks a child for each line that it reads; nothing in it has started a thread.
SERVER = """
import json, os, signal, sys
import matplotlib.backends.backend_agg
import training.cli, training.engine.datasets, training.engine.kernel, training.experiments.runner
from training.experiments import EXPERIMENTS, experiment
import archcalc.render.style
for name in EXPERIMENTS:
    experiment(name)
training.engine.kernel._compiled()
training.engine.datasets.load("digits")

def child(folder, log, args, env, first):
    os.chdir(folder)
    os.environ.update(env)
    for number, name in enumerate([os.devnull, f"{log}.out", f"{log}.err"]):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["training", *args]
    error = sys.stderr
    try:
        exec(first, {"os": os, "signal": signal, "training": training})
        training.cli.main()
    except SystemExit as end:
        return end.code
    except BaseException:
        sys.stderr = error
        import traceback
        traceback.print_exc()
        return 1

answers = sys.stdout
for line in sys.stdin:
    job = json.loads(line)
    if "pid" in job:
        pid, status = os.waitpid(job["pid"], os.WNOHANG)
        answer = os.waitstatus_to_exitcode(status) if pid else None
    else:
        answer = os.fork()
        if answer == 0:
            status = child(**job)
            sys.__stdout__.flush()
            sys.__stderr__.flush()
            os._exit(status)
    answers.write(json.dumps(answer) + "\\n")
    answers.flush()
"""
# Neither page nor figures, neither tables nor answers; no costs, and few images, as here.
BARE = """
import training.engine.costs
import training.experiments.optimizers.experiment
from training.experiments.batchnorm_dropout import experiment as lenet
training.experiments.runner.write = training.cli.deliver = lambda *_: None
training.engine.costs.measured = lambda *_: {}
training.experiments.optimizers.experiment.Optimizers.cost = lambda *_: {}
prepared = lenet.prepared
lenet.prepared = lambda *asked: tuple(
    type(part)(part.x[:78], part.y[:78]) for part in prepared(*asked)
)
"""
SLOW = """
import time
from training.engine.cohort import Cohort
advance = Cohort.advance
def slowly(self, *args):
    time.sleep(0.004)
    return advance(self, *args)
Cohort.advance = slowly
"""


class Process:
    """A command that runs: a child of the server."""

    def __init__(self, ask, folder, args, *, log="log", first=BARE, env=None):
        self.ask, self.folder, self.log = ask, folder, log
        self.status = None
        self.record = folder / FOLDER / FILE
        self.pid = ask(folder=str(folder), log=log, args=args, env=env or {}, first=first)

    def ended(self):
        """Whether it has."""
        if self.status is None:
            self.status = self.ask(pid=self.pid)
        return self.status is not None

    def wait(self, limit=LIMIT):
        """Its status; one that hangs is ended, and has none."""
        end = time.monotonic() + limit
        while not self.ended():
            if time.monotonic() > end:
                self.send(signal.SIGKILL)
                self.wait()
                return None
            time.sleep(0.002)
        return self.status

    def send(self, number):
        """Send a signal, if it has not ended."""
        if not self.ended():
            os.kill(self.pid, number)

    def saves(self, times):
        """Wait until it has written so many files below its folder, or has ended."""
        before = self.files()
        seen = set(before)
        while len(seen) < len(before) + times and not self.ended():
            seen |= self.files()
            time.sleep(0.001)
        return self

    def files(self):
        """What tells the files of its tasks from those that come in their places."""
        found = set()
        for path in (self.record.parent / TASKS).rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.suffix in {DONE, STATE}:
                    found.add((path, path.stat().st_ino, path.stat().st_mtime_ns))
        return found

    def said(self, end="err"):
        """What it wrote on standard error, or output."""
        return (self.folder / f"{self.log}.{end}").read_text()


@pytest.fixture(scope="module")
def server():
    """What asks the server."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def ask(**job):
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


@pytest.fixture
def start(server, tmp_path):
    """Start a command in the test's folder."""
    started = []

    def begin(args, **how):
        started.append(Process(server, how.pop("folder", tmp_path), args, **how))
        return started[-1]

    yield begin
    for process in started:
        process.send(signal.SIGKILL)
        process.wait()


def finished(process, name, options):
    """Assert that a run came to its end with all of its arrays and nothing else in its folder."""
    assert process.wait() == 0, process.said()
    assert "Traceback" not in process.said()
    record = Record.read(process.record.parent)
    assert record.finished
    assert same(record.arrays, whole(name, options))
    assert left(process.record.parent) == sorted(
        [FILE, *(f"{TASKS}/{task}{DONE}" for task in record.tasks)]
    )
    return record


def left(folder):
    """The names of all files below a folder."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def resumed(record):
    """How often the tasks of a run were gone on with."""
    return sum(len(about.get("resumed", [])) for about in record.tasks.values())


def test_the_comparison_of_arrays_can_fail():
    """One bit, a type, a shape and a name are noticed; two NaNs of the same bits are equal."""
    one = {"a": np.array([0.0, np.nan], np.float32)}
    assert same(one, {"a": one["a"].copy()})
    assert not same(one, {"a": np.array([-0.0, np.nan], np.float32)})
    assert not same(one, {"a": one["a"].view(np.int32)})
    assert not same(one, {"a": one["a"][:, None]})
    assert not same(one, {"b": one["a"]})


@trained
def test_a_process_gives_what_is_made_here(start, name):
    """A process with many checkpoints gives the arrays of a run in this one with none."""
    record = finished(start(line(name, f"{RUNS[name]} {OFTEN}")), name, RUNS[name])
    assert not resumed(record)


# --------------------------------------------------------------------------------- kill -9, Ctrl-C

# After so many checkpoints of each process in turn, and then so many seconds.
KILLS = [(3, 0.006), (1, 0.0), (2, 0.009), (1, 0.003)]


@trained
def test_killed_runs_resume_to_the_same_bits(start, name):
    """However often a run is killed between checkpoints, its end is that of an undisturbed one."""
    args = line(name, f"{RUNS[name]} {OFTEN} --resume")
    for times, delay in KILLS:
        process = start(args).saves(times)
        time.sleep(delay)
        process.send(signal.SIGKILL)
        assert process.wait() in {-signal.SIGKILL, 0}
        Record.read(process.record.parent)
    record = finished(start(args), name, RUNS[name])
    assert resumed(record)


@trained
def test_runs_are_killed_at_any_time(start, name):
    """A run that is killed at random times, before its first checkpoint too, ends as it would."""
    args = line(name, f"{RUNS[name]} {OFTEN} --resume")
    chance = random.Random(name)  # noqa: S311 - no secret
    for _ in range(4):
        process = start(args)
        time.sleep(chance.uniform(0, 0.3))
        process.send(signal.SIGKILL)
        process.wait()
        if process.record.exists():
            Record.read(process.record.parent)
    finished(start(args), name, RUNS[name])


TEN = (
    "--dataset digits --examples 48 --validation 32 --test-examples 32 --width 5 --size 7 "
    "--seeds 1 --method adagrad,rmsprop,rmsprop-nesterov,adadelta,adam --rate 0.01 "
    "--search-epochs 1 --epochs 3 --batch 4"
)


def test_ten_tasks_are_killed_twenty_times(start):
    """Ten networks of three epochs, killed at twenty random moments, end as undisturbed ones do.

    What is finished at a kill is not done again.
    """
    args = line("optimizers", f"{TEN} {OFTEN} --resume")
    chance = random.Random(20)  # noqa: S311 - no secret
    kept = {}
    for _ in range(20):
        process = start(args)
        time.sleep(chance.uniform(0.1, 0.7))
        process.send(signal.SIGKILL)
        process.wait()
        found = {path: inode for path, inode, _ in process.files() if path.suffix == DONE}
        assert found.items() >= kept.items()
        kept = found
    assert kept
    record = finished(start(args), "optimizers", TEN)
    assert sum(not name.startswith("search/") for name in record.tasks) == 10


FATAL = """
replace, left = os.replace, [{count}]
def fatal(*names):
    left[0] -= 1
    if left[0] == 0 and {before}:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*names)
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = fatal
"""


@pytest.mark.parametrize(
    ("count", "before"), [(1, True), (2, True), (2, False), (5, True)], ids=str
)
def test_killed_while_it_saves(start, count, before):
    """Killed next to the replacement of a record, a run leaves a whole record or none.

    It resumes to the same bits, and nothing is left of the draft.
    """
    name = "dying-relu"
    args = line(name, f"{RUNS[name]} {OFTEN} --resume")
    process = start(args, first=BARE + FATAL.format(count=count, before=before))
    assert process.wait() == -signal.SIGKILL
    drafts = [name for name in left(process.record.parent) if name.endswith(DRAFT)]
    assert len(drafts) == before
    if (count, before) != (1, True):
        assert not Record.read(process.record.parent).finished
    finished(start(args), name, RUNS[name])


DRAFTS = [
    f"{folder}.{name}.k2x9ab_0{DRAFT}"
    for folder, name in (
        *(("", name) for name in (FILE, "results.json", "README.md", "accuracy.png")),
        *(("tasks/", name) for name in ("lines.npz", "lines.state")),
    )
]


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.usefixtures("bare")
def test_drafts_of_killed_runs_are_removed(tmp_path, monkeypatch, draft):
    """What a run that was killed was about to write is gone when it has been resumed to its end."""
    monkeypatch.chdir(tmp_path)
    unfinished("perceptron", tmp_path / FOLDER)
    (tmp_path / FOLDER / TASKS).mkdir()
    (tmp_path / FOLDER / draft).write_bytes(b"half")
    assert run(["training", *line("perceptron", f"{TINY['perceptron']} --resume")]) == 0
    assert left(tmp_path / FOLDER) == [FILE, "tasks/lines.npz"]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", [".README.md.swp", ".notes.json.bak", "record.npz.old", ".a.b.c"])
def test_what_others_put_there_stays(tmp_path, monkeypatch, name):
    """A file in the folder that is none of a run's stays, an editor's for one of them too."""
    monkeypatch.chdir(tmp_path)
    unfinished("perceptron", tmp_path / FOLDER)
    (tmp_path / FOLDER / name).write_bytes(b"mine")
    args = line("perceptron", TINY["perceptron"])
    assert run(["training", *args, "--resume"]) == 0
    assert run(["training", *args, "--overwrite"]) == 0
    assert (tmp_path / FOLDER / name).read_bytes() == b"mine"


# A signal, or several, while an update is made: the task, its update of how many, and those of
# the tasks before it.
WHEN = {
    "perceptron": ("lines", 250, 400, 0),
    "dying-relu": ("3x2", 50, 200, 200),
    "batchnorm-dropout": ("both/dense/seed1", 12, 20, 20),
    "batch-size": ("grow/seed0", 3, 6, 0),
    "optimizers": ("rmsprop-nesterov/dropout/seed1", 37, 60, 4 * 6 + 60),
}
STRUCK = """
from training.engine.cohort import Cohort
advance, left = Cohort.advance, [{after}]
def struck(self, *args):
    left[0] -= 1
    if left[0] == 0:
        for number in {signals}:
            os.kill(os.getpid(), number)
    return advance(self, *args)
Cohort.advance = struck
"""


@trained
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_stopped_run_says_how_it_goes_on(start, name, number):
    """Ctrl-C and SIGTERM end with 130 and one line that names --resume, which gives the same bits.

    Nothing of what was done is lost, though no checkpoint was due.
    """
    args = line(name, f"{RUNS[name]} --checkpoint-every 1000")
    task, updates, end, before = WHEN[name]
    after = before + updates
    process = start(args, first=BARE + STRUCK.format(signals=[int(number)], after=after))
    assert process.wait() == 130
    kept, *predicted, stopped = process.said().splitlines()
    assert FOLDER in kept
    assert all("predicted" in said for said in predicted)
    assert stopped.startswith("archcalc: stopped at ")
    assert "--resume" in stopped
    assert not process.said("out")
    assert f"update {updates} of {end};" in stopped
    there = state_of(process.record.parent, task).about
    assert (there["tasks"], there["updates"]) == ([task], updates)
    record = finished(start([*args, "--resume"]), name, RUNS[name])
    assert resumed(record) == len(record.tasks[task]["resumed"]) == 1


def test_a_second_interrupt_ends_at_once(start):
    """Ctrl-C twice within an update ends with 130 and no traceback; the record can be resumed."""
    name = "perceptron"
    args = line(name, f"{RUNS[name]} --resume")
    twice = [int(signal.SIGINT)] * 2
    process = start(args, first=BARE + STRUCK.format(signals=twice, after=250))
    assert process.wait() == 130
    assert "Traceback" not in process.said()
    finished(start(args), name, RUNS[name])


# Ctrl-C at the beginning of what a name of the runner does.
INTERRUPTED = """
before = training.experiments.runner.{name}
def stopped(*args, **options):
    os.kill(os.getpid(), signal.SIGINT)
    return before(*args, **options)
training.experiments.runner.{name} = stopped
"""


@pytest.mark.parametrize("moment", ["write", "provenance", "to_file"])
def test_an_interrupt_outside_of_training_is_one_line(start, moment):
    """Ctrl-C before and behind training too ends with 130 and one line that says how to go on."""
    args = line("perceptron", TINY["perceptron"])
    process = start(args, first=INTERRUPTED.format(name=moment))
    assert process.wait() == 130
    said = [found for found in process.said().splitlines() if found.startswith("archcalc: ")]
    assert len(said) == 1, process.said()
    assert "Traceback" not in process.said()
    assert start([*args, "--resume"]).wait() == 0


def test_a_stop_keeps_what_was_done(tmp_path, monkeypatch):
    """A run that is stopped after each of its updates comes to its end in as many pieces."""
    always = property(lambda _: True, lambda *_: None)
    monkeypatch.setattr("training.engine.progress.Stop.wanted", always, raising=False)
    asked = made("perceptron", TINY["perceptron"])
    with pytest.raises(StoppedError) as caught:
        runner.run(asked, tmp_path, keep=1e9)
    assert caught.value.status == 130
    assert "update 0 of 12" in str(caught.value)
    monkeypatch.setattr(Loop, "_ask", lambda self, _, updates: updates > self.first)
    monkeypatch.setattr(runner, "write", lambda *_: None)
    for updates in range(12):
        monkeypatch.setattr(Loop, "first", updates, raising=False)
        with pytest.raises(StoppedError, match=f"update {updates + 1} of 12"):
            runner.run(asked, tmp_path, resume=True, keep=1e9)
    monkeypatch.setattr(Loop, "_ask", lambda *_: False)
    record = runner.run(asked, tmp_path, resume=True, keep=1e9)
    assert same(record.arrays, whole("perceptron", TINY["perceptron"]))
    assert resumed(record) == 13


# ------------------------------------------------------------------------------- several processes


@pytest.fixture
def ranks(start):
    """Start a command as several processes, as torchrun does."""

    def begin(args, world=2, **how):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        env = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        return [
            start(
                args,
                log=f"rank{rank}",
                env={**env, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                **how,
            )
            for rank in range(world)
        ]

    return begin


def ended(processes, limit=20):
    """The statuses of several processes; None of one that hangs."""
    return [process.wait(limit) for process in processes]


@pytest.mark.parametrize(
    ("name", "options"),
    [*RUNS.items(), ("dying-relu", "--simulations 9 --points 64 --epochs 1 --born 19 --seed 2")],
)
def test_two_processes_give_the_bits_of_one(ranks, name, options):
    """Members' paths do not depend on which process they are in."""
    processes = ranks(line(name, options))
    assert ended(processes) == [0, 0], processes[0].said()
    record = finished(processes[0], name, options)
    assert "2 processes" in record.about["hardware"]
    assert not processes[1].said()
    assert not processes[1].said("out")


def test_processes_agree_on_values_at_birth(ranks):
    """What is measured at birth in two processes is, but for rounding, what one measures.

    One of them has none of the networks whose values are drawn.
    """
    processes = ranks(line("init", TINY["init"]))
    assert ended(processes) == [0, 0], processes[0].said()
    here, there = whole("init", TINY["init"]), Record.read(processes[0].record.parent).arrays
    assert here.keys() == there.keys()
    for name, value in here.items():
        assert value.shape == there[name].shape
        assert np.allclose(value, there[name], rtol=1e-4, atol=1e-6 * np.abs(value).max()), name


def test_a_process_may_have_nothing_to_picture(ranks):
    """Two processes, of which one has no network that is pictured, give the bits of one."""
    options = (
        "--simulations 130 --points 64 --epochs 1 --hidden-layers 2 --born 0 --activation relu"
    )
    processes = ranks(line("dying-relu", options))
    assert ended(processes) == [0, 0], processes[0].said()[-300:]
    finished(processes[0], "dying-relu", options)


@pytest.mark.parametrize("worlds", [(1, 2), (2, 1)], ids=str)
def test_a_run_is_resumed_by_other_processes(ranks, start, worlds):
    """A run that was killed with some processes goes on with more or fewer to the same bits."""
    name = "dying-relu"
    args = line(name, f"{RUNS[name]} {OFTEN} --resume")
    slow = BARE + SLOW
    processes = ranks(args, worlds[0], first=slow) if worlds[0] > 1 else [start(args, first=slow)]
    processes[0].saves(1)
    for process in processes:
        process.send(signal.SIGKILL)
    ended(processes)
    assert any(path.suffix == STATE for path, *_ in processes[0].files())
    processes = ranks(args, worlds[1]) if worlds[1] > 1 else [start(args)]
    assert set(ended(processes)) == {0}, processes[0].said()
    record = finished(processes[0], name, RUNS[name])
    assert resumed(record) == 1


@pytest.mark.parametrize("heard", [[0, 1], [1]], ids=str)
def test_all_processes_stop_together(ranks, start, heard):
    """Ctrl-C, whichever processes hear it, stops all with 130; the first alone says so."""
    name = "dying-relu"
    processes = ranks(line(name, f"{RUNS[name]} {OFTEN}"), first=BARE + SLOW)
    processes[0].saves(1)
    for rank in heard:
        processes[rank].send(signal.SIGINT)
    assert ended(processes) == [130, 130], processes[0].said()
    assert "--resume" in processes[0].said().splitlines()[-1]
    assert not processes[1].said()
    finished(start(line(name, f"{RUNS[name]} --resume")), name, RUNS[name])


def test_more_processes_than_members(ranks, tmp_path):
    """More processes than members are refused in one line, and nothing is written."""
    processes = ranks(line("perceptron", "--sets 1 --loss hinge --rate 1 --epochs 2"), 2)
    assert ended(processes) == [2, 2]
    assert processes[0].said().startswith("archcalc: 2 processes ")
    assert processes[0].said().count("\n") == 1
    assert not processes[1].said()
    assert not (tmp_path / FOLDER).exists()


def test_all_processes_end_where_nothing_can_be_written(ranks, tmp_path):
    """A folder that cannot be made ends all processes with 2 and one line, and none hangs."""
    (tmp_path / "file").write_text("")
    processes = ranks(line("perceptron", TINY["perceptron"], "file/below"))
    assert ended(processes) == [2, 2]
    assert processes[0].said() == "archcalc: file/below: Not a directory\n"
    assert not processes[1].said()


def test_all_processes_end_where_a_checkpoint_cannot_be_written(ranks):
    """A record that cannot be written in the midst of a run ends all processes with one line."""
    full = "count = [0]\ndef full(*_):\n    count[0] += 1\n    if count[0] > 2:\n"
    full += "        raise OSError(28, 'No space left on device')\nos.fsync = full\n"
    name = "dying-relu"
    processes = ranks(line(name, f"{RUNS[name]} {OFTEN}"), first=BARE + full)
    assert ended(processes) == [2, 2]
    assert (
        processes[0].said().splitlines()[-1]
        == f"archcalc: {FOLDER}/{TASKS}/2x2{STATE}: No space left on device"
    )
    assert not Record.read(processes[0].record.parent).finished


# ----------------------------------------------------------------------------------- what is kept

ARRAYS = {
    "truth": np.array([True, False]),
    "small": np.array([[-(2**15), 2**15 - 1]], np.int16),
    "long": np.array([-(2**63), 2**63 - 1]),
    "single": np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45], np.float32),
    "double": np.array([math.pi, 5e-324]),
    "empty": np.empty((0, 3), np.float32),
    "lone": np.array(7.0),
    "9x2/cube": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "größe": np.zeros(1),
}


def kept(**about):
    """A record of everything that arrays can be."""
    return Record("dying-relu", {"seed": 3, "init": ["he", "é"]}, about, dict(ARRAYS))


@pytest.mark.parametrize("about", [{}, {"finished": "now", "seconds": 1.5}], ids=["open", "done"])
def test_reading_is_the_inverse_of_saving(tmp_path, about):
    """What is saved is read: name, configuration, all that is said of it, and arrays bit by bit."""
    record = kept(**about)
    record.save(tmp_path)
    again = Record.read(tmp_path)
    assert (again.experiment, again.configuration, again.about) == (
        record.experiment,
        record.configuration,
        about,
    )
    assert same(again.arrays, ARRAYS)
    assert again.finished == bool(about)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_record_is_an_archive_that_numpy_reads(tmp_path):
    """NumPy alone reads a record's arrays, and the standard library what is said of them."""
    kept(command="x").save(tmp_path)
    with np.load(tmp_path / FILE) as archive:
        about = json.loads(archive["about.json"].tobytes())
        assert same({k: archive[k] for k in archive.files if k != "about.json"}, ARRAYS)
    assert (about["schema"], about["experiment"], about["command"]) == (SCHEMA, "dying-relu", "x")
    assert about["arrays"]["9x2/cube"] == ["float32", [2, 3, 4]]


def test_a_record_that_cannot_be_saved_is_what_it_was(tmp_path, monkeypatch):
    """Where the disk is full the old record stays, no draft is left, and one line says why."""
    kept().save(tmp_path)
    before = contents(tmp_path)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError) as caught:
        kept(finished="now").save(tmp_path)
    assert str(caught.value) == f"{tmp_path / FILE}: No space left on device"
    assert contents(tmp_path) == before


def test_a_file_has_the_permissions_of_any_new_one(tmp_path):
    """A record can be read by whom other new files can be read by."""
    kept().save(tmp_path)
    (tmp_path / "new").write_text("")
    assert (tmp_path / FILE).stat().st_mode == (tmp_path / "new").stat().st_mode
    (tmp_path / FILE).chmod(0o600)
    before = os.umask(0o027)
    to_file(b"", tmp_path / FILE)
    os.umask(before)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o640


def small(finished):
    """A small record, its bytes, and what is read of them."""
    record = Record("init", {"seed": 1}, {"finished": finished}, {"a/b": np.arange(5.0)})
    stream = io.BytesIO()
    text = {
        "schema": SCHEMA,
        "experiment": "init",
        "configuration": {"seed": 1},
        "finished": finished,
        "arrays": {"a/b": ["float64", [5]]},
    }
    pack = np.savez_compressed if finished else np.savez
    pack(
        stream,
        **{"about.json": np.frombuffer(json.dumps(text).encode(), np.uint8)},
        **record.arrays,
    )
    return record, stream.getvalue()


def reading(folder, data):
    """What is read of a file with these bytes, or None where it is refused."""
    (folder / FILE).write_bytes(data)
    try:
        return Record.read(folder)
    except TrainingError:
        return None


def agrees(found, record):
    """Whether what was read is the record."""
    return (
        (found.experiment, found.configuration, found.about)
        == (record.experiment, record.configuration, record.about)
    ) and same(found.arrays, record.arrays)


@pytest.mark.parametrize("finished_at", ["", "now"], ids=["open", "done"])
def test_any_flipped_byte_is_refused_or_changes_nothing(tmp_path, finished_at):
    """Whichever byte of a record is another, it is refused or all that is read is the same."""
    record, data = small(finished_at)
    assert agrees(reading(tmp_path, data), record)
    refused = 0
    for flip in (0x01, 0xFF):
        for place in range(len(data)):
            broken = bytearray(data)
            broken[place] ^= flip
            found = reading(tmp_path, broken)
            assert found is None or agrees(found, record), (flip, place)
            refused += found is None
    assert refused > len(data)


@pytest.mark.parametrize("finished_at", ["", "now"], ids=["open", "done"])
def test_any_beginning_of_a_record_is_refused(tmp_path, finished_at):
    """A record that ends early is refused, wherever it ends."""
    _, data = small(finished_at)
    assert [size for size in range(len(data)) if reading(tmp_path, data[:size])] == []


def archive(about, arrays, *, objects=False, plain_text=False):
    """The bytes of an archive."""
    if plain_text:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as made_here:
            made_here.writestr("hello.txt", "hello")
        return stream.getvalue()
    stream = io.BytesIO()
    parts = dict(arrays)
    if about is not None:
        text = about if isinstance(about, bytes) else json.dumps(about).encode()
        parts["about.json"] = np.frombuffer(text, np.uint8)
    np.savez(stream, allow_pickle=objects, **parts)
    return stream.getvalue()


class Trap:
    """Leaves a file behind when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def damaged(kind, trap):
    """A record in a state in which none can be used."""
    asked = experiment("perceptron")(sets=6, points=4, test_points=9, epochs=3)
    arrays = {"lines/weights": np.zeros((18, 4, 2), np.float32)}
    about = {
        "schema": SCHEMA,
        "experiment": "perceptron",
        "configuration": asked.configuration(),
        "command": asked.command(),
        "seconds": 1.0,
        "finished": "now",
        "task": 1,
        "arrays": {"lines/weights": ["float32", [18, 4, 2]]},
    }
    good = archive(about, arrays)
    match kind:
        case "empty":
            return b""
        case "text":
            return b"# not a record\n"
        case "half":
            return good[: len(good) // 2]
        case "bit":
            broken = bytearray(good)
            broken[good.index(b"NUMPY") + 200] ^= 1
            return bytes(broken)
        case "zip":
            return archive(None, {}, plain_text=True)
        case "no about":
            return archive(None, arrays)
        case "about no json":
            return archive(b"{", arrays)
        case "about no object":
            return archive([], arrays)
        case "about no text":
            return archive(b"\xff\xfe", arrays)
        case "lzma":  # a method of compression that is not its own
            large = {"lines/weights": np.random.default_rng(0).integers(0, 2**62, 9000)}
            listed = {"lines/weights": ["int64", [9000]]}
            good = bytearray(archive({**about, "arrays": listed}, large))
            good[good.index(b"PK\x01\x02") + 10] = zipfile.ZIP_LZMA
            return bytes(good)
        case "objects":
            traps = np.array([Trap(trap)], dtype=object)
            listed = {"lines/weights": ["object", [1]]}
            return archive({**about, "arrays": listed}, {"lines/weights": traps}, objects=True)
        case "missing":
            return archive(about, {})
        case "renamed":
            return archive(about, {"lines/weight": arrays["lines/weights"]})
        case "more":
            return archive(about, {**arrays, "x": np.zeros(1)})
        case "shape":
            return archive(about, {"lines/weights": np.zeros((18, 2, 4), np.float32)})
        case "type":
            return archive(about, {"lines/weights": np.zeros((18, 4, 2))})
        case "no schema":
            return archive({k: v for k, v in about.items() if k != "schema"}, arrays)
        case "no configuration":
            return archive({k: v for k, v in about.items() if k != "configuration"}, arrays)
        case "configuration no object":
            return archive({**about, "configuration": [1]}, arrays)
        case "other schema":
            return archive({**about, "schema": "archcalc.training.record/2"}, arrays)
        case _:
            return good


DAMAGED = (
    *("empty", "text", "half", "bit", "zip", "no about", "about no json", "about no object"),
    *("about no text", "lzma", "objects", "missing", "renamed", "more", "shape", "type"),
    *("no schema", "no configuration", "configuration no object", "other schema"),
)


@pytest.mark.parametrize("resume", ["", " --resume"], ids=["", "resumed"])
@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_record_is_refused(tmp_path, monkeypatch, capsys, kind, resume):
    """A record that is not whole is refused in one line with its name, and left as it is.

    Nothing that was pickled is ever loaded.
    """
    monkeypatch.chdir(tmp_path)
    trap = tmp_path / "loaded"
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / FILE).write_bytes(damaged(kind, trap))
    before = contents(tmp_path)
    assert run(["training", *line("perceptron", TINY["perceptron"] + resume)]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"archcalc: {FOLDER}/{FILE}: ")
    assert err.count("\n") == 1
    other = ["'archcalc.training.record/2'", f"'{SCHEMA}'"]
    says = other if kind == "other schema" else ["damaged", "--overwrite"]
    assert [said for said in says if said not in err] == [], err
    assert contents(tmp_path) == before
    assert not trap.exists()


@pytest.mark.usefixtures("bare")
def test_the_damage_is_all_there_is(tmp_path):
    """The record of which the others are damaged versions is read, and the trap does catch."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / FILE).write_bytes(damaged("none", None))
    args = line("perceptron", TINY["perceptron"], tmp_path / FOLDER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "blocks", lambda _: [])
        assert run(["training", *args]) == 0
    with np.load(io.BytesIO(damaged("objects", tmp_path / "loaded")), allow_pickle=True) as found:
        assert found["lines/weights"].shape == (1,)
    assert (tmp_path / "loaded").exists()


# ------------------------------------------------------------------------------ whose record it is


def unfinished(name, folder, options=None):
    """A record of a run that has just begun."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = made(name, TINY[name] if options is None else options)
    about = {"command": asked.command(), "versions": {}, "hardware": "", "commit": ""}
    Record(name, asked.configuration(), about).save(folder)


# Another value of each setting, as it is typed.
NETWORK = {
    "preset": "full",
    "dataset": "own.npz",
    "examples": "47",
    "validation": "31",
    "test_examples": "31",
    "width": "0.04",
    "size": "8",
    "augment": "none",
    "batch": "63",
    "momentum": "0.8",
    "seeds": "1",
    "precision": "bf16",
    "micro_batch": "17",
    "seed": "1",
}
RATES = {"lr_min": "1e-4", "lr_max": "0.3", "epochs": "3", "step": "3", "decay": "0.3"}
OTHERS = {
    "perceptron": {
        "sets": "7",
        "points": "5",
        "test_points": "8",
        "epochs": "4",
        "loss": "hinge",
        "rate": "1,0.5",
        "seed": "1",
    },
    "init": {
        "activation": "relu,tanh",
        "init": "glorot",
        "networks": "3",
        "examples": "31",
        "seed": "1",
    },
    "dying-relu": {
        "activation": "leaky",
        "function": "step",
        "hidden_layers": "2",
        "width": "3",
        "init": "rai",
        "simulations": "7",
        "points": "65",
        "batch": "32",
        "epochs": "4",
        "born": "9",
        "seed": "1",
    },
    "batchnorm-dropout": {
        "dataset": "own.npz",
        "variant": "plain",
        "dropout_placement": "last",
        "seeds": "3",
        "epochs": "2",
        "batch": "25",
        "rate": "0.5",
        "augment": "flip",
        "examples": "99",
        "validation": "9",
        "test_examples": "8",
        "seed": "1",
    },
    "dataset": {"dataset": "own.npz", "validation": "299", "classes": "3", "seed": "1"},
    "lr-finder": {"candidates": "3", "epochs": "2", "sweep": "2", "lr_min": "0.1", "lr_max": "2"}
    | NETWORK,
    "cyclical-lr": {"policy": "constant"} | RATES | NETWORK,
    "batch-size": {
        "policy": "halve",
        "smallest": "8",
        "largest": "48",
        "hold": "2it",
        **RATES,
        **NETWORK,
    },
    "batch-finder": {"smallest": "8", "largest": "48", "trial": "2"} | RATES | NETWORK,
    "cyclical-batch": {"policy": "growing", "b_min": "6", "b_max": "48"} | RATES | NETWORK,
    "optimizers": {
        "method": "adam",
        "dropout": "with",
        "rate": "0.1",
        "widen": "1",
        "search_epochs": "2",
        "epochs": "2",
        "weight_decay": "0",
        **{k: v for k, v in NETWORK.items() if k not in {"augment", "momentum", "micro_batch"}},
        "width": "6",
    },
}
SETTINGS_OF = [
    (name, setting, resume)
    for name, others in OTHERS.items()
    for setting in others
    for resume in ["", *(["--resume"] if setting not in experiment(name).chooses else [])]
]


def test_every_setting_is_tried():
    """The other values are of all settings of all experiments, save that of what is compared."""
    for name, others in OTHERS.items():
        assert {one.name for one in experiment(name).settings()} == {*others} | (
            {"setting"} if name == "init" else set()
        )


@pytest.mark.parametrize(("name", "setting", "resume"), SETTINGS_OF)
def test_a_record_of_another_configuration(tmp_path, monkeypatch, capsys, name, setting, resume):
    """A record that was made with another value of an option is refused with both and left."""
    monkeypatch.chdir(tmp_path)
    unfinished(name, tmp_path / FOLDER)
    x, y = np.zeros((479, 8, 8), np.uint8), np.arange(479) % 10
    np.savez("own.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    before = contents(tmp_path)
    option, value = f"--{setting.replace('_', '-')}", OTHERS[name][setting]
    if (name, setting) == ("dataset", "dataset"):  # which stands on its own
        other = TINY[name].replace("digits", value)
    else:
        other = f"{TINY[name]} {option} {value}"
    args = [*line(name, other), *resume.split()]
    assert run(["training", *args]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"archcalc: {FOLDER} holds a record with {option} ")
    assert err.count("\n") == 1
    there, here = (getattr(made(name, options), setting) for options in (TINY[name], other))
    typed = [",".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in (there, here)]
    assert f"{option} {typed[0]}, not {typed[1]};" in err
    assert "--output" in err
    assert contents(tmp_path) == before


def test_a_record_that_is_older_than_an_option(tmp_path, monkeypatch, capsys):
    """A record without an option that came later has its default: the same run, or another one."""
    monkeypatch.chdir(tmp_path)
    unfinished("batchnorm-dropout", tmp_path / FOLDER)
    record = Record.read(tmp_path / FOLDER)
    for name in ("examples", "test_examples"):
        assert record.configuration.pop(name) == 0
    record.about["finished"] = "then"
    record.save(tmp_path / FOLDER)
    monkeypatch.setattr(runner, "write", lambda *_: None)
    monkeypatch.setattr("training.cli._deliver", lambda *_: None)
    assert run(["training", *line("batchnorm-dropout", TINY["batchnorm-dropout"])]) == 0
    assert "this run is finished" in capsys.readouterr().err
    other = f"{TINY['batchnorm-dropout']} --examples 99"
    assert run(["training", *line("batchnorm-dropout", other)]) == 2
    assert f"{FOLDER} holds a record with --examples 0, not 99;" in capsys.readouterr().err


def test_a_record_of_another_release_names_the_option(tmp_path, monkeypatch, capsys):
    """An option that this release does not know is a difference, and is told as one."""
    monkeypatch.chdir(tmp_path)
    unfinished("perceptron", tmp_path / FOLDER)
    record = Record.read(tmp_path / FOLDER)
    record.configuration["colour"] = "red"
    record.save(tmp_path / FOLDER)
    assert run(["training", *line("perceptron", TINY["perceptron"]), "--resume"]) == 2
    assert f"{FOLDER} holds a record with --colour red, not None;" in capsys.readouterr().err


@pytest.mark.parametrize("resume", ["", "--resume"], ids=["", "resumed"])
@pytest.mark.parametrize(("there", "here"), list(combinations(TINY, 2)))
def test_a_record_of_another_experiment(tmp_path, monkeypatch, capsys, there, here, resume):
    """A record of another experiment is refused in one line that names both, and left."""
    monkeypatch.chdir(tmp_path)
    unfinished(there, tmp_path / FOLDER)
    before = contents(tmp_path)
    assert run(["training", *line(here, TINY[here]), *resume.split()]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"archcalc: {FOLDER} holds a record of {there}, not of {here};")
    assert err.count("\n") == 1
    assert contents(tmp_path) == before


@every
def test_an_unfinished_record_is_not_gone_on_with_unasked(tmp_path, monkeypatch, capsys, name):
    """Without --resume an unfinished record is left, and one line names what can be done."""
    monkeypatch.chdir(tmp_path)
    unfinished(name, tmp_path / FOLDER)
    before = contents(tmp_path)
    assert run(["training", *line(name, TINY[name])]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"archcalc: {FOLDER} holds an unfinished record")
    assert "--resume" in err
    assert "--overwrite" in err
    assert err.count("\n") == 1
    assert contents(tmp_path) == before


@every
@pytest.mark.parametrize("resume", ["", "--resume"], ids=["", "resumed"])
@pytest.mark.usefixtures("bare")
def test_a_finished_record_is_read(tmp_path, monkeypatch, capsys, name, resume):
    """A finished run is not computed again: its record stays untouched and is shown."""
    monkeypatch.chdir(tmp_path)
    assert run(["training", *line(name, TINY[name])]) == 0
    shown = capsys.readouterr().out
    before, when = contents(tmp_path), (tmp_path / FOLDER / FILE).stat()

    def computed(_):
        raise AssertionError("it is computed again")

    monkeypatch.setattr(Loop, "run", computed)
    assert run(["training", *line(name, TINY[name]), *resume.split()]) == 0
    out, err = capsys.readouterr()
    assert out == shown
    assert "finished" in err
    assert err.count("\n") == 1
    assert contents(tmp_path) == before
    after = (tmp_path / FOLDER / FILE).stat()
    assert (after.st_ino, after.st_mtime_ns) == (when.st_ino, when.st_mtime_ns)


@pytest.mark.parametrize("there", ["nothing", "finished", "unfinished", "other", "damaged"])
@pytest.mark.usefixtures("bare")
def test_overwriting_starts_anew(tmp_path, monkeypatch, there):
    """With --overwrite a run is made from its beginning, whatever its folder held."""
    monkeypatch.chdir(tmp_path)
    args = line("perceptron", TINY["perceptron"])
    match there:
        case "finished":
            assert run(["training", *args]) == 0
            old = Record.read(tmp_path / FOLDER)
            old.arrays["lines/weights"] += 1
            old.save(tmp_path / FOLDER)
        case "unfinished":
            unfinished("perceptron", tmp_path / FOLDER)
        case "other":
            unfinished("init", tmp_path / FOLDER)
        case "damaged":
            (tmp_path / FOLDER).mkdir()
            (tmp_path / FOLDER / FILE).write_bytes(b"PK")
    assert run(["training", *args, "--overwrite"]) == 0
    record = Record.read(tmp_path / FOLDER)
    assert same(record.arrays, whole("perceptron", TINY["perceptron"]))
    assert not resumed(record)


@pytest.mark.parametrize("there", ["nothing", "folder"])
@pytest.mark.usefixtures("bare")
def test_resuming_nothing_begins(tmp_path, monkeypatch, there):
    """--resume in a folder without a record, or that does not exist, simply runs."""
    monkeypatch.chdir(tmp_path)
    if there == "folder":
        (tmp_path / FOLDER).mkdir()
    assert run(["training", *line("perceptron", f"{TINY['perceptron']} --resume")]) == 0
    record = Record.read(tmp_path / FOLDER)
    assert same(record.arrays, whole("perceptron", TINY["perceptron"]))
    assert not resumed(record)


@pytest.mark.usefixtures("bare")
def test_seconds_add_up(tmp_path, monkeypatch):
    """The time of a run is that of all its pieces."""
    asked = made("perceptron", TINY["perceptron"])
    clock = iter(range(10**6))
    monkeypatch.setattr("training.engine.progress.Stop.now", lambda _: float(next(clock)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "_ask", lambda _, stop, updates: updates == 5)  # noqa: ARG005
        with pytest.raises(StoppedError):
            runner.run(asked, tmp_path, keep=1e9)
    first = next(clock)
    seconds = state_of(tmp_path, "lines").about["seconds"]
    assert 5 <= seconds <= first
    record = runner.run(asked, tmp_path, resume=True, keep=1e9)
    task = record.tasks["lines"]
    assert seconds + 7 <= task["seconds"] <= next(clock)
    assert record.seconds == task["seconds"] + record.about["seconds"]
    assert task["learning"] == record.arrays["lines/seconds"].sum() < task["seconds"]
    assert (record.arrays["lines/seconds"] >= 4).all()  # an epoch has four updates


# ---------------------------------------------------------------------- what the result depends on


@different
@pytest.mark.usefixtures("bare")
def test_the_seed_decides(tmp_path, name):
    """The same seed gives the same bits, another seed others, in every array that is drawn."""
    arrays = {}
    for number, seed in enumerate((5, 5, 6)):
        asked = made(name, f"{TINY[name]} --seed {seed}")
        arrays[number] = runner.run(asked, tmp_path / str(number)).arrays
    assert same(arrays[0], arrays[1])
    assert arrays[0].keys() == arrays[2].keys()
    assert not same(arrays[0], arrays[2])


@different
@pytest.mark.parametrize("keep", [1e-9, 0.004])
@pytest.mark.usefixtures("bare")
def test_checkpoints_change_nothing(tmp_path, name, keep):
    """However often a run is saved, its arrays are the same."""
    record = runner.run(made(name, TINY[name]), tmp_path, keep=keep)
    assert same(record.arrays, whole(name, TINY[name]))


@pytest.mark.usefixtures("bare")
def test_every_update_can_be_a_checkpoint(tmp_path, monkeypatch):
    """With checkpoints due at once there is one after every update, and each is the run so far."""
    saved = []
    save = Record.save

    def noted(self, folder, *file):
        saved.append(self.about.get("updates"))
        save(self, folder, *file)

    monkeypatch.setattr(Record, "save", noted)
    runner.run(made("perceptron", TINY["perceptron"]), tmp_path, keep=1e-9)
    assert [updates for updates in saved if updates] == list(range(1, 13))


@pytest.mark.usefixtures("bare")
def test_slow_checkpoints_are_few(tmp_path, monkeypatch):
    """Where one takes a second and more, the next comes when twenty times as long has passed."""
    now = [0.0]
    monkeypatch.setattr("training.engine.progress.Stop.now", lambda _: now[0])
    save, saved = Record.save, []

    def slow(self, folder, *file):
        saved.append(self.about.get("updates"))
        now[0] += 2.0 * ("updates" in self.about)
        save(self, folder, *file)

    advance = Cohort.advance

    def taking(self, *args):
        now[0] += 9.0
        return advance(self, *args)

    monkeypatch.setattr(Record, "save", slow)
    monkeypatch.setattr(Cohort, "advance", taking)
    runner.run(made("perceptron", TINY["perceptron"]), tmp_path, keep=5.0)
    # five updates of nine seconds are the first that take forty
    assert [update for update in saved if update] == [1, 6, 11]


@pytest.mark.usefixtures("bare")
def test_the_training_loss_is_the_mean_since_the_last_look(tmp_path, monkeypatch):
    """Between two looks the losses of all updates are averaged, each member's for itself."""
    losses_seen = []
    advance = Cohort.advance

    def noted(self, *args):
        losses_seen.append(advance(self, *args))
        return losses_seen[-1]

    monkeypatch.setattr(Cohort, "advance", noted)
    arrays = runner.run(made("perceptron", TINY["perceptron"]), tmp_path).arrays
    updates = torch.stack(losses_seen, 1).numpy()
    assert updates.shape == (18, 12)
    ends = [0, 4, 8, 12]  # epochs 0, 1, 2, 3
    means = [updates[:, a:b].mean(1) for a, b in pairwise(ends)]
    assert np.allclose(arrays["lines/training_loss"], np.stack(means, 1), rtol=1e-6)
    assert means[0].max() > 0


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, np.float32("nan"), np.array([1.0, math.nan]), {"a": (math.nan,)}],
    ids=str,
)
def test_plain_data_has_no_nan(value):
    """What is not finite is null in JSON, wherever it stands."""
    text = json.dumps(plain(value), allow_nan=False)
    assert "null" in text


# --------------------------------------------------------------------------------------- perceptron


def perceptron_path(asked, number, a, rate):
    """The weights of one set after each epoch, updated in plain NumPy."""
    x, y = (value.numpy() for value in asked.training_set(number))
    w = np.zeros(2, np.float32)
    path = [w]
    for epoch in range(asked.epochs):
        key = streams.fold(streams.root(asked.seed), "order", epoch)
        for place in streams.permutation(key, asked.points).tolist():
            if a - y[place, 0] * (w[0] * x[place, 0] + w[1] * x[place, 1]) >= 0:
                w = w + np.float32(rate) * y[place, 0] * x[place]
        path.append(w)
    return np.array(path)


@pytest.mark.usefixtures("bare")
def test_the_perceptron_is_rosenblatts(tmp_path):
    """Weights after each look are those of the rule in plain NumPy, point by point.

    Where a - y f(x) >= 0 a point's y x times the rate is added: a = 0 is the perceptron's
    criterion, a = 1 the hinge loss.
    """
    asked = Perceptron(sets=4, points=7, test_points=5, epochs=20, rate=(0.5, 0.1), seed=3)
    weights = asked.weights(runner.run(asked, tmp_path).arrays)
    looks = [0, 1, 2, 5, 10, 20]
    assert weights.shape == (3, 4, len(looks), 2)
    for (loss, rate), found in zip(asked.groups(), weights, strict=True):
        for number in range(4):
            path = perceptron_path(asked, number, float(loss == "hinge"), rate)
            assert np.allclose(found[number], path[looks], rtol=1e-5, atol=1e-6)
    assert asked.groups() == [("perceptron", 0.5), ("hinge", 0.5), ("hinge", 0.1)]
    assert np.abs(weights[:, :, -1]).min() > 0


def test_points_are_labelled():
    """Points fill the unit square, each set's its own, and are labelled by x1 > x2."""
    asked = Perceptron(sets=2, points=500, test_points=700)
    sets = [asked.training_set(0), asked.training_set(1), asked.test_set()]
    for x, y in sets:
        assert x.shape[1:] == (2,)
        assert ((x > 0) & (x < 1)).all()
        assert torch.equal(y[:, 0], torch.where(x[:, 0] > x[:, 1], 1.0, -1.0))
        assert (x.mean(0) - 0.5).abs().max() < 0.06
    assert not torch.equal(sets[0][0], sets[1][0])
    assert len(sets[2][0]) == 700


@pytest.mark.parametrize("lines", [2, 3, 8])
def test_disagreement_is_that_of_pairs(lines):
    """Disagreement is the share of points and pairs of different lines that do not agree."""
    positive = np.random.default_rng(lines).random((lines, 23)) < 0.4
    pairs = [
        positive[i, p] != positive[j, p]
        for i in range(lines)
        for j in range(lines)
        for p in range(23)
        if i != j
    ]
    assert math.isclose(disagreement(positive.mean(0), lines), np.mean(pairs), rel_tol=1e-12)
    assert math.isnan(disagreement(positive[:1].mean(0), 1))


@pytest.mark.usefixtures("bare")
def test_the_summary_of_lines_is_counted_again(tmp_path):
    """Accuracy, separated sets and disagreement are those of plain loops over sets and points."""
    asked = Perceptron(sets=5, points=6, test_points=40, epochs=2, rate=(1.0,), seed=2)
    arrays = runner.run(asked, tmp_path).arrays
    x, y = (value.numpy() for value in asked.test_set())
    for group, weights in zip(
        asked.summarise(arrays)["groups"], asked.weights(arrays), strict=True
    ):
        for point, at in zip(group["curve"], range(3), strict=True):
            said = np.array([[(w @ p) > 0 for p in x] for w in weights[:, at]])
            right = (said == (y[:, 0] > 0)).mean(1)
            assert math.isclose(point["accuracy"].value, right.mean(), rel_tol=1e-9)
            assert math.isclose(point["std"], right.std(ddof=1), rel_tol=1e-9, abs_tol=1e-12)
            different = [(a != b).mean() for a, b in combinations(said, 2)]
            assert math.isclose(point["disagreement"], np.mean(different), rel_tol=1e-9)
            whole_sets = [
                all(
                    ((w @ p) > 0) == (t > 0)
                    for p, t in zip(*(v.numpy() for v in asked.training_set(n)), strict=True)
                )
                for n, w in enumerate(weights[:, at])
            ]
            assert math.isclose(point["separated"], np.mean(whole_sets), abs_tol=1e-7)
        assert [point["epochs"] for point in group["curve"]] == [0, 1, 2]
    assert not predicted(np.zeros((1, 2)), x).any()


# ----------------------------------------------------------------------------------- initialization


def test_the_ball():
    """Points fill a ball evenly, their overall deviation is 1, and labels cut at half a radius."""
    x, y = (value.double() for value in ball(streams.root(4), 20_000))
    assert x.shape == (20_000, 10)
    assert y.shape == (20_000, 1)
    assert abs(x.std(correction=0).item() - 1) < 1e-6
    norms = x.norm(dim=1)
    radius = norms.max().item()
    volume = (norms / radius) ** 10  # even in a ball
    assert abs(volume.mean().item() - 0.5) < 0.01
    assert abs(volume.var().item() - 1 / 12) < 0.005
    assert (x / norms[:, None]).mean(0).abs().max() < 0.01
    total = x.sum(1).abs()
    inside, outside = total[y[:, 0] == 0].max().item(), total[y[:, 0] == 1].min().item()
    assert inside < outside
    assert abs((inside + outside) / 2 / radius - 0.5) < 1e-3
    assert abs(radius - math.sqrt(10) / math.sqrt(10 / 12)) < 0.05


def measured(network, loss, x, y):
    """What is measured of one network of plain modules, with hooks: a row a hidden layer."""
    seen = {}
    for number, module in enumerate(network):
        module.register_forward_hook(lambda _, __, out, n=number: (seen.update({n: out}), None)[1])
    value = loss(network(x), y)
    linear = [n for n, m in enumerate(network) if isinstance(m, torch.nn.Linear)][-6:-1]
    weights = [network[n].weight for n in linear]
    zs = [seen[n] for n in linear]
    slopes = torch.autograd.grad(value, [*weights, *zs])
    rows = []
    for place, n in enumerate(linear):
        z, a = seen[n].detach(), seen[n + 1].detach()
        rows.append(
            {
                "weight_std": weights[place].detach().std(correction=0),
                "preactivation_std": z.std(correction=0),
                "activation_std": a.std(correction=0),
                "example_std": a.var(0, correction=0).mean().sqrt(),
                "gradient_std": slopes[place].std(correction=0),
                "delta_std": slopes[5 + place].std(correction=0),
                "dead": (a == 0).all(0).double().mean(),
                "tanh": (a.abs() > 0.95).double().mean(),
                "sigmoid": ((a < 0.05) | (a > 0.95)).double().mean(),
            }
        )
    return rows


@pytest.mark.parametrize("init", ["he", "normal1"])
@pytest.mark.parametrize(
    ("activation", "module"),
    [
        ("tanh", torch.nn.Tanh),
        ("sigmoid", torch.nn.Sigmoid),
        ("relu", torch.nn.ReLU),
        ("leakyrelu.1", lambda: torch.nn.LeakyReLU(0.1)),
    ],
)
@pytest.mark.usefixtures("bare")
def test_measures_are_those_of_plain_modules(tmp_path, activation, module, init):
    """Every measure of every layer is what hooks on plain modules in 64 bits see, one by one."""
    asked = Init(activation=(activation,), init=(init,), networks=2, examples=50, seed=1)
    arrays = runner.run(asked, tmp_path).arrays
    (task,) = asked.tasks()
    cohort, data = task.build(task.members, CPU)
    x, y = data.x[0].double(), data.y[0].double()
    for number in range(2):
        network = torch.nn.Sequential()
        for weight, bias in cohort.model.split(cohort.parameters).values():
            layer = torch.nn.Linear(*reversed(weight.shape[1:])).double()
            layer.load_state_dict({"weight": weight[number], "bias": bias[number]})
            network.extend([layer, module()])
        rows = measured(network[:-1], torch.nn.BCEWithLogitsLoss(), x, y)
        assert len(rows) == 5
        for layer, row in enumerate(rows):
            row["saturated"] = row[activation] if activation in row else torch.tensor(0.0)
            for name in MEASURES:
                found = arrays[f"{activation}/{init}/{name}"][number, layer].item()
                wanted = row[name].item()
                assert math.isclose(found, wanted, rel_tol=2e-3, abs_tol=1e-12), (name, layer)


@pytest.mark.usefixtures("bare")
def test_the_summary_of_layers_is_a_mean(tmp_path):
    """The number of a group's layer is the mean over its networks."""
    asked = Init(activation=("relu", "tanh"), init=("he", "normal.1"), networks=3, examples=20)
    record = runner.run(asked, tmp_path)
    groups = asked.summarise(record.arrays)["groups"]
    assert [(g["activation"], g["init"]) for g in groups] == asked.groups()
    for group in groups:
        assert [row["layer"] for row in group["layers"]] == [1, 2, 3, 4, 5]
        for layer, row in enumerate(group["layers"]):
            for name in MEASURES:
                values = record.arrays[f"{group['activation']}/{group['init']}/{name}"]
                assert values.shape == (3, 5)
                mean = sum(values[:, layer].tolist()) / 3
                assert math.isclose(row[name], mean, rel_tol=1e-9, abs_tol=1e-15)


def test_settings_are_the_blogs():
    """Five hidden layers of a hundred units, behind ten inputs or a further layer on an image."""
    sizes = {
        name: [(d.fan_in, d.out, d.activation) for d in Mlp.read(setting.text).layers]
        for name, setting in SETTINGS.items()
    }
    hidden = [(100, 100, "relu")] * 4
    assert sizes["ball"] == [(10, 100, "relu"), *hidden, (100, 1, "id")]
    assert sizes["mnist"] == [(784, 100, "id"), *hidden, (100, 100, "relu"), (100, 10, "id")]
    assert sizes["digits"] == [(64, 100, "id"), *sizes["mnist"][1:]]


# --------------------------------------------------------------------------------------- dying relu


@pytest.mark.parametrize(
    ("width", "layers", "low", "high"),
    [
        (2, 10, 0.8703, 0.9249),
        (2, 11, 0.9026, 0.9437),
        (2, 2, 0.0, 0.25),
        (3, 2, 0.0, 0.125),
    ],
)
def test_the_bounds_of_birth(width, layers, low, high):
    """The bounds are the paper's; of one hidden layer the upper one is that all its units die."""
    assert [round(value, 4) for value in bounds(width, layers)] == [low, high]


def test_born_dead_inside_the_bounds():
    """Of 20,000 networks of width 2 the fraction born dead lies between the bounds of the paper."""
    asked = DyingRelu(simulations=1, born=20_000)
    task = next(task for task in asked.tasks() if task.name == "born-2")
    cohort, _ = task.build(task.members, CPU)
    off = task.probe(cohort)["off"]
    assert len(off) == 20_000
    for layers in (10, 11):
        low, high = bounds(2, layers)
        dead = ((off > 0) & (off <= layers - 1)).double().mean().item()
        assert low < dead < high


@pytest.mark.usefixtures("bare")
def test_the_dead_stay_dead(tmp_path):
    """A ReLU network that is born with a layer that is off is a constant at every later look."""
    asked = DyingRelu(
        activation=("relu",),
        hidden_layers=(4, 9),
        simulations=60,
        points=128,
        epochs=3,
        born=0,
        function=("abs", "step"),
    )
    arrays = runner.run(asked, tmp_path).arrays
    for hidden in (4, 9):
        off, constant, span = (
            arrays[f"{hidden}x2/{what}"] for what in ("off", "constant", "range")
        )
        assert off.shape == (120, 4)
        dead = off[:, 0] > 0
        assert 10 < dead.sum() < 120
        assert (off[dead] == off[dead, :1]).all()
        assert constant[dead].all()
        assert (span[dead] == 0).all()
        learnt = arrays[f"{hidden}x2/training_loss"]
        assert (learnt[dead, -1] < learnt[dead, 0]).mean() > 0.9  # the last bias still learns


STEP = 2 * END / 1000  # of the grid
WINDOW = 0.4 * STEP


def by_hand(first, second, last):
    """The parameters of a network with two hidden layers of two units."""
    return [float(v) for weight, bias in (first, second, last) for v in (*weight, *bias)]


HALF = ([1, -1], [0, 0])  # max{0, x} and max{0, -x}
BOTH = ([1, 0, 0, 1], [0, 0])
TENT = [1, -2, 0, 0]  # of two ramps
HAND_MADE = {
    # parameters, the layer that is off, whether it is constant, and the two ends of its range
    "absolute value": (by_hand(HALF, BOTH, ([1, 1], [0])), 0, False, (0, END)),
    "constant": (by_hand(HALF, BOTH, ([0, 0], [3])), 0, True, (3, 3)),
    "first layer off": (by_hand(([0, 0], [-1, -2]), BOTH, ([1, 1], [4])), 1, True, (4, 4)),
    "second layer off": (
        by_hand(HALF, ([-1, -1, -2, -1], [0, -1]), ([1, 1], [5])),
        2,
        True,
        (5, 5),
    ),
    "off but for 0": (by_hand(HALF, ([-1, -1, -1, -1], [0, 0]), ([1, 1], [5])), 2, True, (5, 5)),
    "one unit off": (by_hand(HALF, ([-1, -1, 1, 1], [0, 0]), ([1, 1], [0])), 0, False, (0, END)),
    "window at a point": (
        by_hand(([1, 1], [WINDOW, 0]), (TENT, [0, -1]), ([1, 1], [0])),
        0,
        False,
        (0, WINDOW),
    ),
    "window between points": (
        by_hand(([1, 1], [WINDOW - STEP / 2, -STEP / 2]), (TENT, [0, -1]), ([1, 1], [0])),
        2,
        True,
        (0, 0),
    ),
}


@pytest.mark.parametrize("way", [kernel.survey, plain_survey], ids=["kernel", "tensors"])
@pytest.mark.parametrize("which", HAND_MADE)
def test_collapse_of_networks_made_by_hand(which, way):
    """A layer is off where no unit is positive at any point of the grid; a constant has no slope.

    A network that is alive at a single point of the grid is alive.
    """
    theta, off, constant, ends = HAND_MADE[which]
    model = Mlp.read("1x1x1 (fc-2 relu) x2 fc-1")
    found = way(model, torch.tensor([theta]), dense(1001, CPU), torch.zeros(1))
    assert found.off.tolist() == [off]
    assert found.constant.tolist() == [constant]
    assert np.allclose(found.ends[0].numpy(), ends, rtol=1e-5, atol=1e-6)


def test_a_leaky_network_is_alive_where_a_layer_is_off():
    """With a slope on the left the same network is no constant, however flat it is."""
    theta, *_ = HAND_MADE["second layer off"]
    model = Mlp.read("1x1x1 (fc-2 relu) x2 fc-1")
    found = kernel.survey(model, torch.tensor([theta]), dense(1001, CPU), torch.tensor([0.01]))
    assert found.constant.tolist() == [False]
    assert found.ends[0, 0] < found.ends[0, 1]


def test_the_grid():
    """The grid goes from end to end of the domain and has 0 in its middle."""
    grid = dense(1001, CPU)
    assert grid[[0, 500, 1000]].tolist() == pytest.approx([-END, 0, END])
    assert math.isclose(END**2, 7)


def test_a_look_sees_the_loss_against_the_function():
    """The loss of a look is the mean squared error against the function itself."""
    model = Mlp.read("1x1x1 (fc-2 relu) x2 fc-1")
    members = [Member(0, variant="abs"), Member(1, variant="xsin5x"), Member(2, variant="step")]
    cohort = Cohort.born(model, members, 0, loss=losses.mse, rule=Adam())
    theta, *_ = HAND_MADE["constant"]
    cohort.parameters = torch.tensor([theta] * 3)
    x = dense(121, CPU).double().numpy()
    functions = [np.abs(x), x * np.sin(5 * x), np.where(x > 0, 1, 0) + 0.2 * np.sin(5 * x)]
    wanted = [((3 - y) ** 2).mean() for y in functions]
    assert np.allclose(look(cohort, dense(1001, CPU))["loss"].numpy(), wanted, rtol=1e-3)


def test_the_summary_of_collapse_is_counted_again():
    """Fractions, revivals and deaths of a summary are those counted in the arrays, one by one.

    Of ReLU a layer that is off counts, of leaky ReLU a slope that is 0.
    """
    asked = made("dying-relu", "--simulations 40 --points 64 --epochs 2 --hidden-layers 5 --born 0")
    chance = np.random.default_rng(0)
    arrays = {
        "5x2/off": chance.integers(0, 6, (80, 3)) * (chance.random((80, 3)) < 0.6),
        "5x2/constant": chance.random((80, 3)) < 0.3,
        "5x2/range": chance.choice([0, 9e-4, 1e-3, 2], (80, 3)),
        "5x2/loss": chance.random((80, 3)),
    }
    off, constant, span = (arrays[f"5x2/{what}"].tolist() for what in ("off", "constant", "range"))
    groups = asked.summarise(arrays)["groups"]
    assert [(g["activation"], g["hidden"]) for g in groups] == [("relu", 5), ("leaky", 5)]
    for place, group in enumerate(groups):
        rows = range(40 * place, 40 * place + 40)
        dead = {n: constant[n] if place else [layer > 0 for layer in off[n]] for n in rows}
        for at, point in enumerate(group["curve"]):
            assert point["epochs"] == at
            assert point["collapsed"].value == sum(dead[n][at] for n in rows) / 40
            assert point["nearly_constant"].value == sum(span[n][at] < 1e-3 for n in rows) / 40
        died = [not dead[n][0] and dead[n][2] for n in rows]
        revived = [dead[n][0] and not dead[n][2] for n in rows]
        assert group["died_in_training"] == sum(died) > 0
        assert group["born_dead_and_revived"] == sum(revived) > 0


PLACES = {
    "perceptron": set(),
    "dying-relu": set(),
    **{key: {"data_dir"} for key in ("init", "batchnorm-dropout", "dataset")},
    **{key: {"data_dir"} for key in ("lr-finder", "optimizers")},
    "cyclical-batch": {"data_dir", "lr_finder", "batch_finder", "cyclical_lr"},
}


def test_every_field_is_a_setting_or_a_place():
    """A field decides the result and is in the record's configuration, or says where data is."""
    for name in EXPERIMENTS:
        kind = experiment(name)
        places = {one.name for one in fields(kind)} - {one.name for one in kind.settings()}
        assert places == PLACES.get(name, {"data_dir", "lr_finder", "cyclical_lr"})
        assert kind.of(kind().configuration()) == kind()


# ------------------------------------------------------------------------ what the fresh eyes found


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", ["README.md", "results.json"])
def test_a_page_of_another_kind_is_not_replaced(tmp_path, name):
    """A folder whose README or results belong to no record is refused, and they stay."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(TrainingError, match="belongs to no record"):
        runner.run(made("perceptron", TINY["perceptron"]), tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.usefixtures("bare")
def test_an_address_alone_makes_no_ranks(tmp_path, monkeypatch):
    """One variable of torchrun's, which clusters set anyway, leaves a process alone."""
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    assert runner.run(made("perceptron", TINY["perceptron"]), tmp_path).finished


@pytest.mark.parametrize("points", [3, 121, 1001])
def test_the_middle_of_the_grid_is_zero(points):
    """A grid over the domain has its two ends and exactly 0, and is the same from both sides."""
    grid = dense(points, CPU)
    assert grid[points // 2] == 0
    assert grid[-1] == torch.tensor(END).float()
    assert torch.equal(grid, -grid.flip(0))


def test_a_batch_larger_than_the_set_is_said_as_such():
    """A batch beyond the training set is refused with both options."""
    with pytest.raises(TrainingError, match="--batch 64 is more than --points 32"):
        DyingRelu(points=32)


def test_born_dead_with_three_layers_is_the_lower_bound():
    """Width 2, 3 layers: 5/32 by counting signs, the lower bound itself, which chance decides."""
    assert bounds(2, 3)[0] == 5 / 32
    asked = DyingRelu(born=20_000, simulations=1, points=64, epochs=0)
    task = asked.tasks()[2]
    cohort, _ = task.build(task.members, CPU)
    off = task.probe(cohort)["off"].numpy()[:, None]
    (row,) = [
        row
        for row in asked._birth({f"born-{width}/off": off for width in (2, 3, 4, 5)})
        if (row["width"], row["layers"]) == (2, 3)
    ]
    assert row["agrees"]
    assert abs(row["born_dead"].value - 5 / 32) < 0.01
