# ruff: noqa: TID253 - these tests are of what needs torch
"""A run is a folder of tasks: each is one network, done alone or in company, here or elsewhere."""

import math
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from training.engine import loop
from training.engine.cohort import Cohort
from training.engine.loop import Loop, within
from training.engine.record import DONE, FILE, STATE, TASKS, Record
from training.errors import StoppedError, TrainingError
from training.experiments import overview, runner
from training.experiments.batch_size.experiment import BatchSize
from training.experiments.cyclical_batch.experiment import CyclicalBatch
from training.experiments.cyclical_lr.experiment import CyclicalLr
from training.experiments.optimizers.experiment import Optimizers

CPU = torch.device("cpu")
TINY = {
    "dataset": "digits",
    "examples": 40,
    "validation": 24,
    "test_examples": 20,
    "size": 8,
    "width": 6,
    "seeds": 1,
    "batch": 16,
    "method": ("adam", "adagrad"),
    "rate": (0.001, 0.01),
    "search_epochs": 1,
    "epochs": 2,
}
NAMES = [
    f"search/{method}/{dropout}/{rate}"
    for dropout in ("plain", "dropout")
    for method in ("adam", "adagrad")
    for rate in ("0.001", "0.01")
] + [f"{m}/{d}/seed0" for d in ("plain", "dropout") for m in ("adam", "adagrad")]
MINI = {
    "dataset": "digits",
    "examples": 64,
    "validation": 24,
    "test_examples": 20,
    "size": 7,
    "width": 0.03,
    "augment": "none",
    "seeds": 1,
}


def tiny(**given):
    """An experiment with twelve tasks."""
    return Optimizers(**{**TINY, **given})


@pytest.fixture(autouse=True)
def _bare(monkeypatch, cheap):
    """Runs write their records alone, and measure no costs."""
    monkeypatch.setattr(runner, "write", lambda *_: None)
    with cheap():
        yield


def files(folder, ending=DONE):
    """The tasks whose files lie in a folder."""
    top = folder / TASKS
    found = (path.relative_to(top).as_posix() for path in top.rglob(f"*{ending}"))
    return sorted(name.removesuffix(ending) for name in found)


def same(one, other):
    """Whether two records have the same arrays to the last bit, times apart."""
    ours, theirs = (
        {k: v.tobytes() for k, v in record.arrays.items() if not k.endswith("/seconds")}
        for record in (one, other)
    )
    return ours == theirs


# ------------------------------------------------------------------------------ a file a task


def test_each_network_has_a_file_of_its_own(tmp_path):
    """Every network's task leaves a file of some KB, with curves and rate, no parameters."""
    record = runner.run(tiny(), tmp_path)
    assert files(tmp_path) == sorted(NAMES)
    assert files(tmp_path, STATE) == []
    for name in NAMES:
        path = tmp_path / TASKS / f"{name}{DONE}"
        assert path.stat().st_size < 16_000
        own = Record.of_file(path)
        assert own.about["task"] == name
        assert {"hardware", "versions", "commit", "started", "finished"} <= own.about.keys()
        assert own.arrays["training_loss"].shape == (1 if "search" in name else 2,)
        assert max(array.size for array in own.arrays.values()) < 66  # a digest is 64 letters
    assert own.about["rate"] in TINY["rate"]
    # and the run's own file has what it saw before, and no task's
    assert list(Record.of_file(tmp_path / FILE).arrays) == ["counts"]
    assert same(Record.read(tmp_path), record)


def test_company_leaves_no_trace(tmp_path, monkeypatch):
    """Members that are trained at once leave the files that each leaves alone, but for rounding."""
    alone = runner.run(tiny(), tmp_path / "alone")
    monkeypatch.setattr(Loop, "_apart", lambda *_: False)
    together = runner.run(tiny(), tmp_path / "together")
    assert files(tmp_path / "alone") == files(tmp_path / "together")
    assert alone.arrays.keys() == together.arrays.keys()
    for name in alone.arrays:
        if name.endswith(("loss", "accuracy")):
            ours, theirs = alone.arrays[name], together.arrays[name]
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, err_msg=name)
    assert {name: about.keys() for name, about in alone.tasks.items()} == {
        name: about.keys() for name, about in together.tasks.items()
    }


