"""Figures: a profile as bars by layer and on the roofline. Loads matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archcalc.render.style import COLOURS, drawn
from archcalc.render.views.profile import heading, milliseconds, passes
from archcalc.timings import Pass, Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST: Final = 40  # bars that can be told apart; of more layers, the longest
LIMITS: Final = {"compute": COLOURS[0], "memory": COLOURS[1], "launch": COLOURS[2]}


def profile(found: Profile, form: str) -> bytes:
    """The time of every layer as bars, and every layer under the device's roofline."""
    rows = min(MOST, len(_longest(found)))

    def draw(figure: Figure) -> None:
        bars, roof = figure.subplots(1, 2, width_ratios=(1.2, 1))
        _bars(bars, found)
        _roof(roof, found)

    footer = (
        f"{found.device}, torch {found.release}; medians of {passes(found)}; "
        f"a step {milliseconds(found.step.median)} ms, {found.case.batch / found.step.median:,.1f} "
        "examples a second"
    )
    return drawn(12, max(4.5, 1.6 + 0.19 * rows), heading(found), footer, draw, form)


def _longest(found: Profile) -> list[tuple[str, Pass, Pass | None]]:
    """The layers that take time, in the network's order."""
    times = {
        row.name: row.forward.time.median + (row.backward.time.median if row.backward else 0)
        for row in found.rows
        if row.forward.limit
    }
    chosen = set(sorted(times, key=lambda name: times[name], reverse=True)[:MOST])
    return [(r.name, r.forward, r.backward) for r in found.rows if r.name in chosen]


def _bars(axes: Axes, found: Profile) -> None:
    layers = _longest(found)
    height = 0.38 if found.train else 0.7
    for place, (_, forward, backward) in enumerate(layers):
        for one, offset, alpha in ((forward, -height / 2, 1.0), (backward, height / 2, 0.55)):
            if one is None:
                continue
            y = place + (offset if found.train else 0)
            middle, low, high = (1e3 * second for second in one.time)
            axes.barh(y, middle, height, color=LIMITS[one.limit or "launch"], alpha=alpha)
            axes.plot([low, high], [y, y], color="black", linewidth=0.8)
            axes.plot(
                [1e3 * one.bound] * 2, [y - height / 2, y + height / 2], color="black", lw=1.6
            )
    axes.set_yticks(range(len(layers)), [name for name, *_ in layers], fontsize=7)
    axes.invert_yaxis()
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlabel("ms")
    axes.grid(axis="y", visible=False)
    shown = f"the {MOST} longest layers" if len(found.rows) > len(layers) == MOST else "layers"
    ways = "forward full, backward pale; " if found.train else ""
    axes.set_title(f"Time of {shown}\n{ways}thick mark: least time possible; thin line: quartiles")
    used = {one.limit for one in found.passes()}
    for limit, colour in LIMITS.items():
        if limit in used:
            axes.barh(0, 0, color=colour, label=f"{limit}-bound")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right")


def _roof(axes: Axes, found: Profile) -> None:
    ceilings = found.ceilings
    points = [
        (one.work.flops / one.work.bytes, one.work.flops / one.time.median, one.limit, filled)
        for row in found.rows
        for one, filled in ((row.forward, True), (row.backward, False))
        if one is not None and one.work.flops and one.time.median
    ]
    ridge = ceilings.peak / ceilings.bandwidth
    left = min([ridge, *(x for x, *_ in points)]) / 3
    right = max([ridge, *(x for x, *_ in points)]) * 3
    axes.plot(
        [left, ridge, right],
        [left * ceilings.bandwidth, ceilings.peak, ceilings.peak],
        color="black",
    )
    for x, y, limit, filled in points:
        face = LIMITS[limit] if filled else "none"
        axes.plot(x, y, "o", markersize=4.5, color=LIMITS[limit], markerfacecolor=face, alpha=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("FLOPs a byte")
    axes.set_ylabel("FLOP/s")
    ways = "filled: forward, open: backward" if found.train else "convolutions and linear layers"
    axes.set_title(f"Under the roofline\n{ways}; ceilings: {ceilings.source}")
    label = f"{ceilings.bandwidth / 1e9:,.3g} GB/s\n{ceilings.peak / 1e9:,.4g} GFLOP/s"
    axes.annotate(label, (ridge, ceilings.peak), (0, -28), textcoords="offset points", fontsize=8)
