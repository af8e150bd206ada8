# ruff: noqa: TID253 - these tests are of what needs torch
"""Adaptive methods: which rate is chosen, who learns what, who is best, and what the page says."""

import json
import math
import re
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from archcalc.main import run
from archcalc.render import render
from archcalc.render.table import Table
from training.engine import datasets, statistics, streams
from training.engine.cohort import Cohort, Member
from training.engine.losses import cross_entropy
from training.engine.models import Mlp
from training.engine.record import plain
from training.engine.updates import SGD, Adam, RMSpropNesterov
from training.errors import TrainingError
from training.experiments.optimizers import answer as answers
from training.experiments.optimizers import experiment as optimizers
from training.experiments.optimizers import figure as figures
from training.experiments.optimizers.experiment import Optimizers, two_forms
from training.experiments.optimizers.grid import CRITERIA, FORMS, METHODS, SCORES
from training.experiments.optimizers.summary import best

CPU = torch.device("cpu")
few = settings(max_examples=40, deadline=None, derandomize=True)
ASKED = ("adagrad", "rmsprop", "rmsprop-nesterov", "adadelta", "adam")
REFERENCES = ("nadam", "adamw", "sgd-nesterov")
TINY = {
    "dataset": "digits",
    "examples": 40,
    "validation": 24,
    "test_examples": 20,
    "size": 8,
    "width": 6,
    "seeds": 2,
    "batch": 16,
    "rate": (0.001, 0.01, 0.1),
    "search_epochs": 2,
    "epochs": 3,
}


def tiny(**given):
    """An experiment on few images."""
    return Optimizers(**{**TINY, **given})


def random(*shape, seed=0):
    """Standard normal numbers that come from no code under test."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + 1))


def same(one, other):
    """Equal to the last bit."""
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


# ------------------------------------------------------------------------------ a made-up record


def searched(accuracy, loss):
    """What a search has seen: the last look is as given, those before say the contrary."""
    accuracy, loss = (np.asarray(one, dtype=np.float32) for one in (accuracy, loss))
    members = accuracy.size
    pair = {
        "val_accuracy": np.stack([1 - accuracy.ravel(), accuracy.ravel()], 1),
        "val_loss": np.stack([-loss.ravel(), loss.ravel()], 1),
    }
    return {**pair, "training_loss": np.full((members, 1), 1.5, np.float32)}


def learnt(experiment, score):
    """What final networks have seen; ``score(method, number, name)`` is the last value of each."""
    found = {}
    for name in (*SCORES, "training_loss", "final_train_loss", "final_train_accuracy"):
        last = np.array(
            [
                score(method, number, name)
                for method in experiment.method
                for number in range(experiment.seeds)
            ],
            dtype=np.float64,
        )
        curve = np.stack([np.full_like(last, 0.77), last], 1)
        found[name] = last if name.startswith("final") else curve
    return found


def record(experiment, score, search=None):
    """Arrays as a run leaves them; ``score`` as :func:`learnt` has it, with the setting first."""
    arrays = {"counts": np.array([40, 24, 20, 10, 1])}
    shape = (len(experiment.method), len(experiment.rate))
    usual = np.tile(np.linspace(0.5, 0.4, shape[1]), (shape[0], 1)), np.ones(shape)
    for dropout in experiment.dropout:
        arrays |= tried(experiment, dropout, searched(*(search or usual)))
        own = learnt(experiment, lambda *what, one=dropout: score(one, *what))
        names = [task for method in experiment.method for task in experiment.final(dropout, method)]
        members = len(names)
        if dropout == "with":
            own |= {name: np.full(members, (n + 1) / 16) for n, name in enumerate(FORMS)}
        arrays |= by_task(names, own)
    return arrays


def by_task(tasks, arrays):
    """Arrays ``(tasks, ...)`` by the names that each task gives its own."""
    return {
        f"{task}/{name}": values[place]
        for place, task in enumerate(tasks)
        for name, values in arrays.items()
    }


def tried(experiment, dropout, seen):
    """What a search has seen, by its tasks."""
    grid = [(method, rate) for method in experiment.method for rate in experiment.rate]
    return by_task([experiment.searched(dropout, *one) for one in grid], seen)


def chosen(experiment, dropout, arrays):
    """The places of the rates that are chosen."""
    best = {
        method: experiment.best_rate(dropout, method, arrays, experiment.rate)
        for method in experiment.method
    }
    return {method: experiment.rate.index(rate) for method, rate in best.items()}


def usual(dropout, method, number, name):
    """Scores that differ from network to network, more from method to method."""
    place = list(METHODS).index(method)
    value = 0.2 + 0.05 * place + (0.011, -0.004, 0.002, 0.006, -0.009)[number] * (1 + 0.1 * place)
    value += 0.1 * (dropout == "with") * (-1 if "accuracy" in name else 1)
    return value + 0.3 * ("accuracy" in name) + 0.02 * name.startswith("final")


COST = {
    "profile": {
        "without": {"products": 0.001, "dropout": 0.0, "update": 0.001, "rest": 0.002},
        "with": {"products": 0.0015, "dropout": 0.004, "update": 0.0005, "rest": 0.005},
    }
}


def results(experiment, score=usual, search=None, cost=None):
    """The results of a made-up record, as the page is given them."""
    found = experiment.summarise(record(experiment, score, search))
    return plain(found | ({"cost": cost} if cost else {}))


def page(experiment, *args, **given):
    """The page's blocks."""
    return [block for _, block in answers.blocks(experiment, results(experiment, *args, **given))]


def tables(blocks):
    """Tables by their titles, rows as text by their first cell."""
    return {
        block.title: {row[0].text: [cell.text for cell in row[1:]] for row in block.rows}
        for block in blocks
        if isinstance(block, Table)
    }


def sentences(blocks):
    """The paragraphs."""
    return [block for block in blocks if isinstance(block, str)]


# ------------------------------------------------------------------------------ the search

accuracies = st.sampled_from([0.0, 0.25, 0.5, 0.75])
some_losses = st.sampled_from([0.1, 0.2, 0.3, math.nan, math.inf])
looked = st.lists(st.tuples(accuracies, some_losses), min_size=6, max_size=6)


