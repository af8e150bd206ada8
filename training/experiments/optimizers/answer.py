"""Answers to lab 3, problem 4."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from statistics import fmean, median
from typing import Any, Final

from archcalc.render.table import Block, Formula, Table
from training.engine.equations import Symbol
from training.engine.updates import AdamW, Rule, symbols, traced
from training.experiments.base import counted
from training.experiments.claims import UNPROVED, apart, brackets, difference, paired, told, verdict
from training.experiments.optimizers.experiment import MASKS, PROFILED, SAME
from training.experiments.optimizers.grid import ASKED, CRITERIA, HIDDEN, INPUT, METHODS, Grid
from training.experiments.words import (
    Named,
    estimate,
    interval,
    listed,
    percent,
    short,
    table,
    under,
)

SAID: Final = {"without": "without dropout", "with": "with dropout"}
PARTS: Final = {
    "products": "matrix products",
    "dropout": "dropout: random numbers, and what they leave out",
    "update": "the method's update",
    "rest": "the rest: batch, activations, loss, their derivatives",
}


def blocks(experiment: Grid, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    settings = results["settings"]
    for dropout, setting in settings.items():
        yield f"search/{dropout}", _search(experiment, dropout, setting)
    for dropout, setting in settings.items():
        yield f"scores/{dropout}", _scores(experiment, results, dropout, setting)
    yield from _conclusions(settings)
    if results["differences"]:
        yield from _changes(results["differences"])
        yield "loss", _beside(experiment, results, "train_loss")
        yield "accuracy", _beside(experiment, results, "test_accuracy")
    yield from _times(experiment, results)
    if "with" in settings:
        yield from under("forms", _forms(settings["with"]["forms"]))
    yield "hyperparameters", _hyperparameters(experiment)
    yield "network", f"The network: {'; with dropout: '.join(results['text'].values())}"
    yield (
        "equations",
        "The equations, with every term explained: `archcalc training optimizers --explain`.",
    )


def said(method: str) -> str:
    """A method in words; a star where it is a reference that the assignment does not name."""
    return METHODS[method].title + "*" * (not METHODS[method].asked)


def _search(experiment: Grid, dropout: str, setting: Mapping[str, Any]) -> Table:
    accuracy, losses = (setting["search"][name] for name in ("val_accuracy", "val_loss"))
    rows = []
    for place, rate in enumerate(setting["search"]["rates"]):
        row = [f"{rate:g}"]
        for own, method in enumerate(experiment.method):
            if rate not in setting["search"]["tried"][method]:
                row.append("")
                continue
            mark = "*" * (setting["methods"][method]["rate"] == rate)
            lost = losses[own][place] is None
            row.append(("diverged" if lost else f"{100 * accuracy[own][place]:.1f}") + mark)
        rows.append(row)
    notes = (
        f"Accuracy in per cent on the {experiment.validation:,} training images that are held out, "
        f"after {counted(experiment.search_epochs)}, one network each. A star: the highest of a "
        "method, and of two the one with the lower loss, whose rate is then used. Another length, "
        "or the training loss, might choose another."
        + " AdaDelta's rate multiplies its step; the paper's is 1."
        * ("adadelta" in experiment.method),
    )
    title = f"The search {SAID[dropout]}: the same rates for all"
    headings = ("rate", *(METHODS[method].title for method in experiment.method))
    return table(title, headings, rows, notes)


def _scores(
    experiment: Grid, results: Mapping[str, Any], dropout: str, setting: Mapping[str, Any]
) -> Table:
    rows = []
    for method, one in setting["methods"].items():
        final = one["final"]
        edge = f"the grid's {one['edge']} rate" if one["edge"] else ""
        lost = f"{one['diverged']} of {experiment.seeds} diverged" if one["diverged"] else ""
        rows.append(
            (
                said(method),
                f"{one['rate']:g}",
                *(estimate(final[score]["mean"], short) for score in list(CRITERIA)[:3]),
                interval(final["test_accuracy"]["mean"], 2),
                "; ".join(filter(None, (edge, lost))),
            )
        )
    counts = results["counts"]
    notes = (
        f"After {counted(experiment.epochs)} on {counts['train'] + counts['validation']:,} images "
        f"(those held out in the search among them), batch {experiment.batch}; "
        f"{counts['test']:,} test images. Losses: mean cross-entropy in nats, without the L2 "
        "penalty; as it learns: over the last epoch's batches, with dropout where there is some, "
        "and for RMSProp + Nesterov where it looks ahead; all units at work: of all training "
        f"images, once it has learnt. {brackets(experiment.seeds)} *: not among the assignment's "
        "five.",
    )
    headings = ("", "rate", *(one.title for one in CRITERIA.values()), "")
    return table(f"With the chosen rates, {SAID[dropout]}", headings, rows, notes)


def _conclusions(settings: Mapping[str, Any]) -> Iterator[Named]:
    """What the data allow to say: who is best by the mean, and whether the seeds tell it."""
    for dropout, setting in settings.items():
        firsts = [setting["best"][score]["name"] for score in JUDGED_BY]
        if not all(firsts):
            continue
        loss, accuracy = (METHODS[name].title for name in firsts)
        asked = [name for name in setting["methods"] if METHODS[name].asked]
        kind = "assignment's methods that were trained" if asked else "methods for comparison alone"
        yield (
            f"winners/{dropout}",
            f"{SAID[dropout].capitalize()}, of the {kind}, {loss} ends with the lowest training "
            f"loss, all units at work; {accuracy} has the highest test accuracy.",
        )
        bests = " ".join(_told(setting, score) for score in JUDGED_BY)
        trained = _listed(asked or [*setting["methods"]])
        yield f"conclusions/{dropout}", f"Trained: {trained}. {bests}"


JUDGED_BY: Final = {
    "train_loss": "training loss, all units at work",
    "test_accuracy": "test accuracy",
}


def _told(setting: Mapping[str, Any], score: str) -> str:
    """The best by a score, with its value, and from which others the seeds tell it apart."""
    found = setting["best"][score]
    final = {name: setting["methods"][name]["final"][score] for name in setting["methods"]}
    best = final[found["name"]]
    value = interval(best["mean"], 2) if score == "test_accuracy" else estimate(best["mean"], short)
    others = {
        METHODS[name].title: paired(best["each"], final[name]["each"]) for name in found["against"]
    }
    rest = f"; it is {apart(others)}" * bool(others)
    return f"The {JUDGED_BY[score]} of {METHODS[found['name']].title}: {value}{rest}."


def _listed(methods: Sequence[str]) -> str:
    return listed([METHODS[name].title for name in methods])


def _changes(rows: Sequence[Mapping[str, Any]]) -> Iterator[Named]:
    """What dropout does to loss and accuracy, in a sentence each."""
    for name, score, what in (
        ("loss with dropout", "train_loss", "the training loss, all units at work, is"),
        ("accuracy with dropout", "test_accuracy", "the test accuracy is"),
    ):
        found = {METHODS[row["method"]].title: row[score] for row in rows if row["method"] in ASKED}
        if found:
            words = told(found, "with", "higher", "lower", "not shown to differ")
            yield name, f"Beside training without dropout {what} {words}."


def _beside(experiment: Grid, results: Mapping[str, Any], score: str) -> Table:
    """Problems 4.3 and 4.4: a score without and with dropout, a method a line."""
    methods = {dropout: setting["methods"] for dropout, setting in results["settings"].items()}
    of_accuracy = score == "test_accuracy"
    words = ("better", "worse") if of_accuracy else ("higher", "lower")
    rows = []
    for row in results["differences"]:
        means = (one[row["method"]]["final"][score]["mean"] for one in methods.values())
        shown = (interval(mean, 2) if of_accuracy else estimate(mean, short) for mean in means)
        judged = verdict(row[score], *words).removesuffix(UNPROVED)
        rows.append((said(row["method"]), *shown, difference(score, row[score]), judged))
    notes = (
        f"After {counted(experiment.epochs)}, with all units at work; dropout leaves out {INPUT:g} "
        f"of the input and {HIDDEN:g} of hidden units. {brackets(experiment.seeds)} With less "
        f"without: of networks in pairs{', in percentage points' * of_accuracy}. *: not among the "
        "assignment's five.",
    )
    headings = ("", *(SAID[name] for name in methods), "with less without", "with dropout it is")
    what = "Test accuracy" if of_accuracy else "Training loss"
    return table(f"{what} without and with dropout", headings, rows, notes)


# --------------------------------------------------------------------------------------- time


def _times(experiment: Grid, results: Mapping[str, Any]) -> Iterator[Named]:
    """What whole epochs take, where the record has their times, and where an update's goes."""
    laps = {
        dropout: {name: one["epoch_seconds"] for name, one in setting["methods"].items()}
        for dropout, setting in results["settings"].items()
    }
    if all(seconds for setting in laps.values() for seconds in setting.values()):
        yield from _epochs(experiment, laps)
    if "cost" in results:
        profile = results["cost"]["profile"]
        yield "times", _parts(profile)
        yield from under("times", _why(profile))