def test_company_shares_its_time(tmp_path, monkeypatch):
    """What networks take together is shared: three updates of a second, of four networks."""
    now = [0.0]
    advance = Cohort.advance

    def taking(self, *batch):
        now[0] += 1.0
        return advance(self, *batch)

    monkeypatch.setattr(Cohort, "advance", taking)
    monkeypatch.setattr("training.engine.progress.Stop.now", lambda _: now[0])
    monkeypatch.setattr(Loop, "_apart", lambda *_: False)
    record = runner.run(tiny(), tmp_path)
    assert record.learning["search-without"] == 3.0
    assert record.tasks["search/adam/plain/0.001"]["learning"] == 0.75
    assert record.tasks["search/adam/plain/0.001"]["seconds"] == 0.75
    assert record.arrays["adam/dropout/seed0/seconds"].tolist() == [
        2.0,
        2.0,
    ]  # 4 updates, 2 networks


def test_company_that_was_stopped_goes_on_together(tmp_path, monkeypatch):
    """Networks that were stopped together are gone on with together, also where each is alone."""
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_apart", lambda *_: False)
        patch.setattr(Loop, "_ask", lambda _, __, updates: updates == 4)
        with pytest.raises(StoppedError):
            runner.run(tiny(), tmp_path)
    assert files(tmp_path, STATE) == ["adam/plain/seed0"]
    record = runner.run(tiny(), tmp_path, resume=True)
    resumed = [name for name, about in record.tasks.items() if about.get("resumed")]
    assert resumed == ["adagrad/plain/seed0", "adam/plain/seed0"]
    assert record.finished


def test_a_state_is_of_one_network_and_goes(tmp_path, monkeypatch):
    """What is kept on the way is one network's parameters and state."""
    experiment = tiny()
    monkeypatch.setattr(Loop, "_ask", lambda _, __, updates: updates == 3)
    with pytest.raises(StoppedError, match="update 3 of "):
        runner.run(experiment, tmp_path, only=("adam/dropout",))
    # the search of this setting and method is done, as its three updates end it
    (name,) = files(tmp_path, STATE)
    state = loop.state_of(tmp_path, name)
    assert state.about["tasks"] == [name]
    assert {len(array) for array in state.arrays.values()} == {1}
    monkeypatch.undo()
    monkeypatch.setattr(runner, "write", lambda *_: None)
    runner.run(experiment, tmp_path, only=(name,))
    assert files(tmp_path, STATE) == []
    assert name in files(tmp_path)


def test_a_state_of_a_task_that_is_done_is_removed(tmp_path):
    """Where a kill came between a task's file and the removal of its state, the next run tidies."""
    runner.run(tiny(), tmp_path, only=("search/adam/plain",))
    left = tmp_path / TASKS / f"{NAMES[0]}{STATE}"
    shutil.copy(tmp_path / TASKS / f"{NAMES[0]}{DONE}", left)
    runner.run(tiny(), tmp_path, only=("search/adam/plain",))
    assert not left.exists()


# ------------------------------------------------------------------------------ some of them


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("adam", ["adam/plain/seed0", "adam/dropout/seed0"]),
        ("adam/dropout", ["adam/dropout/seed0"]),
        ("ada", []),
        ("search/adam/plain/0.00", []),
        ("search/adagrad/plain", NAMES[2:4]),
    ],
)
def test_a_word_means_what_begins_with_it(word, meant):
    """A task is meant by its name, or by the parts that its name begins with."""
    assert [name for name in NAMES if within(name, [word])] == meant