@given(looked)
@few
def test_the_rate_with_the_highest_accuracy_is_chosen(seen):
    """It is the finite one of highest accuracy, then lowest loss, then rate; else the first.

    What counts is the last look, and each method has its own row of the grid.
    """
    experiment = tiny(method=("adam", "adagrad"), dropout=("with",))
    accuracy, loss = np.array(seen).reshape(2, 3, 2).transpose(2, 0, 1)
    arrays = record(experiment, usual, (accuracy, loss))
    found = chosen(experiment, "with", arrays)
    for row, method in enumerate(experiment.method):
        whole = [place for place in range(3) if math.isfinite(loss[row, place])]
        expected = min(whole, key=lambda p: (-accuracy[row, p], loss[row, p], p), default=0)
        assert found[method] == expected
        said = experiment.summarise(arrays)["settings"]["with"]["methods"][method]
        assert said["rate"] == experiment.rate[expected]
        assert said["edge"] == ("lowest", "", "highest")[expected]


def test_settings_choose_for_themselves():
    """The rate with dropout is not that without."""
    experiment = tiny(method=("adam",))
    arrays = record(experiment, usual)
    arrays |= tried(experiment, "with", searched([[0.1, 0.2, 0.3]], np.ones((1, 3))))
    assert chosen(experiment, "without", arrays) == {"adam": 0}
    assert chosen(experiment, "with", arrays) == {"adam": 2}


def test_a_grid_of_one_rate_has_no_edge():
    """Where there is nothing to choose from, no edge is named."""
    experiment = tiny(rate=(0.01,), method=("adam",))
    found = tables(page(experiment))
    assert found["With the chosen rates, with dropout"]["Adam"][-1] == ""


@pytest.mark.parametrize(("place", "edge"), [(0, "lowest"), (1, ""), (2, "highest")])
def test_edges_of_the_grid_are_said(place, edge):
    """A chosen rate at an end of the grid is named, and starred among those searched."""
    experiment = tiny(method=("adam",), dropout=("without",))
    accuracy = [[0.9 if one == place else 0.5 for one in range(3)]]
    found = tables(page(experiment, search=(accuracy, [[1.0] * 3])))
    said = found["With the chosen rates, without dropout"]["Adam"]
    assert (said[0], said[-1]) == (
        f"{experiment.rate[place]:g}",
        edge and f"the grid's {edge} rate",
    )
    cells = [row[0] for row in found["The search without dropout: the same rates for all"].values()]
    assert cells == ["90.0*" if one == place else "50.0" for one in range(3)]


def test_a_diverged_search_is_no_number():
    """Where the loss is not finite the table of the search says so, and gives no accuracy."""
    experiment = tiny(method=("adam",), dropout=("without",))
    found = tables(page(experiment, search=([[0.9, 0.3, 0.8]], [[math.nan, 1.0, math.inf]])))
    rows = found["The search without dropout: the same rates for all"]
    assert [row[0] for row in rows.values()] == ["diverged", "30.0*", "diverged"]


def test_the_grid_is_sorted():
    """Rates are the same grid in whatever order they are typed."""
    assert tiny(rate=(0.1, 0.001, 0.01)) == tiny()


# ------------------------------------------------------------------------------ what is trained


def test_tasks_are_in_order():
    """All searches come before all final runs, as their results are needed."""
    names = [task.name for task in tiny().tasks()]
    assert names == ["search-without", "search-with", "final-without", "final-with"]
    assert [t.name for t in tiny(dropout=("with",)).tasks()] == ["search-with", "final-with"]


def test_every_method_searches_every_rate():
    """A search has one network for each method and rate, and a final run one a method and seed."""
    experiment = tiny()
    search, _, final, _ = experiment.tasks()
    grid = [(method, rate) for method in METHODS for rate in experiment.rate]
    assert [(one.variant, one.rate) for one in search.members] == grid
    assert [one.rule for one in search.members] == [experiment.rule(method) for method, _ in grid]
    pairs = [(method, number) for method in METHODS for number in range(2)]
    assert [(one.variant, one.number) for one in final.members] == pairs
    assert [one.rule for one in final.members] == [experiment.rule(method) for method, _ in pairs]


def test_final_networks_have_the_chosen_rates():
    """Every member of a final run has the rate of its method's best accuracy in its own setting."""
    experiment = tiny(method=("adam", "adagrad", "sgd-nesterov"))
    arrays = record(experiment, usual)
    accuracy = [[0.1, 0.9, 0.2], [0.1, 0.2, 0.9], [0.9, 0.2, 0.1]]
    arrays |= tried(experiment, "with", searched(accuracy, np.ones((3, 3))))
    *_, without, with_ = experiment.tasks_after(arrays)
    rates = [0.01, 0.01, 0.1, 0.1, 0.001, 0.001]
    assert [member.rate for member in with_.members] == rates
    assert [member.rate for member in without.members] == [0.001] * 6
    for task in experiment.tasks()[2:]:  # nothing is found yet
        assert [member.rate for member in task.members if not math.isnan(member.rate)] == []
        assert not any(map(task.ready, task.names))


def test_searched_networks_are_no_final_ones():
    """Networks of a search share their number, which no network of a final run has."""
    search, final = tiny(dropout=("with",), seeds=3).tasks()
    numbers = {member.number for member in search.members}
    assert len(numbers) == 1
    assert not numbers & {member.number for member in final.members}


def test_lengths_are_those_asked_for():
    """A search learns for the search's epochs and a final run for its own, looked at after each."""
    search, final = tiny(dropout=("with",)).tasks()
    _, data = search.build(search.members[:2], CPU)
    assert data.updates(search.until) == 2 * 3  # 40 images in batches of 16
    assert data.moments(search.looks, search.until) == [0, 3, 6]
    _, data = final.build(final.members[:2], CPU)
    assert data.updates(final.until) == 3 * 4  # 64 images
    assert data.moments(final.looks, final.until) == [0, 4, 8, 12]


def test_methods_are_compared_in_pairs():
    """Networks of one number have the same weights at birth, and read the same batches.

    Whatever their method, and with dropout or without; those of another number have others.
    """
    *_, without, with_ = tiny().tasks()
    built = [task.build(task.members, CPU) for task in (without, with_)]
    first, second = (
        (cohort.parameters.view(len(METHODS), 2, -1), data.reader()) for cohort, data in built
    )
    same(first[0], second[0])
    same(first[0], first[0][:1].expand_as(first[0]))
    assert not torch.equal(first[0][0, 0], first[0][0, 1])
    for update in (0, 3, 5):
        batches = []
        for _, read in (first, second):
            x, y = read(update)
            assert len(x) == len(y) == 2 * len(METHODS)
            batches.append(x)
            for whole in (x, y):
                by = whole.view(len(METHODS), 2, *whole.shape[1:])
                same(by, by[:1].expand_as(by))
        same(*batches)
        assert not torch.equal(batches[0][0], batches[0][1])