def _epochs(experiment: Grid, laps: Mapping[str, Any]) -> Iterator[Named]:
    """The seconds of whole epochs, and with dropout times without."""
    epochs = counted(experiment.epochs)
    of = f"two hidden layers of {experiment.width:,} units, batch {experiment.batch}"
    rows, ratios, spread = [], [], []
    for method in experiment.method:
        each = [[*chain.from_iterable(laps[one][method])] for one in experiment.dropout]
        row = [said(method)]
        for seconds in each:
            low, middle, high = (f"{one(seconds):.2f}" for one in (min, median, max))
            row += [f"{middle} ({low} to {high})", duration(median(seconds) * experiment.epochs)]
        if len(each) > 1:
            ratios.append(median(each[1]) / median(each[0]))
            spread += [two / one for one, two in zip(*each, strict=True)]
            row.append(f"{ratios[-1]:.2f}")
        rows.append(row)
    headings = ["", *(h for d in experiment.dropout for h in (f"s an epoch, {SAID[d]}", epochs))]
    headings += ["ratio"] * bool(ratios)
    note = (
        f"{of[0].upper()}{of[1:]}. Of whole epochs as they were trained, looks left out: the "
        "median epoch of all seeds (and the range: a machine may have had other things to do), and "
        "so many of it."
    )
    yield "times", table("Training time", headings, rows, (note,))
    if ratios:
        yield (
            "slower",
            f"With dropout {epochs} of this network ({of}) take {min(ratios):.2f} to "
            f"{max(ratios):.2f} times as long as without, by the method (single epochs "
            f"{min(spread):.2f} to {max(spread):.2f} times).",
        )