def test_some_tasks_are_done_with_those_they_wait_for(tmp_path):
    """--only does what it names and the search that chooses its rate, and nothing else."""
    record = runner.run(tiny(), tmp_path, only=("adam/dropout",))
    done = ["adam/dropout/seed0", "search/adam/dropout/0.001", "search/adam/dropout/0.01"]
    assert files(tmp_path) == done
    assert not Record.read(tmp_path).finished
    whole = runner.run(tiny(), tmp_path / "whole")
    assert all(
        record.arrays[k].tobytes() == whole.arrays[k].tobytes()
        for k in record.arrays
        if not k.endswith("/seconds")
    )
    # and the rest is done by and by, to the same bits
    runner.run(tiny(), tmp_path, only=("adagrad", "search/adam"))
    again = runner.run(tiny(), tmp_path, resume=True)
    assert again.finished
    assert same(again, whole)


def test_overwriting_forgets_tasks(tmp_path):
    """With --overwrite what was done is done again, and nothing of the old run is left."""
    runner.run(tiny(seeds=2), tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.rglob(f"*{DONE}")}
    runner.run(tiny(), tmp_path, overwrite=True)
    assert files(tmp_path) == sorted(NAMES)
    again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob(f"*{DONE}")}
    assert len(before) == len(again) + 4


def test_a_name_that_no_task_has(tmp_path):
    """--only with a word that means no task is refused, and nothing is trained."""
    with pytest.raises(TrainingError, match="no task is called adam/plain/seed7"):
        runner.run(tiny(), tmp_path, only=("adam/plain/seed7",))
    assert files(tmp_path) == []


def test_what_is_whole_of_a_run_is_shown(tmp_path):
    """Of a run on its way the methods that are done in every setting are shown, and it says so."""
    record = runner.run(tiny(), tmp_path, only=("adam", "adagrad/plain"))
    assert record.configuration["method"] == ["adam"]
    assert record.configuration["dropout"] == ["without", "with"]
    assert "not finished: 9 tasks done" in runner._source(record)
    assert "--resume" in runner._source(record)
    assert list(runner.results(record)["results"]["settings"]["with"]["methods"]) == ["adam"]
    (tmp_path / TASKS / f"adam/dropout/seed0{DONE}").unlink()
    record = runner.shown(Record.read(tmp_path))
    assert record.configuration["dropout"] == ["without"]
    assert record.configuration["method"] == ["adam", "adagrad"]


def test_of_nothing_nothing_is_shown(tmp_path):
    """A run of which nothing can be told yet says how far it is, in one line and as no results."""
    record = runner.run(tiny(), tmp_path, only=("search",))
    assert not record.finished
    (line,) = runner.blocks(record)
    assert "8 tasks done" in line
    assert runner.results(record)["results"] is None


# ------------------------------------------------------------------------------ they join


def test_tasks_made_elsewhere_join(tmp_path, monkeypatch):
    """Files of two machines in one folder are one run, and it says which was made on what."""
    here, there = tmp_path / "here", tmp_path / "there"
    runner.run(tiny(), here, only=("adam",))
    with monkeypatch.context() as patch:
        patch.setattr("training.engine.record.hardware", lambda *_: "a faster machine")
        runner.run(tiny(), there, only=("adagrad",))
    shutil.copytree(there / TASKS, here / TASKS, dirs_exist_ok=True)
    record = runner.run(tiny(), here, resume=True)
    assert record.finished
    assert same(record, runner.run(tiny(), tmp_path / "whole"))
    rows = {row["hardware"]: row["tasks"] for row in runner.made(record)}
    assert rows.pop("a faster machine") == sorted(name for name in NAMES if "adagrad" in name)
    assert list(rows.values()) == [sorted(name for name in NAMES if "adam" in name)]
    said = runner._source(record)
    assert "6 tasks on a faster machine" in said
    assert record.seconds == pytest.approx(
        record.about["seconds"] + sum(about["seconds"] for about in record.tasks.values())
    )


