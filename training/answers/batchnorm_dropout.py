"""Answers to lab 3, problem 2 (homework 2, problem 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from training import datasets
from training.answers.words import interval, percent, points, short, signed, table, under, verdict
from training.experiments.batchnorm_dropout import (
    HIDDEN,
    HIDDEN_LAYERS,
    INPUT,
    KINDS,
    MASKS,
    MEASURED,
    PLACEMENTS,
    SHARES,
    SIZE,
    UNITS,
    VARIANTS,
    WATCHED,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from archcalc.render.table import Block, Table
    from training.answers.words import Named
    from training.experiments.batchnorm_dropout import BatchnormDropout

    Found = Sequence[float | None]

HALF: Final = SHARES.index(0.5)


def blocks(experiment: BatchnormDropout, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    groups = {group["name"]: group for group in results["groups"]}
    yield "final", _final(experiment, groups)
    if results["pairs"]:
        yield "pairs", _pairs(experiment, results["pairs"])
    yield from under("co-adaptation", _coadaptation(experiment, groups))
    yield from under("covariate-shift", _covariate_shift(experiment, groups))
    yield from _learnt(experiment, groups)
    yield from under("input", _input(results["pairs"]))
    yield from _dropout(results["pairs"], experiment)
    yield from under("together", _together(results["pairs"]))
    yield from under("placements", _placements(groups, results["pairs"]))
    yield from under("where", _where(experiment))


def _seeds(experiment: BatchnormDropout) -> str:
    return f"{experiment.seeds} seed{'s' * (experiment.seeds > 1)}"


def _final(experiment: BatchnormDropout, groups: Mapping[str, Any]) -> Table:
    rows = []
    for group in groups.values():
        final, what = group["final"], VARIANTS[group["variant"]]
        accuracy, spread = final["test_accuracy"]["mean"], final["test_accuracy"]["std"]
        rows.append(
            (
                what.letter,
                group["name"],
                interval(accuracy, 2),
                "" if spread is None else f"{100 * spread:.2f}",
                f"{final['test_loss']['mean'][0]:.4f}",
                percent(final["train_accuracy"]["mean"][0], 2),
                f"{final['train_loss']['mean'][0]:.4f}",
            )
        )
    held = "test images"
    if experiment.validation:
        held = (
            f"{experiment.validation:,} training images, drawn with seed {experiment.seed} and "
            "held out from training,"
        )
    headings = ("", "network", "test accuracy", "spread", "test loss", "training accuracy", "loss")
    on = datasets.title(experiment.dataset)
    title = f"LeNet-5 on {on}: {_seeds(experiment)}, {experiment.epochs} epochs"
    notes = (
        f"Accuracy and cross-entropy on all {held} and on all training images after the last "
        "epoch, without dropout; none is chosen for its score. In brackets: 95 % Student "
        "intervals of the mean; spread: standard deviation over seeds, in percentage points. "
        f"Adam, rate {experiment.rate:g} with warm-up and half a cosine down, batch "
        f"{experiment.batch}.{_resized(experiment)}",
        *(f"{name}: {VARIANTS[name].said}." for name in experiment.variant),
    )
    return table(title, headings, rows, notes, words=2)


def _resized(experiment: BatchnormDropout) -> str:
    known = datasets.SOURCES.get(experiment.dataset)
    if known and known.size[:2] == (SIZE, SIZE):
        return ""
    return f" Images of another size are made {SIZE}x{SIZE}, bilinearly."


def _pairs(experiment: BatchnormDropout, pairs: list[Any]) -> Table:
    rows = [
        (
            f"{row['one']} - {row['two']}",
            points(row["test_accuracy"], 2),
            signed(row["test_loss"]),
            points(row["train_accuracy"], 2),
            verdict(row["test_accuracy"]),
        )
        for row in pairs
    ]
    headings = (
        "first less second",
        "test accuracy",
        "test loss",
        "training accuracy",
        "in test accuracy",
    )
    notes = (
        f"Pairs of networks with the same initial weights and the same batches, "
        f"{_seeds(experiment)}; accuracy in percentage points. In brackets: 95 % Student intervals "
        "of the mean difference. The verdict is that of the interval, one comparison at a time.",
    )
    return table("The comparison in pairs", headings, rows, notes)


def _coadaptation(experiment: BatchnormDropout, groups: Mapping[str, Any]) -> Iterator[Block]:
    """Part 1, the first term."""
    yield (
        "Co-adaptation: a unit that is of use only in the company of certain others, whose "
        "mistakes it has learnt to mend, is co-adapted; what a few units can do only together "
        "seldom carries over to new images (Srivastava et al., JMLR 15, 2014, sections 1 and 7.1). "
        "With dropout any of the others may be missing, so a unit must do something useful by "
        "itself."
    )
    rows = [
        (
            group["name"],
            short(group["correlation"][0]),
            *(percent(found[0], 2) for found in group["silenced"]),
        )
        for group in groups.values()
    ]
    headings = ("network", "correlation", *(f"{100 * share:.0f} % silent" for share in SHARES))
    notes = (
        "Units of F6, the last hidden layer, on all test images, without dropout. Correlation: the "
        "mean absolute one of two different units. Silent: test accuracy where that share of the "
        f"units is set to 0 and the rest scaled up, a mean over {MASKS} random choices, the same "
        f"for all networks, and {_seeds(experiment)}.",
    )
    yield table("Co-adaptation, measured", headings, rows, notes)
    places = [name for name in groups if name.startswith("dropout")]
    if "plain" in groups and places:
        plain, drop = groups["plain"], groups[places[0]]
        losses = [100 * (g["silenced"][0][0] - g["silenced"][HALF][0]) for g in (plain, drop)]
        fewer = "with dropout units depend on one another less"
        more = "this does not show less dependence with dropout"
        falls = drop["correlation"][0] < plain["correlation"][0]
        yield (
            f"Half of F6's units silenced cost the plain network {losses[0]:.2f} percentage points "
            f"and {places[0]} {losses[1]:.2f}: {fewer if losses[1] < losses[0] else more}. The "
            f"mean correlation of two units, {short(plain['correlation'][0])} and "
            f"{short(drop['correlation'][0])}, {'falls too' if falls else 'does not fall'}: units "
            "may agree and yet not need one another."
        )


def _covariate_shift(experiment: BatchnormDropout, groups: Mapping[str, Any]) -> Iterator[Block]:
    """Part 1, the second term."""
    yield (
        "Internal covariate shift: the distribution of what a layer reads changes while the "
        "network learns, because the layers before it do (Ioffe, Szegedy, arXiv 1502.03167, "
        "section 2). Batch norm gives every unit the mean beta and the standard deviation gamma "
        "over a batch, whatever the layers before it do, and learns these two."
    )
    if experiment.epochs == 0:
        return
    rows = []
    for group in groups.values():
        kinds = [("weighted", "weighted sums")] * VARIANTS[group["variant"]].norm
        for where, said in [("read", "what tanh reads"), *kinds]:
            drift = group["drift"][where]
            first = drift["mean"][0]
            later = map(short, _later(drift["mean"])) if drift["mean"][1:] else [""] * len(first)
            rows.append((group["name"], said, *map(short, first), *later))
    when = ("first", "later")
    headings = ("network", "of", *(f"{n.upper()}, {w}" for w in when for n in HIDDEN_LAYERS))
    notes = (
        "How far the mean of a unit moves from one epoch to the next, in its standard deviations, "
        f"on {WATCHED:,} training images that stay the same: in the first epoch, and in a later "
        f"one on average. Means over the first {UNITS} units of each layer and "
        f"{_seeds(experiment)}. With batch norm, the weighted sums in front of it too.",
    )
    yield table("Internal covariate shift, measured", headings, rows, notes, words=2)
    if "plain" in groups and "bn" in groups:
        plain, ours = (groups[name]["drift"]["read"]["mean"] for name in ("plain", "bn"))
        then = f", and in {_layers(_later(ours), _later(plain))} later" if plain[1:] else ""
        yield (
            "With batch norm the mean of what tanh reads moves less than in the plain network in "
            f"{_layers(ours[0], plain[0])} in the first epoch{then}, and no less in the "
            "others. The plain network is born "
            "with small sums, so that its first epoch moves them by many of their deviations at "
            "birth. Batch norm does not keep the weighted sums in front of it from moving; it "
            "takes that out of what tanh reads. That this is why batch norm helps is not shown by "
            "it: networks whose distributions are made to shift behind batch norm learn as fast "
            "(Santurkar et al., arXiv 1805.11604, section 2)."
        )


def _later(drift: list[list[float]]) -> list[float]:
    """The mean of all epochs but the first, by layer."""
    return [sum(layer) / len(layer) for layer in zip(*drift[1:], strict=True)]


def _layers(one: list[float], two: list[float]) -> str:
    """The layers in which the first is less."""
    pairs = zip(HIDDEN_LAYERS, one, two, strict=True)
    found = [layer.upper() for layer, ours, theirs in pairs if ours < theirs]
    return ", ".join(found) or "no layer"


def _learnt(experiment: BatchnormDropout, groups: Mapping[str, Any]) -> Iterator[Named]:
    """Parts 2 and 3: what batch norm has learnt."""
    for group in groups.values():
        if not group["norms"]:
            continue
        rows = []
        for norm in group["norms"]:
            layer = norm["name"].partition("/")[0]
            layer = layer if layer == "input" else layer.upper()
            for kind, said in KINDS.items():
                found = norm[kind]
                rows.append(
                    (
                        layer,
                        said,
                        norm["count"],
                        short(found["mean"]),
                        short(found["std"]),
                        short(found["min"]),
                        short(found["max"]),
                    )
                )
        headings = ("layer", "of batch norm", "values", "mean", "std", "min", "max")
        notes = [
            f"After {experiment.epochs} epochs, over all channels and {_seeds(experiment)}; gamma "
            "begins at 1, beta at 0. Each value is in the record."
        ]
        if group["variant"] == "bn-input":
            notes.append(
                "The input has one channel, so its batch norm has one gamma and one beta: a violin "
                "of it shows the seeds and nothing else. bn-pixel has one of each for each pixel."
            )
        title = f"What {group['name']} has learnt"
        yield f"learnt/{group['name']}", table(title, headings, rows, notes, words=2)


def _row(pairs: list[Any], one: str, two: str) -> Any:  # noqa: ANN401 - a row of results
    """The comparison of two variants, at the first placement of each; None if it was not made."""
    for row in pairs:
        if row["one"].partition("/")[0] == one and row["two"].partition("/")[0] == two:
            return row
    return None


def _input(pairs: list[Any]) -> Iterator[Block]:
    """Part 3: did batch norm of the input help?"""
    for name, said in (("bn-input", "one channel"), ("bn-pixel", "every pixel")):
        row = _row(pairs, name, "bn")
        if row:
            answer = {
                "better": "Yes",
                "worse": "No, it does harm",
                "no difference shown": "It is not shown to",
            }.get(verdict(row["test_accuracy"]), "Too few seeds to say")
            yield (
                f"Does batch norm of the input ({said}) in place of standard normalization "
                f"improve the network? {answer}: test accuracy {points(row['test_accuracy'], 2)} "
                f"percentage points, test loss {signed(row['test_loss'])}, training accuracy "
                f"{points(row['train_accuracy'], 2)}."
            )


def _dropout(pairs: list[Any], experiment: BatchnormDropout) -> Iterator[Named]:
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
        if row and row["one"].partition("/")[0] != row["two"].partition("/")[0]:
            yield (
                one,
                f"{said}: test accuracy {points(row['test_accuracy'], 2)} percentage points, "
                f"{verdict(row['test_accuracy'])}; training accuracy "
                f"{points(row['train_accuracy'], 2)}, so the gap between training and test "
                f"accuracy {_gap(row)} in the mean.",
            )
    if any(VARIANTS[name].drop for name in experiment.variant):
        yield (
            "scaling",
            "At test time nothing is scaled: dropout is inverted, what it keeps is multiplied by "
            "1/(1 - p) in training. Weights of a network that was trained without that would have "
            "to be multiplied by 1 - p, with the same outputs.",
        )


def _together(pairs: list[Any]) -> Iterator[str]:
    """Whether the benefits of batch norm and dropout add up."""
    rows = [(said, _row(pairs, "both", one)) for one, said in ALONE.items()]
    if any(row is None for _, row in rows):
        return
    verdicts = [verdict(row["test_accuracy"]) for _, row in rows]
    better = set(verdicts) == {"better"}
    add_up = "The benefits add up" if better else "The benefits are not shown to add up"
    beside = (
        f"beside {said}, in test accuracy: {found}, while the test loss changes by "
        f"{signed(row['test_loss'])}"
        for (said, row), found in zip(rows, verdicts, strict=True)
    )
    yield f"{add_up}: {'; '.join(beside)}."


ALONE: Final = {"bn": "batch norm alone", "dropout": "dropout alone"}


def _gap(row: Mapping[str, Any]) -> str:
    change = row["train_accuracy"][0] - row["test_accuracy"][0]
    return f"{'grows' if change > 0 else 'shrinks'} by {100 * abs(change):.2f} points"


def _placements(groups: Mapping[str, Any], pairs: list[Any]) -> Iterator[Block]:
    """The variance shift, and where dropout may sit."""
    rows = []
    for group in groups.values():
        if group["adjusted"] is None:
            continue
        shifts = {norm["name"]: norm["shift"][0] for norm in group["norms"]}
        shown = (f"{shifts[f'{layer}/bn']:.3f}" for layer in HIDDEN_LAYERS)
        accuracy, adjusted = group["final"]["test_accuracy"]["mean"], group["adjusted"]
        rows.append(
            (
                group["name"],
                *shown,
                percent(accuracy[0], 2),
                percent(adjusted["accuracy"][0], 2),
                points(adjusted["gain"], 2),
                signed(adjusted["loss_gain"]),
            )
        )
    if not rows:
        return
    headings = (
        "network",
        *(f"{layer.upper()}" for layer in HIDDEN_LAYERS),
        "test accuracy",
        "adjusted",
        "gain",
        "gain in loss",
    )
    notes = (
        "C1 to F6: the variance of what a batch norm reads at test time, without dropout, divided "
        "by its running variance, a mean over channels; on the first "
        f"{MEASURED:,} training images. 1 is no shift; a little is the lag of a running mean, "
        "and with a batch norm of each pixel, pixels that are hardly ever lit weigh much. "
        "Adjusted: with running statistics computed anew without dropout, the remedy of Li, Chen, "
        "Hu, Yang, arXiv 1801.05134; a gain in loss below 0 is an improvement.",
    )
    yield table("Variance shift", headings, rows, notes)
    if any(name.startswith("both") for name in groups):
        yield (
            "Dropout in front of batch norm shifts its variance: a unit with mean c and variance v "
            "that is kept with probability q and scaled by 1/q has in training the variance "
            "(v + c^2)/q - c^2, and v at test time, while batch norm still divides by the root of "
            "the first (Li et al.). Behind the last batch norm dropout shifts nothing; layers "
            "further on read what has gone through other weights and tanh, and may be off either "
            "way."
        )
    compared = [
        row for row in pairs if row["one"].partition("/")[0] == row["two"].partition("/")[0]
    ]
    if compared:
        yield (
            "Placements compared: "
            + "; ".join(
                f"{row['one']} against {row['two']}: {points(row['test_accuracy'], 2)} points, "
                f"{verdict(row['test_accuracy'])}"
                for row in compared
            )
            + "."
        )


def _where(experiment: BatchnormDropout) -> Iterator[Block]:
    """Where everything sits, as the networks' own texts."""
    placed = "".join(f" {name}: {PLACEMENTS[name]}." for name in experiment.dropout_placement)
    yield (
        f"Where dropout sits:{placed} It leaves out {INPUT} of the input and {HIDDEN} of hidden "
        "units, and never sits on the logits. A convolution in front of a batch norm keeps its "
        "bias, which the batch norm subtracts. The networks in archcalc's notation:"
    )
    for group in experiment.groups():
        yield f"{group.name}: {experiment.text(group)}"