def _parts(profile: Mapping[str, Any]) -> Table:
    rows = [
        (words, *(f"{1e3 * profile[dropout][part]:.2f}" for dropout in profile))
        for part, words in PARTS.items()
    ]
    rows.append(("all", *(f"{1e3 * sum(profile[dropout].values()):.2f}" for dropout in profile)))
    notes = (f"torch's profiler, {METHODS[PROFILED].title}, a network; it takes time itself.",)
    headings = ("ms an update", *(SAID[dropout] for dropout in profile))
    return table("Where the time of an update goes", headings, rows, notes)


def _why(profile: Mapping[str, Any]) -> Iterator[str]:
    if len(profile) < 2:  # noqa: PLR2004 - nothing to compare
        return
    gap = {part: profile["with"][part] - profile["without"][part] for part in PARTS}
    more = sum(gap.values())
    if more <= 0:
        yield "In this profile an update with dropout took no longer than one without."
        return
    yield (
        f"With dropout an update takes {1e3 * more:.2f} ms longer in this profile: "
        f"{1e3 * gap['dropout']:+.2f} ms for random numbers, one for every input and hidden unit "
        "of every example, and the products with what they leave; "
        f"{1e3 * gap['rest']:+.2f} ms in the rest, where the derivatives of these products are; "
        f"{1e3 * gap['products']:+.2f} ms in matrix products and {1e3 * gap['update']:+.2f} ms in "
        "the method's update, which do the same work in both cases. What is left out is multiplied "
        "by 0, and no product of matrices is smaller for it."
    )


def duration(seconds: float) -> str:
    """``12.3 s``, ``4 min 5 s``, ``2 h 3 min``."""
    if round(seconds, 1) < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


# --------------------------------------------------------------------------------------- dropout


ROUNDING: Final = 1e-3  # of 32 bits; a relative difference above it has another cause


def _forms(forms: Mapping[str, Sequence[float]]) -> Iterator[Block]:
    there = [place for place, value in enumerate(forms["same_masks"]) if value is not None]
    gone = len(forms["same_masks"]) - len(there)
    if not there:
        yield "No network with dropout is left to compare the two forms of dropout with."
        return
    forms = {name: [values[place] for place in there] for name, values in forms.items()}
    rounding = max(*forms["same_masks"], *forms["same_outputs"]) < ROUNDING
    mean = {name: fmean(values) for name, values in forms.items()}
    rows = (
        ("inverted: nothing is scaled", percent(mean["inverted_accuracy"], 2)),
        ("original form, weights times 1 - p", percent(mean["scaled_accuracy"], 2)),
        ("original form, weights as they are", percent(mean["unscaled_accuracy"], 2)),
        (f"mean of {MASKS} random choices of units", percent(mean["averaged_accuracy"], 2)),
    )
    notes = (
        f"Mean test accuracy of {counted(len(there), 'network')} that learnt with dropout, on the "
        f"first {SAME:,} test images at most.{f' {gone} diverged.' if gone else ''}",
    )
    yield table("Dropout at test time", ("", "accuracy"), rows, notes)
    yield (
        "In the original form (Srivastava et al. 2014, section 4) the weights behind dropout are "
        f"multiplied by 1 - p at test time: by {1 - INPUT:g} behind the input, by {1 - HIDDEN:g} "
        "behind hidden units. With the same units left out the outputs of the two forms differ by "
        f"at most {max(forms['same_masks']):.1e} of the largest, at test time by "
        f"{max(forms['same_outputs']):.1e}, which is {'' if rounding else 'more than '}rounding."
    )


