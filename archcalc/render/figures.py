"""Figures: a profile as bars by layer and on the roofline. Loads matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from archcalc.render.style import COLOURS, drawn
from archcalc.render.views.profile import heading, milliseconds, passes
from archcalc.timings import LayerTime, Pass, Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST: Final = 40  # bars that can be told apart; of more layers, the longest
LIMITS: Final = {"compute": COLOURS[0], "memory": COLOURS[1], "launch": COLOURS[2]}


def profile(measured: Profile, form: str) -> bytes:
    """The time of every layer as bars, and every layer under the device's roofline."""
    step, layers = measured.step.median, _longest(measured)

    def draw(figure: Figure) -> None:
        bars, roof = figure.subplots(1, 2, width_ratios=(1.2, 1))
        _bars(bars, measured, layers)
        _roof(roof, measured)

    footer = (
        f"{measured.device}, torch {measured.release}; medians of {passes(measured)}; a step "
        f"{milliseconds(step)} ms, {measured.case.batch / step:,.1f} examples a second"
    )
    height = max(4.5, 1.6 + 0.19 * len(layers))
    return drawn(12, height, heading(measured), footer, draw, form)


def _longest(measured: Profile) -> list[LayerTime]:
    """The layers that take time, in the network's order."""

    def seconds(row: LayerTime) -> float:
        return row.forward.time.median + (row.backward.time.median if row.backward else 0)

    busy = [row for row in measured.rows if row.forward.limit]
    chosen = {row.name for row in sorted(busy, key=seconds, reverse=True)[:MOST]}
    return [row for row in measured.rows if row.name in chosen]


def _passes(row: LayerTime) -> list[tuple[Pass, bool]]:
    """A layer's passes, and whether each is the forward one."""
    return [(row.forward, True)] + ([(row.backward, False)] if row.backward else [])


def _bars(axes: Axes, measured: Profile, layers: Sequence[LayerTime]) -> None:
    height = 0.38 if measured.train else 0.7
    for place, row in enumerate(layers):
        for timed, is_forward in _passes(row):
            y = place + (-height / 2 if is_forward else height / 2) * measured.train
            middle, low, high = (1e3 * second for second in timed.time)
            colour, alpha = LIMITS[timed.limit or "launch"], 1.0 if is_forward else 0.55
            axes.barh(y, middle, height, color=colour, alpha=alpha)
            axes.plot([low, high], [y, y], color="black", linewidth=0.8)
            ends = [y - height / 2, y + height / 2]
            axes.plot([1e3 * timed.bound] * 2, ends, color="black", lw=1.6)
    axes.set_yticks(range(len(layers)), [row.name for row in layers], fontsize=7)
    axes.invert_yaxis()
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlabel("ms")
    axes.grid(axis="y", visible=False)
    shown = f"the {MOST} longest layers" if len(measured.rows) > len(layers) == MOST else "layers"
    ways = "forward full, backward pale; " if measured.train else ""
    axes.set_title(f"Time of {shown}\n{ways}thick mark: least time possible; thin line: quartiles")
    used = {timed.limit for timed in measured.passes()}
    for limit, colour in LIMITS.items():
        if limit in used:
            axes.barh(0, 0, color=colour, label=f"{limit}-bound")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right")


def _roof(axes: Axes, measured: Profile) -> None:
    ceilings = measured.ceilings
    points = [
        (timed.work.flops / timed.work.bytes, timed.work.flops / seconds, timed.limit, is_forward)
        for row in measured.rows
        for timed, is_forward in _passes(row)
        if timed.work.flops and (seconds := timed.time.median)
    ]
    ridge = ceilings.peak / ceilings.bandwidth
    left = min([ridge, *(x for x, *_ in points)]) / 3
    right = max([ridge, *(x for x, *_ in points)]) * 3
    roof = [left * ceilings.bandwidth, ceilings.peak, ceilings.peak]
    axes.plot([left, ridge, right], roof, color="black")
    for x, y, limit, is_forward in points:
        face = LIMITS[limit] if is_forward else "none"
        axes.plot(x, y, "o", markersize=4.5, color=LIMITS[limit], markerfacecolor=face, alpha=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("FLOPs a byte")
    axes.set_ylabel("FLOP/s")
    ways = "filled: forward, open: backward" if measured.train else "convolutions and linear layers"
    axes.set_title(f"Under the roofline\n{ways}; ceilings: {ceilings.source}")
    label = f"{ceilings.bandwidth / 1e9:,.3g} GB/s\n{ceilings.peak / 1e9:,.4g} GFLOP/s"
    axes.annotate(label, (ridge, ceilings.peak), (0, -28), textcoords="offset points", fontsize=8)
