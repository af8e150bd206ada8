"""What is watched in networks while they learn, and once they have learnt.

Each function gives tensors with the members first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from archcalc.layers.normalization import BatchNorm
from training.engine import streams
from training.engine.cohort import Cohort
from training.engine.datasets import Images
from training.engine.networks import Net

CHUNK: Final = 1000  # images whose values are in memory
PERCENTILES: Final = (0.15, 0.5, 0.85)  # of Ioffe and Szegedy's figure 1


class Score(NamedTuple):
    """Mean cross-entropy in nats and the share of images classed right, ``(members,)`` each."""

    loss: Tensor
    accuracy: Tensor


def chunks(images: Images) -> Iterator[tuple[Tensor, Tensor]]:
    """Images ``(1, CHUNK, ...)`` and their classes, one part after the other."""
    for first in range(0, len(images.x), CHUNK):
        part = slice(first, first + CHUNK)
        yield images.x[None, part], images.y[part]


def score(cohort: Cohort[Any], images: Images) -> Score:
    """How members do on images, without dropout, by running statistics."""
    return scored((cohort.predict(x), y) for x, y in chunks(images))


@torch.no_grad()
def scored(outputs: Iterator[tuple[Tensor, Tensor]]) -> Score:
    """The score of outputs ``(members, examples, classes)`` that come part by part."""
    loss = right = torch.zeros((), dtype=torch.float64)
    count = 0
    for logits, y in outputs:
        target = y.expand(len(logits), -1)
        each = functional.cross_entropy(logits.mT, target, reduction="none")
        loss = loss + each.double().sum(1).cpu()
        right = right + (logits.argmax(2) == target).double().sum(1).cpu()
        count += len(y)
    return Score((loss / count).float(), (right / count).float())


@torch.no_grad()
def watched(
    cohort: Cohort[Net], x: Tensor, names: Sequence[str], *, batch: bool = False
) -> list[Tensor]:
    """Outputs of some layers, ``(members, examples, channels, ...)`` each, without dropout.

    Args:
        cohort: whose.
        x: ``(1, examples, channels, height, width)``.
        names: of the layers; ``input`` is the network's.
        batch: whether to normalize by the statistics of ``x``, as in training.
    """

    def one(own: Cohort[Net], _: slice) -> tuple[Tensor, ...]:
        seen: dict[str, Tensor] = {}

        def watch(name: str, value: Tensor) -> None:
            if name in names:
                seen[name] = value.expand(len(own), *value.shape[1:])

        buffers = None if batch else own.buffers
        own.model.forward(own.parameters, x, buffers=buffers, watch=watch)
        return tuple(seen[name] for name in names)

    return list(cohort.each(one))


def read_by(model: Net, kind: type) -> dict[str, str]:
    """What each layer of a kind reads: its name, and that of the value."""
    return {move.name: move.inputs[0] for move in model.moves if isinstance(move.layer, kind)}


def distributions(
    cohort: Cohort[Net], x: Tensor, names: Sequence[str], units: int
) -> dict[str, Tensor]:
    """How the outputs of some layers are spread, normalized as in training, without dropout.

    Args:
        cohort: whose.
        x: ``(1, examples, ...)``, always the same ones.
        names: of the layers.
        units: of how many channels of each layer.

    Returns:
        ``mean`` and ``std`` of the first channels of each layer over examples and positions,
        ``(members, layers, units)``, NaN where a layer has fewer; ``percentiles`` of the
        first channel of each, ``(members, layers, 3)``.
    """
    mean, std, spread = [], [], []
    for value in watched(cohort, x, names, batch=True):
        flat = value.transpose(1, 2).flatten(2)  # (members, channels, examples * positions)
        own = flat[:, :units]
        missing = (0, units - own.shape[1])
        mean.append(functional.pad(own.mean(2), missing, value=torch.nan))
        std.append(functional.pad(own.std(2), missing, value=torch.nan))
        at = torch.tensor(PERCENTILES, device=flat.device)
        spread.append(flat[:, 0, :100_000].quantile(at, dim=1).mT)  # torch sorts no more than 2^24
    return {
        "mean": torch.stack(mean, 1),
        "std": torch.stack(std, 1),
        "percentiles": torch.stack(spread, 1),
    }


def normalizations(cohort: Cohort[Net]) -> dict[str, Tensor]:
    """What batch normalizations have learnt, ``(members, channels)``: ``c1/bn.gamma`` and so on."""
    model = cohort.model
    found = dict(cohort.buffers)
    for name, (gamma, beta) in model.split(cohort.parameters).items():
        if name in model.norms:
            found |= {f"{name}.gamma": gamma, f"{name}.beta": beta}
    return found


def moments(
    cohort: Cohort[Net], images: Images, norms: Sequence[str]
) -> list[tuple[Tensor, Tensor]]:
    """Mean and variance of what batch normalizations read at test time, ``(members, channels)``.

    Without dropout, by running statistics, over images and positions, summed in 64 bits.

    Args:
        cohort: whose.
        images: any number of them.
        norms: names of the batch normalizations.
    """
    model = cohort.model
    reads = read_by(model, BatchNorm)
    sums: dict[str, tuple[Tensor | float, Tensor | float, int]] = dict.fromkeys(
        norms, (0.0, 0.0, 0)
    )
    for x, _ in chunks(images):
        for name, value in zip(norms, watched(cohort, x, [reads[n] for n in norms]), strict=True):
            if name in model.per_unit:
                flat = value.flatten(2).double()
            else:
                flat = value.movedim(2, -1).flatten(1, -2).double()
            total, squares, count = sums[name]
            sums[name] = (
                total + flat.sum(1),
                squares + flat.square().sum(1),
                count + flat.shape[1],
            )
    found = []
    for total, squares, count in sums.values():
        mean = torch.as_tensor(total) / count
        var = (torch.as_tensor(squares) / count - mean.square()).clamp(min=0)
        found.append((mean.float(), (var * (count / max(count - 1, 1))).float()))
    return found


def variances(cohort: Cohort[Net], images: Images) -> dict[str, Tensor]:
    """The variance of what each batch normalization reads at test time, ``(members, channels)``.

    Where dropout was at work in training it is not what the running variance promises (Li, Chen,
    Hu, Yang, arXiv 1801.05134, CVPR 2019).
    """
    names = list(cohort.model.norms)
    found = moments(cohort, images, names)
    return {name: var for name, (_, var) in zip(names, found, strict=True)}


def adjusted(cohort: Cohort[Net], images: Images) -> Cohort[Net]:
    """The same members, their running statistics anew: those of images, without dropout.

    With it the variance shift of Li et al. is gone. Layer after layer, as each changes what the
    next one reads.
    """
    found = replace(cohort, buffers={name: value.clone() for name, value in cohort.buffers.items()})
    for name in cohort.model.norms:
        ((mean, var),) = moments(found, images, [name])
        found.buffers |= {f"{name}.mean": mean, f"{name}.var": var}
    return found


def last_hidden(cohort: Cohort[Net], images: Images) -> Tensor:
    """What the last layer reads, ``(members, examples, units)``, without dropout."""
    model = cohort.model
    name = model.moves[-1].inputs[0]
    return torch.cat([watched(cohort, x, [name])[0].flatten(2) for x, _ in chunks(images)], 1)


def digest(cohort: Cohort[Any]) -> Tensor:
    """SHA-256 of each member's parameters, ``(members, 32)`` bytes: equal if every bit is."""
    theta = cohort.parameters.cpu().contiguous().numpy()
    found = [list(hashlib.sha256(own.tobytes()).digest()) for own in theta]
    return torch.tensor(found, dtype=torch.uint8)


