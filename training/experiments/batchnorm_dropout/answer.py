"""Answers to lab 3, problem 2 (homework 2, problem 3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from archcalc.render.table import Block, Table
from training.engine import datasets
from training.experiments.base import counted
from training.experiments.batchnorm_dropout.experiment import MASKS, MEASURED, UNITS, WATCHED
from training.experiments.batchnorm_dropout.grid import (
    HIDDEN,
    HIDDEN_LAYERS,
    INPUT,
    KINDS,
    PLACEMENTS,
    SHARES,
    SIZE,
    VARIANTS,
    Grid,
)
from training.experiments.claims import brackets, differences, paired, side, told, verdict
from training.experiments.words import (
    Named,
    estimate,
    interval,
    percent,
    points,
    short,
    signed,
    table,
    under,
)

HALF: Final = SHARES.index(0.5)
PAIRED: Final = {
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
    "train_accuracy": "training accuracy",
}


def blocks(experiment: Grid, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    groups, pairs = {group["name"]: group for group in results["groups"]}, results["pairs"]
    yield "final", _final(experiment, groups)
    if pairs:
        alike = "and the same batches"
        yield "pairs", differences(pairs, PAIRED, "test_accuracy", experiment.seeds, alike)
    yield from under("co-adaptation", _coadaptation(experiment, groups))
    yield from under("covariate-shift", _covariate_shift(experiment, groups))
    yield from _learnt(experiment, groups)
    yield from under("channels", _channels(experiment, groups))
    yield from under("input", _input(pairs))
    yield from _dropout(groups, pairs)
    yield from under("together", _together(pairs))
    yield from under("placements", _placements(experiment, groups))
    yield from under("where", _where(experiment))


def _final(experiment: Grid, groups: Mapping[str, Any]) -> Table:
    rows = [
        (
            *(VARIANTS[group["variant"]].letter, name),
            interval(final["test_accuracy"]["mean"], 2),
            "" if (spread := final["test_accuracy"]["std"]) is None else f"{100 * spread:.2f}",
            f"{final['test_loss']['mean'][0]:.4f}",
            percent(final["train_accuracy"]["mean"][0], 2),
            f"{final['train_loss']['mean'][0]:.4f}",
        )
        for name, group in groups.items()
        for final in [group["final"]]
    ]
    held = "test images"
    if experiment.validation:
        held = (
            f"{experiment.validation:,} training images, drawn with seed {experiment.seed} and "
            "held out from training,"
        )
    known = datasets.SOURCES.get(experiment.dataset)
    fits = known and known.size[:2] == (SIZE, SIZE)
    resized = "" if fits else f" Images of another size are made {SIZE}x{SIZE}, bilinearly."
    headings = ("", "network", "test accuracy", "spread", "test loss", "training accuracy", "loss")
    on = datasets.title(experiment.dataset)
    title = f"LeNet-5 on {on}: {counted(experiment.seeds, 'seed')}, {experiment.epochs} epochs"
    notes = (
        f"Accuracy and cross-entropy on all {held} and on all training images after the last "
        f"epoch, without dropout; none is chosen for its score. {brackets(experiment.seeds)} "
        "Spread: standard deviation over seeds, in percentage points. "
        f"Adam, rate {experiment.rate:g} with warm-up and half a cosine down, batch "
        f"{experiment.batch}.{resized}",
        *(f"{name}: {VARIANTS[name].description}." for name in experiment.variant),
    )
    return table(title, headings, rows, notes, words=2)


def _coadaptation(experiment: Grid, groups: Mapping[str, Any]) -> Iterator[Block]:
    """Part 1, the first term."""
    rows = [
        (
            group["name"],
            estimate(group["correlation"], short),
            *(interval(found, 2) for found in group["silenced"]),
        )
        for group in groups.values()
    ]
    headings = ("network", "correlation", *(f"{100 * share:.0f} % silent" for share in SHARES))
    notes = (
        "Units of F6, the last hidden layer, on all test images, without dropout. Correlation: the "
        "mean absolute one of two different units. Silent: test accuracy where that share of the "
        f"units is set to 0 and the rest scaled up, a mean over {MASKS} random choices, the same "
        f"for all networks. {brackets(experiment.seeds)}",
    )
    yield table("Co-adaptation, measured", headings, rows, notes)
    places = [name for name in groups if name.startswith("dropout")]
    if "plain" in groups and places:
        plain, drop = groups["plain"], groups[places[0]]
        lost = [[each[0] - each[HALF] for each in g["silenced_each"]] for g in (plain, drop)]
        cost, other = (100 * sum(one) / len(one) for one in lost)
        found = paired(lost[1], lost[0])
        less = verdict(
            found,
            "with dropout units depend on one another more",
            "with dropout units depend on one another less",
            "less dependence with dropout is not shown",
        )
        yield (
            f"Half of F6's units silenced cost the plain network {cost:.2f} percentage points and "
            f"{places[0]} {other:.2f}; the difference is {points(found, 2)}: {less}."
        )


def _covariate_shift(experiment: Grid, groups: Mapping[str, Any]) -> Iterator[Block]:
    """Part 1, the second term."""
    if experiment.epochs == 0:
        return
    rows = []
    for name, group in groups.items():
        for where, said in (("read", "what tanh reads"), ("weighted", "weighted sums")):
            if where == "read" or VARIANTS[group["variant"]].norm:
                first, *later = group["drift"][where]["mean"]
                behind = map(short, _means(later)) if later else [""] * len(first)
                rows.append((name, said, *map(short, first), *behind))
    when = ("first", "later")
    headings = ("network", "of", *(f"{n.upper()}, {w}" for w in when for n in HIDDEN_LAYERS))
    notes = (
        "How far the mean of a unit moves from one epoch to the next, in its standard deviations, "
        f"on {WATCHED:,} training images that stay the same: in the first epoch, and in a later "
        f"one on average. Means over the first {UNITS} units of each layer and "
        f"{counted(experiment.seeds, 'seed')}. With batch norm, the weighted sums before it too.",
    )
    yield table("Internal covariate shift, measured", headings, rows, notes, words=2)
    if "plain" in groups and "bn" in groups:
        yield _drifts(*(groups[name]["drift"] for name in ("plain", "bn")))


def _drifts(plain: Mapping[str, Any], norm: Mapping[str, Any]) -> str:
    """In which layers the means that tanh reads move less with batch norm, and the sums before."""
    said = []
    for when, part in (("in the first epoch", slice(1)), ("later", slice(1, None))):
        if plain["read"]["mean"][part]:
            both = zip(*(_moved(drift["read"], part) for drift in (norm, plain)), strict=True)
            gaps = (paired(*pair) for pair in both)
            moved = dict(zip(map(str.upper, HIDDEN_LAYERS), gaps, strict=True))
            said.append(f"{when} {told(moved, 'in', 'more', 'less', 'not shown to differ')}")
    before, behind = (_means(_moved(norm[where], slice(None))) for where in ("weighted", "read"))
    held = paired(before, behind)
    return (
        "How far the mean of what tanh reads moves, with batch norm beside the plain network: "
        f"{'; '.join(said)}. How far the weighted sums in front of batch norm move, less what it "
        f"hands on: {signed(held, 2)} of their deviations an epoch, "
        f"{verdict(held, 'more', 'less', 'not shown to differ')}."
    )


def _means(rows: Iterable[Sequence[float]]) -> list[float]:
    """The mean of every column."""
    return [sum(column) / len(column) for column in zip(*rows, strict=True)]


def _moved(drift: Mapping[str, Any], part: slice) -> list[list[float]]:
    """A layer a row: of every seed the mean over some epochs."""
    return [*map(list, zip(*(_means(seed[part]) for seed in drift["each"]), strict=True))]


def _learnt(experiment: Grid, groups: Mapping[str, Any]) -> Iterator[Named]:
    """Parts 2 and 3: what batch norm has learnt."""
    headings = ("layer", "of batch norm", "values", "mean", "std", "min", "max")
    notes = (
        f"After {experiment.epochs} epochs, over all channels and "
        f"{counted(experiment.seeds, 'seed')}; gamma begins at 1, beta at 0.",
    )
    for name, group in groups.items():
        rows = [
            (
                *(_layer(norm), said, norm["count"]),
                *(short(norm[kind][what]) for what in ("mean", "std", "min", "max")),
            )
            for norm in group["norms"]
            for kind, said in KINDS.items()
        ]
        if rows:
            yield f"learnt/{name}", table(f"What {name} has learnt", headings, rows, notes, words=2)


def _layer(norm: Mapping[str, Any]) -> str:
    """``input``, ``C1``."""
    layer: str = norm["name"].removesuffix("/bn")
    return layer if layer == "input" else layer.upper()


def _channels(experiment: Grid, groups: Mapping[str, Any]) -> Iterator[Block]:
    """Part 2: gamma and beta of every channel, a table a layer."""
    for layer in ("input", "C1", "C3"):
        found = {
            f"{name}, {kind}": norm[kind]["channels"]
            for name in ("bn", "bn-input")
            for norm in groups.get(name, {"norms": ()})["norms"]
            for kind in ("gamma", "beta")
            if _layer(norm) == layer and norm[kind]["channels"]
        }
        if found:
            channels = enumerate(zip(*found.values(), strict=True), 1)
            rows = ((number, *(estimate(one, short) for one in own)) for number, own in channels)
            title = f"Batch norm of every channel of {layer}"
            yield table(title, ("channel", *found), rows, (brackets(experiment.seeds),))


def _row(pairs: list[Any], one: str, two: str) -> Any:  # noqa: ANN401 - a row of results
    """The comparison of two variants, at the first placement of each; None if it was not made."""
    for row in pairs:
        names = [row[which].partition("/")[0] for which in ("one", "two")]
        if names == [one, two] and one != two:
            return row
    return None


def _input(pairs: list[Any]) -> Iterator[Block]:
    """Part 3: did batch norm of the input help?"""
    for name, said in (("bn-input", "one channel"), ("bn-pixel", "every pixel")):
        row = _row(pairs, name, "bn")
        if row:
            answer = verdict(row["test_accuracy"], "yes", "no, it does harm", "it is not shown to")
            yield (
                f"Does batch norm of the input ({said}) in place of standard normalization "
                f"improve the network? {answer[0].upper()}{answer[1:]}: test accuracy "
                f"{points(row['test_accuracy'], 2)} percentage points, test loss "
                f"{signed(row['test_loss'])}, training accuracy {points(row['train_accuracy'], 2)}."
            )


def _dropout(groups: Mapping[str, Any], pairs: list[Any]) -> Iterator[Named]:
    """Parts 4 and 5."""
    asked = (
        ("dropout", "bn", "Dropout in place of batch norm"),
        ("dropout", "bn-input", "Dropout in place of batch norm, that of the input too"),
        ("dropout", "plain", "Dropout against neither"),
        ("both", "bn", "Both against batch norm alone"),
        ("both", "dropout", "Both against dropout alone"),
    )
    for one, two, said in asked:
        row = _row(pairs, one, two)
        if row:
            gaps = (_gaps(groups[row[which]]) for which in ("one", "two"))
            gap = paired(*gaps)
            yield (
                one,
                f"{said}: test accuracy {points(row['test_accuracy'], 2)} percentage points, "
                f"{verdict(row['test_accuracy'])}; training less test accuracy {points(gap, 2)}, "
                f"{verdict(gap, 'larger', 'smaller', 'not shown to differ')}.",
            )


def _together(pairs: list[Any]) -> Iterator[str]:
    """Whether the benefits of batch norm and dropout add up."""
    rows = [_row(pairs, "both", alone) for alone in ("bn", "dropout")]
    if all(rows):
        better = all(side(row["test_accuracy"]) == 1 for row in rows)
        yield f"The benefits {'add' if better else 'are not shown to add'} up, in test accuracy."


def _gaps(group: Mapping[str, Any]) -> list[float]:
    """Of every network, by how much its training accuracy exceeds its test accuracy."""
    scores = (group["final"][f"{part}_accuracy"]["each"] for part in ("train", "test"))
    return [learnt - tested for learnt, tested in zip(*scores, strict=True)]


def _placements(experiment: Grid, groups: Mapping[str, Any]) -> Iterator[Block]:
    """The variance shift, and where dropout may sit."""
    rows = []
    for name, group in groups.items():
        if adjusted := group["adjusted"]:
            shifts = {_layer(norm): f"{norm['shift'][0]:.3f}" for norm in group["norms"]}
            rows.append(
                (
                    *(name, *(shifts[layer.upper()] for layer in HIDDEN_LAYERS)),
                    *(interval(adjusted["accuracy"], 2), points(adjusted["gain"], 2)),
                    signed(adjusted["loss_gain"]),
                )
            )
    if not rows:
        return
    headings = (
        *("network", *map(str.upper, HIDDEN_LAYERS)),
        *("test accuracy, adjusted", "gain", "gain in loss"),
    )
    notes = (
        "C1 to F6: the variance of what a batch norm reads at test time, without dropout, divided "
        "by its running variance, a mean over channels; on the first "
        f"{MEASURED:,} training images. 1 is no shift; a little is the lag of a running mean, "
        "and with a batch norm of each pixel, pixels that are hardly ever lit weigh much. "
        "Adjusted: with running statistics computed anew without dropout, the remedy of Li, Chen, "
        "Hu, Yang, arXiv 1801.05134; a gain in loss below 0 is an improvement. "
        f"{brackets(experiment.seeds)}",
    )
    yield table("Variance shift", headings, rows, notes)


def _where(experiment: Grid) -> Iterator[Block]:
    """Where everything sits, as the networks' own texts."""
    placed = "".join(f" {name}: {PLACEMENTS[name]}." for name in experiment.dropout_placement)
    yield (
        f"Where dropout sits:{placed} It leaves out {INPUT} of the input and {HIDDEN} of hidden "
        "units, and never sits on the logits. A convolution in front of a batch norm keeps its "
        "bias, which the batch norm subtracts. The networks in archcalc's notation:"
    )
    for group in experiment.groups():
        yield f"{group.name}: {experiment.text(group)}"