def test_the_search_learns_from_what_is_not_held_out():
    """A search reads training images alone, a final run the held-out ones too, an image a row."""
    experiment = tiny(dropout=("without",))
    search, final = experiment.tasks()
    train, held, _, _ = experiment.sets()
    _, data = search.build(search.members[:1], CPU)
    same(data.x, train.x.reshape(1, 40, 64))
    same(data.y, train.y[None])
    _, data = final.build(final.members[:1], CPU)
    same(data.x, torch.cat([train.x, held.x]).reshape(1, 64, 64))
    same(data.y, torch.cat([train.y, held.y])[None])
    assert not (train.x[:, None] == held.x[None]).flatten(2).all(2).any()


def plainly(cohort, factors=(1, 1, 1)):
    """The first member's network in plain torch, the weights of its layers times a factor each."""
    layers, place = [], 0
    theta = cohort.parameters[0]
    for dense, factor in zip(cohort.model.layers, factors, strict=True):
        linear = nn.Linear(dense.fan_in, dense.out)
        size = dense.fan_in * dense.out
        weight = theta[place : place + size].view(dense.out, dense.fan_in)
        linear.weight.data = factor * weight
        linear.bias.data = theta[place + size : place + size + dense.out]
        place += size + dense.out
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def scored(network, images):
    """Loss and accuracy on images, by torch's own functions."""
    with torch.no_grad():
        out = network(images.x.flatten(1))
        accuracy = (out.argmax(1) == images.y).double().mean().item()
        return nn.functional.cross_entropy(out, images.y).item(), accuracy


def test_networks_are_scored_on_the_right_images(monkeypatch):
    """A search sees the held-out images; a final run the first of the training's and the test's.

    At its end all training images are looked at, and dropout is at work in none of this.
    """
    monkeypatch.setattr(optimizers, "MEASURED", 17)
    experiment = tiny(dropout=("with",), method=("adam",), rate=(0.01,))
    search, final = experiment.tasks()
    train, held, test, _ = experiment.sets()
    cohort, _ = search.build(search.members, CPU)
    seen = search.probe(cohort)
    found = [seen[name].item() for name in ("val_loss", "val_accuracy")]
    assert found == pytest.approx(scored(plainly(cohort), held), rel=1e-5)
    cohort, _ = final.build(final.members[:1], CPU)
    network = plainly(cohort)
    whole = datasets.Images(torch.cat([train.x, held.x]), torch.cat([train.y, held.y]))
    first = datasets.Images(whole.x[:17], whole.y[:17])
    seen = final.probe(cohort)
    expected = [*scored(network, first), *scored(network, test)]
    assert [seen[name].item() for name in SCORES] == pytest.approx(expected, rel=1e-5)
    last = final.last(cohort)
    found = [last[f"final_train_{name}"].item() for name in ("loss", "accuracy")]
    assert found == pytest.approx(scored(network, whole), rel=1e-5)


def test_forms_of_dropout_are_looked_at_where_there_is_dropout():
    """Only networks that learnt with dropout say what its forms come to."""
    *_, without, with_ = tiny(method=("adam",)).tasks()
    for task, there in ((without, False), (with_, True)):
        cohort, _ = task.build(task.members, CPU)
        assert (set(FORMS) <= set(task.last(cohort))) is there


# ------------------------------------------------------------------------------ who is best


def made(values, score):
    """Methods with these values of a score."""
    return {
        name: {"final": {score: {"mean": statistics.score(score, each), "each": np.array(each)}}}
        for name, each in zip(METHODS, values, strict=False)
    }


fifths = st.lists(st.floats(0.01, 1).map(lambda x: round(x, 3)), min_size=5, max_size=5)
broken = st.tuples(fifths, st.integers(0, 9)).map(
    lambda one: [math.nan, *one[0][1:]] if one[1] == 0 else one[0]
)


@given(st.lists(broken, min_size=8, max_size=8), st.sampled_from(list(CRITERIA)))
@few
def test_best_is_the_best_mean_of_those_asked_for(values, score):
    """The winner has the best finite mean of the five, and is compared with the others of them."""
    found = best(made(values, score), score)
    sign = -1 if score == "test_accuracy" else 1
    means = {name: sign * sum(each) / 5 for name, each in zip(METHODS, values, strict=True)}
    whole = {name: mean for name, mean in means.items() if not math.isnan(mean)}
    asked = [name for name in whole if name in ASKED] or list(whole)
    if not asked:
        assert found == {"name": "", "against": []}
        return
    assert whole[found["name"]] == pytest.approx(min(whole[name] for name in asked))
    assert found["against"] == [name for name in asked if name != found["name"]]


def test_the_first_of_equals_is_best():
    """Of equal means the first is named, and compared with the other one."""
    found = best(made([[0.5, 0.7]] * 2, "test_loss"), "test_loss")
    assert found == {"name": "adagrad", "against": ["rmsprop"]}


def test_references_are_compared_where_they_are_alone():
    """Without any of the five the references are compared; with one, they are not."""
    values = [[0.1, 0.11], [0.5, 0.51], [0.11, 0.1]]
    every = made([[9.0, 9.0]] * 5 + values, "test_loss")
    methods = {name: every[name] for name in REFERENCES}
    found = best(methods, "test_loss")
    assert found == {"name": "nadam", "against": ["adamw", "sgd-nesterov"]}
    assert best(methods | {"adam": every["adam"]}, "test_loss") == {"name": "adam", "against": []}


def test_differences_are_pairs_with_less_without():
    """What dropout changes is scipy's paired interval of networks with it less those without."""
    experiment = tiny(seeds=5)
    rng = np.random.default_rng(1)
    values = {}

    def score(*what):
        return values.setdefault(what, rng.uniform(0.1, 0.9))

    found = results(experiment, score)["differences"]
    assert [row["method"] for row in found] == list(METHODS)
    names = {"learning_loss": "training_loss", "train_loss": "final_train_loss"}
    for row in found:
        for ours in CRITERIA:
            theirs = names.get(ours, ours)
            pair = [
                [values[dropout, row["method"], number, theirs] for number in range(5)]
                for dropout in ("with", "without")
            ]
            test = stats.ttest_rel(*pair)
            ends = test.confidence_interval(0.95)
            mean = np.mean(pair[0]) - np.mean(pair[1])
            assert row[ours][:3] == pytest.approx([mean, ends.low, ends.high])