def correlation(values: Tensor) -> Tensor:
    """The mean absolute correlation of two different units over examples, ``(members,)``.

    Units that never change are left out.

    Args:
        values: ``(members, examples, units)``.
    """
    found = []
    for own in values.double():
        live = own[:, own.std(0) > 0]
        table = torch.corrcoef(live.mT).abs()
        n = len(table)
        found.append((table.sum() - n) / (n * (n - 1)) if n > 1 else torch.tensor(torch.nan))
    return torch.stack(found).float()


def silenced(
    cohort: Cohort[Net], values: Tensor, y: Tensor, share: float, masks: int, seed: int
) -> Tensor:
    """Accuracy where a share of the units that the last layer reads is set to zero, ``(members,)``.

    The rest is scaled by 1/(1 - share), as inverted dropout does.

    Args:
        cohort: whose last layer it is.
        values: what it reads, ``(members, examples, units)``.
        y: classes ``(examples,)``.
        share: of the units, 0 to 1, rounded to a whole number of them.
        masks: how many random choices of units are averaged; the same ones for all members.
        seed: of the choices.
    """
    model = cohort.model
    weight, bias = model.split(cohort.parameters)[model.moves[-1].name]
    units = values.shape[2]
    off = round(share * units)
    right = torch.zeros(len(values), dtype=torch.float64)
    for number in range(masks):
        key = streams.fold(streams.root(seed), "silenced", number)
        mask = torch.ones(units, device=values.device)
        mask[streams.permutation(key, units)[:off].to(mask.device)] = 0
        scale = units / max(units - off, 1)
        logits = torch.matmul(values * (mask * scale), weight.mT) + bias.unsqueeze(1)
        right += (logits.argmax(2) == y).double().mean(1).cpu()
    return (right / masks).float()