def test_tasks_without_a_run_are_taken_up(tmp_path):
    """Tasks' files alone, without what was asked, are not done again, and not lost."""
    whole = runner.run(tiny(), tmp_path / "whole")
    shutil.copytree(tmp_path / "whole" / TASKS, tmp_path / "files" / TASKS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "files").rglob(f"*{DONE}")}
    assert same(runner.run(tiny(), tmp_path / "files"), whole)
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"width": 7}, "--width 7, not 6"),
        ({"search_epochs": 2}, "--search-epochs 2, not 1"),
        ({"seed": 1}, "--seed 1, not 0"),
    ],
)
def test_tasks_of_another_run_are_refused(tmp_path, change, why):
    """A task that was trained otherwise does not join: the first difference is named."""
    runner.run(tiny(), tmp_path / "one", only=("search/adam/plain",))
    runner.run(tiny(**change), tmp_path / "other", only=("search/adam/dropout",))
    shutil.copytree(tmp_path / "other" / TASKS, tmp_path / "one" / TASKS, dirs_exist_ok=True)
    with pytest.raises(TrainingError, match=re.escape(why)):
        runner.run(tiny(), tmp_path / "one", resume=True)


def test_a_task_of_another_run_does_not_join_on_the_way(tmp_path, monkeypatch):
    """What another process puts into the folder meanwhile is refused, if it is of another run."""
    runner.run(tiny(seed=1), tmp_path / "other", only=("search/adam/dropout",))
    train = loop.Loop._train

    def meanwhile(self, *given):
        train(self, *given)
        shutil.copytree(tmp_path / "other" / TASKS, tmp_path / "one" / TASKS, dirs_exist_ok=True)

    monkeypatch.setattr(loop.Loop, "_train", meanwhile)
    with pytest.raises(TrainingError, match="--seed 1, not 0"):
        runner.run(tiny(), tmp_path / "one")


CLOCK = """
import time
from training.engine.progress import stoppable
with stoppable() as stop:
    begin = time.monotonic() - stop.now()
    print("begun", flush=True)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        stop.now()
    print(time.monotonic() - stop.now() - begin)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system stops no process")
def test_the_clock_of_a_run_stands_still_while_its_process_does():
    """What passes between SIGSTOP and SIGCONT is left out of the seconds that a run counts."""
    with subprocess.Popen([sys.executable, "-c", CLOCK], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        time.sleep(0.5)
        stopped = time.monotonic() - stopped
        child.send_signal(signal.SIGCONT)
        left_out = float(child.stdout.read())
    assert left_out == pytest.approx(stopped, abs=0.2)


def test_a_file_under_another_name_is_refused(tmp_path):
    """A task's file that bears another's name is no result of that one."""
    runner.run(tiny(), tmp_path, only=("search/adam/plain",))
    top = tmp_path / TASKS
    (top / f"adam/plain/seed0{DONE}").parent.mkdir(parents=True)
    shutil.copy(top / f"{NAMES[0]}{DONE}", top / f"adam/plain/seed0{DONE}")
    with pytest.raises(TrainingError, match=r"holds search/adam/plain/0\.001"):
        Record.read(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    """A task's file that is not whole is refused by its name, with what does it again."""
    runner.run(tiny(), tmp_path, only=("search/adam/plain",))
    path = tmp_path / TASKS / f"{NAMES[0]}{DONE}"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(TrainingError, match=re.escape(f"{path}: the record is damaged")) as caught:
        runner.run(tiny(), tmp_path, resume=True)
    assert "remove it" in str(caught.value)
    path.unlink()
    assert runner.run(tiny(), tmp_path, resume=True).finished


def test_more_is_asked_of_a_finished_run(tmp_path):
    """With --resume a finished run gets further seeds and methods; what is there stays as it is."""
    runner.run(tiny(method=("adam",)), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob(f"*{DONE}")}
    with pytest.raises(TrainingError, match=r"--seeds 1, not 2.*--resume"):
        runner.run(tiny(method=("adam",), seeds=2), tmp_path)
    record = runner.run(tiny(seeds=2), tmp_path, resume=True)
    assert {path: path.stat().st_mtime_ns for path in before if path.name != FILE} == {
        path: when for path, when in before.items() if path.name != FILE
    }
    assert same(record, runner.run(tiny(seeds=2), tmp_path / "whole"))


