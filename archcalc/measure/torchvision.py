"""torchvision's own models, where they are the architecture that our text says: a second twin."""

from __future__ import annotations

from typing import Final, TypeAlias

import torch
from torch import nn

from archcalc.case import Case
from archcalc.counters import torch as flop_counter
from archcalc.counters.base import Reading, leaves, release, size
from archcalc.errors import MeasurementError
from archcalc.measure.twin import module

MODELS: Final = {
    "alexnet-torchvision": "alexnet",
    "googlenet-torchvision": "googlenet",
    **{name: name for name in ("vgg11", "vgg13", "vgg16", "vgg19", "resnet18", "resnet34")},
    **{f"resnet{depth}-torchvision": f"resnet{depth}" for depth in (50, 101, 152)},
}


# By what a module is known: its kind, its weights' sizes, its output's.
Key: TypeAlias = tuple[str, tuple[int, ...], tuple[int, ...]]


def read(case: Case) -> tuple[Reading, str]:
    """``flops`` and ``parameters`` by our layers' names, and a note on how they were matched.

    torchvision calls its layers otherwise and runs branches in another order. A module of theirs is
    matched with the first layer of ours, not yet matched, of its kind, weights and output.

    Raises:
        MeasurementError: torchvision has no such network, or only for another input.
    """
    installed = release("torchvision")
    network, shape = case.network, case.input
    if network.name not in MODELS or shape != network.input:
        raise MeasurementError(
            f"torchvision has no {network.name or 'such network'} for {shape}; "
            f"it has {', '.join(MODELS)}, each for its own input"
        )
    from torchvision.models import get_model  # noqa: PLC0415 - only who asks for it needs it

    name = MODELS[network.name]
    extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        model = get_model(name, weights=None, **extra).eval()
    outputs: dict[str, tuple[int, ...]] = {}
    for path, leaf in leaves(model).items():
        leaf.register_forward_hook(
            lambda _, __, y, path=path: outputs.update({path: tuple(y.shape[1:])})
        )
    x = torch.zeros(1, shape.channels, *shape.sizes, device="meta")  # type: ignore[arg-type]
    counted = flop_counter.read(model, x)
    waiting = _ours(case)
    numbers: dict[str, dict[str, int]] = {"flops": {}, "parameters": {}}
    pairs = []
    for path, leaf in leaves(model).items():
        if not size(leaf) or path not in outputs:
            continue
        if names := waiting.get(_key(leaf, outputs[path])):
            matched = names.pop(0)
            pairs.append(f"{matched} = {path}")
            numbers["flops"][matched] = counted.layers["flops"][path]
            numbers["parameters"][matched] = size(leaf)
    totals = {"flops": counted.totals["flops"], "parameters": size(model)}
    note = f"matched by shape: {', '.join(pairs)}"
    return Reading("torchvision", installed, numbers, totals), note


def _ours(case: Case) -> dict[Key, list[str]]:
    keys: dict[Key, list[str]] = {}
    for step in case.steps:
        with torch.device("meta"):
            leaf = module(step.layer, step.shapes)
        if leaf is not None:
            output = (step.output.channels, *step.output.sizes)
            keys.setdefault(_key(leaf, output), []).append(step.name)  # type: ignore[arg-type]
    return keys


def _key(leaf: nn.Module, output: tuple[int, ...]) -> Key:
    weight = getattr(leaf, "weight", None)
    return (type(leaf).__name__, tuple(weight.shape) if weight is not None else (), output)
