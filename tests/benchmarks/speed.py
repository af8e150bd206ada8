"""Measure archcalc as ratios against its alternatives, all in one run.

    python tests/benchmarks/speed.py

Prints one line a claim: what was measured, the bound, and whether it holds. Needs the extra
`verify` for the comparison with torchinfo; without it that line reads "not run". Run it on an
installed package (`pip install .`), so that compiled modules are used, as users do.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import archcalc as ac
from archcalc.render import views

MINIMAL = """
import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer()


@app.command()
def main(network: str, table: bool = False) -> None:
    drawn = Table("Layer", "Number of Activations (Memory)", "Parameters (Compute)")
    for row in {rows!r}:
        drawn.add_row(*row)
    Console().print(drawn)


app()
"""
TORCHINFO = """
import torchinfo, torchvision
print(torchinfo.summary(torchvision.models.vgg19(), (1, 3, 224, 224), verbose=0))
"""


def whole_process(command: list[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of one run of a command, from start to end."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{command} failed")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return seconds, kilobytes * 1024 / 1e6


def side_by_side(first: list[str], second: list[str], rounds: int) -> tuple[float, float, float]:
    """The least seconds of both, run in turns, and the first's peak megabytes.

    The least, because whatever else a machine does only adds to a time.
    """
    whole_process(first)
    whole_process(second)
    pairs = [(whole_process(first), whole_process(second)) for _ in range(rounds)]
    one, two = ([pair[i][0] for pair in pairs] for i in (0, 1))
    return min(one), min(two), max(pair[0][1] for pair in pairs)


def best(call, rounds: int) -> float:
    """The least seconds of several calls: what the code takes when nothing else runs."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def say(what: str, measured: float, bound: float, unit: str) -> bool:
    """Print one claim; whether it holds."""
    holds = measured <= bound
    print(f"{'ok  ' if holds else 'FAIL'} {what}: {measured:.3g} {unit} (bound {bound:g} {unit})")
    return holds


def main() -> int:
    """Run everything; 1 if a bound is broken."""
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    table = views.table1(ac.report("vgg19"))[0]
    rows = [[cell.text for cell in row] for row in (*table.rows, *table.footer)]
    ours = [sys.executable, "-m", "archcalc", "vgg19", "--table"]
    good = []
    with tempfile.TemporaryDirectory() as folder:
        minimal = Path(folder, "minimal.py")
        minimal.write_text(MINIMAL.format(rows=rows))
        one, two, peak = side_by_side(ours, [sys.executable, str(minimal), "vgg19"], 15)
        print(f"     archcalc vgg19 --table {one:.3f} s, minimal Typer script {two:.3f} s")
        good.append(say("whole process against a minimal Typer script", one / two, 1.15, "times"))
        good.append(say("peak memory", peak, 40, "MB"))
        if find_spec("torchinfo") and find_spec("torchvision"):
            rival = Path(folder, "rival.py")
            rival.write_text(TORCHINFO)
            again, two, _ = side_by_side(ours, [sys.executable, str(rival)], 5)
            one = min(one, again)  # right after the rival's gigabytes every process starts slowly
            print(f"     torchinfo's summary of torchvision's vgg19 {two:.3f} s")
            good.append(say("whole process against torchinfo", one / two, 1 / 20, "times"))
        else:
            print("     against torchinfo: not run, needs pip install '.[verify]'")
    good.append(say("load and report vgg19", 1e3 * best(lambda: ac.report("vgg19"), 50), 1.5, "ms"))
    chain = "64x64x8 " + "conv3-8 relu " * 5_000
    twice = chain + "conv3-8 relu " * 5_000
    small, large = (best(lambda text=text: ac.report(ac.parse(text)), 6) for text in (chain, twice))
    good.append(say("a chain of 10,000 layers", small, 1, "s"))
    good.append(say("twice the layers", large / small, 2.5, "times"))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