def test_one_setting_has_no_differences():
    """Without both settings nothing is subtracted, nor is there a table of it."""
    experiment = tiny(dropout=("without",))
    assert results(experiment)["differences"] == []
    found = tables(page(experiment, cost=COST))
    assert not {"Test accuracy without and with dropout", "Dropout at test time"} & set(found)


def test_scores_are_of_the_last_epoch():
    """A method's scores are those of its own seeds, at the end, with Student's interval."""
    experiment = tiny(seeds=5)
    found = results(experiment)["settings"]["with"]["methods"]
    for method in METHODS:
        for ours, theirs in (
            ("test_loss", "test_loss"),
            ("learning_loss", "training_loss"),
            ("train_loss", "final_train_loss"),
            ("train_accuracy", "final_train_accuracy"),
        ):
            each = [usual("with", method, number, theirs) for number in range(5)]
            final = found[method]["final"][ours]
            assert final["each"] == pytest.approx(each)
            assert final["mean"] == plain(statistics.score(ours, final["each"]))
            if ours.endswith("loss"):
                ends = stats.t.interval(0.95, 4, np.mean(each), stats.sem(each))
                assert final["mean"][:3] == pytest.approx([np.mean(each), *ends])
        assert found[method]["diverged"] == 0


# ------------------------------------------------------------------------------ dropout's forms


MANY = 150  # random choices of units


def grown(seeds=2):
    """Networks with dropout of random weights and biases, and images."""
    experiment = tiny(dropout=("with",), method=("adam",), seeds=seeds, width=12)
    task = experiment.tasks()[1]
    cohort, _ = task.build(task.members, CPU)
    cohort.parameters = 0.5 * random(*cohort.parameters.shape)
    test = datasets.Images(2 * random(900, 64, seed=4), torch.arange(900) % 10)
    return cohort, test


def test_accuracies_at_test_time_are_those_of_plain_networks():
    """Inverted and scaled are the network as it is; unscaled has its weights divided by 1 - p.

    That is 0.8 behind the input and 0.5 behind hidden units, biases as they were.
    """
    cohort, test = grown()
    expected = scored(plainly(cohort), test)[1], scored(plainly(cohort, (1.25, 2, 2)), test)[1]
    labels = plainly(cohort)(test.x).argmax(1)
    for y in (test.y, torch.where(torch.arange(900) % 3 > 0, labels, test.y)):
        other = datasets.Images(test.x, y)
        found = two_forms(cohort, other)
        expected = scored(plainly(cohort), other)[1]
        forgotten = scored(plainly(cohort, (1.25, 2, 2)), other)[1]
        assert found["inverted_accuracy"][0].item() == pytest.approx(expected)
        assert found["scaled_accuracy"][0].item() == pytest.approx(expected)
        assert found["unscaled_accuracy"][0].item() == pytest.approx(forgotten)
    assert expected > forgotten + 0.02


def test_both_forms_of_dropout_give_the_same_outputs():
    """With the same units left out, and at test time, outputs differ by rounding, not by nothing.

    Of a network that scales otherwise they differ by more.
    """
    cohort, test = grown()
    found = two_forms(cohort, test)
    for name in ("same_masks", "same_outputs"):
        assert found[name].shape == (2,)
        assert (found[name] < 1e-5).all()
    whole = cohort.model.scaled
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mlp, "scaled", lambda _, *given_: 1.01 * whole(*given_))
        found = two_forms(cohort, test)
    assert (found["same_masks"] > 1e-3).all()
    assert (found["same_outputs"] > 1e-3).all()


def test_random_choices_are_averaged(monkeypatch):
    """Over many choices of units the averaged accuracy is that of torch's own dropout."""
    cohort, test = grown(1)
    plain_ = plainly(cohort)
    layers = [nn.Dropout(0.2), *plain_[:2], nn.Dropout(0.5), *plain_[2:4], nn.Dropout(0.5)]
    network = nn.Sequential(*layers, *plain_[4:]).train()
    torch.manual_seed(0)
    with torch.no_grad():
        total = sum(network(test.x).softmax(1) for _ in range(MANY))
    labels = datasets.Images(test.x, total.argmax(1))
    monkeypatch.setattr(optimizers, "MASKS", MANY)
    found = two_forms(cohort, labels)
    assert found["averaged_accuracy"].item() > 0.75
    monkeypatch.setattr(optimizers, "MASKS", 1)
    assert two_forms(cohort, labels)["averaged_accuracy"].item() < 0.6


def test_so_many_images_are_compared(monkeypatch):
    """Only the first test images are looked at."""
    cohort, test = grown()
    monkeypatch.setattr(optimizers, "SAME", 10)
    right = plainly(cohort)(test.x).argmax(1)
    y = torch.where(torch.arange(900) < 10, right, 9 - right)
    assert two_forms(cohort, datasets.Images(test.x, y))["inverted_accuracy"][0] == 1


# ------------------------------------------------------------------------------ what it costs


def test_the_forecast_counts_what_is_read(monkeypatch):
    """Examples are the search's of the training images and the final runs' of all, every epoch."""
    seen = []
    monkeypatch.setattr(optimizers.costs, "forecast", lambda _, examples: seen.append(examples))
    tiny(method=("adam", "adagrad", "nadam")).forecast("cpu")
    assert seen == [2 * 3 * (3 * 2 * 40 + 2 * 3 * 64)]


# ------------------------------------------------------------------------------ what is said


def clear(dropout, method, number, name):
    """Adam is far better than all others, in every pair."""
    value = usual(dropout, method, number, name)
    if method != "adam":
        return value
    return value + (0.2 if "accuracy" in name else -0.3)


def blurred(_, method, number, name):
    """No order of methods is the same in any two seeds, but AdaDelta is worse than all."""
    turn = (list(METHODS).index(method) + 3 * number) % 5
    worse = 3 if method == "adadelta" else 0
    sign = -1 if "accuracy" in name else 1
    return 0.5 + sign * (0.01 * turn + worse) + 0.001 * number


def conclusion(blocks, dropout):
    """The sentences on who is best: the names, and behind them their numbers."""
    every = sentences(blocks)
    (place,) = (
        place
        for place, one in enumerate(every)
        if f"{dropout} dropout" in one and "ends with" in one
    )
    return " ".join(every[place : place + 2])