def test_another_choice_of_the_search_is_noticed(tmp_path):
    """A network that was trained with another rate than the search now chooses is refused."""
    runner.run(tiny(), tmp_path)
    path = tmp_path / TASKS / f"adam/plain/seed0{DONE}"
    own = Record.of_file(path)
    own.about["rate"] = 0.5
    own.save(tmp_path, path.relative_to(tmp_path).as_posix())
    record = Record.of_file(tmp_path / FILE)
    record.about.pop("finished")
    record.save(tmp_path)
    with pytest.raises(TrainingError, match=r"the rate 0\.5, and the search chooses"):
        runner.run(tiny(), tmp_path, resume=True)


# ------------------------------------------------------------------------------ rates that widen


def found(experiment, best):
    """What a search has seen whose best accuracy lies at a rate, on a grid however wide."""
    arrays = {}
    for exponent in range(-20, 12):
        rate = float(f"{10.0 ** (exponent / 2):.2g}")
        name = experiment.searched("without", "adam", rate)
        arrays[f"{name}/val_loss"] = np.array([2.3, 1.0])
        arrays[f"{name}/val_accuracy"] = np.array([0.1, 1 - abs(math.log10(rate / best)) / 20])
    return arrays


@pytest.mark.parametrize(
    ("best", "grid"),
    [
        (1e-3, (3.2e-4, 1e-3, 3.2e-3)),
        (3.2e-3, (3.2e-4, 1e-3, 3.2e-3, 0.01)),
        (0.1, (3.2e-4, 1e-3, 3.2e-3, 0.01, 0.032, 0.1, 0.32)),
        (1e-5, (3.2e-6, 1e-5, 3.2e-5, 1e-4, 3.2e-4, 1e-3, 3.2e-3)),
        (10.0, (3.2e-4, 1e-3, 3.2e-3, 0.01, 0.032, 0.1, 0.32)),  # four more and no further
    ],
)
def test_a_best_rate_at_the_edge_widens_the_grid(best, grid):
    """Rates are added beyond an end as long as the best lies there, at the grid's own distance."""
    experiment = tiny(rate=(3.2e-4, 1e-3, 3.2e-3), widen=4)
    wide = experiment.grid("without", "adam", found(experiment, best))
    assert wide == grid
    assert tiny(rate=(3.2e-4, 1e-3, 3.2e-3)).grid("without", "adam", found(experiment, best)) == (
        3.2e-4,
        1e-3,
        3.2e-3,
    )
    assert experiment.grid("without", "adam", {}) == experiment.rate


def test_a_run_tries_the_rates_that_it_needs(tmp_path):
    """The search goes on beyond the grid until its best is no edge; then the rest is trained."""
    experiment = tiny(method=("adam",), dropout=("without",), rate=(1e-6, 1e-5), widen=20)
    record = runner.run(experiment, tmp_path)
    tried = [name for name in files(tmp_path) if name.startswith("search")]
    rates = sorted(float(name.rpartition("/")[2]) for name in tried)
    assert len(rates) > 2
    setting = runner.results(record)["results"]["settings"]["without"]
    assert setting["search"]["rates"] == setting["search"]["tried"]["adam"] == rates
    assert rates[0] < setting["methods"]["adam"]["rate"] < rates[-1]
    assert setting["methods"]["adam"]["edge"] == ""


# ------------------------------------------------------------------------------ how far a run is


def test_tasks_are_listed_without_a_folder(tmp_path):
    """--tasks names every task in the order in which they are done, and looks into no folder."""
    blocks, data = overview.overview(tiny(), tmp_path / "nowhere", device="cpu", status=False)
    assert data["tasks"] == NAMES
    assert [row[0].text for row in blocks[0].rows] == NAMES
    assert not (tmp_path / "nowhere").exists()


