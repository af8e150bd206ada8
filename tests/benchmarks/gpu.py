"""All that a lent GPU is for, in one script: checks, what is fastest, and the assignment itself.

`python tests/benchmarks/gpu.py --data-dir FOLDER [--device cpu] [--quick] [--minutes 28]`.

1. Checks on the device: every rule against `torch.optim`, random numbers against the CPU's bits,
   gradients in parts, updates as a CUDA graph, and a population that goes on from what is kept.
2. MiniGoogLeNet's population as one grouped convolution, and member after member, each in every
   precision and layout. Five networks learn for an epoch in each precision: what is fastest among
   those whose validation accuracy is not told apart from fp32's is the way of step 3. Launches of
   an update are counted, too.
3. The assignment preset, the most valuable first, until the minutes are over: what is finished is
   kept, what is not goes on with the same command, in the way that `gpu.json` says.

Everything lies below `--output`; `gpu.json` there has the numbers. Where the environment has `OUT`,
`gpu.tar.gz` in that folder has all of it but the states of unfinished tasks. The exit status is 1
where a check fails.
"""

# ruff: noqa: TID253 - it measures torch

import argparse
import json
import os
import signal
import statistics
import sys
import tarfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from training import chain
from training.engine import fused, losses, streams
from training.engine import statistics as intervals
from training.engine.cohort import PRECISIONS, WAY, Cohort, Member, Way, numerics
from training.engine.data import Augmentation, Data
from training.engine.models import Mlp
from training.engine.networks import Net
from training.engine.record import STATE, hardware
from training.engine.updates import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    NAdam,
    RMSprop,
    RMSpropNesterov,
)
from training.errors import StoppedError, TrainingError
from training.experiments import experiment, runner
from training.experiments.base import rows
from training.experiments.minigooglenet.experiment import text

L2 = 1e-4
OF_TORCH = {
    Adagrad(weight_decay=L2): torch.optim.Adagrad,
    RMSprop(weight_decay=L2): torch.optim.RMSprop,
    Adadelta(weight_decay=L2): torch.optim.Adadelta,
    Adam(weight_decay=L2): torch.optim.Adam,
    NAdam(weight_decay=L2): torch.optim.NAdam,
    AdamW(weight_decay=L2): torch.optim.AdamW,
    SGD(momentum=0.9, nesterov=True, weight_decay=L2): lambda p, **given: torch.optim.SGD(
        p, momentum=0.9, nesterov=True, **given
    ),
}
ASKED = (*(rule for rule in OF_TORCH if rule.name not in {"nadam", "adamw", "sgd"}),)
METHODS = (*ASKED, RMSpropNesterov(weight_decay=L2))  # the assignment's
NEAR = 1e-3  # of the largest number: 32 bits, added in another order, after some updates
QUICK = {"preset": "quick", "dataset": "digits", "size": 8, "examples": 200, "validation": 100}
SMALL = {
    "optimizers": {"test_examples": 100, "width": 20, "search_epochs": 1, "epochs": 2, "seeds": 1},
    "chain": {"test_examples": 100, "width": 0.125, "epochs": 2, "seeds": 1, "augment": "flip"}
    | {"largest": 128, "b_min": 8, "b_max": 32},
}
WARM = 5  # updates before those that are timed: cuDNN's choice, and the graph


def far(one, other):
    """The largest difference, as a share of the largest number."""
    one, other = one.double().cpu(), other.double().cpu()
    return float((one - other).abs().max() / other.abs().max())


# ------------------------------------------------------------------------------------ checks


def mlps(device, rules, units=64, way=None, rate=1e-3):
    """Networks that differ in their rule, with dropout, and what they read."""
    model = Mlp.read(f"1x1x{units} drop.2 fc-{units} relu drop.5 fc-10")
    members = [Member(number, rate=rate, rule=rule) for number, rule in enumerate(rules)]
    made = Cohort.born(model, members, 1, loss=losses.cross_entropy, rule=SGD(), device=device)
    made.way = way or made.way
    x = torch.randn(1, 512, units, generator=torch.Generator().manual_seed(0)).to(device)
    data = Data(x, torch.arange(512, device=device)[None] % 10, 64, streams.root(0), made.keys)
    return made, data.reader()