@pytest.mark.parametrize("dropout", ["Without", "With"])
def test_a_clear_winner_is_told_from_all(dropout):
    """Where one method is better in every pair, the page says so, and is near nobody."""
    blocks = page(tiny(seeds=5), clear)
    said = conclusion(blocks, dropout)
    assert "Adam ends with the lowest" in said
    assert "Adam has the highest" in said
    others = "AdaGrad, RMSProp, RMSProp + Nesterov and AdaDelta"
    assert said.count(f"it is told apart from {others}.") == 2


def test_overlapping_methods_are_named():
    """Where seeds do not part methods, all that are near are named apart from who is worse."""
    blocks = page(tiny(seeds=5), blurred)
    for dropout in ("With", "Without"):
        said = conclusion(blocks, dropout)
        near = ("AdaGrad", "RMSProp", "RMSProp + Nesterov", "Adam")
        for part in re.findall(r"not told apart from ([^.;]*)", said):
            assert sum(name in near for name in re.split(", | and ", part)) == 3
        assert said.count("; told apart from AdaDelta") == 2
        assert not any(METHODS[name].title in said for name in REFERENCES)


@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_of_few_seeds_the_values_are_shown(seeds):
    """Fewer than five seeds have values in place of intervals, and prove nothing."""
    said = conclusion(page(tiny(seeds=seeds), clear), "With")
    each = [clear("with", "adam", number, "final_train_loss") for number in range(seeds)]
    assert f"of Adam: {', '.join(f'{one:.3g}' for one in each)}; it is lower in " in said
    assert said.count(", too few to prove anything") == 2
    assert "told apart" not in said
    assert "[" not in said


def test_numbers_of_a_conclusion_are_the_winners():
    """The loss is the lowest mean of all training images, the accuracy the test's highest."""
    said = conclusion(page(tiny(seeds=5), clear), "Without")
    loss, accuracy = (
        np.mean([clear("without", "adam", number, name) for number in range(5)])
        for name in ("final_train_loss", "test_accuracy")
    )
    assert f"training loss, all units at work of Adam: {loss:.3g} [" in said
    assert f"test accuracy of Adam: {100 * accuracy:.2f} % [" in said


def test_each_winner_has_its_own_number():
    """Where one method has the lowest loss and another the highest accuracy, each has its own."""

    def score(dropout, method, number, name):
        other = method == "adagrad" and "accuracy" in name
        made_up = usual if "accuracy" in name else clear
        return made_up(dropout, method, number, name) + 0.4 * other

    said = conclusion(page(tiny(seeds=5), score), "Without")
    loss = np.mean([score("without", "adam", number, "final_train_loss") for number in range(5)])
    accuracy = np.mean([score("without", "adagrad", n, "test_accuracy") for n in range(5)])
    assert f"training loss, all units at work of Adam: {loss:.3g} [" in said
    assert f"test accuracy of AdaGrad: {100 * accuracy:.2f} % [" in said


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        ((0.2, 0.21, 0.19, 0.2, 0.2), "better"),
        ((-0.2, -0.21, -0.19, -0.2, -0.2), "worse"),
        ((0.2, -0.2, 0.1, -0.1, 0.0), "no difference shown"),
    ],
)
def test_verdicts_on_dropout_follow_the_data(shift, said):
    """Dropout is better or worse where the interval of the pairs' accuracies leaves out 0."""

    def score(dropout, method, number, name):
        value = usual("without", method, number, name)
        moved = dropout == "with" and name == "test_accuracy"
        return value + shift[number] if moved else value

    found = tables(page(tiny(seeds=5), score))
    rows = found["Test accuracy without and with dropout"]
    assert [row[-1] for row in rows.values()] == [said] * len(METHODS)
    mean = 100 * np.mean(shift)
    assert all(row[-2].startswith(f"{mean:+.2f} [") for row in rows.values())
    losses = found["Training loss without and with dropout"].values()
    assert all(row[-2] == "+0.0000 [+0.0000, +0.0000]" for row in losses)


@pytest.mark.parametrize(("gap", "said"), [(0.2, "higher"), (-0.2, "lower")])
def test_a_training_loss_is_higher_or_lower(gap, said):
    """The loss with dropout, all units at work, less that without, in pairs."""

    def score(dropout, method, number, name):
        value = usual("without", method, number, name)
        moved = dropout == "with" and name == "final_train_loss"
        return value + gap + number / 100 if moved else value

    rows = tables(page(tiny(seeds=5), score))["Training loss without and with dropout"].values()
    assert [row[-1] for row in rows] == [said] * len(METHODS)
    assert all(row[-2].startswith(f"{gap + 0.02:+.4f} [") for row in rows)


def test_of_one_seed_no_interval_is_printed():
    """One network a method has neither interval nor verdict, and nobody is told from anybody."""
    experiment = tiny(seeds=1)
    blocks = page(experiment, cost=COST)
    found = tables(blocks)
    compared = "Test accuracy without and with dropout"
    for title in ("With the chosen rates, with dropout", compared):
        assert not any("[" in cell for row in found[title].values() for cell in row)
    verdicts = {row[-1] for row in found[compared].values()}
    assert verdicts == {"lower in the one pair"}
    assert "told apart" not in conclusion(blocks, "With")
    everything = render(blocks, "text")
    assert not re.search(r"\b(nan|inf|None)\b", everything)


def test_diverged_losses_are_no_numbers():
    """The mean of a loss that is not finite is not finite, and how many have diverged is said."""

    def score(dropout, method, number, name):
        lost = method == "rmsprop" and number and "loss" in name
        return math.nan if lost else usual(dropout, method, number, name)

    blocks = page(tiny(seeds=5), score)
    row = tables(blocks)["With the chosen rates, without dropout"]["RMSProp"]
    assert row[1:4] == ["not finite"] * 3
    assert row[-1].endswith("4 of 5 diverged")
    assert not re.search(r"\b(nan|inf|None)\b", render(blocks, "text"))


def test_where_all_diverge_nobody_is_best():
    """Without a finite loss there is no winner, and no sentence about one."""
    blocks = page(
        tiny(),
        lambda *what: math.nan if "loss" in what[-1] else usual(*what),
        (np.full((8, 3), 0.1), np.full((8, 3), math.nan)),
    )
    assert not any("ends with the lowest" in one for one in sentences(blocks))


