"""Answers to homework 2, problem 4.1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from archcalc.render.table import Table, text
from training.engine import datasets
from training.experiments.base import counted
from training.experiments.dataset.experiment import PARTS, Dataset
from training.experiments.minigooglenet.experiment import MiniGoogLeNet
from training.experiments.words import Named, short, table

COLOURS: Final = {1: "grey", 3: "red, green and blue"}
SAID: Final = {"train": "to learn from", "validation": "for validation", "test": "test set"}


def blocks(experiment: Dataset, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    yield "classes", _classes(experiment, results)
    yield "balance", _balance(results["classes"])
    yield "split", _split(experiment, results)
    yield "pixels", _pixels(results)
    yield "shown", _shown(results["shown"])


def _classes(experiment: Dataset, results: Mapping[str, Any]) -> Table:
    parts, classes = (*PARTS, "total"), results["classes"]
    rows = [(_class(one), *(f"{one[part]:,}" for part in parts)) for one in classes]
    headings = ("class", *(SAID.get(part, part) for part in parts))
    sums = ("all", *(f"{results['sizes'][part]:,}" for part in parts))
    title = f"{datasets.title(experiment.dataset)}: {len(classes)} classes, and images of each"
    return table(title, headings, rows)._replace(footer=(tuple(map(text, sums)),))


def _class(one: Mapping[str, Any]) -> str:
    """``0 T-shirt/top``, or the number alone."""
    return f"{one['class']} {one['name']}".strip()


def _span(counts: Sequence[int]) -> str:
    """``6,000``, or ``480 to 521``."""
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _balance(classes: Sequence[Mapping[str, Any]]) -> str:
    total, tested = ([one[part] for one in classes] for part in ("total", "test"))
    learnt = [one["train"] + one["validation"] for one in classes]
    even = "Every class has" if min(total) == max(total) else "A class has"
    return (
        f"{even} {_span(total)} images: {_span(learnt)} in the training set, {_span(tested)} in "
        "the test set."
    )


def _split(experiment: Dataset, results: Mapping[str, Any]) -> str:
    held = experiment.validation
    if not held:
        return "Nothing is held out for validation: all training images are learnt from."
    sizes = results["sizes"]
    full = MiniGoogLeNet.presets["full"]["validation"]
    other = f"hold out {full:,}" if held != full else "and the same seed hold out the same images"
    return (
        f"The set comes without validation images, so {held:,} of its "
        f"{sizes['train'] + sizes['validation']:,} training images are held out: the last {held:,} "
        f"of a permutation drawn with seed {experiment.seed}, whatever their class, of each "
        f"{_span([one['validation'] for one in results['classes']])}. So do the experiments on "
        f"learning rate and batch size, which with --preset full {other}."
    )


def _pixels(results: Mapping[str, Any]) -> str:
    image, pixels = results["image"], results["pixels"]
    low, high = map(short, pixels["range"])
    mean, std = (", ".join(f"{one:.4f}" for one in pixels[name]) for name in ("mean", "std"))
    return (
        f"An image has {image['height']}x{image['width']} pixels and "
        f"{counted(image['channels'], 'channel')}, {COLOURS[image['channels']]}; pixels are read "
        f"as numbers from {low} to {high}. Of those to learn from, the mean is {mean} and the "
        f"standard deviation {std}."
    )


def _shown(shown: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for one in shown:
        nearest = zip(one["places"], one["distances"], strict=True)
        found = (f"{place:,} ({distance:.2f})" for place, distance in nearest)
        rows.append((_class(one), *found, f"{one['median']:.2f}"))
    headings = ("class", "nearest", "second", "third", "median distance")
    notes = (
        "A class's most representative images are those of the training set that are nearest to "
        "the mean of all its images there, in the Euclidean norm over all pixels: their places in "
        "the training set, from 0, with their distances; on the right that of half of the class.",
    )
    return table("The images shown", headings, rows, notes)