def images(device, width, members, batch, size, precision="fp32"):
    """MiniGoogLeNets that differ in their rate, and what they read."""
    own = [Member(number, "torch", rate=0.01 / (number + 1)) for number in range(members)]
    given = {"loss": losses.cross_entropy, "rule": SGD(momentum=0.9)}
    given |= {"device": device, "precision": precision}
    made = Cohort.born(Net.read(text(width, size, 1, 10)), own, 1, **given)
    x = torch.randn(1, 8 * batch, 1, size, size, generator=torch.Generator().manual_seed(0))
    y = torch.arange(8 * batch, device=device)[None] % 10
    change = Augmentation(3, flip=True)
    data = Data(x.to(device), y, batch, streams.root(0), made.keys, change)
    return made, data.reader()


def learnt(made, read, updates=10):
    """Parameters after some updates."""
    while made.updates < updates:
        made.advance(*read(made.updates))
    return made.parameters.clone()


def rules_of_torch(device):
    """Networks without dropout, each with its rule, against torch's own, 20 updates."""
    model = Mlp.read("1x1x64 fc-64 tanh fc-10")
    members = [
        Member(n, activation="tanh", rate=1e-2, rule=rule) for n, rule in enumerate(OF_TORCH)
    ]
    made = Cohort.born(model, members, 1, loss=losses.cross_entropy, rule=SGD(), device=device)
    x = torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(0)).to(device)
    y = torch.arange(64, device=device)[None] % 10
    birth = made.parameters.clone()
    learnt(made, lambda _: (x, y), 20)
    found = {}
    for member, (rule, of_torch) in enumerate(OF_TORCH.items()):
        net = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10)).to(device)
        nn.utils.vector_to_parameters(birth[member], net.parameters())
        optimizer = of_torch(net.parameters(), lr=1e-2, weight_decay=L2)
        for _ in range(20):
            optimizer.zero_grad()
            functional.cross_entropy(net(x[0]), y[0]).backward()
            optimizer.step()
        theirs = nn.utils.parameters_to_vector(net.parameters()).detach()
        found[f"{rule.name} is torch.optim's"] = far(made.parameters[member], theirs)
    return found


def random_numbers(device):
    """The share of random numbers that differ from the CPU's: masks, orders, moved images."""
    keys = streams.fold(streams.root(0), torch.arange(3))
    x = torch.rand(3, 20, 1, 9, 9)
    made = {
        "dropout": lambda k, _: streams.kept(k, 0.3, 50, 7, first=3),
        "an epoch's order": lambda k, _: streams.permutation(k, 1000),
        "augmentation": lambda k, x: Augmentation(2, flip=True)(x, k),
    }
    pairs = {name: (of(keys.to(device), x.to(device)), of(keys, x)) for name, of in made.items()}
    return {
        f"{name} has the CPU's bits": float((one.cpu() != other).double().mean())
        for name, (one, other) in pairs.items()
    }


def parts(device):
    """A gradient that is added up in parts, of a network without batch norm."""
    made, _ = mlps(device, [SGD()])
    made.model = Net.read("9x9x1 conv3-4 relu drop.5 fc-10")
    made.parameters = made.model.draw(made.keys, ["torch"])
    x = torch.randn(1, 50, 1, 9, 9, generator=torch.Generator().manual_seed(0)).to(device)
    y = torch.arange(50, device=device)[None] % 10
    whole = made.gradients(made.parameters, x, y)[1]
    return {
        "a gradient in parts": far(replace(made, micro=7).descent(made.parameters, x, y)[1], whole)
    }


def ways_agree(device):
    """Updates as CUDA graphs, and members in turn, are those of operations and of company."""
    usual = learnt(*mlps(device, METHODS, way=Way(in_turn=False, graphs=False)))
    found = {}
    for name, way in {"as graphs": Way(in_turn=False), "in turn": Way(in_turn=True)}.items():
        found[f"updates {name}"] = far(learnt(*mlps(device, METHODS, way=way)), usual)
    found["the CPU's path"] = far(learnt(*mlps("cpu", METHODS)), usual)
    return found