def test_a_diverged_network_has_no_accuracy():
    """A network whose outputs are no numbers is right about nothing that is counted."""

    def score(dropout, method, number, name):
        lost = number == 0 and name == "test_loss"
        return math.nan if lost else usual(dropout, method, number, name)

    experiment = tiny(dropout=("without",), method=("adam",), seeds=3)
    final = experiment.summarise(record(experiment, score))["settings"]["without"]["methods"]
    found = final["adam"]["final"]["test_accuracy"]["each"]
    assert np.isnan(found).tolist() == [True, False, False]


def test_a_page_of_dropout_that_diverged_is_written():
    """Where one network's outputs are not finite the page says what is known of the others."""
    experiment = tiny()
    arrays = record(experiment, usual)
    for name in ("same_masks", "same_outputs"):
        arrays[f"{experiment.method[0]}/dropout/seed0/{name}"] = math.nan
    assert list(answers.blocks(experiment, plain(experiment.summarise(arrays))))


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_figures_of_what_diverged_are_drawn():
    """Figures are drawn where no network has a loss."""
    experiment = tiny(method=("adam",), dropout=("without",))
    found = results(experiment)
    own = found["settings"]["without"]["methods"]["adam"]
    own["curves"] |= {"learning_loss": [[None] * 3] * 2, "test_accuracy": [[None] * 4] * 2}
    drawn = figures.figures(experiment, {}, found)
    names = ["search", "training-loss", "test-accuracy"]
    assert [next(drawn)[0] for _ in range(3)] == names


def test_a_method_alone_is_told_from_nobody():
    """Of one method nothing is said of others; references alone are not called the five."""
    said = conclusion(page(tiny(seeds=5, method=("adam",))), "With")
    assert "told apart" not in said
    assert "of the assignment's methods that were trained, Adam" in said
    said = conclusion(page(tiny(seeds=5, method=("nadam", "adamw"))), "With")
    assert "of the methods for comparison alone, NAdam" in said
    assert "the assignment's" not in said


def test_a_method_that_diverged_is_not_told_from():
    """Seeds do not tell the best from a method of which only some networks have a loss."""

    def score(dropout, method, number, name):
        lost = method == "rmsprop" and number == 0 and "loss" in name
        return math.nan if lost else clear(dropout, method, number, name)

    said = conclusion(page(tiny(seeds=5), score), "With")
    assert said.count("told apart from AdaGrad, RMSProp + Nesterov and AdaDelta.") == 2


def test_settings_in_either_order_give_one_page():
    """A ratio of times is that with dropout to without, and each text has its setting's name."""
    experiment = tiny(dropout=("with", "without"))
    blocks = [block for _, block in answers.blocks(experiment, timed(experiment))]
    assert {row[-1] for row in tables(blocks)["Training time"].values()} == {"2.00"}
    (said,) = (one for one in sentences(blocks) if one.startswith("The network:"))
    assert "drop" in said.partition("; with dropout: ")[2]


# ------------------------------------------------------------------------------ time


def timed(experiment):
    """Results with seconds of epochs, three of two seeds; in the last one the run was paused."""
    found = results(experiment, cost=COST)
    for dropout, factor, last in (("without", 1.0, 900.0), ("with", 2.0, 8.0)):
        for own in found["settings"][dropout]["methods"].values():
            own["epoch_seconds"] = [[2 * factor, 3 * factor, 4 * factor], [4 * factor] * 2 + [last]]
    return found


def test_whole_epochs_say_what_dropout_costs():
    """Times are of whole epochs of all seeds: their median and range, as many of it, the ratio."""
    experiment = tiny(method=("adam", "nadam"), epochs=3)
    blocks = [block for _, block in answers.blocks(experiment, timed(experiment))]
    row = ["4.00 (2.00 to 900.00)", "12.0 s", "8.00 (4.00 to 8.00)", "24.0 s", "2.00"]
    assert tables(blocks)["Training time"] == {"Adam": row, "NAdam*": row}
    (said,) = (one for one in sentences(blocks) if "times as long as" in one)
    size = f"two hidden layers of {experiment.width} units, batch {experiment.batch}"
    assert said.startswith(
        f"With dropout 3 epochs of this network ({size}) take 2.00 to 2.00 times"
    )
    assert "single epochs 0.01 to 2.00 times" in said


def test_without_times_of_epochs_no_ratio_is_said():
    """A record that has no times of epochs says nothing of how long they take."""
    blocks = page(tiny(), cost=COST)
    assert "Training time" not in tables(blocks)
    assert not any("times as long as" in one for one in sentences(blocks))


def test_why_says_what_the_profile_says():
    """The gap and its parts are differences with their signs, and add up."""
    experiment = tiny()
    blocks = page(experiment, cost=COST)
    (said,) = (one for one in sentences(blocks) if "in this profile" in one)
    assert "takes 7.00 ms longer" in said
    assert "+4.00 ms for random numbers" in said
    assert "+3.00 ms in the rest" in said
    assert "+0.50 ms in matrix products and -0.50 ms in the method's update" in said
    rows = tables(blocks)["Where the time of an update goes"]
    assert rows["all"] == ["4.00", "11.00"]
    assert rows["matrix products"] == ["1.00", "1.50"]


def test_dropout_that_takes_no_longer_is_not_explained():
    """Where the profile has no gap, none is explained."""
    without = COST["profile"]["without"]
    alike = {"profile": {"without": without, "with": without}}
    said = sentences(page(tiny(), cost=alike))
    assert sum("took no longer than" in one for one in said) == 1
    assert not any("ms longer" in one for one in said)
    only = {"profile": {"with": without}}
    said = sentences(page(tiny(dropout=("with",)), cost=only))
    assert not any("in this profile" in one.lower() for one in said)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0.0004, "0.0004 s"), (0.0123, "0.012 s"), (1, "1.0 s"), (12.34, "12.3 s")),
        *((59.9, "59.9 s"), (60, "1 min 0 s"), (245, "4 min 5 s"), (3599, "59 min 59 s")),
        *((3599.7, "1 h 0 min"), (7380, "2 h 3 min"), (3_600_000, "1,000 h 0 min")),
    ],
)
def test_durations_are_written(seconds, said):
    """A duration has the units that people use for it."""
    assert answers.duration(seconds) == said


