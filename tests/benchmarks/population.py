"""A thousand networks as one program against one at a time.

`python tests/benchmarks/population.py`.

Lu et al.'s experiment: ReLU, 9 hidden layers of width 2, 3,000 points, batch 64, 50 epochs, Adam.
The rival is plain PyTorch as people write it, without a DataLoader, which would only be slower: one
`torch.nn.Sequential` and one `torch.optim.Adam` after the other. Both are timed in this run. The
exit status is 1 where a bar is missed: 40 s, 100 times, and the same collapsed fraction within
sampling error.
"""

# ruff: noqa: TID253 - it measures torch

import argparse
import math
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch

from training.engine.loop import Loop
from training.engine.ranks import Ranks
from training.engine.record import Record, hardware
from training.engine.statistics import wilson
from training.experiments.dying_relu.experiment import END, GRID, DyingRelu

HIDDEN, WIDTH, POINTS, BATCH, EPOCHS = 9, 2, 3000, 64, 50
SECONDS, TIMES = 40.0, 100.0


def together(simulations: int) -> tuple[float, int]:
    """Seconds for all of them, with all looks and checkpoints, and how many collapsed."""
    experiment = DyingRelu(
        activation=("relu",), hidden_layers=(HIDDEN,), simulations=simulations, born=0
    )
    record = Record(experiment.name, experiment.configuration())
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        Loop(record, Path(folder), experiment.tasks_after, Ranks(), torch.device("cpu")).run()
    seconds = time.perf_counter() - begin
    return seconds, int((record.arrays[f"{HIDDEN}x{WIDTH}/off"][:, -1] > 0).sum())


def alone(seed: int) -> bool:
    """One network in plain PyTorch; whether it collapsed."""
    torch.manual_seed(seed)
    sizes = [1, *[WIDTH] * HIDDEN]
    layers: list[torch.nn.Module] = []
    for fan_in, out in pairwise(sizes):
        layers += [torch.nn.Linear(fan_in, out), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, 1))
    for layer in net:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.kaiming_normal_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    x = (torch.rand(POINTS, 1) * 2 - 1) * END
    y = x.abs()
    optimizer = torch.optim.Adam(net.parameters())
    for _ in range(EPOCHS):
        order = torch.randperm(POINTS)
        for first in range(0, POINTS, BATCH):
            chosen = order[first : first + BATCH]
            loss = torch.nn.functional.mse_loss(net(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    h = torch.linspace(-END, END, GRID).unsqueeze(1)
    with torch.no_grad():
        for layer in net:
            h = layer(h)
            if isinstance(layer, torch.nn.ReLU) and not (h > 0).any():
                return True
    return False


def main() -> int:
    """Measure, print, and say whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--alone", type=int, default=50, help="networks trained one at a time")
    given = parser.parse_args()
    together(8)  # compiles the kernel, as the first run on a machine does
    seconds, collapsed = together(given.simulations)
    begin = time.perf_counter()
    dead = sum(alone(seed) for seed in range(given.alone))
    each = (time.perf_counter() - begin) / given.alone
    ratio = each * given.simulations / seconds
    p, q = wilson(collapsed, given.simulations), wilson(dead, given.alone)
    pooled = (collapsed + dead) / (given.simulations + given.alone)
    error = math.sqrt(pooled * (1 - pooled) * (1 / given.simulations + 1 / given.alone))
    apart = abs(p.value - q.value) / error if error else 0.0
    print(hardware(torch.device("cpu")))
    print(f"torch {torch.__version__}")
    print(f"{given.simulations:,} at once:  {seconds:.1f} s, bar {SECONDS:.0f} s")
    print(f"one at a time: {each:.2f} s a network, mean of {given.alone}")
    print(f"ratio:         {ratio:.0f} times, bar {TIMES:.0f}")
    print(f"collapsed:     {p.value:.3f} [{p.low:.3f}, {p.high:.3f}] at once")
    print(f"               {q.value:.3f} [{q.low:.3f}, {q.high:.3f}] one at a time")
    print(f"               {apart:.1f} standard errors apart, bar 3")
    fine = seconds < SECONDS and ratio > TIMES and apart < 3
    print("met" if fine else "MISSED")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