def test_a_status_tells_what_is_done_and_what_is_left(tmp_path, monkeypatch):
    """Done, on its way and missing, with hours by what the same updates took on this machine."""
    monkeypatch.setattr("training.experiments.overview.hardware", lambda _: "this one")
    monkeypatch.setattr("training.engine.record.hardware", lambda *_: "this one")
    runner.run(tiny(), tmp_path, only=("search/adam", "adam/plain"))
    monkeypatch.setattr(Loop, "_ask", lambda _, __, updates: updates == 4)
    with pytest.raises(StoppedError):
        runner.run(tiny(), tmp_path, only=("adam/dropout",))
    monkeypatch.undo()
    for name, seconds in (("search/adam/plain/0.001", 40.0), ("adam/plain/seed0", 256.0)):
        path = tmp_path / TASKS / f"{name}{DONE}"
        own = Record.of_file(path)
        own.about |= {"seconds": seconds, "hardware": "this one"}
        own.save(tmp_path, f"{TASKS}/{name}{DONE}")
    monkeypatch.setattr("training.experiments.overview.hardware", lambda _: "this one")
    blocks, data = overview.overview(tiny(), tmp_path, device="cpu")
    rows = {row["task"]: row for row in data["tasks"]}
    assert list(rows) == NAMES
    states = {name: row["state"] for name, row in rows.items()}
    assert [name for name, state in states.items() if state == "running"] == ["adam/dropout/seed0"]
    assert sorted(name for name in states if states[name] == "done") == files(tmp_path)
    assert (rows["adam/dropout/seed0"]["read"], rows["adam/dropout/seed0"]["of"]) == (64, 128)
    assert "1 running" in blocks[1]


def standing(name, population, state, read, of, seconds=0.0, hardware="here"):
    """How far a task is."""
    return overview.Standing(name, population, state, read, of, seconds, hardware)


def test_hours_are_those_of_the_same_population():
    """The rest takes as long for an example as its own population, or as all that were measured."""
    done = standing("a", "p", "done", 100, 100, 3600.0)
    half = standing("b", "p", "stopped", 50, 100, 5400.0)
    missing = standing("c", "p", "missing", 0, 100)
    other = standing("d", "q", "missing", 0, 300)
    elsewhere = standing("e", "p", "done", 100, 100, 1.0, "there")
    fast = standing("f", "q", "done", 100, 100, 60.0)
    # 9,000 s for 150 examples: a minute each; those of another population are no measure of it
    assert overview.hours([done, half, missing, fast, elsewhere], "here") == pytest.approx(150 / 60)
    assert overview.hours([done, half, other], "here") == pytest.approx(350 / 60)
    assert overview.hours([done, elsewhere], "here") == 0.0
    assert overview.hours([missing, elsewhere], "here") is None


# ------------------------------------------------------------------------------ trained once


def test_a_network_is_not_trained_twice(tmp_path):
    """The cyclical rate's network is taken from the run of its own question, if it is the same."""
    given = {**MINI, "lr_min": 0.01, "lr_max": 0.1, "step": 1}
    before = CyclicalLr(**given, epochs=2, policy=("exp_range",))
    rates = runner.run(before, tmp_path / "rates")
    more = {"b_min": 8, "b_max": 16, "policy": ("growing",), "cyclical_lr": str(tmp_path / "rates")}
    record = runner.run(CyclicalBatch(**given, epochs=2, **more), tmp_path / "batches")
    assert files(tmp_path / "batches") == ["growing/seed0"]
    for name in ("training_loss", "val_accuracy", "test_loss", "weights_sha256"):
        task = f"exp_range/seed0/{name}"
        assert record.arrays[task].tobytes() == rates.arrays[task].tobytes()
    other = CyclicalBatch(**given, epochs=1, **more)
    runner.run(other, tmp_path / "others")
    assert files(tmp_path / "others") == ["exp_range/seed0", "growing/seed0"]


def test_a_growing_batch_takes_the_network_of_as_many_epochs(tmp_path):
    """The cyclical rate beside a growing batch reads as many epochs, whatever was said of it."""
    given = {**MINI, "lr_min": 0.01, "lr_max": 0.1, "step": 1}
    runner.run(CyclicalLr(**given, epochs=3, policy=("exp_range",)), tmp_path / "rates")
    sizes = {"smallest": 8, "largest": 32, "hold": "1ep", "policy": ("grow",)}
    asked_ = BatchSize(**given, **sizes, cyclical_lr=str(tmp_path / "rates"))
    assert asked_.beside(64).epochs == 3
    runner.run(asked_, tmp_path / "grow")
    assert files(tmp_path / "grow") == ["grow/seed0"]