def test_forms_are_means_of_networks():
    """Accuracies at test time are means of all networks, differences their largest."""
    experiment = tiny(dropout=("with",), method=("adam", "adagrad"))
    arrays = record(experiment, usual)
    for name in FORMS:
        arrays[f"adagrad/dropout/seed1/{name}"] += 0.125
    blocks = [block for _, block in answers.blocks(experiment, plain(experiment.summarise(arrays)))]
    rows = [row[0] for row in tables(blocks)["Dropout at test time"].values()]
    means = [100 * (place / 16 + 0.125 / 4) for place in (3, 4, 5, 6)]
    assert rows == [f"{one:.2f} %" for one in means]
    (said,) = (one for one in sentences(blocks) if "Srivastava" in one)
    assert "at most 1.9e-01 of the largest, at test time by 2.5e-01" in said
    assert "by 0.8 behind the input, by 0.5 behind hidden units" in said


# ------------------------------------------------------------------------------ the network


def test_the_full_configuration_is_the_assignments():
    """Full is 3072-1000-1000-10 on all of CIFAR-10 for 200 epochs, and has no remark; quick has."""
    full = Optimizers(preset="full")
    assert (full.batch, full.epochs, full.width, full.dataset) == (128, 200, 1000, "cifar10")
    assert full.method[:5] == ASKED
    assert full.weight_decay > 0
    assert full.remark() == ""
    assert "not the assignment's size" not in full.short()
    for one in (Optimizers(), tiny(), *(replace(full, **given_) for given_ in SMALLER)):
        assert one.remark().endswith("not the assignment's size.")
        assert one.short().endswith("not the assignment's size")


SMALLER = [
    *({"epochs": 199}, {"width": 999}, {"size": 16}, {"dataset": "digits"}),
    *({"examples": 100}, {"test_examples": 100}),
]


@pytest.mark.parametrize("given_", [{"batch": 64}, {"weight_decay": 0.0}])
def test_another_batch_is_not_the_assignments(given_):
    """The assignment's minibatch is 128, and it asks for L2 regularization."""
    assert replace(Optimizers(preset="full"), **given_).remark()


def test_networks_are_written_in_archcalcs_notation():
    """The assignment's network, and with dropout 0.2 of the input and 0.5 of hidden units."""
    full = Optimizers(preset="full")
    hidden = "fc-1000 relu"
    without = f"32x32x3 flatten {hidden} {hidden} fc-10"
    with_ = f"32x32x3 flatten drop.2 {hidden} drop.5 {hidden} drop.5 fc-10"
    assert full.text("without", 3, 10) == without
    assert full.text("with", 3, 10) == with_
    assert [one.dropout for one in Mlp.read(with_).layers] == [0.2, 0.5, 0.5]
    assert not any(one.dropout for one in Mlp.read(without).layers)
    assert Mlp.read(without).parameters == 4_084_010
    said = [one for one in sentences(page(tiny())) if one.startswith("The network: ")]
    mine = [tiny().text(one, 1, 10) for one in ("without", "with")]
    assert said == [f"The network: {mine[0]}; with dropout: {mine[1]}"]


# ------------------------------------------------------------------------------ equations


def test_hyperparameters_are_those_of_the_rules():
    """Every field of a method's rule is in its row, with its value, and how L2 goes in."""
    experiment = tiny(weight_decay=0.03)
    rows = tables(page(experiment))["Hyperparameters"]
    for method in METHODS:
        rule = METHODS[method].rule
        own = {f.name: getattr(rule, f.name) for f in fields(rule) if f.name != "weight_decay"}
        said, decay = rows[METHODS[method].title + "*" * (method in REFERENCES)]
        found = dict(one.split(" ") for one in said.split(", "))
        assert found.keys() == own.keys()
        for name, value in own.items():
            assert found[name] == str(value) or float(found[name]) == value
        assert decay == ("0.01 (decoupled)" if method == "adamw" else "0.03 (coupled)")


def test_methods_are_the_assignments_and_three_references():
    """Which methods are asked for, and the hyperparameters they are published with."""
    assert tuple(name for name, one in METHODS.items() if one.asked) == ASKED
    assert tuple(name for name, one in METHODS.items() if not one.asked) == REFERENCES
    assert isinstance(METHODS["rmsprop-nesterov"].rule, RMSpropNesterov)


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """Whoever asks for data fails."""

    def fail(*_, **__):
        raise AssertionError

    monkeypatch.setattr(datasets, "load", fail)
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_data")
def test_explain_covers_every_method(capsys):
    """All eight methods have equations in text and LaTeX and a table of their terms, without data.

    What AdaDelta and Adam have that RMSProp has not is said.
    """
    assert run(["training", "optimizers", "--explain"]) == 0
    out = capsys.readouterr().out
    parts = re.split(r"^The terms of (.*)$", out, flags=re.MULTILINE)
    assert parts[1::2] == [one.title for one in METHODS.values()]
    for before, terms in zip(parts[::2], parts[2::2], strict=False):
        assert "    theta[t] = " in before
        assert r"    \theta_{t} = " in before
        assert "    g[t] = grad(" in before
        for name in set(re.findall(r"[a-z]\w*(?:\[t\])?", " ".join(equations(before)))):
            if name not in {"grad", "sqrt", "theta", "t", "mu"} and f"{name}[t" not in before:
                assert re.search(rf"^{re.escape(name)} ", terms, re.MULTILINE), name
    assert "AdaDelta beside RMSProp" in out
    assert "Adam beside RMSProp" in out


def equations(text):
    """The equations in text that a page has, without those in LaTeX."""
    lines = (line for line in text.splitlines() if line.startswith("    "))
    return [line for line in lines if "\\" not in line and "{" not in line]


