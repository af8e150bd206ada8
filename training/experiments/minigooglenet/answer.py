"""What the answers on learning rate and batch size share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archcalc.render.table import Table
from archcalc.units import in_bytes
from training.experiments.claims import apart, brackets, paired
from training.experiments.minigooglenet.experiment import MiniGoogLeNet
from training.experiments.words import interval, short, table


def scores(experiment: MiniGoogLeNet, results: Mapping[str, Any], title: str) -> Table:
    """How every arm did: best and last validation accuracy, test accuracy, losses."""
    rows = [
        (
            name,
            *(
                interval(arm["final"][score]["mean"], 2)
                for score in ("best_val_accuracy", "val_accuracy", "test_accuracy")
            ),
            *(short(arm["final"][loss]["mean"][0]) for loss in ("val_loss", "train_loss")),
            diverged(arm, results["counts"]["train"]),
        )
        for name, arm in results["arms"].items()
    ]
    headings = (
        *("", "best validation accuracy", "last", "test accuracy"),
        *("validation loss", "training loss", ""),
    )
    said = (f"{name}: {arm['said']}." for name, arm in results["arms"].items() if arm["said"])
    standing = (
        "Best: the highest of all epochs, which is chosen for its score; last and test: after the "
        "last update. Without dropout and random changes; training loss on as many training "
        f"images as are held out. {brackets(experiment.seeds)}",
    )
    everything = (experiment.scale(results["counts"]), *standing, *said)
    return table(title, headings, rows, everything)


def diverged(arm: Mapping[str, Any], count: int) -> str:
    """``2 of 3 diverged, from epoch 1.5 on``; empty if none did."""
    when = [examples for examples in arm["diverged"] if examples is not None]
    if not when:
        return ""
    return f"{len(when)} of {len(arm['diverged'])} diverged, by epoch {min(when) / count:.3g}"


def winner(results: Mapping[str, Any], score: str) -> str:
    """Which arm's mean of an accuracy is the highest, and from which others it is told apart."""
    final = {name: arm["final"][score] for name, arm in results["arms"].items()}
    best = max(final, key=lambda name: final[name]["mean"][0] or 0.0)
    others = {
        name: paired(final[best]["each"], one["each"])
        for name, one in final.items()
        if name != best
    }
    return f"that of {best}, {interval(final[best]['mean'], 2)}; it is {apart(others)}"


def cost(results: Mapping[str, Any], momentum: float) -> Iterable[Table]:
    """What was predicted and what was measured."""
    if not results.get("cost"):
        return
    ours, found = results["cost"]["predicted"], results["cost"]["measured"]
    seconds = sum(results["learning"].values())
    read = sum(
        arm["examples"][-1] * len(arm["diverged"]) for arm in results["arms"].values()
    ) + results.get("swept", 0)
    batch = ours["step_batch"]
    rows = [
        ("trainable parameters", f"{ours['parameters']:,}", f"{found['parameters']:,}"),
        ("FLOPs to learn from an image", f"{ours['training']:,}", f"{found['training']:,}"),
        (f"memory of a step of {batch:,}", in_bytes(ours["memory"]), in_bytes(found["memory"])),
        ("images a second", f"at most {found['bound']:,.0f}", f"{read / seconds:,.0f}"),
    ]
    if found["allocated"] is not None:
        rows.append(("most memory of a run", "", in_bytes(found["allocated"])))
    notes = (
        "Predicted by archcalc; measured: FLOPs as torch counts them, memory of a training step of "
        f"one network (SGD{', momentum' * bool(momentum)}), images that all networks read "
        f"together ({read:,}) in the {seconds:,.0f} s of their updates. The bound is the "
        f"roofline's, of one network, ceilings: {found['ceilings']}.",
    )
    yield table("What it costs", ("", "predicted", "measured"), rows, notes)


def range_of(basin: Mapping[str, Any], what: str) -> str:
    """A reading in words."""
    if basin["why"]:
        return f"no range of {what} can be read off: {basin['why']}"
    low = " or less" * basin["open_low"]
    high = " or more" * basin["open_high"]
    return f"{what} from {basin['low']:.3g}{low} to {basin['high']:.3g}{high}"


def shown(value: float | None) -> str:
    """A rate, or that there is none."""
    return "none" if value is None else f"{value:.2g}"
