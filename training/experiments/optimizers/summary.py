"""What comes of the networks: the search, the chosen rates, curves and scores, who is best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.engine import statistics
from training.engine.record import Array
from training.experiments.base import gaps, rows
from training.experiments.optimizers.grid import (
    CRITERIA,
    FORMS,
    LOSS,
    METHODS,
    SCORES,
    TRAINING,
    WATCHED,
    Grid,
)
from training.experiments.preset import COUNTS


def summarise(experiment: Grid, arrays: Mapping[str, Array]) -> dict[str, Any]:
    """The search, the chosen rates, curves and scores of all, who is best by what."""
    counts = dict(zip(COUNTS, map(int, arrays["counts"]), strict=True))
    text = {
        one: experiment.text(one, counts["channels"], counts["classes"])
        for one in experiment.dropout
    }
    settings = {one: _setting(experiment, one, arrays) for one in experiment.dropout}
    differences = []  # of networks in pairs: with dropout less without
    for method in experiment.method if len(settings) > 1 else ():
        dropped, plain = (settings[one]["methods"][method]["final"] for one in ("with", "without"))
        differences.append({"method": method, **gaps(dropped, plain)})
    return {"counts": counts, "text": text, "settings": settings, "differences": differences}


def _setting(experiment: Grid, dropout: str, arrays: Mapping[str, Array]) -> dict[str, Any]:
    grids = {method: experiment.grid(dropout, method, arrays) for method in experiment.method}
    every = sorted({rate for rates in grids.values() for rate in rates})

    def last(what: str, method: str, rate: float) -> float:
        values = arrays.get(f"{experiment.searched(dropout, method, rate)}/{what}")
        return math.nan if values is None else float(values[-1])

    search: dict[str, Any] = {
        name: np.array(
            [[last(what, method, rate) for rate in every] for method in experiment.method]
        )
        for name, what in {**dict(zip(WATCHED, WATCHED, strict=True)), LOSS: TRAINING}.items()
    }
    methods = {
        name: _method(experiment, dropout, name, grids[name], arrays) for name in experiment.method
    }
    search |= {"rates": every, "tried": grids}
    setting: dict[str, Any] = {"search": search, "methods": methods}
    setting["best"] = {score: best(methods, score) for score in CRITERIA}
    if dropout == "with":
        names = [task for method in experiment.method for task in experiment.final(dropout, method)]
        setting["forms"] = {name: rows(arrays, names, name).astype(np.float64) for name in FORMS}
    return setting


def _method(
    experiment: Grid, dropout: str, method: str, grid: Sequence[float], arrays: Mapping[str, Array]
) -> dict[str, Any]:
    names = experiment.final(dropout, method)

    def of(name: str) -> Array:
        values = rows(arrays, names, name).astype(np.float64)
        if not name.endswith("accuracy"):
            return values
        # of numbers that are none the largest is the first: no answer, be it right by chance
        lost = ~np.isfinite(of(f"{name.removesuffix('accuracy')}loss"))
        return np.where(lost, np.nan, values)

    curves = {LOSS: of(TRAINING), **{name: of(name) for name in SCORES}}
    final = {name: curve[:, -1] for name, curve in curves.items()}
    final |= {name: of(f"final_{name}") for name in ("train_loss", "train_accuracy")}
    rate = experiment.best_rate(dropout, method, arrays, grid)
    edges = {grid[0]: "lowest", grid[-1]: "highest"} if len(grid) > 1 else {}
    timed = f"{names[0]}/seconds" in arrays  # records before there were tasks say no times
    return {
        "rate": rate,
        "edge": edges.get(rate or 0.0, ""),
        "curves": curves,
        "final": statistics.scores(final),
        "epoch_seconds": of("seconds") if timed else None,
        "diverged": int((~np.isfinite(final[LOSS])).sum()),
    }


def best(methods: Mapping[str, Any], score: str) -> dict[str, Any]:
    """The assigned method with the best mean, ``name``, and the others, ``against``.

    What has diverged is not compared. Where none of the assignment's five is there, the references
    are compared.
    """
    sign = 1 if CRITERIA[score].highest else -1
    means = {name: sign * one["final"][score]["mean"].value for name, one in methods.items()}
    there = [name for name, mean in means.items() if np.isfinite(mean)]
    compared = [name for name in there if METHODS[name].asked] or there
    first = max(compared, key=lambda name: means[name], default="")
    return {"name": first, "against": [name for name in compared if name != first]}
