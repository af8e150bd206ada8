"""What comes of the networks: means and spreads, comparisons in pairs, what was learnt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from training.engine import statistics
from training.engine.record import Array
from training.experiments.base import compared, rows, seeded
from training.experiments.batchnorm_dropout.grid import (
    HIDDEN_LAYERS,
    INPUT_NORM,
    KINDS,
    PAIRS,
    SCORES,
    VARIANTS,
    WATCHES,
    Grid,
    Group,
)

Of: TypeAlias = Callable[[str], Array]  # a group's arrays by name, members first

FEW: Final = 16  # channels of a layer, up to which each has its own values in the results


def summarise(experiment: Grid, arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Means and spreads of every group, comparisons in pairs, what was learnt."""
    groups = [_group(experiment, group, arrays) for group in experiment.groups()]
    by_name = {group["name"]: group for group in groups}
    return {
        "looks": experiment.looks(),
        "groups": groups,
        "pairs": list(_pairs(experiment, by_name)),
    }


def _group(experiment: Grid, group: Group, arrays: Mapping[str, Array]) -> dict[str, Any]:
    def of(what: str) -> Array:
        return rows(arrays, seeded(group.name, experiment.seeds), what).astype(np.float64)

    finals = {name: of(name)[:, -1] for name in SCORES}
    if experiment.epochs:
        finals["train_loss"] = of("final_train_loss")
        finals["train_accuracy"] = of("final_train_accuracy")
    return {
        **group._asdict(),
        "name": group.name,
        "text": experiment.text(group),
        "curves": {
            name: {"mean": of(name).mean(0), "min": of(name).min(0), "max": of(name).max(0)}
            for name in SCORES
        },
        "learning_loss": of("training_loss").mean(0) if experiment.epochs else [],
        "final": {
            name: {
                "mean": statistics.score(name, values),
                "std": float(values.std(ddof=1)) if len(values) > 1 else math.nan,
                "min": float(values.min()),
                "max": float(values.max()),
                "each": values,
            }
            for name, values in finals.items()
        },
        "norms": list(_norms(group, of)),
        "adjusted": _adjusted(group, of),
        "drift": {where: _drift(of, where) for where in WATCHES},
        "correlation": statistics.student(of("correlation")),
        "silenced": list(map(statistics.proportion, of("silenced").T)),
        "silenced_each": of("silenced"),
    }


def _pairs(experiment: Grid, groups: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Variants at the first placement, then a variant's other placements beside the first."""
    placement, *others = experiment.dropout_placement
    pairs = [[Group(name, placement * VARIANTS[name].drop) for name in pair] for pair in PAIRS]
    for name in ("dropout", "both"):
        pairs += [[Group(name, other), Group(name, placement)] for other in others]
    return compared(groups, ((one.name, two.name) for one, two in pairs))


def _norms(group: Group, of: Of) -> Iterator[dict[str, Any]]:
    """What each batch normalization learnt, and how far its variance shifts, over members."""
    names = [f"{name}/bn" for name in HIDDEN_LAYERS] if group.what.norm else []
    if group.what.input != "standard":
        names.insert(0, INPUT_NORM)
    for name in names:
        row: dict[str, Any] = {"name": name, "count": of(f"{name}.gamma").shape[1]}
        for what in KINDS:
            values = of(f"{name}.{what}")
            row[what] = {
                "mean": float(values.mean()),
                "std": float(values.std()),
                "min": float(values.min()),
                "max": float(values.max()),
                "channels": list(map(statistics.student, values.T)) if row["count"] <= FEW else [],
            }
        # a pixel that is never lit has no variance, neither in training nor at test time
        running, real = of(f"{name}.var"), of(f"{name}.test")
        live = running > np.quantile(running, 0.5) * 1e-3
        ratio = np.where(live, real / np.where(live, running, 1), np.nan)
        row["shift"] = statistics.student(np.nanmean(ratio, 1))
        yield row


def _adjusted(group: Group, of: Of) -> dict[str, Any] | None:
    """What new running statistics change; None without batch norm."""
    if not group.what.norm:
        return None
    return {
        "accuracy": statistics.proportion(of("adjusted_accuracy")),
        "gain": statistics.student(of("adjusted_accuracy") - of("test_accuracy")[:, -1]),
        "loss_gain": statistics.student(of("adjusted_loss") - of("test_loss")[:, -1]),
    }


def _drift(of: Of, where: str) -> dict[str, Any]:
    """How far a value moves from look to look, by layer, over members and units.

    ``mean``: by how many standard deviations a unit's mean moves. ``std``: the absolute
    logarithm of the factor by which its standard deviation changes. ``(looks - 1, layers)``.
    ``each``: the mean over units alone, ``(members, looks - 1, layers)``.
    """
    mean, std = of(f"{where}/mean"), of(f"{where}/std")  # (members, looks, layers, units)
    moved = np.abs(np.diff(mean, axis=1)) / std[:, :-1]
    scaled = np.abs(np.diff(np.log(std), axis=1))
    return {
        "mean": np.nanmean(moved, (0, 3)),
        "each": np.nanmean(moved, 3),
        "std": np.nanmean(scaled, (0, 3)),
        "percentiles": of(f"{where}/percentiles").mean(0),
    }