def resumed(device):
    """Four updates and then six, from what a record keeps, are ten."""
    whole = learnt(*mlps(device, (*METHODS, NAdam())))
    first, read = mlps(device, (*METHODS, NAdam()))
    then, _ = mlps(device, (*METHODS, NAdam()))
    then.parameters, then.updates = learnt(first, read, 4).cpu().to(device), 4
    then.state = {name: slot.cpu().to(device) for name, slot in first.state.items()}
    return {"a resumed population": far(learnt(then, read), whole)}


def checks(device):
    """What differs, and whether that is little."""
    found = {}
    for check in (rules_of_torch, random_numbers, parts, ways_agree, resumed):
        found |= check(device)
    return {
        name: {"differs": value, "fine": value <= (0 if "bits" in name else NEAR)}
        for name, value in found.items()
    }


# ------------------------------------------------------------------------------------ speed


class Launches(TorchDispatchMode):
    """Counts operations that are launched, by their names: all but views and empty memory."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Do it, and count it."""
        name = func._schema.name.removeprefix("aten::")
        if not (func.is_view or name.startswith(("empty", "new_empty", "detach", "_unsafe_view"))):
            self.count[name] += 1
        return func(*args, **(kwargs or {}))


def launches(made, read):
    """Operations of reading a batch, and of an update where there is no graph."""
    made.way = Way(in_turn=False, graphs=False)
    read(0)
    with Launches() as reading:
        batch = read(1)
    rates = made.rates * made._factors()
    terms = fused.shared(made.rule, made.parameters, made.state, rates, 1).to(made.keys.device)
    now = torch.tensor(0, device=made.keys.device)
    theta, state = made.parameters, {k: v.clone() for k, v in made.state.items()}
    with Launches() as gradient:
        made.rule.point(theta, made.state)
        replace(made, updates=now).descent(theta, *batch)
    passes = len(list(fused._runs(made.rule, state)))
    assert terms.shape[0] == len(made)
    return {"reading": reading.count.total(), "gradient": gradient.count.total(), "rules": passes}


def synchronized(device):
    """The time, once the device has done all."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def timed(device, way, precision, quick):
    """Seconds of an update of the population, and the members' mean loss behind all."""
    made, read = images(device, *((0.125, 3, 16, 12) if quick else (1.0, 10, 128, 32)), precision)
    made.way = way
    learnt(made, read, WARM)
    seconds, count = [], 2 if device == "cpu" else 10
    for _ in range(2 if quick else 5):
        begin = synchronized(device)
        for _ in range(count):
            loss = made.advance(*read(made.updates))
        seconds.append((synchronized(device) - begin) / count)
    return statistics.median(seconds), float(loss.mean())


def ways(device, quick):
    """Every way in every precision, the fastest first."""
    found = []
    graphs = (True, False) if device == "cuda" else (False,)
    precisions = PRECISIONS if device == "cuda" else ("fp32",)
    for precision, turn, graph, last in product(precisions, (False, True), graphs, (False, True)):
        way = Way(in_turn=turn, graphs=graph, channels_last=last)
        line = {"precision": precision, "said": numerics(device, precision), **way._asdict()}
        try:
            line["seconds"], line["loss"] = timed(device, way, precision, quick)
        except (RuntimeError, NotImplementedError) as error:  # too little memory, no such kernel
            line["failed"] = str(error).partition("\n")[0]
        print(json.dumps(line), flush=True)
        found.append(line)
        if device == "cuda":
            torch.cuda.empty_cache()
    return sorted(found, key=lambda line: line.get("seconds", float("inf")))


def accuracies(device, folder, given, quick):
    """By precision, how much higher than fp32's the validation accuracy is, in pairs."""
    asked = {**QUICK, **SMALL["chain"]} if quick else {"preset": "assignment"}
    epoch = {"policy": ("exp_range",), "lr_min": 1e-4, "lr_max": 1e-2, "epochs": 1, "step": 1}
    each = {}
    for precision in PRECISIONS if device == "cuda" else ("fp32", "bf16"):
        own = {**asked, **epoch, **given, "seeds": 5, "precision": precision}
        one = experiment("cyclical-lr")(**own)
        record = runner.run(one, folder / "precision" / precision, device=device, resume=True)
        each[precision] = rows(record.arrays, one.trained("exp_range"), "val_accuracy")[:, -1]
    return {name: intervals.student(own - each["fp32"])._asdict() for name, own in each.items()}