@pytest.mark.usefixtures("no_data")
def test_explain_as_json_is_the_text(capsys):
    """Every equation that JSON has is in the text, and every letter of it has a meaning."""
    assert run(["training", "optimizers", "--explain"]) == 0
    text = capsys.readouterr().out
    assert run(["training", "optimizers", "--explain", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "archcalc.training.explanation/1"
    assert list(found["methods"]) == list(METHODS)
    for method, one in found["methods"].items():
        assert one["asked"] is (method in ASKED)
        assert one["name"] == METHODS[method].title
        assert one["equations"]
        for line in one["equations"]:
            assert f"    {line['text']}\n" in text
            assert f"    {line['latex']}\n" in text
        rule = METHODS[method].rule
        assert one["hyperparameters"].keys() == {f.name for f in fields(rule)}
        assert {"theta[t]", "g[t]", "rate"} <= one["terms"].keys()
        assert all(term["meaning"] and term["latex"] for term in one["terms"].values())


@pytest.mark.usefixtures("no_data")
def test_explain_of_one_method_is_of_it_alone(capsys):
    """Only the methods asked for are explained; without a penalty it is in no equation."""
    argv = ["training", "optimizers", "--explain", "--method", "adam", "--weight-decay", "0"]
    assert run(argv) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^The terms of (.*)$", out, re.MULTILINE) == ["Adam"]
    assert "weight_decay" not in out
    assert "0.999" in out
    assert list(answers.explained(Optimizers(method=("adam",)))["methods"]) == ["adam"]


@pytest.mark.parametrize("given_", [{"method": ("adamw",)}, {"weight_decay": 0.0}])
def test_a_gradient_without_the_penalty_is_said_to_be_without(given_):
    """Where g[t] is the loss's gradient alone, its meaning names no penalty."""
    experiment = Optimizers(**{"method": ("adam",), **given_})
    (found,) = answers.explained(experiment)["methods"].values()
    assert found["equations"][0]["text"] == "g[t] = grad(theta[t-1])"
    assert "L2" not in found["terms"]["g[t]"]["meaning"]


def test_terms_in_json_are_in_equations():
    """A letter that no equation has, such as RMSProp's velocity without momentum, is not there."""
    found = answers.explained(Optimizers(method=("rmsprop",)))["methods"]["rmsprop"]
    assert "velocity[t]" not in found["terms"]


# -------------------------------------------------------------- sets of torchvision as .npz


@pytest.fixture
def small_cifar(monkeypatch, tmp_path):
    """CIFAR-10 with twelve training images and six of the test, in a folder that is the data's."""
    small = replace(datasets.SOURCES["cifar10"], counts=(12, 6))
    monkeypatch.setitem(datasets.SOURCES, "cifar10", small)
    monkeypatch.setattr(datasets, "_download", lambda *_: pytest.fail("a download"))
    monkeypatch.setenv("ARCHCALC_DATA", str(tmp_path))
    return tmp_path


def written(folder, train=12, test=6, shape=(32, 32, 3), name="cifar10"):
    """A file of random images, and its arrays."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (train, *shape), np.uint8),
        "y_train": np.arange(train) % 10,
        "x_test": rng.integers(0, 256, (test, *shape), np.uint8),
        "y_test": np.arange(test) % 10,
    }
    np.savez(folder / f"{name}.npz", **arrays)
    return arrays


def test_a_set_is_read_from_a_file_of_its_name(small_cifar, tmp_path_factory):
    """In the data folder NAME.npz takes the place of torchvision's files, channels first."""
    arrays = written(small_cifar)
    other = tmp_path_factory.mktemp("other")
    moved = {name: value[::-1] for name, value in arrays.items()}
    np.savez(other / "cifar10.npz", **moved)
    for folder, found in ((None, arrays), (str(other), moved)):
        for part, train in (("train", True), ("test", False)):
            images = datasets.load("cifar10", folder, train=train)
            pixels = found[f"x_{part}"].transpose(0, 3, 1, 2).astype(np.float32) / 255
            same(images.x, torch.from_numpy(pixels))
            assert images.y.tolist() == found[f"y_{part}"].tolist()


@pytest.mark.parametrize(
    ("given_", "found", "wanted"),
    [
        ({"train": 11}, "11x3x32x32", "12x3x32x32"),
        ({"train": 13}, "13x3x32x32", "12x3x32x32"),
        ({"test": 5}, "5x3x32x32", "6x3x32x32"),
        ({"shape": (32, 31, 3)}, "12x3x32x31", "12x3x32x32"),
        ({"shape": (31, 32, 3)}, "12x3x31x32", "12x3x32x32"),
        ({"shape": (32, 32, 1)}, "12x1x32x32", "12x3x32x32"),
    ],
)
@pytest.mark.parametrize("train", [True, False])
def test_a_file_that_is_not_the_set_is_refused(small_cifar, train, given_, found, wanted):
    """Whichever half is asked for, both halves must have the set's images in number and size."""
    written(small_cifar, **given_)
    with pytest.raises(TrainingError) as caught:
        datasets.load("cifar10", train=train)
    path = small_cifar / "cifar10.npz"
    said = f"{path} is not CIFAR-10: its images are {found}, not {wanted}"
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("name", "title", "shape"),
    [
        ("cifar10", "CIFAR-10", "50000x3x32x32"),
        ("mnist", "MNIST", "60000x1x28x28"),
        ("fashion-mnist", "Fashion-MNIST", "60000x1x28x28"),
    ],
)
def test_the_sets_have_the_sizes_that_were_published(tmp_path, name, title, shape):
    """A file of few images is not CIFAR-10, nor MNIST, nor Fashion-MNIST."""
    written(tmp_path, shape=(28, 28), name=name)
    with pytest.raises(TrainingError, match=f"is not {title}: its images are .*, not {shape}"):
        datasets.load(name, str(tmp_path))


def test_torchvisions_own_files_go_first(small_cifar):
    """Where the folder has torchvision's files, even damaged ones, the .npz is not looked at."""
    pytest.importorskip("torchvision")
    written(small_cifar)
    (small_cifar / "cifar-10-batches-py").mkdir()
    with pytest.raises(TrainingError, match=r"CIFAR-10 in .*: (a file is damaged|there is no)"):
        datasets.load("cifar10")


def test_a_run_learns_from_such_a_file(small_cifar):
    """The experiment's images are the file's, those held out and the rest together all of them."""
    arrays = written(small_cifar)
    experiment = tiny(dataset="cifar10", examples=0, validation=2, test_examples=0, size=32)
    assert experiment.counts() == {
        "train": 10,
        "validation": 2,
        "test": 6,
        "classes": 10,
        "channels": 3,
    }
    _, _, both, test = experiment.images(CPU)
    assert sorted(both.y.tolist()) == sorted(arrays["y_train"].tolist())
    assert test.y.tolist() == arrays["y_test"].tolist()


# ------------------------------------------------------------------------------ streams


def test_numbers_decide_what_a_network_is():
    """A network of one number and seed is that network in any company, of any method."""
    model = Mlp.read("8x8x1 flatten fc-5 relu fc-5 relu fc-10")
    given_ = {"loss": cross_entropy, "rule": SGD()}
    alone = Cohort.born(model, [Member(1, rule=Adam())], 0, **given_)
    together = Cohort.born(model, [Member(n, rule=SGD()) for n in range(3)], 0, **given_)
    same(alone.parameters[0], together.parameters[1])
    same(streams.fold(alone.keys, "drop")[0], streams.fold(together.keys, "drop")[1])
