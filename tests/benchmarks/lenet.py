"""An epoch of LeNet-5 against the usual loop, and ten networks as a population against ten runs.

`python tests/benchmarks/lenet.py --data-dir FOLDER`.

The rival is what people write: torchvision's MNIST, its transforms `ToTensor` and `Normalize`, a
`DataLoader`, `torch.nn.Sequential`, `torch.optim.Adam`; with no worker and with two, the faster
counts. Batches, rate, schedule and initialization are the same as ours; both are timed in this
run, and both are scored on the test set afterwards. The exit status is 1 where a bar is missed:
twice as fast, the same accuracy to half a percentage point, and no more time a network in company
than alone.
"""

# ruff: noqa: TID253 - it measures torch

import argparse
import statistics
import sys
import time
from dataclasses import replace

import torch
import torchvision
from torch import nn
from torch.nn import functional
from torchvision import transforms

from training.engine import probes
from training.engine.cohort import Cohort, Way
from training.engine.data import Data
from training.engine.record import hardware
from training.experiments.batchnorm_dropout.experiment import BatchnormDropout

TIMES, POINTS, TOGETHER = 2.0, 0.005, 1.0
CPU = torch.device("cpu")


def lenet() -> nn.Module:
    """LeNet-5 in torch's own modules."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten()),
        *(nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


def usual(folder: str, asked: BatchnormDropout, workers: int) -> tuple[float, float]:
    """Seconds an epoch, and the test accuracy after them, of the usual loop."""
    change = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    sets = [torchvision.datasets.MNIST(folder, train=t, transform=change) for t in (True, False)]
    train = torch.utils.data.DataLoader(sets[0], asked.batch, shuffle=True, num_workers=workers)
    net = lenet()
    rule = torch.optim.Adam(net.parameters(), lr=asked.rate)
    (task,) = asked.tasks()
    schedule = torch.optim.lr_scheduler.LambdaLR(rule, task.members[0].schedule)
    begin = time.perf_counter()
    for _ in range(asked.epochs):
        for x, y in train:
            rule.zero_grad()
            functional.cross_entropy(net(x), y).backward()
            rule.step()
            schedule.step()
    seconds = (time.perf_counter() - begin) / asked.epochs
    net.eval()
    with torch.no_grad():
        test = torch.utils.data.DataLoader(sets[1], 1000)
        right = sum(int((net(x).argmax(1) == y).sum()) for x, y in test)
    return seconds, right / len(sets[1])


def ours(asked: BatchnormDropout) -> tuple[float, float]:
    """The same of the experiment's own network: one seed."""
    (task,) = asked.tasks()
    cohort, data = task.build(task.members, CPU)
    begin = time.perf_counter()
    for epoch in range(asked.epochs):
        batches = data.shuffled(epoch)
        for number in range(data.per_epoch):
            cohort.advance(*batches(number))
    seconds = (time.perf_counter() - begin) / asked.epochs
    return seconds, float(probes.score(cohort, asked.images()[1]).accuracy[0])


def updates(cohorts: list[Cohort], data: list[Data], first: int, count: int) -> float:
    """Seconds of some updates of all members of all cohorts, the cohorts in turn."""
    batches = [one.shuffled(0) for one in data]
    begin = time.perf_counter()
    for cohort, batch in zip(cohorts, batches, strict=True):
        for number in range(first, first + count):
            cohort.advance(*batch(number))
    return time.perf_counter() - begin


def company(asked: BatchnormDropout, rounds: int, count: int) -> tuple[float, float, float]:
    """Milliseconds an update and network: a population, ten alone in turn, all as one program.

    Medians of rounds in which each is timed, one after the other.
    """
    (task,) = asked.tasks()
    population = task.build(task.members, CPU)
    alone = [task.build((member,), CPU) for member in task.members]
    grouped, data = task.build(task.members, CPU)
    grouped.way = Way(in_turn=False)  # as on a GPU
    found: tuple[list[float], ...] = ([], [], [])
    for number in range(rounds):
        first = number * count
        found[0].append(updates([population[0]], [population[1]], first, count))
        found[1].append(updates([a for a, _ in alone], [b for _, b in alone], first, count))
        found[2].append(updates([grouped], [data], first, count))
    each = [1000 * statistics.median(one) / count / len(task.members) for one in found]
    return each[0], each[1], each[2]


def main() -> int:
    """Measure, print, and say whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True, help="where torchvision's MNIST is")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=10, help="networks of the population")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.manual_seed(0)
    asked = BatchnormDropout(
        variant=("plain",), seeds=1, epochs=given.epochs, data_dir=given.data_dir
    )
    print(hardware(CPU))
    print(f"torch {torch.__version__}, batch {asked.batch}, {asked.epochs} epochs")
    seconds, accuracy = ours(asked)
    print(f"ours:                  {seconds:.1f} s an epoch, test accuracy {accuracy:.4f}")
    rivals = {}
    for workers in (0, 2):
        rivals[workers] = usual(given.data_dir, asked, workers)
        said = f"usual loop, {workers} workers:"
        print(f"{said:22s} {rivals[workers][0]:.1f} s an epoch, {rivals[workers][1]:.4f}")
    again, _ = ours(asked)  # once before and once after: the machine may have changed
    print(f"ours again:            {again:.1f} s an epoch")
    ratio = min(rival for rival, _ in rivals.values()) / max(seconds, again)
    apart = max(abs(accuracy - other) for _, other in rivals.values())
    print(f"ratio:                 {ratio:.2f} times, bar {TIMES:.0f}; apart {apart:.4f}")
    many = replace(asked, seeds=given.seeds)
    together, alone, grouped = company(many, given.rounds, 8)
    print(f"{given.seeds} as a population:    {together:.2f} ms an update and network")
    print(f"{given.seeds} runs in turn:       {alone:.2f} ms, {together / alone:.3f} of it")
    print(f"{given.seeds} as grouped layers:  {grouped:.2f} ms, what a GPU does")
    fine = ratio >= TIMES and apart <= POINTS and together / alone <= TOGETHER
    print("met" if fine else "MISSED")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