# --------------------------------------------------------------------------------------- equations


def _hyperparameters(experiment: Grid) -> Table:
    rows = []
    for method in experiment.method:
        rule = experiment.rule(method)
        settings = rule.settings()
        own = [f"{name} {_plain(settings[name])}" for name in settings if _its_own(name)]
        penalty = "decoupled" if isinstance(rule, AdamW) else "coupled"
        rows.append((said(method), ", ".join(own), f"{rule.weight_decay:g} ({penalty})"))
    notes = (
        "Beside the rate. L2 regularization is coupled where its gradient is added to the loss's, "
        "and goes through all that the method does with it, as in torch; AdamW's shrinks the "
        "parameters beside it (Loshchilov, Hutter, arXiv 1711.05101). Weights and biases alike.",
    )
    return table("Hyperparameters", ("", "its own", "weight_decay"), rows, notes, words=3)


def _its_own(name: str) -> bool:
    return name not in {"name", "weight_decay"}


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def explanation(experiment: Grid) -> Iterator[Block]:
    """Lab 3, problem 4.1: the equations, as the code has them, and every term of them."""
    yield (
        "Every equation below is what the code of the method does, run on letters in place of "
        "numbers; g[t] is taken on a minibatch, and all operations are by element."
    )
    for method in experiment.method:
        rule = experiment.rule(method)
        lines = traced(rule).equations
        yield f"{said(method)}: {rule.source}."
        yield Formula(tuple((line.text(), line.latex()) for line in lines))
        yield _terms(experiment, method)
    yield from _comparisons()


def _terms(experiment: Grid, method: str) -> Table:
    rule = experiment.rule(method)
    settings = {**rule.settings(), "rate": "chosen on a grid"}
    rows = []
    for name, symbol in printed(rule).items():
        value = settings.get(name)
        shown = "" if value is None else f"{_plain(value)}"
        rows.append((name, symbol.latex, symbol.meaning, shown))
    headings = ("term", "LaTeX", "meaning", "hyperparameter")
    return table(f"The terms of {METHODS[method].title}", headings, rows, words=4)


def printed(rule: Rule) -> dict[str, Symbol]:
    """The letters of a rule's equations, and what they mean."""
    text = " ".join(line.text() for line in traced(rule).equations)
    words = set(re.findall(r"[a-z_0-9]+(?:\[t(?:\+1)?\])?", text))
    return {name: symbol for name, symbol in symbols(rule).items() if name in words}


def _comparisons() -> Iterator[str]:
    yield (
        "What they have in common: each parameter has a step of its own, the gradient divided by "
        "the root of what its squares have been. AdaGrad sums all squares since the first update, "
        "so its steps only shrink; RMSProp takes a running mean, which forgets."
    )
    yield (
        "AdaDelta beside RMSProp: the same running mean of squared gradients is in the "
        "denominator, and in the numerator, where RMSProp has the rate, stands the root of a "
        "running mean of its own squared steps. So a step has the units of the parameters, and "
        "the paper's rate is 1 (here it is searched for all the same); what is left to choose are "
        "rho and eps, and eps decides how large the first steps are."
    )
    yield (
        "Adam beside RMSProp: the step is not the gradient's but that of a running mean of "
        "gradients, which is a momentum; and both running means, which begin at 0, are divided by "
        "1 - beta^t, which takes the pull of that 0 out: without it the first step would be "
        "(1 - beta1)/sqrt(1 - beta2) times as long. RMSProp has neither."
    )
    yield (
        "RMSProp with Nesterov momentum keeps a velocity, and looks at the gradient where the "
        "velocity will have carried the parameters (Goodfellow et al., algorithm 8.6). torch's "
        "RMSprop with momentum does not look ahead. NAdam is Adam's relative of it: it puts the "
        "next update's momentum into this one's step, and looks at the gradient where it is."
    )


def explained(experiment: Grid) -> dict[str, Any]:
    """The explanation as plain data."""
    found = {}
    for method in experiment.method:
        rule = experiment.rule(method)
        found[method] = {
            "name": METHODS[method].title,
            "source": rule.source,
            "asked": METHODS[method].asked,
            "hyperparameters": {k: v for k, v in rule.settings().items() if k != "name"},
            "equations": [
                {"text": line.text(), "latex": line.latex()} for line in traced(rule).equations
            ],
            "terms": {name: one._asdict() for name, one in printed(rule).items()},
        }
    schema = "archcalc.training.explanation/1"
    return {"schema": schema, "methods": found, "comparisons": list(_comparisons())}