def chosen(found, gaps):
    """The fastest line of those whose precision is not told apart from fp32."""
    alike = {name for name, gap in gaps.items() if gap["low"] <= 0 <= gap["high"]}
    return next(line for line in found if "seconds" in line and line["precision"] in alike)


# ------------------------------------------------------------------------------- the assignment


@contextmanager
def stopped_after(seconds):
    """Ctrl-C after some time, which a run hears as a person's: it keeps where it is."""
    alarm = threading.Timer(max(seconds, 0.0), os.kill, (os.getpid(), signal.SIGINT))
    alarm.daemon = True
    try:
        alarm.start()
        yield
    except (StoppedError, KeyboardInterrupt) as error:
        print(f"the time is over: {error}", flush=True)
    finally:
        alarm.cancel()


def assignment(device, folder, seconds, given, quick):
    """The optimizers, then the chain of rates and batches."""
    how = {"device": device, "resume": True}
    asked = {"preset": "assignment", **given}
    small = {name: {**QUICK, **more, **given} for name, more in SMALL.items()} if quick else {}
    with stopped_after(seconds):
        one = experiment("optimizers")(**small.get("optimizers", asked))
        runner.run(one, folder / "optimizers", **how)
        for name, _ in chain.run(small.get("chain", asked), folder, **how):
            print(f"{name} is finished", flush=True)


def packed(folder, place):
    """All of a folder in one file, but for the states of unfinished tasks."""
    with tarfile.open(place, "w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != STATE:
                archive.add(path, path.relative_to(folder))


def main():
    """Check, measure, run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--data-dir")
    parser.add_argument("--output", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--minutes", type=float, default=28.0, help="of all together")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run?")
    parser.add_argument("--steps", default="123", help="some of them: 12")
    given = parser.parse_args()
    began, device = time.monotonic(), given.device
    given.output.mkdir(parents=True, exist_ok=True)
    numbers = given.output / "gpu.json"
    report = json.loads(numbers.read_text()) if numbers.exists() else {}

    def note(**more):
        report.update(more)
        numbers.write_text(json.dumps(report, indent=1))

    note(hardware=hardware(torch.device(device)), torch=torch.__version__)
    if "1" in given.steps:
        note(checks=checks(device))
        print(json.dumps(report["checks"], indent=1), flush=True)
    if "2" in given.steps:
        width = 0.125 if given.quick else 1.0
        counted = {
            "MiniGoogLeNet, 10 members": launches(*images(device, width, 10, 16, 32)),
            "MLP, 10 members": launches(
                *mlps(device, [rule for rule in METHODS for _ in range(2)], 100)
            ),
        }
        note(launches=counted, ways=(found := ways(device, given.quick)))
        print(json.dumps(counted))
        data = {"data_dir": given.data_dir}
        note(accuracy=(gaps := accuracies(device, given.output, data, given.quick)))
        note(chosen=chosen(found, gaps))
        print(json.dumps({"accuracy": gaps, "chosen": report["chosen"]}), flush=True)
    if "3" in given.steps:
        best = report.get("chosen", {"precision": "fp32", **Way()._asdict()})
        WAY.set(Way(*(best[name] for name in Way._fields)))
        options = {"precision": best["precision"], "data_dir": given.data_dir}
        left = 60 * given.minutes - (time.monotonic() - began)
        try:
            assignment(device, given.output, left, options, given.quick)
        except TrainingError as error:
            note(failed=str(error))
            print(error)
    if out := os.environ.get("OUT"):
        packed(given.output, Path(out) / "gpu.tar.gz")
    return 0 if all(one["fine"] for one in report.get("checks", {}).values()) else 1


if __name__ == "__main__":
    sys.exit(main())
