"""What training a network costs: as archcalc predicts it, and as it is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from archcalc import load, profile
from archcalc.case import Case
from archcalc.costs import backward, cost
from archcalc.count import integer
from archcalc.measure.twin import tensors
from archcalc.memory import memory
from training.engine import losses
from training.engine.cohort import Cohort, Member
from training.engine.networks import Net
from training.engine.updates import SGD

OPTIMIZER = "momentum"  # as archcalc calls SGD that remembers a velocity


def predicted(
    text: str, batch: int, precision: str, device: str = "cpu", optimizer: str = OPTIMIZER
) -> dict[str, int]:
    """What archcalc says, without building anything.

    Args:
        text: of the network, with its input's size.
        batch: examples at once.
        precision: of all values: where only some are of 16 bits, this is too little.
        device: ``cpu`` or ``cuda``.
        optimizer: as archcalc calls it.

    Returns:
        ``parameters``; ``forward`` and ``training``: FLOPs for one example, the second of forward
        and backward pass; ``memory``: the most bytes of a training step, in ``step_batch``.
    """
    case = Case.of(load(text), batch=batch, dtype=precision)
    costs = [cost(step) for step in case.steps]
    forward = sum(integer(each.flops.value) for each in costs)
    back = sum(integer(each.weights.value + each.inputs.value) for each in backward(case))
    held = memory(case, train=True, optimizer=optimizer, device=device)
    return {
        "parameters": sum(integer(each.parameters.value) for each in costs),
        "forward": forward,
        "training": forward + 2 * back,
        "memory": held.peak,
        "step_batch": batch,
    }


def measured(text: str, batch: int, precision: str, device: str) -> dict[str, Any]:
    """The same, measured, and the bound that the roofline sets.

    FLOPs are counted by torch while one network learns from one batch; memory is that of a step of
    the network's twin (:func:`archcalc.profile`); on a GPU ``allocated`` is the most that this
    process has held since it began.

    Returns:
        ``parameters``, ``training``, ``memory`` as :func:`predicted`; ``bound``: the images a
        second that the roofline allows, ``ceilings``: where its ceilings come from.
    """
    model = Net.read(text)
    rule = SGD(momentum=0.9)
    given: Any = {"loss": losses.cross_entropy, "rule": rule, "precision": precision}
    cohort = Cohort.born(model, [Member(0, "torch")], 0, device=device, **given)
    case = Case.of(load(text), batch=batch)
    (x,) = (x.unsqueeze(0) for x in tensors(case, device=device))
    y = torch.zeros(1, batch, dtype=torch.int64, device=device)
    with FlopCounterMode(display=False) as counter:
        cohort.advance(x, y)
    allocated = torch.cuda.max_memory_allocated() if device == "cuda" else None
    found = profile(
        text,
        train=True,
        batch=batch,
        dtype=precision,
        device=device,
        optimizer=OPTIMIZER,
        repeats=1,
    )
    return {
        "parameters": model.parameters,
        "training": counter.get_total_flops() // batch,
        "memory": found.measured.peak,
        "allocated": allocated,
        "bound": batch / found.bound,
        "ceilings": found.ceilings.source,
    }


def forecast(cost_of: Mapping[str, int], examples: int) -> str:
    """A prediction in a line.

    Args:
        cost_of: from :func:`predicted`.
        examples: that all networks read together while they learn.
    """
    return (
        f"predicted by archcalc: {cost_of['parameters']:,} parameters; "
        f"{cost_of['training']:,} FLOPs to learn from an image, "
        f"{cost_of['training'] * examples:.3g} in all; "
        f"{cost_of['memory'] / 1e6:,.1f} MB for a step of {cost_of['step_batch']:,} images"
    )
